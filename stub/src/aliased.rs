//! Typed arrays whose memory JavaScript and native code share.
//!
//! An array is made once, under the name of a slot, and comes back from a snapshot with its contents.

use std::cell::Cell;
use std::thread::LocalKey;

use v8::fast_api::FastApiCallbackOptions;

use crate::realm::Realm;
use crate::slots::{self, Name};

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

/// A typed array that is used so often that looking it up by its name would count.
pub struct Shared<T: 'static> {
    /// The name of its slot.
    pub name: &'static str,
    /// Where it is, as of a number of changes to the slots of this thread.
    pub known: &'static LocalKey<Cell<Known<T>>>,
}

/// See [`Shared`].
pub type Known<T> = (u64, *const Cell<T>, usize);

/// Declares a [`Shared`] array: `shared!(FIELDS: u32 = "async_wrap.async_hook_fields");`
#[macro_export]
macro_rules! shared {
    ($(#[$about:meta])* $visibility:vis $array:ident: $element:ty = $name:expr) => {
        $(#[$about])*
        $visibility static $array: $crate::aliased::Shared<$element> = {
            thread_local! {
                static KNOWN: std::cell::Cell<$crate::aliased::Known<$element>> =
                    const { std::cell::Cell::new((u64::MAX, std::ptr::null(), 0)) };
            }
            $crate::aliased::Shared { name: $name, known: &KNOWN }
        };
    };
}

impl<T: Element> Shared<T> {
    /// Makes it, all zero.
    pub fn create<'s>(&self, scope: &v8::PinScope<'s, '_>, length: usize) -> v8::Local<'s, v8::Value> {
        create::<T>(scope, self.name, length)
    }

    /// Its elements; none before it is made.
    pub fn cells<'s>(&self, scope: &v8::PinScope<'s, '_>) -> &'s [Cell<T>] {
        self.at_hand().unwrap_or_else(|| {
            let cells = cells(scope, self.name);
            self.known.set((slots::changes(), cells.as_ptr(), cells.len()));
            cells
        })
    }

    /// As [`Shared::cells`], for a fast call.
    pub fn cells_fast<'s>(&self, options: &'s FastApiCallbackOptions<'s>) -> &'s [Cell<T>] {
        self.at_hand().unwrap_or_else(|| {
            // SAFETY: V8 gave the options to the function that it is calling.
            v8::callback_scope!(unsafe scope, options);
            self.cells(scope)
        })
    }

    fn at_hand<'s>(&self) -> Option<&'s [Cell<T>]> {
        let (changes, data, length) = self.known.get();
        // SAFETY: as in `cells`: the slot still keeps the array, for no slot has changed since it was found.
        (changes == slots::changes()).then(|| unsafe { std::slice::from_raw_parts(data, length) })
    }
}
