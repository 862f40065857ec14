//! `internalBinding('constants')`.

crate::room! {
    name: "constants",
}
