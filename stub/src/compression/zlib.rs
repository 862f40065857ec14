//! zlib: deflate, with three kinds of headers.
//!
//! zlib-rs decompresses, at several times the speed of zlib itself. But Chromium's zlib, which is Node's, compresses:
//! programs can tell what comes out.

use std::ffi::{CStr, c_int};

use kiln_zlib as chromium;
use libz_rs_sys as sys;

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
    stream: Box<sys::z_stream>,
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
        // SAFETY: zlib allows for a stream of zeros. `zlibVersion` and the size let zlib check that the layouts agree.
        let (stream, result) = unsafe {
            let mut stream = Box::new(empty_stream());
            let (version, size) = (sys::zlibVersion(), size_of::<sys::z_stream>() as c_int);
            let result = match mode.compresses() {
                true => {
                    let ZlibOptions { level, memory_level, strategy, .. } = options;
                    let method = sys::Z_DEFLATED;
                    chromium::deflate_init(
                        deflating(&mut stream),
                        level,
                        method,
                        bits,
                        memory_level,
                        strategy,
                        version,
                        size,
                    )
                }
                false => sys::inflateInit2_(&mut *stream, bits, version, size),
            };
            (stream, result)
        };
        if result != sys::Z_OK {
            return None;
        }
        let mut zlib = Zlib {
            stream,
            mode,
            options,
            error: sys::Z_OK,
            flush: sys::Z_NO_FLUSH,
            has_room: true,
            magic_seen: 0,
            dictionary_failed: false,
        };
        zlib.set_dictionary();
        Some(zlib)
    }

    /// Inflating with a header, the stream says when the dictionary is wanted.
    fn set_dictionary(&mut self) {
        let (pointer, length) = (self.options.dictionary.as_ptr(), self.options.dictionary.len() as sys::uInt);
        if length == 0 {
            return;
        }
        // SAFETY: the stream is initialized; zlib copies the dictionary.
        let result = unsafe {
            match self.mode {
                Mode::Deflate | Mode::DeflateRaw => {
                    chromium::deflate_set_dictionary(deflating(&mut self.stream), pointer, length)
                }
                Mode::InflateRaw => sys::inflateSetDictionary(&mut *self.stream, pointer, length),
                _ => sys::Z_OK,
            }
        };
        self.dictionary_failed = result != sys::Z_OK;
    }

    fn failure(&self, message: &str) -> Problem {
        // SAFETY: zlib points to a text of its own, or to none.
        let own = (!self.stream.msg.is_null()).then(|| unsafe { CStr::from_ptr(self.stream.msg) }.to_string_lossy());
        let code = match self.error {
            sys::Z_STREAM_END => "Z_STREAM_END",
            sys::Z_NEED_DICT => "Z_NEED_DICT",
            sys::Z_ERRNO => "Z_ERRNO",
            sys::Z_STREAM_ERROR => "Z_STREAM_ERROR",
            sys::Z_DATA_ERROR => "Z_DATA_ERROR",
            sys::Z_MEM_ERROR => "Z_MEM_ERROR",
            sys::Z_BUF_ERROR => "Z_BUF_ERROR",
            sys::Z_VERSION_ERROR => "Z_VERSION_ERROR",
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
            if self.mode != Mode::InflateRaw && self.error == sys::Z_NEED_DICT && !dictionary.is_empty() {
                self.error = sys::inflateSetDictionary(stream, dictionary.as_ptr(), dictionary.len() as sys::uInt);
                if self.error == sys::Z_OK {
                    self.error = sys::inflate(stream, self.flush);
                } else if self.error == sys::Z_DATA_ERROR {
                    // Tells a wrong dictionary from wrong data.
                    self.error = sys::Z_NEED_DICT;
                }
            }
            // Another member of the archive may follow, or garbage; zeros are padding.
            while self.mode == Mode::Gunzip
                && self.error == sys::Z_STREAM_END
                && self.stream.avail_in > 0
                && !self.options.reject_garbage
                && *self.stream.next_in != 0
            {
                self.error = sys::inflateReset(&mut *self.stream);
                if self.error == sys::Z_OK {
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
        let input = transfer.available_in.min(sys::uInt::MAX as usize);
        let output = transfer.available_out.min(sys::uInt::MAX as usize);
        self.stream.next_in = transfer.input.cast_mut();
        self.stream.avail_in = input as sys::uInt;
        self.stream.next_out = transfer.output;
        self.stream.avail_out = output as sys::uInt;
        // SAFETY: the stream is initialized, and the caller says that the memory is valid.
        unsafe {
            if self.mode.compresses() {
                self.error = chromium::deflate(deflating(&mut self.stream), flush);
            } else {
                if self.mode == Mode::Unzip {
                    let first: Vec<u8> = (0..input.min(2)).map(|index| *transfer.input.add(index)).collect();
                    self.sniff(&first);
                }
                self.inflate();
            }
            let (left_in, left_out) = (self.stream.avail_in as usize, self.stream.avail_out as usize);
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
            sys::Z_OK | sys::Z_BUF_ERROR if self.has_room && self.flush == sys::Z_FINISH => {
                Some(self.failure("unexpected end of file"))
            }
            sys::Z_OK | sys::Z_BUF_ERROR | sys::Z_STREAM_END => None,
            sys::Z_NEED_DICT if self.options.dictionary.is_empty() => Some(self.failure("Missing dictionary")),
            sys::Z_NEED_DICT => Some(self.failure("Bad dictionary")),
            _ => Some(self.failure("Zlib error")),
        }
    }

    fn reset(&mut self) -> Option<Problem> {
        // SAFETY: the stream is initialized.
        self.error = unsafe {
            match self.mode.compresses() {
                true => chromium::deflate_reset(deflating(&mut self.stream)),
                false => sys::inflateReset(&mut *self.stream),
            }
        };
        if self.error != sys::Z_OK {
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
            self.stream.avail_in = 0;
            self.stream.avail_out = 0;
            chromium::deflate_params(deflating(&mut self.stream), level, strategy)
        };
        match self.error {
            sys::Z_OK | sys::Z_BUF_ERROR => None,
            _ => Some(self.failure("Failed to set parameters")),
        }
    }
}

impl Drop for Zlib {
    fn drop(&mut self) {
        // SAFETY: the stream is initialized and not used again.
        unsafe {
            match self.mode.compresses() {
                true => chromium::deflate_end(deflating(&mut self.stream)),
                false => sys::inflateEnd(&mut *self.stream),
            }
        };
    }
}

fn empty_stream() -> sys::z_stream {
    sys::z_stream {
        next_in: std::ptr::null_mut(),
        avail_in: 0,
        total_in: 0,
        next_out: std::ptr::null_mut(),
        avail_out: 0,
        total_out: 0,
        msg: std::ptr::null_mut(),
        state: std::ptr::null_mut(),
        zalloc: Some(allocate),
        zfree: Some(free),
        opaque: std::ptr::null_mut(),
        data_type: 0,
        adler: 0,
        reserved: 0,
    }
}

/// The stream as zlib itself sees it.
fn deflating(stream: &mut sys::z_stream) -> *mut chromium::Stream {
    // Both are the structure of `zlib.h`.
    const { assert!(size_of::<sys::z_stream>() == size_of::<chromium::Stream>()) };
    std::ptr::from_mut(stream).cast()
}

extern "C" fn allocate(_: *mut std::ffi::c_void, count: sys::uInt, size: sys::uInt) -> *mut std::ffi::c_void {
    // Both clear what they want cleared themselves.
    // SAFETY: `malloc` may be called with any number; two of 32 bits multiplied are one.
    unsafe { libc::malloc(count as usize * size as usize) }
}

extern "C" fn free(_: *mut std::ffi::c_void, memory: *mut std::ffi::c_void) {
    // SAFETY: zlib gives back what `allocate` gave it.
    unsafe { libc::free(memory) };
}

/// The checksum of gzip, going on from `start`.
pub fn crc32(start: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(sys::uInt::MAX as usize).fold(start, |sum, part| {
        // SAFETY: zlib reads the bytes and nothing else.
        unsafe { sys::crc32(sum.into(), part.as_ptr(), part.len() as sys::uInt) as u32 }
    })
}
