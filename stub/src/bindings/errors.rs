//! `internalBinding('errors')`.

crate::room! {
    name: "errors",
}

/// See [`crate::errors::trigger_uncaught`].
pub fn trigger_uncaught<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    exception: v8::Local<'s, v8::Value>,
    message: Option<v8::Local<'s, v8::Message>>,
    from_promise: bool,
) {
    let _ = (message, from_promise);
    eprintln!("{}", exception.to_rust_string_lossy(scope));
    std::process::exit(1);
}
