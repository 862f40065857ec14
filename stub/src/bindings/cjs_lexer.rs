//! `internalBinding('cjs_lexer')`.

crate::room! {
    name: "cjs_lexer",
}
