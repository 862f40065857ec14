//! `internalBinding('url')`.

crate::room! {
    name: "url",
}
