//! `internalBinding('wasm_web_api')`.

crate::room! {
    name: "wasm_web_api",
}
