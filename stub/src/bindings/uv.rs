//! `internalBinding('uv')`.

crate::room! {
    name: "uv",
}
