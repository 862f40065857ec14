//! The compression libraries under `node:zlib`: zlib, Brotli and Zstandard, behind one trait.
//!
//! They read and write JavaScript's memory in place, maybe on a thread of the pool.

mod brotli;
mod zlib;
mod zstd;

pub use brotli::{BrotliDecoder, BrotliEncoder};
pub use zlib::{Mode, Zlib, ZlibOptions, crc32};
pub use zstd::{ZstdCompressor, ZstdDecompressor};

use v8::{ArrayBufferView, BackingStore, Local, PinScope, SharedRef};

/// What is still to be read and to be filled.
pub struct Transfer {
    input: *const u8,
    available_in: usize,
    output: *mut u8,
    available_out: usize,
}

impl Transfer {
    /// Goes on by what a library has read and written.
    ///
    /// # Safety
    ///
    /// There is as much of both.
    unsafe fn advance(&mut self, read: usize, written: usize) {
        // SAFETY: that is the condition.
        unsafe {
            self.input = self.input.add(read);
            self.output = self.output.add(written);
        }
        self.available_in -= read;
        self.available_out -= written;
    }
}

/// Why a stream can't go on, as Node tells it.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The error's message.
    pub message: String,
    /// Its `code`.
    pub code: String,
    /// Its `errno`.
    pub errno: i32,
}

impl Problem {
    fn new(message: &str, code: &str, errno: i32) -> Problem {
        Problem { message: message.to_owned(), code: code.to_owned(), errno }
    }

    /// What zlib calls `Z_BUF_ERROR`: the input ends too early.
    fn unexpected_end() -> Problem {
        Problem::new("unexpected end of file", "Z_BUF_ERROR", kiln_zlib::BUF_ERROR)
    }
}

/// A stream that compresses or decompresses.
pub trait Engine: Send + transfer::Process {
    /// What the last step has come to, if that is an error.
    fn problem(&self) -> Option<Problem>;
    /// Starts over.
    fn reset(&mut self) -> Option<Problem>;
    /// Changes level and strategy; zlib only.
    fn params(&mut self, _level: i32, _strategy: i32) -> Option<Problem> {
        None
    }
}

mod transfer {
    /// A step of a stream.
    pub trait Process {
        /// Reads and writes as much as it can, or as `flush` asks for.
        ///
        /// # Safety
        ///
        /// The pointers of `transfer` are valid for as many bytes as it says.
        unsafe fn process(&mut self, transfer: &mut super::Transfer, flush: i32);
    }
}

use transfer::Process;

/// A part of an array buffer's memory.
pub struct Chunk {
    store: SharedRef<BackingStore>,
    offset: usize,
    length: usize,
}

// SAFETY: V8 counts references to a backing store atomically, and the bytes stay where they are as long as there is
// one. Only `step` reaches them.
unsafe impl Send for Chunk {}

impl Chunk {
    /// `length` bytes of `view` from `offset`, or as many as there are.
    pub fn of(scope: &PinScope, view: Local<ArrayBufferView>, offset: usize, length: usize) -> Option<Chunk> {
        let available = view.byte_length().checked_sub(offset)?;
        let store = view.buffer(scope)?.get_backing_store();
        let offset = view.byte_offset() + offset;
        let length = length.min(available).min(store.byte_length().checked_sub(offset)?);
        Some(Chunk { store, offset, length })
    }

    fn start(&self) -> *mut u8 {
        match self.store.data() {
            // SAFETY: `of` has seen to it that the offset is within the memory.
            Some(data) => unsafe { data.as_ptr().cast::<u8>().add(self.offset) },
            // The libraries want a pointer even where there is nothing to read.
            None => std::ptr::NonNull::dangling().as_ptr(),
        }
    }
}

/// Runs one step of `engine`. Returns how many bytes of the input were not read, and how many of the output were not
/// written.
pub fn step(engine: &mut dyn Engine, input: Option<&Chunk>, output: &Chunk, flush: i32) -> (usize, usize) {
    let mut transfer = Transfer {
        input: input.map_or(std::ptr::NonNull::dangling().as_ptr(), Chunk::start).cast_const(),
        available_in: input.map_or(0, |input| input.length),
        output: output.start(),
        available_out: output.length,
    };
    // SAFETY: the chunks keep their memory alive and know its bounds. No Rust reference to it is made; JavaScript may
    // write to it meanwhile, whereupon what a library reads is unspecified, as in Node, but within bounds.
    unsafe { engine.process(&mut transfer, flush) };
    (transfer.available_in, transfer.available_out)
}
