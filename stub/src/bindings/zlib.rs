//! `internalBinding('zlib')`: streams that compress and decompress.

use std::cell::{Cell, RefCell};

use v8::fast_api::FastApiCallbackOptions;
use v8::{
    ArrayBufferView, Function, FunctionCallbackArguments, Global, Local, Object, PinScope, ReturnValue, Uint32Array,
    Value,
};

use super::async_wrap;
use crate::compression::{self, Chunk, Engine, Mode, Problem, Zlib, ZlibOptions};
use crate::compression::{BrotliDecoder, BrotliEncoder, ZstdCompressor, ZstdDecompressor};
use crate::errors::{self, Kind};
use crate::text::{self, Encoding};
use crate::uv::work;
use crate::{callback, facts, js, realm, wrap};

crate::room! {
    name: "zlib",
    functions: { pure "crc32" => crc32 as CRC32 },
    classes: {
        // Native state does not outlive a snapshot, so streams are only made at run time.
        "Zlib" extends "AsyncWrap" {
            trap new => new,
            pure "init" => init_zlib,
            pure "write" => write,
            pure "writeSync" => write_sync,
            pure "params" => params,
            pure "reset" => reset,
            pure "close" => close,
        },
        "BrotliEncoder" extends "AsyncWrap" {
            trap new => new,
            pure "init" => init_brotli_encoder,
            pure "write" => write,
            pure "writeSync" => write_sync,
            pure "params" => params,
            pure "reset" => reset,
            pure "close" => close,
        },
        "BrotliDecoder" extends "AsyncWrap" {
            trap new => new,
            pure "init" => init_brotli_decoder,
            pure "write" => write,
            pure "writeSync" => write_sync,
            pure "params" => params,
            pure "reset" => reset,
            pure "close" => close,
        },
        "ZstdCompress" extends "AsyncWrap" {
            trap new => new,
            pure "init" => init_zstd_compressor,
            pure "write" => write,
            pure "writeSync" => write_sync,
            pure "params" => params,
            pure "reset" => reset,
            pure "close" => close,
        },
        "ZstdDecompress" extends "AsyncWrap" {
            trap new => new,
            pure "init" => init_zstd_decompressor,
            pure "write" => write,
            pure "writeSync" => write_sync,
            pure "params" => params,
            pure "reset" => reset,
            pure "close" => close,
        },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "zlib", target);
}

/// The handle under a stream.
#[derive(Default)]
struct Stream {
    /// The number of the mode, for zlib's own streams.
    mode: Cell<i32>,
    /// Elsewhere while a step runs on the pool; gone once the stream is closed.
    engine: RefCell<Option<Box<dyn Engine>>>,
    /// What both sides share: room left in the output, input left to read.
    left: RefCell<Option<Global<Uint32Array>>>,
    /// Called when a step on the pool is done.
    callback: RefCell<Option<Global<Function>>>,
    writing: Cell<bool>,
    closing: Cell<bool>,
}

impl Stream {
    fn tell(&self, scope: &mut PinScope, (left_in, left_out): (usize, usize)) {
        let Some(left) = &*self.left.borrow() else { return };
        let left = Local::new(scope, left);
        for (index, count) in [left_out, left_in].into_iter().enumerate() {
            let count = v8::Integer::new_from_unsigned(scope, count as u32);
            left.set_index(scope, index as u32, count.into());
        }
    }

    fn close(&self) {
        if self.writing.get() {
            self.closing.set(true);
            return;
        }
        self.closing.set(false);
        drop(self.engine.take());
    }

    /// Ends the stream with an error.
    fn fail<'s>(&self, scope: &mut PinScope<'s, '_>, this: Local<'s, Object>, problem: &Problem) {
        let arguments = [
            js::string(scope, &problem.message).into(),
            js::integer(scope, problem.errno),
            js::string(scope, &problem.code).into(),
        ];
        callback::method(scope, this, "onerror", &arguments);
        self.writing.set(false);
        if self.closing.get() {
            self.close();
        }
    }
}

fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let mode = args.get(0).int32_value(scope).unwrap_or_default();
    wrap::attach(scope, args.this(), Stream { mode: Cell::new(mode), ..Stream::default() });
    async_wrap::init_object(scope, args.this(), "ZLIB");
}

/// The bytes of an optional dictionary.
fn dictionary<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Vec<u8> {
    match value.is_array_buffer_view() || value.is_array_buffer() {
        true => text::bytes_of_value(scope, value, Encoding::Utf8).unwrap_or_default(),
        false => Vec::new(),
    }
}

