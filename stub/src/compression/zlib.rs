//! zlib: deflate, with three kinds of headers.
//!
//! It is Chromium's, as in Node: programs can tell what comes out of a compressor. Others decompress some data at twice
//! the speed, but what repeats itself after a few bytes at a third of it.

use std::ffi::{CStr, c_int, c_uint, c_void};

use kiln_zlib as sys;

use super::{Engine, Problem, Process, Transfer};

/// What a stream does; the numbers are those of `zlib.constants`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Compress, with zlib's header.
    Deflate = 1,
    /// Decompress what has zlib's header.
    Inflate = 2,
    /// Compress, with gzip's header.
    Gzip = 3,
    /// Decompress what has gzip's header, member by member.
    Gunzip = 4,
    /// Compress, without a header.
    DeflateRaw = 5,
    /// Decompress what has no header.
    InflateRaw = 6,
    /// Decompress what has either header.
    Unzip = 7,
}

impl Mode {
    /// The mode with that number.
    pub fn from_number(number: i32) -> Option<Mode> {
        use Mode::*;
        [Deflate, Inflate, Gzip, Gunzip, DeflateRaw, InflateRaw, Unzip].into_iter().find(|mode| *mode as i32 == number)
    }

    fn compresses(self) -> bool {
        matches!(self, Mode::Deflate | Mode::Gzip | Mode::DeflateRaw)
    }
}

/// How a stream is set up.
#[derive(Clone, Debug)]
pub struct ZlibOptions {
    /// The base-two logarithm of the window's size.
    pub window_bits: i32,
    /// How hard to try.
    pub level: i32,
    /// How much memory to take.
    pub memory_level: i32,
    /// What the data are like.
    pub strategy: i32,
    /// What both sides know beforehand; may be empty.
    pub dictionary: Vec<u8>,
    /// Whether whatever follows the first member is an error.
    pub reject_garbage: bool,
}

/// A stream of zlib's.
pub struct Zlib {
    /// In a box: zlib remembers where it is.
    stream: Box<sys::Stream>,
    mode: Mode,
    options: ZlibOptions,
    error: c_int,
    flush: c_int,
    /// Whether the last step left room in the output.
    has_room: bool,
    /// How much of gzip's magic number was seen, for [`Mode::Unzip`].
    magic_seen: u8,
    dictionary_failed: bool,
}

// SAFETY: the stream is reached only through this value, and zlib does not care which thread that is.
unsafe impl Send for Zlib {}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

impl Zlib {
    /// A stream. `None` when zlib refuses the options.
    pub fn new(mode: Mode, options: ZlibOptions) -> Option<Zlib> {
        let bits = match mode {
            Mode::Gzip | Mode::Gunzip => options.window_bits + 16,
            Mode::Unzip => options.window_bits + 32,
            Mode::DeflateRaw | Mode::InflateRaw => -options.window_bits,
            Mode::Deflate | Mode::Inflate => options.window_bits,
        };
        let mut stream = Box::new(sys::Stream::new(allocate, free));
        let (version, size) = (sys::VERSION.as_ptr(), size_of::<sys::Stream>() as c_int);
        // SAFETY: the stream is new. The version and the size let zlib check that the layouts agree.
        let result = unsafe {
            match mode.compresses() {
                true => {
                    let ZlibOptions { level, memory_level, strategy, .. } = options;
                    let method = sys::DEFLATED;
                    sys::deflate_init(&mut *stream, level, method, bits, memory_level, strategy, version, size)
                }
                false => sys::inflate_init(&mut *stream, bits, version, size),
            }
        };
        if result != sys::OK {
            return None;
        }
        let mut zlib = Zlib {
            stream,
            mode,
            options,
            error: sys::OK,
            flush: sys::NO_FLUSH,
            has_room: true,
            magic_seen: 0,
            dictionary_failed: false,
        };
        zlib.set_dictionary();
        Some(zlib)
    }

    /// Inflating with a header, the stream says when the dictionary is wanted.
    fn set_dictionary(&mut self) {
        let (pointer, length) = (self.options.dictionary.as_ptr(), self.options.dictionary.len() as c_uint);
        if length == 0 {
            return;
        }
        // SAFETY: the stream is initialized; zlib copies the dictionary.
        let result = unsafe {
            match self.mode {
                Mode::Deflate | Mode::DeflateRaw => sys::deflate_set_dictionary(&mut *self.stream, pointer, length),
                Mode::InflateRaw => sys::inflate_set_dictionary(&mut *self.stream, pointer, length),
                _ => sys::OK,
            }
        };
        self.dictionary_failed = result != sys::OK;
    }

    fn failure(&self, message: &str) -> Problem {
        // SAFETY: zlib points to a text of its own, or to none.
        let own =
            (!self.stream.message.is_null()).then(|| unsafe { CStr::from_ptr(self.stream.message) }.to_string_lossy());
        let code = match self.error {
            sys::STREAM_END => "Z_STREAM_END",
            sys::NEED_DICT => "Z_NEED_DICT",
            sys::ERRNO => "Z_ERRNO",
            sys::STREAM_ERROR => "Z_STREAM_ERROR",
            sys::DATA_ERROR => "Z_DATA_ERROR",
            sys::MEM_ERROR => "Z_MEM_ERROR",
            sys::BUF_ERROR => "Z_BUF_ERROR",
            sys::VERSION_ERROR => "Z_VERSION_ERROR",
            _ => "Z_OK",
        };
        Problem::new(own.as_deref().unwrap_or(message), code, self.error)
    }

