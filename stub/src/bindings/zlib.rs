crate::room! {
    name: "zlib",
}
