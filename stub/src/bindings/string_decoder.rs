//! `internalBinding('string_decoder')`.

crate::room! {
    name: "string_decoder",
}
