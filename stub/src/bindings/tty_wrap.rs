//! `internalBinding('tty_wrap')`.

crate::room! {
    name: "tty_wrap",
}
