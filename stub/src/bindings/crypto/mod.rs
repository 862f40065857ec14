//! `internalBinding('crypto')`: hashes, message authentication codes, symmetric ciphers, keys derived from passwords, and
//! random numbers. What needs two keys and TLS are still to come.

mod algorithms;
mod cipher;
mod context;
mod derive;
mod hash;
mod job;
mod jobs;
mod keys;
mod random;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::errors::{self, Kind};
use crate::{facts, js, text};

pub use keys::KEYS;

crate::room! {
    name: "crypto",
    functions: {
        pure "getFipsCrypto" => no_fips,
        pure "getFipsCryptoGeneration" => generation,
        pure "setupFipsIndicatorChannel" => nothing,
        pure "testFipsCrypto" => never,
        pure "getHashes" => hashes,
        pure "getCachedAliases" => aliases,
        pure "getCachedMacAliases" => no_aliases,
        pure "getMacs" => none,
        pure "getCiphers" => cipher::ciphers,
        pure "getCipherInfo" => cipher::info,
        pure "getSSLCiphers" => none,
        pure "getCurves" => none,
        pure "getPqcKeyTypes" => none,
        pure "getCertificateCompressionAlgorithms" => none,
        // An ES module's import of `node:tls` already asks for these.
        pure "getBundledRootCertificates" => none,
        pure "getOpenSSLSecLevelCrypto" => security_level,
        pure "oneShotDigest" => hash::one_shot,
        pure "timingSafeEqual" => timing_safe_equal,
        pure "secureBuffer" => secure_buffer,
        pure "secureHeapUsed" => nothing,
        pure "startLoadingCertificatesOffThread" => nothing,
        pure "createNativeKeyObjectClass" => keys::create_key_object_class,
        pure "createCryptoKeyClass" => keys::create_crypto_key_class,
        pure "createX509CertificateClass" => keys::create_certificate_class,
        pure "isKeyObject" => keys::is_key_object,
        pure "isCryptoKey" => keys::is_crypto_key,
        pure "isX509Certificate" => keys::is_certificate,
        pure "getKeyObjectSlots" => keys::key_object_slots,
    },
    classes: {
        // Native state does not outlive a snapshot, so these are only made at run time.
        "Hash" { trap new => hash::new, pure "update" => hash::update, pure "digest" => hash::digest },
        "Hmac" {
            trap new => hash::new_hmac,
            pure "init" => hash::init_hmac,
            pure "update" => hash::update_hmac,
            pure "digest" => hash::digest_hmac,
        },
        "CipherBase" {
            trap new => cipher::new,
            pure "update" => cipher::update,
            pure "final" => cipher::finish,
            pure "setAutoPadding" => cipher::set_auto_padding,
            pure "getAuthTag" => cipher::auth_tag,
            pure "setAuthTag" => cipher::set_auth_tag,
            pure "setAAD" => cipher::set_aad,
        },
        "KeyObjectHandle" {
            trap new => keys::new_handle,
            pure "init" => keys::init,
            pure "getKeyType" => keys::key_type,
            pure "getSymmetricKeySize" => keys::size,
            pure "export" => keys::export,
            pure "exportJwk" => keys::export_jwk,
            pure "equals" => keys::equals,
            pure "getAsymmetricKeyType" => keys::not_yet,
            pure "checkEcKeyData" => keys::not_yet,
            pure "rawPublicKey" => keys::not_yet,
            pure "rawPrivateKey" => keys::not_yet,
            pure "rawSeed" => keys::not_yet,
            pure "exportECPublicRaw" => keys::not_yet,
            pure "exportECPrivateRaw" => keys::not_yet,
            pure "keyDetail" => keys::not_yet,
        },
        "SecureContext" {
            trap new => context::new,
            trap "init" => context::init,
            pure "getMaxProto" => context::most,
            pure "getMinProto" => context::least,
            pure "setMaxProto" => context::set_most,
            pure "setMinProto" => context::set_least,
            pure "addCACert" => nothing,
            pure "addCRL" => nothing,
            pure "addRootCerts" => nothing,
            pure "close" => nothing,
            pure "enableTicketKeyCallback" => nothing,
            pure "setAllowPartialTrustChain" => nothing,
            pure "setCert" => nothing,
            pure "setCertificateCompression" => nothing,
            pure "setCipherSuites" => nothing,
            pure "setCiphers" => nothing,
            pure "setDHParam" => nothing,
            pure "setECDHCurve" => nothing,
            pure "setKey" => nothing,
            pure "setOptions" => nothing,
            pure "setSessionIdContext" => nothing,
            pure "setSessionTimeout" => nothing,
            pure "setSigalgs" => nothing,
            pure "setTicketKeys" => nothing,
        },
        #[hidden] "NativeKeyObject" { pure new => keys::new_key_object },
        #[hidden] "NativeCryptoKey" { pure new => keys::new_crypto_key },
        #[hidden] "NativeX509Certificate" { pure new => keys::new_certificate },
        "RandomBytesJob" extends "AsyncWrap" { trap new => jobs::random_bytes, trap "run" => job::run },
        "SecretKeyGenJob" extends "AsyncWrap" { trap new => jobs::secret_key, trap "run" => job::run },
        "HashJob" extends "AsyncWrap" { pure new => jobs::hash, pure "run" => job::run },
        "HmacJob" extends "AsyncWrap" { pure new => jobs::hmac, pure "run" => job::run },
        "PBKDF2Job" extends "AsyncWrap" { pure new => jobs::pbkdf2, pure "run" => job::run },
        "HKDFJob" extends "AsyncWrap" { pure new => jobs::hkdf, pure "run" => job::run },
        "ScryptJob" extends "AsyncWrap" { pure new => jobs::scrypt, pure "run" => job::run },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "crypto", target);
}

