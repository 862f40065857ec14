//! `internalBinding('stream_wrap')`.

crate::room! {
    name: "stream_wrap",
}
