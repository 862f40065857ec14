//! `internalBinding('builtins')`.

crate::room! {
    name: "builtins",
}
