//! `internalBinding('encoding_binding')`.

crate::room! {
    name: "encoding_binding",
}
