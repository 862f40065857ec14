//! `internalBinding('modules')`.

crate::room! {
    name: "modules",
}
