//! `internalBinding('buffer')`.

crate::room! {
    name: "buffer",
}
