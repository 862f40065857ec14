//! `internalBinding('trace_events')`.

crate::room! {
    name: "trace_events",
}
