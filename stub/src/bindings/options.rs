//! `internalBinding('options')`.

crate::room! {
    name: "options",
}
