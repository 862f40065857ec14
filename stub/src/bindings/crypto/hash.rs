//! `Hash`, `Hmac` and hashes of one piece of data.

use std::cell::{Ref, RefCell};

use v8::{FunctionCallbackArguments, Local, Object, PinScope, Value};

use super::algorithms::{self, Algorithm, Hasher};
use super::derive;
use super::{Args, Return, job, keys};
use crate::text::{self, Encoding};
use crate::{errors, js, wrap};

struct Hash {
    state: RefCell<State>,
    algorithm: &'static Algorithm,
    length: usize,
}

enum State {
    Running(Box<dyn Hasher>),
    Done(Vec<u8>),
}

impl Hash {
    fn result(&self) -> Ref<'_, [u8]> {
        self.state.replace_with(|state| match std::mem::replace(state, State::Done(Vec::new())) {
            State::Running(hasher) => State::Done(algorithms::finish(hasher, self.length)),
            done => done,
        });
        Ref::map(self.state.borrow(), |state| match state {
            State::Done(result) => result.as_slice(),
            State::Running(_) => &[],
        })
    }
}

/// The function called `name`, or the one with the number that `getCachedAliases` has given to its name.
fn algorithm<'s>(
    scope: &mut PinScope<'s, '_>,
    name: Local<'s, Value>,
    number: Local<'s, Value>,
) -> Option<&'static Algorithm> {
    let place = number.int32_value(scope).and_then(|number| usize::try_from(number).ok());
    match place {
        Some(place) => algorithms::at(place),
        None => algorithms::find(&name.to_rust_string_lossy(scope)),
    }
}

/// `new Hash(algorithm or Hash, outputLength, number, cache, functionName, customization)`
pub fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let original: Option<Local<Object>> = args.get(0).try_into().ok();
    let original = original.and_then(|object| wrap::get::<Hash>(scope, object));
    let (hasher, algorithm) = match original {
        Some(original) => match &*original.state.borrow() {
            State::Running(hasher) => (hasher.copy(), original.algorithm),
            State::Done(_) => return unsupported(scope, "Digest method not supported"),
        },
        None => {
            // A function name or a customization (arguments 4 and 5) asks for cSHAKE.
            let customized = !args.get(4).is_undefined() || !args.get(5).is_undefined();
            match algorithm(scope, args.get(0), args.get(2)).filter(|_| !customized) {
                Some(algorithm) => ((algorithm.start)(), algorithm),
                None => return unsupported(scope, "Digest method not supported"),
            }
        }
    };
    let length = match args.get(1).uint32_value(scope).filter(|_| args.get(1).is_number()) {
        Some(length) if length as usize != algorithm.size && !algorithm.extendable => return not_extendable(scope),
        Some(length) => length as usize,
        None => algorithm.size,
    };
    wrap::attach(scope, args.this(), Hash { state: RefCell::new(State::Running(hasher)), algorithm, length });
}

fn unsupported(scope: &mut PinScope, message: &str) {
    errors::throw_error(scope, message);
}

/// What OpenSSL says to a length that is not the function's own.
fn not_extendable(scope: &mut PinScope) {
    let (library, reason) = ("digital envelope routines", "not XOF or invalid length");
    let message = js::string(scope, &format!("error:030000B2:{library}::{reason}"));
    let error = v8::Exception::error(scope, message);
    if let Ok(object) = Local::<Object>::try_from(error) {
        let code = "ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH";
        for (key, text) in [("library", library), ("reason", reason), ("code", code)] {
            let text = js::string(scope, text);
            js::set(scope, object, key, text);
        }
    }
    scope.throw_exception(error);
}

/// Runs `body` with the bytes of the first argument: a view, or a string in the encoding of the second.
fn with_data<'s>(scope: &mut PinScope<'s, '_>, args: &FunctionCallbackArguments<'s>, body: impl FnOnce(&[u8])) {
    let data = args.get(0);
    if let Ok(string) = Local::<v8::String>::try_from(data) {
        let encoding = match Encoding::parse(scope, args.get(1), Encoding::Utf8) {
            Encoding::Buffer => Encoding::Utf8,
            encoding => encoding,
        };
        text::with_bytes(scope, string, encoding, body);
        return;
    }
    let mut storage = text::STORAGE;
    if let Some(bytes) = text::contents(data, &mut storage) {
        body(bytes);
    }
}

