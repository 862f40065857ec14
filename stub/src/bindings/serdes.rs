//! `internalBinding('serdes')`.

crate::room! {
    name: "serdes",
}
