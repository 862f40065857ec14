//! Typed arrays whose memory JavaScript and native code share.
//!
//! An array is made once, under the name of a slot, and comes back from a snapshot with its contents.

use std::cell::Cell;

use v8::fast_api::FastApiCallbackOptions;

use crate::realm::Realm;
use crate::slots::Name;

/// A number type that a typed array can hold.
pub trait Element: Copy + 'static {
    /// Makes the typed array over `buffer`.
    fn view<'s>(
        scope: &v8::PinScope<'s, '_>,
        buffer: v8::Local<'s, v8::ArrayBuffer>,
        length: usize,
    ) -> Option<v8::Local<'s, v8::Value>>;
}

macro_rules! element {
    ($($number:ty => $array:ident),*) => {
        $(impl Element for $number {
            fn view<'s>(
                scope: &v8::PinScope<'s, '_>,
                buffer: v8::Local<'s, v8::ArrayBuffer>,
                length: usize,
            ) -> Option<v8::Local<'s, v8::Value>> {
                v8::$array::new(scope, buffer, 0, length).map(Into::into)
            }
        })*
    };
}

element!(u8 => Uint8Array, i32 => Int32Array, u32 => Uint32Array, f64 => Float64Array, i64 => BigInt64Array);

/// Makes the array of slot `name`, all zero.
pub fn create<'s, T: Element>(
    scope: &v8::PinScope<'s, '_>,
    name: impl Into<Name>,
    length: usize,
) -> v8::Local<'s, v8::Value> {
    // A buffer of its own: a small array without one lives in the heap, where it moves.
    let buffer = v8::ArrayBuffer::new(scope, length * size_of::<T>());
    let array = T::view(scope, buffer, length).expect("the length is within V8's limits");
    Realm::current().set_slot(scope, name, array);
    array
}

/// As [`cells`], for a fast call.
pub fn cells_fast<'s, T: Element>(options: &'s FastApiCallbackOptions<'s>, name: &'static str) -> &'s [Cell<T>] {
    match Realm::with(|realm| realm.known_memory(name.into())) {
        // SAFETY: as in `cells`.
        Some((data, length)) if !data.is_null() => unsafe {
            std::slice::from_raw_parts(data.cast(), length / size_of::<T>())
        },
        _ => {
            // SAFETY: V8 gave the options to the function that it is calling.
            v8::callback_scope!(unsafe scope, options);
            cells(scope, name)
        }
    }
}

/// The elements of the array of slot `name`; none before it is made.
pub fn cells<'s, T: Element>(scope: &v8::PinScope<'s, '_>, name: impl Into<Name>) -> &'s [Cell<T>] {
    let Some((data, length)) = Realm::with(|realm| realm.memory(scope, name.into())) else { return &[] };
    if data.is_null() {
        return &[];
    }
    // SAFETY: the view holds that many elements of the type that `create` made, and is kept alive by its slot;
    // nothing detaches these buffers. `Cell` allows for JavaScript's writes.
    unsafe { std::slice::from_raw_parts(data.cast(), length / size_of::<T>()) }
}
