//! `internalBinding('mksnapshot')`.

crate::room! {
    name: "mksnapshot",
}
