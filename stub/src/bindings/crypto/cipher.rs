//! `CipherBase`: symmetric ciphers.

use std::cell::{Cell, RefCell};

use v8::{Local, Object, PinScope, Value};

use super::{Args, Return, constant_time_equal, keys};
use crate::bindings::buffer;
use crate::cipher::{self, Cipher, Kind, Mode, Problem, Start};
use crate::errors::{self, Kind as ErrorKind};
use crate::text::{self, Encoding};
use crate::{js, wrap};

struct State {
    cipher: &'static Cipher,
    encrypts: bool,
    /// None after the end.
    mode: RefCell<Option<Box<dyn Mode>>>,
    /// Bytes of the tag; `None` where the program has not said it.
    tag_length: Cell<Option<usize>>,
    /// The tag to compare with, or, encrypting, the one that was made.
    tag: RefCell<Option<Vec<u8>>>,
    /// Whether a message was found to be forged.
    is_forged: Cell<bool>,
}

/// What CCM takes at most.
const LONGEST: usize = i32::MAX as usize;

impl State {
    /// How long a message may be.
    fn longest(&self, iv: usize) -> usize {
        match (self.cipher.kind, iv) {
            (Kind::Ccm, 12) => 0xff_ffff,
            (Kind::Ccm, 13) => 0xffff,
            _ => LONGEST,
        }
    }
}

/// The state with the length of its initialization vector.
struct Wrapped {
    state: State,
    iv_length: usize,
}

fn invalid_iv(scope: &mut PinScope) {
    errors::throw_code(scope, ErrorKind::TypeError, "ERR_CRYPTO_INVALID_IV", "Invalid initialization vector");
}

fn invalid_tag(scope: &mut PinScope, message: &str) {
    errors::throw_code(scope, ErrorKind::TypeError, "ERR_CRYPTO_INVALID_AUTH_TAG", message);
}

/// Throws what OpenSSL says.
fn throw_openssl(scope: &mut PinScope, number: u32, reason: &str) {
    const LIBRARY: &str = "Provider routines";
    let message = js::string(scope, &format!("error:{number:08X}:{LIBRARY}::{reason}"));
    let error = v8::Exception::error(scope, message);
    if let Ok(object) = Local::<Object>::try_from(error) {
        let code = format!("ERR_OSSL_{}", reason.to_uppercase().replace(' ', "_"));
        for (key, value) in [("library", LIBRARY), ("reason", reason), ("code", &code)] {
            let value = js::string(scope, value);
            js::set(scope, object, key, value);
        }
    }
    scope.throw_exception(error);
}

fn is_length_of_tag(kind: Kind, length: usize) -> bool {
    match kind {
        Kind::Gcm => matches!(length, 4 | 8 | 12..=16),
        Kind::Ccm => matches!(length, 4 | 6 | 8 | 10 | 12 | 14 | 16),
        Kind::Ocb => length <= 16,
        _ => (1..=16).contains(&length),
    }
}

/// `new CipherBase(encrypts, cipher, key, iv, tagLength)`
pub fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let name = args.get(1).to_rust_string_lossy(scope);
    let Some(cipher) = cipher::find(&name) else {
        return errors::throw_code(scope, ErrorKind::Error, "ERR_CRYPTO_UNKNOWN_CIPHER", "Unknown cipher");
    };
    let Some(key) = keys::bytes(scope, args.get(2)) else { return };
    let iv = text::bytes_of_value(scope, args.get(3), Encoding::Utf8).unwrap_or_default();
    let takes_iv = match cipher.kind {
        Kind::Gcm => !iv.is_empty(),
        Kind::Ccm => (7..=13).contains(&iv.len()),
        Kind::Ocb => (1..=15).contains(&iv.len()),
        _ => iv.len() == cipher.iv_length,
    };
    if !takes_iv {
        return invalid_iv(scope);
    }
    let given = usize::try_from(args.get(4).int32_value(scope).unwrap_or(-1)).ok();
    let mut tag_length = None;
    if cipher.kind.authenticates() {
        tag_length = match given {
            Some(length) if !is_length_of_tag(cipher.kind, length) => {
                return invalid_tag(scope, &format!("Invalid authentication tag length: {length}"));
            }
            None if cipher.kind == Kind::ChaChaPoly => Some(16),
            None if cipher.kind != Kind::Gcm => {
                return invalid_tag(scope, &format!("authTagLength required for {name}"));
            }
            given => given,
        };
    }
    let encrypts = args.get(0).is_true();
    let invalid_key = |scope: &mut PinScope| {
        errors::throw_code(scope, ErrorKind::RangeError, "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")
    };
    if key.len() != cipher.key_length {
        return invalid_key(scope);
    }
    let (first, second) = key.split_at(key.len() / 2);
    if cipher.kind == Kind::Xts && encrypts && constant_time_equal(first, second) {
        return throw_openssl(scope, 0x1c80_0095, "xts duplicated keys");
    }
    let start = Start { key: &key, iv: &iv, encrypts, tag_length: tag_length.unwrap_or(16) };
    let Some(mode) = cipher::start(cipher, &start) else { return invalid_key(scope) };
    let state = State {
        cipher,
        encrypts,
        mode: RefCell::new(Some(mode)),
        tag_length: Cell::new(tag_length),
        tag: RefCell::default(),
        is_forged: Cell::default(),
    };
    wrap::attach(scope, args.this(), Wrapped { state, iv_length: iv.len() });
}

