//! Copying, comparing and filling.

use std::cell::Cell;

use v8::fast_api::FastApiCallbackOptions;
use v8::{ArrayBuffer, Local, PinScope, Value};

use super::{Args, Return, index, throw_not_a_buffer, throw_out_of_range, view};
use crate::bindings::options;
use crate::js;
use crate::realm::Realm;
use crate::text::{self, Encoding, STORAGE};

/// `copy(source, target, targetStart, sourceStart, length)`: the library has checked the bounds.
pub fn copy<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (Some(source), Some(target)) = (text::view(args.get(0)), text::view(args.get(1))) else { return };
    let number = |scope: &mut PinScope<'s, '_>, position| args.get(position).integer_value(scope).unwrap_or(0) as usize;
    let copied = copy_part(source, target, number(scope, 2), number(scope, 3), number(scope, 4));
    rv.set_double(copied as f64);
}

crate::fast!(pub COPY = copy_fast as (Value, Value, u32, u32, u32) -> u32);

extern "C" fn copy_fast<'s>(
    _: Local<'s, Value>,
    source: Local<'s, Value>,
    target: Local<'s, Value>,
    to: u32,
    from: u32,
    length: u32,
    options: &FastApiCallbackOptions<'s>,
) -> u32 {
    // SAFETY: V8 gave the options to this call. Giving a small view a buffer of its own takes a scope.
    v8::callback_scope!(unsafe _scope, options);
    match (text::view(source), text::view(target)) {
        (Some(source), Some(target)) => copy_part(source, target, to as usize, from as usize, length as usize) as u32,
        _ => 0,
    }
}

fn copy_part(source: &[Cell<u8>], target: &[Cell<u8>], to: usize, from: usize, length: usize) -> usize {
    // Detached in between: nothing is there any more.
    let source = from.checked_add(length).and_then(|end| source.get(from..end));
    match (target.get(to..), source) {
        (Some(target), Some(source)) if target.len() >= length => text::copy(target, source),
        _ => 0,
    }
}

/// `copyArrayBuffer(target, targetOffset, source, sourceOffset, length)`
pub fn copy_array_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (Some(target), Some(source)) = (js::bytes(args.get(0)), js::bytes(args.get(2))) else { return };
    let number = |scope: &mut PinScope<'s, '_>, position| args.get(position).integer_value(scope).unwrap_or(0) as usize;
    let (to, from, length) = (number(scope, 1), number(scope, 3), number(scope, 4));
    let source = from.checked_add(length).and_then(|end| source.get(from..end));
    if let (Some(target), Some(source)) = (target.get(to..), source) {
        text::copy(target, source);
    }
}

pub fn compare<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if view(scope, args.get(0)).is_none() || view(scope, args.get(1)).is_none() {
        return;
    }
    let (mut left, mut right) = (STORAGE, STORAGE);
    if let (Some(left), Some(right)) = (text::contents(args.get(0), &mut left), text::contents(args.get(1), &mut right))
    {
        rv.set_int32(left.cmp(right) as i32);
    }
}

crate::fast!(pub COMPARE = compare_fast as (Value, Value) -> i32);

extern "C" fn compare_fast<'s>(
    _: Local<'s, Value>,
    left: Local<'s, Value>,
    right: Local<'s, Value>,
    options: &FastApiCallbackOptions<'s>,
) -> i32 {
    let (mut left_storage, mut right_storage) = (STORAGE, STORAGE);
    match (text::contents(left, &mut left_storage), text::contents(right, &mut right_storage)) {
        (Some(left), Some(right)) => left.cmp(right) as i32,
        _ => {
            // SAFETY: V8 gave the options to this call.
            v8::callback_scope!(unsafe scope, options);
            throw_not_a_buffer(scope);
            0
        }
    }
}

/// `compareOffset(source, target, targetStart, sourceStart, targetEnd, sourceEnd)`
pub fn compare_offset<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(source) = view(scope, args.get(0)) else { return };
    let Some(target) = view(scope, args.get(1)) else { return };
    let mut numbers = [0; 4];
    for (position, number) in numbers.iter_mut().enumerate() {
        let Some(index) = index(scope, args.get(2 + position as i32), 0) else { return };
        *number = index;
    }
    let [target_start, source_start, target_end, source_end] = numbers;
    if source_start > source.len() {
        throw_out_of_range(scope, "The value of \"sourceStart\" is out of range.");
        return;
    }
    if target_start > target.len() {
        throw_out_of_range(scope, "The value of \"targetStart\" is out of range.");
        return;
    }
    let part = |bytes, start: usize, end: usize| {
        let bytes: &[u8] = text::read(bytes);
        &bytes[start..end.clamp(start, bytes.len())]
    };
    let order = part(source, source_start, source_end).cmp(part(target, target_start, target_end));
    rv.set_int32(order as i32);
}

