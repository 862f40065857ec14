//! `internalBinding('v8')`.

crate::room! {
    name: "v8",
}
