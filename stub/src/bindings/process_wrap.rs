//! `internalBinding('process_wrap')`.

crate::room! {
    name: "process_wrap",
}