/// The parameters that a program has set, by their numbers.
fn parameters(value: Local<Value>) -> Vec<u32> {
    let bytes = js::bytes(value).map(text::read).unwrap_or_default();
    bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_ne_bytes(*bytes)).collect()
}

/// Puts the engine, the shared numbers and the callback into the handle. Throws when there is no engine.
fn install<'s>(
    scope: &mut PinScope<'s, '_>,
    this: Local<'s, Object>,
    engine: Result<Box<dyn Engine>, &str>,
    left: Local<'s, Value>,
    callback: Local<'s, Value>,
) {
    let Some(stream) = wrap::get::<Stream>(scope, this) else { return };
    match engine {
        Ok(engine) => *stream.engine.borrow_mut() = Some(engine),
        Err(message) => return errors::throw_code(scope, Kind::Error, "ERR_ZLIB_INITIALIZATION_FAILED", message),
    }
    let left = Local::<Uint32Array>::try_from(left).ok();
    *stream.left.borrow_mut() = left.map(|left| Global::new(scope, left));
    let callback = Local::<Function>::try_from(callback).ok();
    *stream.callback.borrow_mut() = callback.map(|callback| Global::new(scope, callback));
}

/// `init(windowBits, level, memLevel, strategy, writeState, callback, dictionary, rejectGarbageAfterEnd)`
fn init_zlib<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(stream) = wrap::get::<Stream>(scope, args.this()) else { return };
    let Some(mode) = Mode::from_number(stream.mode.get()) else { return };
    let number = |scope: &mut PinScope<'s, '_>, index| args.get(index).int32_value(scope).unwrap_or_default();
    let options = ZlibOptions {
        window_bits: number(scope, 0),
        level: number(scope, 1),
        memory_level: number(scope, 2),
        strategy: number(scope, 3),
        dictionary: dictionary(scope, args.get(6)),
        reject_garbage: args.get(7).is_true(),
    };
    let engine = Zlib::new(mode, options).map(|zlib| Box::new(zlib) as Box<dyn Engine>);
    install(scope, args.this(), engine.ok_or("Initialization failed"), args.get(4), args.get(5));
}

/// `init(parameters, writeState, callback, dictionary)`
fn init_brotli_encoder<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let dictionary = dictionary(scope, args.get(3));
    let engine = BrotliEncoder::new(parameters(args.get(0)), dictionary).map(|it| Box::new(it) as Box<dyn Engine>);
    install(scope, args.this(), engine.ok_or("Initialization failed"), args.get(1), args.get(2));
}

/// As the encoder's.
fn init_brotli_decoder<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let dictionary = dictionary(scope, args.get(3));
    let engine = BrotliDecoder::new(parameters(args.get(0)), dictionary).map(|it| Box::new(it) as Box<dyn Engine>);
    install(scope, args.this(), engine.ok_or("Initialization failed"), args.get(1), args.get(2));
}

/// `init(parameters, pledgedSize, writeState, callback, dictionary, rejectGarbageAfterEnd)`
fn init_zstd_compressor<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let dictionary = dictionary(scope, args.get(4));
    let size = args.get(1).is_number().then(|| args.get(1).number_value(scope)).flatten();
    let engine = ZstdCompressor::new(&parameters(args.get(0)), size.map(|size| size as u64), &dictionary);
    let engine = engine.map(|it| Box::new(it) as Box<dyn Engine>);
    install(scope, args.this(), engine, args.get(2), args.get(3));
}

/// As the compressor's.
fn init_zstd_decompressor<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let dictionary = dictionary(scope, args.get(4));
    let engine = ZstdDecompressor::new(&parameters(args.get(0)), &dictionary);
    let engine = engine.map(|it| Box::new(it) as Box<dyn Engine>);
    install(scope, args.this(), engine, args.get(2), args.get(3));
}

/// One step, as the arguments of `write` ask for it.
struct Step {
    engine: Box<dyn Engine>,
    input: Option<Chunk>,
    output: Chunk,
    flush: i32,
}

