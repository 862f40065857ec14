//! `internalBinding('blob')`.

crate::room! {
    name: "blob",
}
