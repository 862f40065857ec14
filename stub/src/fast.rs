//! Fast calls: what optimized JavaScript calls without the handles and the checks that an ordinary call takes.
//!
//! V8 calls the fast function instead of the ordinary one of the same name whenever the arguments are of the types that
//! it is declared with; both must do the same. See [`fast!`](crate::fast!).

use std::ffi::c_void;

use v8::ExternalReference;
use v8::fast_api::{CFunction, CFunctionInfo};

/// The fast function of a native function.
pub struct Fast(CFunction);

// SAFETY: it is two addresses, of a function and of a constant.
unsafe impl Sync for Fast {}

impl Fast {
    /// For [`fast!`](crate::fast!), which sees to it that the function is what `info` says.
    pub const fn new(address: *const c_void, info: &'static CFunctionInfo) -> Fast {
        Fast(CFunction::new(address, info))
    }

    /// What V8 chooses from.
    pub fn overloads(&'static self) -> &'static [CFunction] {
        std::slice::from_ref(&self.0)
    }

    /// What a snapshot refers to.
    pub fn references(&'static self) -> [ExternalReference; 1] {
        [ExternalReference { pointer: (&raw const self.0).cast_mut().cast() }]
    }
}

/// Declares a fast function, for a [`room!`](crate::room!) to name:
///
/// ```ignore
/// fast!(pub COPY = copy_fast as (Value, Value, u32) -> u32);
/// extern "C" fn copy_fast<'s>(_: Local<'s, Value>, from: Local<'s, Value>, to: Local<'s, Value>, length: u32,
///     options: &FastApiCallbackOptions<'s>) -> u32 { … }
/// ```
///
/// The receiver comes first and the options last. `text` is a string of one byte for each character.
#[macro_export]
macro_rules! fast {
    ($visibility:vis $name:ident = $function:path as ($($argument:ident),*) -> $result:ident) => {
        $visibility static $name: $crate::fast::Fast = {
            // The types must be those that V8 is told.
            const FUNCTION: for<'s> extern "C" fn(
                v8::Local<'s, v8::Value>,
                $($crate::fast!(@type 's $argument),)*
                &v8::fast_api::FastApiCallbackOptions<'s>,
            ) -> $crate::fast!(@type 's $result) = $function;
            const ARGUMENTS: &[v8::fast_api::CTypeInfo] = &[
                v8::fast_api::Type::V8Value.as_info(),
                $($crate::fast!(@info $argument),)*
                v8::fast_api::Type::CallbackOptions.as_info(),
            ];
            const INFO: &v8::fast_api::CFunctionInfo = &v8::fast_api::CFunctionInfo::new(
                $crate::fast!(@info $result),
                ARGUMENTS,
                v8::fast_api::Int64Representation::Number,
            );
            $crate::fast::Fast::new(FUNCTION as *const std::ffi::c_void, INFO)
        };
    };
    (@type $life:lifetime Value) => { v8::Local<$life, v8::Value> };
    (@type $life:lifetime text) => { &$life v8::fast_api::FastApiOneByteString };
    (@type $life:lifetime nothing) => { () };
    (@type $life:lifetime $number:ident) => { $number };
    (@info Value) => { v8::fast_api::Type::V8Value.as_info() };
    (@info text) => { v8::fast_api::Type::SeqOneByteString.as_info() };
    (@info nothing) => { v8::fast_api::Type::Void.as_info() };
    (@info bool) => { v8::fast_api::Type::Bool.as_info() };
    (@info i32) => { v8::fast_api::Type::Int32.as_info() };
    (@info u32) => { v8::fast_api::Type::Uint32.as_info() };
    (@info f64) => { v8::fast_api::Type::Float64.as_info() };
}