/// Whether a tag is the one to compare with.
fn is_right(state: &State, tag: Option<[u8; 16]>) -> bool {
    let known = state.tag.borrow();
    match (&*known, tag) {
        (Some(known), Some(tag)) => tag.get(..known.len()).is_some_and(|tag| constant_time_equal(tag, known)),
        // As in OpenSSL, this cipher compares nothing where there is nothing to compare with.
        (None, _) => state.cipher.kind == Kind::ChaChaPoly,
        _ => false,
    }
}

/// `update(data, encoding)`
pub fn update<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(wrapped) = wrap::get::<Wrapped>(scope, args.this()) else { return };
    let state = &wrapped.state;
    let encoding = Encoding::parse(scope, args.get(1), Encoding::Utf8);
    let Some(data) = text::bytes_of_value(scope, args.get(0), encoding) else { return };
    let mut out = Vec::new();
    let mut mode = state.mode.borrow_mut();
    if mode.is_some() && data.len() > state.longest(wrapped.iv_length) {
        let message = "Invalid message length";
        return errors::throw_code(scope, ErrorKind::RangeError, "ERR_CRYPTO_INVALID_MESSAGELEN", message);
    }
    let result = mode.as_mut().map(|mode| mode.update(&data, &mut out));
    if !matches!(result, Some(Ok(()))) {
        return errors::throw_error(scope, "Trying to add data in unsupported state");
    }
    // In this mode a message is looked at before any of it is handed out.
    if state.cipher.kind == Kind::Ccm && !state.encrypts {
        let tag = mode.as_mut().and_then(|mode| mode.tag());
        if !is_right(state, tag) {
            state.is_forged.set(true);
            out.clear();
        }
    }
    rv.set(buffer::new_buffer(scope, out).into());
}

/// `final()`
pub fn finish<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(wrapped) = wrap::get::<Wrapped>(scope, args.this()) else { return };
    let state = &wrapped.state;
    let Some(mut mode) = state.mode.take() else {
        return errors::throw_code(scope, ErrorKind::Error, "ERR_CRYPTO_INVALID_STATE", "Invalid state");
    };
    let mut out = Vec::new();
    let mut result = mode.finish(&mut out);
    if state.cipher.kind.authenticates() {
        let tag = mode.tag();
        if state.encrypts {
            let length = state.tag_length.get().unwrap_or(16);
            state.tag_length.set(Some(length));
            *state.tag.borrow_mut() = tag.map(|tag| tag[..length].to_vec());
        } else if state.is_forged.get() || !is_right(state, tag) {
            result = Err(Problem::State);
        }
    }
    match result {
        Ok(()) => rv.set(buffer::new_buffer(scope, out).into()),
        Err(Problem::WrongFinalBlockLength) => throw_openssl(scope, 0x1c80_006b, "wrong final block length"),
        Err(Problem::BadDecrypt) => throw_openssl(scope, 0x1c80_0064, "bad decrypt"),
        Err(Problem::State) if state.cipher.kind.authenticates() => {
            errors::throw_error(scope, "Unsupported state or unable to authenticate data");
        }
        Err(Problem::State) => errors::throw_error(scope, "Unsupported state"),
    }
}

/// `setAutoPadding(pads)`: whether it is not too late.
pub fn set_auto_padding<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(wrapped) = wrap::get::<Wrapped>(scope, args.this()) else { return };
    let mut mode = wrapped.state.mode.borrow_mut();
    rv.set_bool(mode.is_some());
    if let Some(mode) = mode.as_mut() {
        mode.set_padding(args.length() < 1 || args.get(0).is_true());
    }
}

