//! `internalBinding('fs')`.

crate::room! {
    name: "fs",
}
