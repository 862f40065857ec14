//! Secret keys, and the classes of keys that the library builds its own on.

use std::cell::RefCell;
use std::rc::Rc;

use v8::{Array, Function, Local, Object, PinScope, Value};

use super::{Args, Return, constant_time_equal};
use crate::bindings::builtins;
use crate::bindings::messaging::{CLONEABLE, Parcel, Traveller};
use crate::realm::Realm;
use crate::text::{self, Encoding};
use crate::{binding, errors, js, wrap};

/// `kKeyTypeSecret`
const SECRET: i32 = 0;

/// What `createNativeKeyObjectClass` got: the class of secret keys.
const SECRET_KEY_OBJECT: &str = "crypto.SecretKeyObject";

/// What `createCryptoKeyClass` got: the classes of Web Crypto's keys.
const INTERNAL_CRYPTO_KEY: &str = "crypto.InternalCryptoKey";

/// A `KeyObjectHandle`. So far only secret keys are known.
#[derive(Default)]
struct Handle(RefCell<Option<Rc<[u8]>>>);

/// A `KeyObject`.
struct NativeKey(Rc<[u8]>);

/// How secret keys travel between realms.
pub const KEYS: Traveller = Traveller {
    mode: |scope, object| wrap::get::<NativeKey>(scope, object).map(|_| CLONEABLE),
    pack: |scope, object, _| Some(Box::new(Secret(wrap::get::<NativeKey>(scope, object)?.0.to_vec()))),
};

/// The bytes of a secret key on its way.
struct Secret(Vec<u8>);

impl Parcel for Secret {
    fn unpack<'s>(self: Box<Self>, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
        let realm = Realm::current();
        if realm.slot(scope, SECRET_KEY_OBJECT).is_none() {
            // The library makes the class when it first loads this.
            let require = realm.function(scope, builtins::REQUIRE)?;
            let (undefined, id) = (js::undefined(scope), js::string(scope, "internal/crypto/keys"));
            require.call(scope, undefined, &[id.into()])?;
        }
        let class = realm.function(scope, SECRET_KEY_OBJECT)?;
        let handle = handle(scope, self.0)?;
        class.new_instance(scope, &[handle.into()])
    }
}

/// A `CryptoKey`: the library keeps what belongs to it.
struct NativeCryptoKey;

/// A handle for the secret key `bytes`.
pub fn handle<'s>(scope: &mut PinScope<'s, '_>, bytes: Vec<u8>) -> Option<Local<'s, Object>> {
    handle_of(scope, bytes.into())
}

fn handle_of<'s>(scope: &mut PinScope<'s, '_>, bytes: Rc<[u8]>) -> Option<Local<'s, Object>> {
    let object = binding::construct(scope, "KeyObjectHandle", &[])?;
    if let Some(handle) = wrap::get::<Handle>(scope, object) {
        handle.0.replace(Some(bytes));
    }
    Some(object)
}

fn key_of<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<Rc<[u8]>> {
    let object = Local::<Object>::try_from(value).ok()?;
    wrap::get::<Handle>(scope, object).and_then(|handle| handle.0.borrow().clone())
}

/// The bytes of a secret key's handle, of a view, a buffer or a string. Throws when `value` is none of them.
pub fn bytes<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<Vec<u8>> {
    if let Some(key) = key_of(scope, value) {
        return Some(key.to_vec());
    }
    let bytes = text::bytes_of_value(scope, value, Encoding::Utf8);
    if bytes.is_none() {
        errors::throw_error(scope, "Only secret keys are available in Kiln yet");
    }
    bytes
}

/// A `CryptoKey` around `handle`.
pub fn crypto_key<'s>(
    scope: &mut PinScope<'s, '_>,
    handle: Local<'s, Object>,
    rest: &[Local<'s, Value>],
) -> Option<Local<'s, Value>> {
    let class = Realm::current().function(scope, INTERNAL_CRYPTO_KEY)?;
    let mut arguments = vec![handle.into()];
    arguments.extend_from_slice(rest);
    class.new_instance(scope, &arguments).map(Into::into)
}

/// `new KeyObjectHandle()`
pub fn new_handle<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Handle::default());
}

/// `handle.init(type, data, …)`
pub fn init<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(handle) = wrap::get::<Handle>(scope, args.this()) else { return };
    if args.get(0).int32_value(scope) != Some(SECRET) {
        return not_yet(scope, args, rv);
    }
    let data = args.get(1);
    let is_bytes = data.is_array_buffer_view() || data.is_array_buffer() || data.is_shared_array_buffer();
    let bytes = match Local::<Object>::try_from(data) {
        Ok(jwk) if !is_bytes => from_jwk(scope, jwk),
        _ => bytes(scope, data),
    };
    if let Some(bytes) = bytes {
        handle.0.replace(Some(bytes.into()));
        rv.set_bool(true);
    }
}

