//! `internalBinding('performance')`.

crate::room! {
    name: "performance",
}
