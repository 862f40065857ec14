//! Memory for conversions, used again and again: to get and to clear it anew would take longer than to convert.

use std::cell::Cell;
use std::thread::LocalKey;

/// What a thread keeps at most, in units.
const KEPT: usize = 1 << 18;

/// What scratch memory can consist of.
pub trait Unit: Copy + Default + 'static {
    /// The thread's memory, unless it is in use.
    fn kept() -> &'static LocalKey<Cell<Vec<Self>>>;
}

macro_rules! unit {
    ($($unit:ty),*) => {
        $(impl Unit for $unit {
            fn kept() -> &'static LocalKey<Cell<Vec<Self>>> {
                thread_local! {
                    static MEMORY: Cell<Vec<$unit>> = const { Cell::new(Vec::new()) };
                }
                &MEMORY
            }
        })*
    };
}

unit!(u8, u16);

/// Runs `body` with `length` units, which hold anything.
pub fn with<U: Unit, R>(length: usize, body: impl FnOnce(&mut [U]) -> R) -> R {
    if length > KEPT {
        return body(&mut vec![U::default(); length]);
    }
    let mut memory = U::kept().take();
    if memory.len() < length {
        memory.resize(length, U::default());
    }
    let result = body(&mut memory[..length]);
    U::kept().set(memory);
    result
}
