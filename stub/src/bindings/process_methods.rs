//! `internalBinding('process_methods')`.

crate::room! {
    name: "process_methods",
}