fn no_fips<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(0);
}

/// How often FIPS mode was switched: never.
fn generation<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set(v8::BigInt::new_from_u64(scope, 0).into());
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn never<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(false);
}

fn none<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set(v8::Array::new(scope, 0).into());
}

fn security_level<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(2);
}

fn hashes<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set(js::strings(scope, algorithms::names()).into());
}

/// Numbers by which the library names the functions from then on.
fn aliases<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let aliases = Object::new(scope);
    for (place, name) in algorithms::names().enumerate() {
        let place = js::integer(scope, place as i32);
        js::set(scope, aliases, name, place);
    }
    rv.set(aliases.into());
}

fn no_aliases<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set(Object::new(scope).into());
}

/// `secureBuffer(length)`: there is no secure heap unless one is asked for, so it is an ordinary array.
fn secure_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let length = args.get(0).uint32_value(scope).unwrap_or_default() as usize;
    let buffer = v8::ArrayBuffer::new(scope, length);
    if let Some(array) = v8::Uint8Array::new(scope, buffer, 0, length) {
        rv.set(array.into());
    }
}

/// Whether two secrets of one length are equal, in a time that does not tell where they differ.
fn constant_time_equal(left: &[u8], right: &[u8]) -> bool {
    let difference = left.iter().zip(right).fold(0, |sum, (left, right)| sum | (left ^ right));
    // Keeps the compiler from leaving the loop early.
    left.len() == right.len() && std::hint::black_box(difference) == 0
}

fn timing_safe_equal<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (mut left, mut right) = (text::STORAGE, text::STORAGE);
    let mut contents = |index, storage| {
        let bytes = text::contents(args.get(index), storage);
        if bytes.is_none() {
            let message = format!(
                "The \"buf{}\" argument must be an instance of ArrayBuffer, Buffer, TypedArray, or DataView.",
                index + 1
            );
            errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", &message);
        }
        bytes
    };
    let Some(left) = contents(0, &mut left) else { return };
    let Some(right) = contents(1, &mut right) else { return };
    if left.len() != right.len() {
        let message = "Input buffers must have the same byte length";
        errors::throw_code(scope, Kind::RangeError, "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH", message);
        return;
    }
    rv.set_bool(constant_time_equal(left, right));
}
