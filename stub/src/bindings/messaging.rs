//! `internalBinding('messaging')`.

crate::room! {
    name: "messaging",
}
