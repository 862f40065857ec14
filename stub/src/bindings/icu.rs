//! `internalBinding('icu')`.

crate::room! {
    name: "icu",
}
