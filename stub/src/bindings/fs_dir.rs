//! `internalBinding('fs_dir')`.

crate::room! {
    name: "fs_dir",
}
