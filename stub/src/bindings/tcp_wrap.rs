//! `internalBinding('tcp_wrap')`.

crate::room! {
    name: "tcp_wrap",
}