/// `hash.update(data, encoding)`
pub fn update<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(hash) = wrap::get::<Hash>(scope, args.this()) else { return rv.set_bool(false) };
    let mut running = false;
    with_data(scope, &args, |bytes| {
        if let State::Running(hasher) = &mut *hash.state.borrow_mut() {
            hasher.update(bytes);
            running = true;
        }
    });
    rv.set_bool(running);
}

/// `hash.digest(encoding)`
pub fn digest<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(hash) = wrap::get::<Hash>(scope, args.this()) else { return };
    let result = hash.result();
    if let Some(result) = output(scope, &result, args.get(0)) {
        rv.set(result);
    }
}

fn output<'s>(scope: &mut PinScope<'s, '_>, bytes: &[u8], encoding: Local<'s, Value>) -> Option<Local<'s, Value>> {
    let encoding = Encoding::parse(scope, encoding, Encoding::Buffer);
    text::encode(scope, bytes, encoding)
}

/// `oneShotDigest(algorithm, id, cache, input, encoding, encodingNumber, outputLength[, functionName, customization])`
pub fn one_shot<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let customized = !args.get(7).is_undefined() || !args.get(8).is_undefined();
    let Some(algorithm) = algorithm(scope, args.get(0), args.get(1)).filter(|_| !customized) else {
        let name = args.get(0).to_rust_string_lossy(scope);
        return unsupported(scope, &format!("Digest method {name} is not supported"));
    };
    let length = match args.get(6).uint32_value(scope).filter(|_| args.get(6).is_number()) {
        Some(length) if length as usize != algorithm.size && !algorithm.extendable => {
            let name = args.get(0).to_rust_string_lossy(scope);
            let message = format!("Output length {length} is invalid for {name}, which does not support XOF");
            return unsupported(scope, &message);
        }
        Some(length) => length as usize,
        None => algorithm.size,
    };
    let input = args.get(3);
    let result = if let Ok(string) = Local::<v8::String>::try_from(input) {
        text::with_bytes(scope, string, Encoding::Utf8, |bytes| algorithm.digest(bytes, length))
    } else {
        let mut storage = text::STORAGE;
        algorithm.digest(text::contents(input, &mut storage).unwrap_or_default(), length)
    };
    if let Some(result) = output(scope, &result, args.get(4)) {
        rv.set(result);
    }
}

struct Hmac(RefCell<Option<derive::Hmac>>);

/// `new Hmac()`
pub fn new_hmac<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Hmac(RefCell::default()));
}

/// `hmac.init(algorithm, key)`
pub fn init_hmac<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(hmac) = wrap::get::<Hmac>(scope, args.this()) else { return };
    let name = args.get(0).to_rust_string_lossy(scope);
    let Some(algorithm) = algorithms::find(&name) else { return job::throw_invalid_digest(scope, &name) };
    let Some(key) = keys::bytes(scope, args.get(1)) else { return };
    match derive::Hmac::new(algorithm, &key) {
        Some(state) => *hmac.0.borrow_mut() = Some(state),
        None => errors::throw_error(scope, "error:00000000:lib(0)::reason(0)"),
    }
}

/// `hmac.update(data, encoding)`
pub fn update_hmac<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(hmac) = wrap::get::<Hmac>(scope, args.this()) else { return rv.set_bool(false) };
    let mut running = false;
    with_data(scope, &args, |bytes| {
        if let Some(state) = &mut *hmac.0.borrow_mut() {
            state.update(bytes);
            running = true;
        }
    });
    rv.set_bool(running);
}

/// `hmac.digest(encoding)`: empty once it was asked for.
pub fn digest_hmac<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(hmac) = wrap::get::<Hmac>(scope, args.this()) else { return };
    let result = hmac.0.take().map(derive::Hmac::finish).unwrap_or_default();
    if let Some(result) = output(scope, &result, args.get(0)) {
        rv.set(result);
    }
}
