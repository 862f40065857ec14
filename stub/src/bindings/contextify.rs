//! `internalBinding('contextify')`.

crate::room! {
    name: "contextify",
}
