//! Throwing errors as Node's native half throws them, and what happens when nobody catches one.

use crate::js;

/// Throws `new Error(message)`.
pub fn throw_error(scope: &mut v8::PinScope, message: &str) {
    let message = js::string(scope, message);
    let error = v8::Exception::error(scope, message);
    scope.throw_exception(error);
}

/// The class of a thrown error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `Error`
    Error,
    /// `TypeError`
    TypeError,
    /// `RangeError`
    RangeError,
}

/// An error with Node's `code`, such as `ERR_INVALID_ARG_TYPE`. Its stack shows the code as Node's
/// native errors do: only as a property.
pub fn with_code<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    kind: Kind,
    code: &str,
    message: &str,
) -> v8::Local<'s, v8::Value> {
    let message = js::string(scope, message);
    let error = match kind {
        Kind::Error => v8::Exception::error(scope, message),
        Kind::TypeError => v8::Exception::type_error(scope, message),
        Kind::RangeError => v8::Exception::range_error(scope, message),
    };
    if let Ok(object) = v8::Local::<v8::Object>::try_from(error) {
        let code = js::string(scope, code);
        js::set(scope, object, "code", code);
    }
    error
}

/// Throws [`with_code`].
pub fn throw_code(scope: &mut v8::PinScope, kind: Kind, code: &str, message: &str) {
    let error = with_code(scope, kind, code, message);
    scope.throw_exception(error);
}

/// What a failed system call was about.
#[derive(Clone, Copy, Default, Debug)]
pub struct Failure<'a> {
    /// A libuv error number, negative.
    pub errno: i32,
    /// The call's name, such as `open`.
    pub syscall: &'a str,
    /// The path that it was about.
    pub path: Option<&'a str>,
    /// The second path of a rename, link or copy.
    pub dest: Option<&'a str>,
}

/// The error that Node's `UVException` makes: `ENOENT: no such file or directory, open 'x'`, with the
/// properties `errno`, `code`, `syscall`, `path` and `dest`.
pub fn uv_exception<'s>(scope: &mut v8::PinScope<'s, '_>, failure: Failure) -> v8::Local<'s, v8::Value> {
    let code = crate::uv::error_name(failure.errno);
    let mut message = format!("{code}: {}, {}", crate::uv::error_message(failure.errno), failure.syscall);
    if let Some(path) = failure.path {
        message += &format!(" '{path}'");
    }
    if let Some(dest) = failure.dest {
        message += &format!(" -> '{dest}'");
    }
    let text = js::string(scope, &message);
    let error = v8::Exception::error(scope, text);
    if let Ok(object) = v8::Local::<v8::Object>::try_from(error) {
        let errno = js::integer(scope, failure.errno);
        js::set(scope, object, "errno", errno);
        let texts = [
            ("code", Some(code.as_str())),
            ("syscall", Some(failure.syscall)),
            ("path", failure.path),
            ("dest", failure.dest),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                let text = js::string(scope, text);
                js::set(scope, object, key, text);
            }
        }
    }
    error
}

/// `process.emitWarning(message)`
pub fn emit_warning(scope: &mut v8::PinScope, message: &str) {
    let process = crate::realm::Realm::current().object(scope, crate::bootstrap::PROCESS);
    let Some(process) = process else { return };
    let emit = js::get(scope, process, "emitWarning").and_then(|emit| v8::Local::<v8::Function>::try_from(emit).ok());
    if let Some(emit) = emit {
        let message = js::string(scope, message);
        emit.call(scope, process.into(), &[message.into()]);
    }
}

/// `process.emitWarning(message, 'DeprecationWarning', code)`; `None` if that throws.
pub fn emit_deprecation(scope: &mut v8::PinScope, message: &str, code: &str) -> Option<()> {
    let process = crate::realm::Realm::current().object(scope, crate::bootstrap::PROCESS)?;
    let emit: v8::Local<v8::Function> = js::get(scope, process, "emitWarning")?.try_into().ok()?;
    let arguments = [message, "DeprecationWarning", code].map(|text| js::string(scope, text).into());
    emit.call(scope, process.into(), &arguments).map(drop)
}

/// Throws [`uv_exception`].
pub fn throw_uv(scope: &mut v8::PinScope, failure: Failure) {
    let error = uv_exception(scope, failure);
    scope.throw_exception(error);
}

/// Reports an exception that nobody caught, as Node's `TriggerUncaughtException` does: asks
/// `process._fatalException`, and ends the process unless that handled it.
pub fn trigger_uncaught<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    exception: v8::Local<'s, v8::Value>,
    message: Option<v8::Local<'s, v8::Message>>,
    from_promise: bool,
) {
    crate::bindings::errors::trigger_uncaught(scope, exception, message, from_promise);
}

/// Tells a failed system call in `context`, for JavaScript to make an `ERR_SYSTEM_ERROR` of it.
pub fn collect_uv<'s>(scope: &v8::PinScope<'s, '_>, context: v8::Local<'s, v8::Object>, errno: i32, syscall: &str) {
    let number = js::integer(scope, errno);
    js::set(scope, context, "errno", number);
    let texts = [
        ("code", crate::uv::error_name(errno)),
        ("message", crate::uv::error_message(errno)),
        ("syscall", syscall.to_owned()),
    ];
    for (key, text) in texts {
        let text = js::string(scope, &text);
        js::set(scope, context, key, text);
    }
}

/// The system's text for an error number, such as `Device or resource busy`.
pub fn system_message(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    // Rust appends the number.
    text.rsplit_once(" (os error").map_or(text.clone(), |(text, _)| text.to_owned())
}

/// Throws what Node's `ErrnoException` makes of a plain, positive error number: `EPERM, Operation not permitted`.
pub fn throw_errno(scope: &mut v8::PinScope, errno: i32, syscall: &str, path: Option<&str>) {
    let code = crate::uv::error_name(-errno);
    let reason = system_message(errno);
    let mut message = format!("{code}, {reason}");
    if let Some(path) = path {
        message += &format!(" '{path}'");
    }
    let message = js::string(scope, &message);
    let error = v8::Exception::error(scope, message);
    if let Ok(object) = v8::Local::<v8::Object>::try_from(error) {
        let number = js::integer(scope, errno);
        js::set(scope, object, "errno", number);
        for (key, text) in [("code", Some(code.as_str())), ("path", path), ("syscall", Some(syscall))] {
            if let Some(text) = text {
                let text = js::string(scope, text);
                js::set(scope, object, key, text);
            }
        }
    }
    scope.throw_exception(error);
}