impl Step {
    /// Arguments: `flush, in, inOffset, inLength, out, outOffset, outLength`.
    fn of<'s>(scope: &mut PinScope<'s, '_>, stream: &Stream, args: &Args<'s>) -> Option<Step> {
        let flush = args.get(0).int32_value(scope).unwrap_or_default();
        let chunk = |scope: &mut PinScope<'s, '_>, index: i32| {
            let number = |scope: &mut PinScope<'s, '_>, index| args.get(index).integer_value(scope).unwrap_or_default();
            let (offset, length) = (number(scope, index + 1) as usize, number(scope, index + 2) as usize);
            let view = Local::<ArrayBufferView>::try_from(args.get(index)).ok()?;
            Chunk::of(scope, view, offset, length)
        };
        let input = chunk(scope, 1);
        let output = chunk(scope, 4)?;
        let engine = stream.engine.take()?;
        Some(Step { engine, input, output, flush })
    }

    fn run(&mut self) -> (usize, usize) {
        compression::step(&mut *self.engine, self.input.as_ref(), &self.output, self.flush)
    }
}

fn write<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let this = args.this();
    let Some(stream) = wrap::get::<Stream>(scope, this) else { return };
    let Some(mut step) = Step::of(scope, &stream, &args) else { return };
    stream.writing.set(true);
    wrap::keep_alive(scope, this, true);
    let this = Global::new(scope, this);
    work::queue(
        move || {
            let left = step.run();
            (step.engine, left)
        },
        move |outcome| {
            realm::enter(|scope| {
                let this = Local::new(scope, this);
                wrap::keep_alive(scope, this, false);
                done(scope, this, &stream, outcome);
            });
        },
    );
}

fn done<'s>(
    scope: &mut PinScope<'s, '_>,
    this: Local<'s, Object>,
    stream: &Stream,
    outcome: Option<(Box<dyn Engine>, (usize, usize))>,
) {
    let Some((engine, left)) = outcome else {
        stream.writing.set(false);
        return stream.close();
    };
    let problem = engine.problem();
    *stream.engine.borrow_mut() = Some(engine);
    stream.writing.set(false);
    if let Some(problem) = problem {
        return stream.fail(scope, this, &problem);
    }
    stream.tell(scope, left);
    let function = stream.callback.borrow().as_ref().map(|function| Local::new(scope, function));
    if let Some(function) = function {
        callback::function(scope, this, function, &[]);
    }
    if stream.closing.get() {
        stream.close();
    }
}

fn write_sync<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let this = args.this();
    let Some(stream) = wrap::get::<Stream>(scope, this) else { return };
    let Some(mut step) = Step::of(scope, &stream, &args) else { return };
    let left = step.run();
    let problem = step.engine.problem();
    *stream.engine.borrow_mut() = Some(step.engine);
    match problem {
        Some(problem) => stream.fail(scope, this, &problem),
        None => stream.tell(scope, left),
    }
}

/// `params(level, strategy)`
fn params<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (level, strategy) = (args.get(0).int32_value(scope), args.get(1).int32_value(scope));
    change(scope, args.this(), |engine| engine.params(level.unwrap_or_default(), strategy.unwrap_or_default()));
}

fn reset<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    change(scope, args.this(), |engine| engine.reset());
}

fn change<'s>(
    scope: &mut PinScope<'s, '_>,
    this: Local<'s, Object>,
    body: impl FnOnce(&mut (dyn Engine + 'static)) -> Option<Problem>,
) {
    let Some(stream) = wrap::get::<Stream>(scope, this) else { return };
    let problem = match &mut *stream.engine.borrow_mut() {
        Some(engine) => body(&mut **engine),
        None => None,
    };
    if let Some(problem) = problem {
        stream.fail(scope, this, &problem);
    }
}

fn close<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(stream) = wrap::get::<Stream>(scope, args.this()) {
        stream.close();
    }
}

/// `crc32(data, start)`
fn crc32<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let start = args.get(1).uint32_value(scope).unwrap_or_default();
    rv.set_uint32(checksum(scope, args.get(0), start));
}

crate::fast!(CRC32 = crc32_fast as (Value, u32) -> u32);

extern "C" fn crc32_fast<'s>(
    _: Local<'s, Value>,
    data: Local<'s, Value>,
    start: u32,
    options: &FastApiCallbackOptions<'s>,
) -> u32 {
    // SAFETY: V8 gave the options to this call.
    v8::callback_scope!(unsafe scope, options);
    checksum(scope, data, start)
}

fn checksum<'s>(scope: &mut PinScope<'s, '_>, data: Local<'s, Value>, start: u32) -> u32 {
    if let Ok(string) = Local::<v8::String>::try_from(data) {
        return text::with_bytes(scope, string, Encoding::Utf8, |bytes| compression::crc32(start, bytes));
    }
    let mut storage = text::STORAGE;
    compression::crc32(start, text::contents(data, &mut storage).unwrap_or_default())
}