/// `fill(buffer, value, start, end, encoding)`: -1 when the value has no bytes, -2 when the range is out of bounds.
pub fn fill<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(bytes) = view(scope, args.get(0)) else { return };
    let Some(start) = index(scope, args.get(2), 0) else { return };
    let Some(end) = index(scope, args.get(3), bytes.len()) else { return };
    let Some(target) = bytes.get(start..end) else {
        rv.set_int32(-2);
        return;
    };
    let value = args.get(1);
    let has_bytes = if value.is_array_buffer_view() {
        // A copy, for the pattern may lie in the target.
        repeat(target, &text::bytes_of_value(scope, value, Encoding::Utf8).unwrap_or_default())
    } else if let Ok(string) = Local::<v8::String>::try_from(value) {
        let encoding = Encoding::parse(scope, args.get(4), Encoding::Utf8);
        text::with_bytes(scope, string, encoding, |pattern| repeat(target, pattern))
    } else {
        let Some(number) = value.uint32_value(scope) else { return };
        repeat(target, &[number as u8])
    };
    if !has_bytes {
        rv.set_int32(-1);
    }
}

/// Fills `target` with `pattern`; false if that is empty and the target is not.
fn repeat(target: &[Cell<u8>], pattern: &[u8]) -> bool {
    if pattern.is_empty() || target.is_empty() {
        return target.is_empty();
    }
    text::write(target, |target| {
        let first = pattern.len().min(target.len());
        target[..first].copy_from_slice(&pattern[..first]);
        // What is filled already is copied behind itself, twice as much each time.
        let mut filled = first;
        while filled < target.len() {
            let length = filled.min(target.len() - filled);
            target.copy_within(..length, filled);
            filled += length;
        }
    });
    true
}

/// Larger buffers are tried out first: V8 ends the process where it gets no memory.
const LARGE: usize = 1 << 30;

/// Whether there is memory for `length` bytes.
fn there_is(length: usize) -> bool {
    length < LARGE || Vec::<u8>::new().try_reserve_exact(length).is_ok()
}

/// A new buffer of `length` bytes; `None` when there is not that much memory.
pub fn try_array_buffer<'s>(scope: &mut PinScope<'s, '_>, length: usize) -> Option<Local<'s, ArrayBuffer>> {
    there_is(length).then(|| ArrayBuffer::new(scope, length))
}

#[derive(Default)]
struct State {
    clears: Cell<Option<bool>>,
}

/// Whether all memory has to be cleared.
fn clears(scope: &mut PinScope) -> bool {
    let realm = Realm::current();
    let state = realm.room::<State>();
    state.clears.get().unwrap_or_else(|| {
        // A snapshot must not hold what was in the build's memory.
        let clears = realm.building || options::flag(scope, "--zero-fill-buffers");
        state.clears.set(Some(clears));
        clears
    })
}

pub fn create_unsafe_array_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let length = args.get(0).integer_value(scope).unwrap_or_default();
    let clears = clears(scope);
    let buffer = usize::try_from(length).ok().and_then(|length| match clears {
        true => try_array_buffer(scope, length),
        false => there_is(length).then(|| crate::memory::uninitialized(scope, length)),
    });
    match buffer {
        Some(buffer) => rv.set(buffer.into()),
        None => {
            let message = js::string(scope, "Array buffer allocation failed");
            let error = v8::Exception::range_error(scope, message);
            scope.throw_exception(error);
        }
    }
}

/// How far into the buffer the first address lies that is a multiple of `alignment`.
pub fn array_buffer_aligned_offset<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    // A snapshot's buffers get other addresses when it is restored, and it must not depend on those of the build.
    if Realm::current().building {
        return rv.set_int32(0);
    }
    let Ok(buffer) = Local::<ArrayBuffer>::try_from(args.get(0)) else { return };
    let alignment = args.get(1).integer_value(scope).map_or(1, |alignment| alignment.max(1) as usize);
    let address = buffer.data().map_or(0, |data| data.addr().get());
    rv.set_double((address.next_multiple_of(alignment) - address) as f64);
}

pub fn swap16<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    swap::<2>(scope, args, rv);
}

pub fn swap32<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    swap::<4>(scope, args, rv);
}

pub fn swap64<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    swap::<8>(scope, args, rv);
}

fn swap<'s, const WIDTH: usize>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(bytes) = view(scope, args.get(0)) else { return };
    text::write(bytes, |bytes| reverse_each(bytes.as_chunks_mut::<WIDTH>().0));
    rv.set(args.get(0));
}

/// Reverses the bytes of each chunk.
fn reverse_each<const WIDTH: usize>(chunks: &mut [[u8; WIDTH]]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has these instructions.
        return unsafe { reverse_each_at_once(chunks) };
    }
    chunks.iter_mut().for_each(|chunk| chunk.reverse());
}

/// The same, for the compiler to do with many chunks at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn reverse_each_at_once<const WIDTH: usize>(chunks: &mut [[u8; WIDTH]]) {
    chunks.iter_mut().for_each(|chunk| chunk.reverse());
}

pub fn set_detach_key<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Ok(buffer) = Local::<ArrayBuffer>::try_from(args.get(0)) {
        let key: Local<Value> = args.get(1);
        buffer.set_detach_key(key);
    }
}
