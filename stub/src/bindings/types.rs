//! `internalBinding('types')`.

crate::room! {
    name: "types",
}
