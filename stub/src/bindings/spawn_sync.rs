//! `internalBinding('spawn_sync')`.

crate::room! {
    name: "spawn_sync",
}
