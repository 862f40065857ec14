//! `internalBinding('permission')`.

crate::room! {
    name: "permission",
}