/// The bytes of a JSON Web Key: `k` in Base64 for URLs.
fn from_jwk<'s>(scope: &mut PinScope<'s, '_>, jwk: Local<'s, Object>) -> Option<Vec<u8>> {
    let digits = js::get(scope, jwk, "k")?;
    match Local::<v8::String>::try_from(digits) {
        Ok(digits) => Some(text::bytes_of(scope, digits, Encoding::Base64Url)),
        Err(_) => {
            errors::throw_code(scope, errors::Kind::Error, "ERR_CRYPTO_INVALID_JWK", "Invalid JWK secret key format");
            None
        }
    }
}

/// `handle.getKeyType()`
pub fn key_type<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(SECRET);
}

/// `handle.getSymmetricKeySize()`
pub fn size<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(key) = key_of(scope, args.this().into()) {
        rv.set_double(key.len() as f64);
    }
}

/// `handle.export()`
pub fn export<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(key) = key_of(scope, args.this().into()) {
        rv.set(crate::bindings::buffer::new_buffer(scope, key.to_vec()).into());
    }
}

/// `handle.exportJwk(target, …)`
pub fn export_jwk<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(key) = key_of(scope, args.this().into()) else { return };
    let Ok(target) = Local::<Object>::try_from(args.get(0)) else { return };
    let Some(digits) = text::encode(scope, &key, Encoding::Base64Url) else { return };
    let kind = js::string(scope, "oct");
    js::set(scope, target, "kty", kind);
    js::set(scope, target, "k", digits);
    rv.set(target.into());
}

/// `handle.equals(other)`
pub fn equals<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let keys = (key_of(scope, args.this().into()), key_of(scope, args.get(0)));
    rv.set_bool(match keys {
        (Some(own), Some(other)) => own.len() == other.len() && constant_time_equal(&own, &other),
        _ => false,
    });
}

/// What only keys of two parts have.
pub fn not_yet<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    errors::throw_error(
        scope,
        "internalBinding('crypto').KeyObjectHandle: asymmetric keys are not available in Kiln yet",
    );
}

/// `new NativeKeyObject(handle)`
pub fn new_key_object<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(key) = key_of(scope, args.get(0)) {
        wrap::attach(scope, args.this(), NativeKey(key));
    }
}

/// `new NativeCryptoKey(handle, algorithm, usages, extractable, secondaryHandle, seed)`
pub fn new_crypto_key<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), NativeCryptoKey);
}

/// `new NativeX509Certificate(…)`
pub fn new_certificate<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    errors::throw_error(scope, "internalBinding('crypto'): certificates are not available in Kiln yet");
}

fn is<'s, T: 'static>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> bool {
    Local::<Object>::try_from(value).is_ok_and(|object| wrap::get::<T>(scope, object).is_some())
}

/// `isKeyObject(value)`
pub fn is_key_object<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(is::<NativeKey>(scope, args.get(0)));
}

/// `isCryptoKey(value)`
pub fn is_crypto_key<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(is::<NativeCryptoKey>(scope, args.get(0)));
}

/// `isX509Certificate(value)`: none can be made yet.
pub fn is_certificate<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(false);
}

/// `getKeyObjectSlots(key)`: its type and a handle.
pub fn key_object_slots<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let object = Local::<Object>::try_from(args.get(0)).ok();
    let key = object.and_then(|object| wrap::get::<NativeKey>(scope, object));
    let Some(key) = key else {
        errors::throw_code(
            scope,
            errors::Kind::TypeError,
            "ERR_INVALID_THIS",
            "Value of \"this\" must be of type KeyObject",
        );
        return;
    };
    if let Some(handle) = handle_of(scope, key.0.clone()) {
        let slots = [js::integer(scope, SECRET), handle.into()];
        rv.set(Array::new_with_elements(scope, &slots).into());
    }
}

/// Calls back with the native class `name`, on which the library builds its own; returns those.
fn create_class<'s>(
    scope: &mut PinScope<'s, '_>,
    args: &Args<'s>,
    rv: &mut Return<'s>,
    name: &'static str,
) -> Option<Local<'s, Array>> {
    let callback = Local::<Function>::try_from(args.get(0)).ok()?;
    let class = binding::class(scope, name);
    let undefined = js::undefined(scope);
    let classes = callback.call(scope, undefined, &[class.into()])?;
    rv.set(classes);
    classes.try_into().ok()
}

/// `createNativeKeyObjectClass(callback)`
pub fn create_key_object_class<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let classes = create_class(scope, &args, &mut rv, "NativeKeyObject");
    if let Some(class) = classes.and_then(|classes| classes.get_index(scope, 1)) {
        Realm::current().set_slot(scope, SECRET_KEY_OBJECT, class);
    }
}

/// `createCryptoKeyClass(callback)`
pub fn create_crypto_key_class<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let classes = create_class(scope, &args, &mut rv, "NativeCryptoKey");
    if let Some(class) = classes.and_then(|classes| classes.get_index(scope, 1)) {
        Realm::current().set_slot(scope, INTERNAL_CRYPTO_KEY, class);
    }
}

/// `createX509CertificateClass(callback)`
pub fn create_certificate_class<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    create_class(scope, &args, &mut rv, "NativeX509Certificate");
}