/// `getAuthTag()`: undefined if there is none.
pub fn auth_tag<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(wrapped) = wrap::get::<Wrapped>(scope, args.this()) else { return };
    let state = &wrapped.state;
    if state.encrypts
        && state.mode.borrow().is_none()
        && let Some(tag) = state.tag.borrow().clone()
    {
        rv.set(buffer::new_buffer(scope, tag).into());
    }
}

/// `setAuthTag(tag)`: whether it can be set.
pub fn set_auth_tag<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(wrapped) = wrap::get::<Wrapped>(scope, args.this()) else { return };
    let state = &wrapped.state;
    let can = state.cipher.kind.authenticates() && !state.encrypts && state.mode.borrow().is_some();
    if !can || state.tag.borrow().is_some() {
        return rv.set_bool(false);
    }
    let Some(tag) = text::bytes_of_value(scope, args.get(0), Encoding::Utf8) else { return };
    if tag.len() != state.tag_length.get().unwrap_or(16) {
        return invalid_tag(scope, &format!("Invalid authentication tag length: {}", tag.len()));
    }
    state.tag.replace(Some(tag));
    rv.set_bool(true);
}

/// `setAAD(data, length of the message)`: whether it can be set.
pub fn set_aad<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(wrapped) = wrap::get::<Wrapped>(scope, args.this()) else { return };
    let state = &wrapped.state;
    if !state.cipher.kind.authenticates() || state.mode.borrow().is_none() {
        return rv.set_bool(false);
    }
    let length = args.get(1).int32_value(scope).and_then(|length| usize::try_from(length).ok());
    if state.cipher.kind == Kind::Ccm {
        let Some(length) = length else {
            let message = "options.plaintextLength required for CCM mode with AAD";
            return errors::throw_code(scope, ErrorKind::TypeError, "ERR_MISSING_ARGS", message);
        };
        if length > state.longest(wrapped.iv_length) {
            let message = "Invalid message length";
            return errors::throw_code(scope, ErrorKind::RangeError, "ERR_CRYPTO_INVALID_MESSAGELEN", message);
        }
    }
    let Some(data) = text::bytes_of_value(scope, args.get(0), Encoding::Utf8) else { return };
    let mut mode = state.mode.borrow_mut();
    rv.set_bool(mode.as_mut().is_some_and(|mode| mode.associate(&data, length).is_ok()));
}

pub fn ciphers<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set(js::strings(scope, cipher::names()).into());
}

/// `getCipherInfo(name or number, keyLength, ivLength)`: undefined if there is no such cipher.
pub fn info<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let found = match args.get(0).is_string() {
        true => cipher::find(&args.get(0).to_rust_string_lossy(scope)),
        false => args.get(0).int32_value(scope).and_then(cipher::find_number),
    };
    let Some(cipher) = found else { return };
    let wanted = |scope: &mut PinScope<'s, '_>, value: Local<'s, Value>| {
        value.is_number().then(|| value.uint32_value(scope)).flatten().map(|length| length as usize)
    };
    let (key, iv) = (wanted(scope, args.get(1)), wanted(scope, args.get(2)));
    let takes = |length: usize| match cipher.kind {
        Kind::Gcm => true,
        Kind::Ccm => (7..=13).contains(&length),
        Kind::Ocb => (1..=15).contains(&length),
        _ => length == cipher.iv_length,
    };
    if key.is_some_and(|length| length != cipher.key_length) || iv.is_some_and(|length| !takes(length)) {
        return;
    }
    let null = v8::null(scope).into();
    let info = Object::with_prototype_and_properties(scope, null, &[], &[]);
    let number = |scope: &mut PinScope<'s, '_>, value: Option<usize>| match value {
        Some(value) => js::integer(scope, value as i32),
        None => js::undefined(scope),
    };
    let mode = js::string(scope, cipher.kind.label());
    js::set(scope, info, "mode", mode);
    let name = js::string(scope, cipher.name);
    js::set(scope, info, "name", name);
    let iv_length = Some(iv.unwrap_or(cipher.iv_length)).filter(|length| *length > 0);
    let fields = [
        ("nid", cipher.number.map(|number| number as usize)),
        ("keyLength", Some(cipher.key_length)),
        ("blockSize", cipher.block_size()),
        ("ivLength", iv_length),
    ];
    for (key, value) in fields {
        let value = number(scope, value);
        js::set(scope, info, key, value);
    }
    rv.set(info.into());
}
