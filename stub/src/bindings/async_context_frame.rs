//! `internalBinding('async_context_frame')`.

crate::room! {
    name: "async_context_frame",
}
