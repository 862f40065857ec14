//! `internalBinding('worker')`.

crate::room! {
    name: "worker",
}
