//! Random bytes.
//!
//! A question to the kernel costs much more than a few bytes do, and programs mostly want a few: for an id, a key, a
//! name. So they come from a generator of this process, as under Node; `rand`'s, which is made for secrets too, seeds
//! itself from the kernel again and again.

use rand::TryRng;

/// Fills `target`. May be called on any thread.
pub fn fill(target: &mut [u8]) -> Result<(), String> {
    rand::rng().try_fill_bytes(target).map_err(|error| error.to_string())
}
