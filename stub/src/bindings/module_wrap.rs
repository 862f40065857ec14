//! `internalBinding('module_wrap')`.

crate::room! {
    name: "module_wrap",
}
