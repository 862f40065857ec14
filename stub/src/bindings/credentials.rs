//! `internalBinding('credentials')`.

crate::room! {
    name: "credentials",
}
