//! `internalBinding('config')`.

crate::room! {
    name: "config",
}
