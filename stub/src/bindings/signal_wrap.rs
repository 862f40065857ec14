//! `internalBinding('signal_wrap')`.

crate::room! {
    name: "signal_wrap",
}
