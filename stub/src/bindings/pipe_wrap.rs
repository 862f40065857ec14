//! `internalBinding('pipe_wrap')`.

crate::room! {
    name: "pipe_wrap",
}
