//! `internalBinding('symbols')`.

crate::room! {
    name: "symbols",
}
