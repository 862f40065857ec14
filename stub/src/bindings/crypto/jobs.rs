//! The constructors of jobs: each takes its arguments and says what there is to compute.

use v8::{Global, Local, PinScope, Value};

use super::algorithms::{self, Algorithm};
use super::derive::{self, Cost, Hmac, Refusal};
use super::job::{self, Product, Target, Work};
use super::{Args, Return, constant_time_equal, keys};
use crate::errors::{self, Kind};

fn number(scope: &mut PinScope, value: Local<Value>) -> u64 {
    value.number_value(scope).unwrap_or_default().max(0.0) as u64
}

/// The hash function that an argument names; throws when there is none.
fn algorithm<'s>(scope: &mut PinScope<'s, '_>, name: Local<'s, Value>) -> Option<&'static Algorithm> {
    let name = name.to_rust_string_lossy(scope);
    let found = algorithms::find(&name);
    if found.is_none() {
        job::throw_invalid_digest(scope, &name);
    }
    found
}

fn random(length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; length];
    super::random::fill(&mut bytes)?;
    Ok(bytes)
}

/// `new RandomBytesJob(mode, buffer, offset, size)`
pub fn random_bytes<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (offset, size) = (number(scope, args.get(2)) as usize, number(scope, args.get(3)) as usize);
    let buffer = Some((Global::new(scope, args.get(1)), offset));
    let work: Work = Box::new(move || random(size).map(Product::Filling));
    job::init(scope, &args, "RANDOMBYTESREQUEST", Target { buffer, key: Vec::new() }, work);
}

/// `new SecretKeyGenJob(mode, bits[, algorithm, usages, extractable])`
pub fn secret_key<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let bits = number(scope, args.get(1)) as usize;
    let key = (2..args.length()).map(|index| Global::new(scope, args.get(index))).collect();
    // Only Web Crypto, which says what the key is for, has keys that do not end on a byte.
    let length = if args.length() > 2 { bits.div_ceil(8) } else { bits / 8 };
    let work: Work = Box::new(move || {
        let mut bytes = random(length)?;
        if let Some(last) = bytes.last_mut().filter(|_| 8 * length > bits) {
            *last &= 0xff << (8 * length - bits);
        }
        Ok(Product::Key(bytes))
    });
    job::init(scope, &args, "KEYGENREQUEST", Target { buffer: None, key }, work);
}

/// `new HashJob(mode, algorithm, data[, bits])`
pub fn hash<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(algorithm) = algorithm(scope, args.get(1)) else { return };
    let Some(data) = keys::bytes(scope, args.get(2)) else { return };
    let length = match args.get(3).is_number() {
        true => number(scope, args.get(3)) as usize / 8,
        false => algorithm.size,
    };
    if length != algorithm.size && !algorithm.extendable {
        errors::throw_error(scope, "Unsupported state or unable to authenticate data");
        return;
    }
    let work: Work = Box::new(move || Ok(Product::Bytes(algorithm.digest(&data, length))));
    job::init(scope, &args, "HASHREQUEST", Target::default(), work);
}

/// `new HmacJob(mode, signMode, algorithm, key, data[, signature])`
pub fn hmac<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(algorithm) = algorithm(scope, args.get(2)) else { return };
    let (Some(key), Some(data)) = (keys::bytes(scope, args.get(3)), keys::bytes(scope, args.get(4))) else { return };
    let signature = match args.get(5).is_undefined() {
        true => None,
        false => keys::bytes(scope, args.get(5)),
    };
    let work: Work = Box::new(move || {
        let hmac = Hmac::new(algorithm, &key).ok_or("HMAC is not possible with this hash function")?;
        let code = hmac.of(&[&data]);
        Ok(match signature {
            Some(signature) => Product::Answer(constant_time_equal(&signature, &code)),
            None => Product::Bytes(code),
        })
    });
    job::init(scope, &args, "SIGNREQUEST", Target::default(), work);
}

/// `new PBKDF2Job(mode, password, salt, iterations, length, digest)`
pub fn pbkdf2<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (Some(password), Some(salt)) = (keys::bytes(scope, args.get(1)), keys::bytes(scope, args.get(2))) else {
        return;
    };
    let iterations = number(scope, args.get(3)) as u32;
    let length = number(scope, args.get(4)) as usize;
    let Some(algorithm) = algorithm(scope, args.get(5)) else { return };
    let work: Work = Box::new(move || match Hmac::new(algorithm, &password) {
        Some(hmac) if length > 0 => Ok(Product::Bytes(derive::pbkdf2(&hmac, &salt, iterations, length))),
        _ => Err("PBKDF2 derivation failed".to_owned()),
    });
    job::init(scope, &args, "PBKDF2REQUEST", Target::default(), work);
}

/// `new HKDFJob(mode, digest, key, salt, info, length)`
pub fn hkdf<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(algorithm) = algorithm(scope, args.get(1)) else { return };
    let (Some(key), Some(salt), Some(info)) =
        (keys::bytes(scope, args.get(2)), keys::bytes(scope, args.get(3)), keys::bytes(scope, args.get(4)))
    else {
        return;
    };
    let length = number(scope, args.get(5)) as usize;
    if length > 255 * algorithm.size {
        errors::throw_code(scope, Kind::RangeError, "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length");
        return;
    }
    let work: Work = Box::new(move || {
        let bytes = derive::hkdf(algorithm, &key, &salt, &info, length).filter(|bytes| !bytes.is_empty());
        bytes.map(Product::Bytes).ok_or_else(|| "HKDF derivation failed".to_owned())
    });
    job::init(scope, &args, "DERIVEBITSREQUEST", Target::default(), work);
}

/// `new ScryptJob(mode, password, salt, N, r, p, maxmem, length)`
pub fn scrypt<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (Some(password), Some(salt)) = (keys::bytes(scope, args.get(1)), keys::bytes(scope, args.get(2))) else {
        return;
    };
    let cost = Cost { n: number(scope, args.get(3)), r: number(scope, args.get(4)), p: number(scope, args.get(5)) };
    let (most_memory, length) = (number(scope, args.get(6)), number(scope, args.get(7)) as usize);
    if let Err(refusal) = cost.check(most_memory) {
        let message = match refusal {
            Refusal::Invalid => "Invalid scrypt params",
            Refusal::TooMuch => {
                "Invalid scrypt params: error:030000AC:digital envelope routines::memory limit exceeded"
            }
        };
        errors::throw_code(scope, Kind::RangeError, "ERR_CRYPTO_INVALID_SCRYPT_PARAMS", message);
        return;
    }
    let work: Work = Box::new(move || {
        let bytes = derive::scrypt(&password, &salt, cost, length);
        bytes.map(Product::Bytes).ok_or_else(|| "Scrypt derivation failed".to_owned())
    });
    job::init(scope, &args, "SCRYPTREQUEST", Target::default(), work);
}