    /// Decides what kind of data an [`Mode::Unzip`] stream has, as far as `input` tells.
    fn sniff(&mut self, input: &[u8]) {
        for byte in input {
            if *byte != GZIP_MAGIC[usize::from(self.magic_seen)] {
                self.mode = Mode::Inflate;
                return;
            }
            self.magic_seen += 1;
            if self.magic_seen == 2 {
                self.mode = Mode::Gunzip;
                return;
            }
        }
    }

    /// # Safety
    ///
    /// The stream's input and output are valid.
    unsafe fn inflate(&mut self) {
        let stream = &mut *self.stream;
        // SAFETY: the stream is initialized, and the caller has set what it reads and writes.
        unsafe {
            self.error = sys::inflate(stream, self.flush);
            let dictionary = &self.options.dictionary;
            if self.mode != Mode::InflateRaw && self.error == sys::NEED_DICT && !dictionary.is_empty() {
                self.error = sys::inflate_set_dictionary(stream, dictionary.as_ptr(), dictionary.len() as c_uint);
                if self.error == sys::OK {
                    self.error = sys::inflate(stream, self.flush);
                } else if self.error == sys::DATA_ERROR {
                    // Tells a wrong dictionary from wrong data.
                    self.error = sys::NEED_DICT;
                }
            }
            // Another member of the archive may follow, or garbage; zeros are padding.
            while self.mode == Mode::Gunzip
                && self.error == sys::STREAM_END
                && self.stream.available_in > 0
                && !self.options.reject_garbage
                && *self.stream.next_in != 0
            {
                self.error = sys::inflate_reset(&mut *self.stream);
                if self.error == sys::OK {
                    self.error = sys::inflate(&mut *self.stream, self.flush);
                }
            }
        }
    }
}

impl Process for Zlib {
    unsafe fn process(&mut self, transfer: &mut Transfer, flush: i32) {
        self.flush = flush;
        // zlib counts in 32 bits; JavaScript calls again for what is left.
        let input = transfer.available_in.min(c_uint::MAX as usize);
        let output = transfer.available_out.min(c_uint::MAX as usize);
        self.stream.next_in = transfer.input;
        self.stream.available_in = input as c_uint;
        self.stream.next_out = transfer.output;
        self.stream.available_out = output as c_uint;
        // SAFETY: the stream is initialized, and the caller says that the memory is valid.
        unsafe {
            if self.mode.compresses() {
                self.error = sys::deflate(&mut *self.stream, flush);
            } else {
                if self.mode == Mode::Unzip {
                    let first: Vec<u8> = (0..input.min(2)).map(|index| *transfer.input.add(index)).collect();
                    self.sniff(&first);
                }
                self.inflate();
            }
            let (left_in, left_out) = (self.stream.available_in as usize, self.stream.available_out as usize);
            transfer.advance(input - left_in, output - left_out);
        }
        self.has_room = transfer.available_out > 0;
    }
}

impl Engine for Zlib {
    fn problem(&self) -> Option<Problem> {
        if self.dictionary_failed {
            return Some(self.failure("Failed to set dictionary"));
        }
        match self.error {
            sys::OK | sys::BUF_ERROR if self.has_room && self.flush == sys::FINISH => {
                Some(self.failure("unexpected end of file"))
            }
            sys::OK | sys::BUF_ERROR | sys::STREAM_END => None,
            sys::NEED_DICT if self.options.dictionary.is_empty() => Some(self.failure("Missing dictionary")),
            sys::NEED_DICT => Some(self.failure("Bad dictionary")),
            _ => Some(self.failure("Zlib error")),
        }
    }

    fn reset(&mut self) -> Option<Problem> {
        // SAFETY: the stream is initialized.
        self.error = unsafe {
            match self.mode.compresses() {
                true => sys::deflate_reset(&mut *self.stream),
                false => sys::inflate_reset(&mut *self.stream),
            }
        };
        if self.error != sys::OK {
            return Some(self.failure("Failed to reset stream"));
        }
        self.set_dictionary();
        self.dictionary_failed.then(|| self.failure("Failed to set dictionary"))
    }

    fn params(&mut self, level: i32, strategy: i32) -> Option<Problem> {
        if !self.mode.compresses() {
            return None;
        }
        // SAFETY: the stream is initialized; whatever it has to write was flushed before, and there is no room.
        self.error = unsafe {
            self.stream.available_in = 0;
            self.stream.available_out = 0;
            sys::deflate_params(&mut *self.stream, level, strategy)
        };
        match self.error {
            sys::OK | sys::BUF_ERROR => None,
            _ => Some(self.failure("Failed to set parameters")),
        }
    }
}

impl Drop for Zlib {
    fn drop(&mut self) {
        // SAFETY: the stream is initialized and not used again.
        unsafe {
            match self.mode.compresses() {
                true => sys::deflate_end(&mut *self.stream),
                false => sys::inflate_end(&mut *self.stream),
            }
        };
    }
}

extern "C" fn allocate(_: *mut c_void, count: c_uint, size: c_uint) -> *mut c_void {
    // Both clear what they want cleared themselves.
    // SAFETY: `malloc` may be called with any number; two of 32 bits multiplied are one.
    unsafe { libc::malloc(count as usize * size as usize) }
}

extern "C" fn free(_: *mut c_void, memory: *mut c_void) {
    // SAFETY: zlib gives back what `allocate` gave it.
    unsafe { libc::free(memory) };
}

/// The checksum of gzip, going on from `start`.
pub fn crc32(start: u32, bytes: &[u8]) -> u32 {
    // SAFETY: zlib reads the bytes and nothing else.
    unsafe { sys::crc32(start.into(), bytes.as_ptr(), bytes.len()) as u32 }
}
