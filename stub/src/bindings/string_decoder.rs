//! `internalBinding('string_decoder')`: strings out of chunks of bytes, without tearing characters apart.
//!
//! A decoder's state is seven bytes in a `Buffer` that the library owns, see the indices below.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::text::{self, Encoding};
use crate::{facts, js};

crate::room! {
    name: "string_decoder",
    functions: {
        pure "decode" => decode,
        pure "flush" => flush,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// The bytes of an incomplete character are at the state's beginning.
const INCOMPLETE: usize = 4;
/// How many bytes the incomplete character lacks.
const MISSING: usize = 4;
/// How many bytes of it are there.
const BUFFERED: usize = 5;
/// The encoding's number.
const ENCODING: usize = 6;
const FIELDS: usize = 7;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "string_decoder", target);
    let encodings = js::strings(scope, text::ENCODINGS);
    js::set(scope, target, "encodings", encodings);
}

/// `decode(state, chunk)`
fn decode<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(cells) = text::view(args.get(0)).filter(|cells| cells.len() >= FIELDS) else { return };
    let mut storage = text::STORAGE;
    let Some(chunk) = text::contents(args.get(1), &mut storage) else {
        let message = "The \"buf\" argument must be an instance of Buffer, TypedArray, or DataView.";
        crate::errors::throw_code(scope, crate::errors::Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
        return;
    };
    let Some(encoding) = Encoding::from_number(cells[ENCODING].get().into()) else { return };
    if matches!(encoding, Encoding::Ascii | Encoding::Latin1 | Encoding::Hex | Encoding::Buffer) {
        if let Some(string) = text::encode(scope, chunk, encoding) {
            rv.set(string);
        }
        return;
    }
    let mut state = State::load(cells);
    let (finished, rest) = state.finish(chunk, encoding);
    let rest = state.keep_incomplete(rest, encoding);
    state.save(cells);
    let Some(second) = text::encode(scope, rest, encoding) else { return };
    if finished.is_empty() {
        return rv.set(second);
    }
    let Some(first) = text::encode(scope, &finished, encoding) else { return };
    let both = match (Local::<v8::String>::try_from(first), Local::<v8::String>::try_from(second)) {
        (Ok(first), Ok(second)) => v8::String::concat(scope, first, second),
        _ => None,
    };
    match both {
        Some(both) => rv.set(both.into()),
        None => text::throw_too_long(scope),
    }
}

/// `flush(state)`
fn flush<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(cells) = js::bytes(args.get(0)).filter(|cells| cells.len() >= FIELDS) else { return };
    let Some(encoding) = Encoding::from_number(cells[ENCODING].get().into()) else { return };
    let mut state = State::load(cells);
    if encoding == Encoding::Ucs2 && state.buffered % 2 == 1 {
        state.missing = state.missing.saturating_sub(1);
        state.buffered -= 1;
    }
    let string = text::encode(scope, &state.incomplete[..state.buffered], encoding);
    if state.buffered > 0 {
        state.missing = 0;
        state.buffered = 0;
    }
    state.save(cells);
    if let Some(string) = string {
        rv.set(string);
    }
}

struct State {
    incomplete: [u8; INCOMPLETE],
    missing: usize,
    buffered: usize,
}

impl State {
    fn load(cells: &[std::cell::Cell<u8>]) -> State {
        let mut incomplete = [0; INCOMPLETE];
        incomplete.iter_mut().zip(cells).for_each(|(byte, cell)| *byte = cell.get());
        let buffered = usize::from(cells[BUFFERED].get()).min(INCOMPLETE);
        let missing = usize::from(cells[MISSING].get()).min(INCOMPLETE - buffered);
        State { incomplete, missing, buffered }
    }

    fn save(&self, cells: &[std::cell::Cell<u8>]) {
        self.incomplete.iter().zip(cells).for_each(|(byte, cell)| cell.set(*byte));
        cells[MISSING].set(self.missing as u8);
        cells[BUFFERED].set(self.buffered as u8);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.incomplete[self.buffered..self.buffered + bytes.len()].copy_from_slice(bytes);
        self.buffered += bytes.len();
    }

    /// Completes the character of the chunks before with bytes of `chunk`. Returns its bytes, and the rest of the
    /// chunk. As in Node, the first half of a surrogate pair that is completed here does not wait for the second.
    fn finish<'a>(&mut self, chunk: &'a [u8], encoding: Encoding) -> (Vec<u8>, &'a [u8]) {
        let mut rest = chunk;
        if self.missing > 0 && !rest.is_empty() {
            let mut wanted = self.missing.min(rest.len());
            if encoding == Encoding::Utf8
                && let Some(end) = rest[..wanted].iter().position(|byte| byte & 0xc0 != 0x80)
            {
                // The character ends early: what comes begins another one.
                wanted = end;
                self.missing = end;
            }
            let (found, after) = rest.split_at(wanted);
            self.push(found);
            self.missing -= wanted;
            rest = after;
        }
        if self.missing > 0 || self.buffered == 0 {
            return (Vec::new(), rest);
        }
        let finished = self.incomplete[..self.buffered].to_vec();
        self.buffered = 0;
        (finished, rest)
    }

    /// Puts an incomplete character at the end of `chunk` aside, and returns what comes before it.
    fn keep_incomplete<'a>(&mut self, chunk: &'a [u8], encoding: Encoding) -> &'a [u8] {
        let Some(&last) = chunk.last() else { return chunk };
        let (buffered, missing) = match encoding {
            Encoding::Utf8 => incomplete_utf8(chunk),
            Encoding::Ucs2 if chunk.len() % 2 == 1 => (1, 1),
            Encoding::Ucs2 if is_lead(last) => (2, 2),
            Encoding::Base64 | Encoding::Base64Url if !chunk.len().is_multiple_of(3) => {
                (chunk.len() % 3, 3 - chunk.len() % 3)
            }
            _ => (0, 0),
        };
        let (whole, tail) = chunk.split_at(chunk.len() - buffered);
        if buffered > 0 {
            self.buffered = 0;
            self.push(tail);
            self.missing = missing;
        }
        whole
    }
}

/// Whether a code unit with this high byte is the first half of a surrogate pair.
fn is_lead(high: u8) -> bool {
    high & 0xfc == 0xd8
}

/// How many bytes at the end of `chunk` begin a character that lacks how many more.
fn incomplete_utf8(chunk: &[u8]) -> (usize, usize) {
    let tail = chunk.iter().rev().take(INCOMPLETE).enumerate();
    for (continuations, byte) in tail {
        let length = match byte {
            0x00..0x80 => return (0, 0),
            0x80..0xc0 => continue,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0..0xf8 => 4,
            _ => return (0, 0),
        };
        let buffered = continuations + 1;
        return if buffered < length { (buffered, length - buffered) } else { (0, 0) };
    }
    (0, 0)
}
