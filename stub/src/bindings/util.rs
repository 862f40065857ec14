//! `internalBinding('util')`.

crate::room! {
    name: "util",
}
