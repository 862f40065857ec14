//! Values as the bytes of `rkyv` archives, and back.

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Error;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

/// The archive of `value`.
pub fn to_bytes<T>(value: &T) -> Vec<u8>
where
    T: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, Error>>,
{
    // Serializing into memory has no way to fail: the types hold no unsized surprises and no shared pointers.
    rkyv::to_bytes::<Error>(value).map(|bytes| bytes.to_vec()).unwrap_or_default()
}

/// The value that an archive holds, wherever it lies in memory; nothing if it is none.
pub fn from_bytes<T>(bytes: &[u8]) -> Option<T>
where
    T: Archive,
    T::Archived: for<'a> CheckBytes<HighValidator<'a, Error>> + Deserialize<T, HighDeserializer<Error>>,
{
    let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    rkyv::from_bytes::<T, Error>(&aligned).ok()
}
