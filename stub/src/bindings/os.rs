//! `internalBinding('os')`.

crate::room! {
    name: "os",
}
