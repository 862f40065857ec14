//! Jobs: what `crypto` computes at once, on a thread of the pool, or for a promise.

use std::cell::RefCell;

use v8::{Array, Function, Global, Local, Object, PinScope, PromiseResolver, Value};

use super::{Args, Return, keys};
use crate::bindings::async_wrap;
use crate::realm::{self, Realm};
use crate::uv::work;
use crate::{callback, errors, js, text, trap, wrap};

/// What a job came to.
pub enum Product {
    /// An `ArrayBuffer`.
    Bytes(Vec<u8>),
    /// A boolean.
    Answer(bool),
    /// A secret key.
    Key(Vec<u8>),
    /// Bytes for the buffer that the program gave.
    Filling(Vec<u8>),
}

/// The message of the error that a job ends with.
pub type Outcome = Result<Product, String>;

/// The computation itself.
pub type Work = Box<dyn FnOnce() -> Outcome + Send>;

/// How a job's result gets to the program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Async = 0,
    Sync = 1,
    Promise = 2,
}

/// Where the result goes, besides.
#[derive(Default)]
pub struct Target {
    /// The buffer to fill, and from where on.
    pub buffer: Option<(Global<Value>, usize)>,
    /// What a `CryptoKey` is made with after the key: algorithm, usages, whether it can be exported.
    pub key: Vec<Global<Value>>,
}

struct Job {
    mode: Mode,
    work: RefCell<Option<Work>>,
    target: RefCell<Target>,
}

/// Makes `this` a job. The first argument of its constructor is the mode.
pub fn init<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>, provider: &'static str, target: Target, work: Work) {
    let mode = match args.get(0).int32_value(scope) {
        Some(0) => Mode::Async,
        Some(2) => Mode::Promise,
        _ => Mode::Sync,
    };
    let job = Job { mode, work: RefCell::new(Some(work)), target: RefCell::new(target) };
    wrap::attach(scope, args.this(), job);
    async_wrap::init_object(scope, args.this(), provider);
}

/// `job.run()`: `[error, result]`, nothing, or a promise.
pub fn run<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let this = args.this();
    let Some(job) = wrap::get::<Job>(scope, this) else { return };
    let Some(body) = job.work.take() else { return };
    if job.mode == Mode::Sync {
        let pair = settle(scope, &job, body());
        rv.set(Array::new_with_elements(scope, &pair).into());
        return;
    }
    // Threads and the event loop belong to the run.
    if trap::spring(scope, "run") {
        return;
    }
    let resolver = (job.mode == Mode::Promise).then(|| PromiseResolver::new(scope)).flatten();
    if let Some(resolver) = resolver {
        rv.set(resolver.get_promise(scope).into());
    }
    let resolver = resolver.map(|resolver| Global::new(scope, resolver));
    let this = Global::new(scope, this);
    work::queue(body, move |outcome| {
        let Some(outcome) = outcome else { return };
        realm::enter(|scope| {
            let this = Local::new(scope, this);
            let resolver = resolver.map(|resolver| Local::new(scope, resolver));
            done(scope, this, outcome, resolver);
        });
    });
}

fn done<'s>(
    scope: &mut PinScope<'s, '_>,
    this: Local<'s, Object>,
    outcome: Outcome,
    resolver: Option<Local<'s, PromiseResolver>>,
) {
    let Some(job) = wrap::get::<Job>(scope, this) else { return };
    let Some(resolver) = resolver else {
        let pair = settle(scope, &job, outcome);
        callback::method(scope, this, "ondone", &pair);
        return;
    };
    let ids = wrap::async_ids(scope, this);
    let frame = wrap::context_frame(scope, this);
    callback::in_context(scope, this, ids, frame, |scope| {
        let [error, value] = settle(scope, &job, outcome);
        match error.is_undefined() {
            true => resolver.resolve(scope, value),
            false => {
                let reason = operation_error(scope, error);
                resolver.reject(scope, reason)
            }
        };
        Some(js::undefined(scope))
    });
}

/// `[error, result]`, one of them undefined.
fn settle<'s>(scope: &mut PinScope<'s, '_>, job: &Job, outcome: Outcome) -> [Local<'s, Value>; 2] {
    let target = job.target.take();
    let undefined = js::undefined(scope);
    let value = match outcome {
        Err(message) => {
            let message = js::string(scope, &message);
            return [v8::Exception::error(scope, message), undefined];
        }
        Ok(Product::Bytes(bytes)) => {
            let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
            v8::ArrayBuffer::with_backing_store(scope, &store).into()
        }
        Ok(Product::Answer(answer)) => js::boolean(scope, answer),
        Ok(Product::Key(bytes)) => {
            let Some(handle) = keys::handle(scope, bytes) else { return [undefined, undefined] };
            match job.mode {
                Mode::Promise => {
                    let extra: Vec<_> = target.key.into_iter().map(|value| Local::new(scope, value)).collect();
                    keys::crypto_key(scope, handle, &extra).unwrap_or(undefined)
                }
                Mode::Async | Mode::Sync => handle.into(),
            }
        }
        Ok(Product::Filling(bytes)) => {
            if let Some((buffer, offset)) = target.buffer {
                let buffer = Local::new(scope, buffer);
                // The buffer may have shrunk or gone meanwhile.
                if let Some(cells) = js::bytes(buffer).and_then(|cells| cells.get(offset..)) {
                    text::write(cells, |target| {
                        let length = target.len().min(bytes.len());
                        target[..length].copy_from_slice(&bytes[..length]);
                    });
                }
            }
            undefined
        }
    };
    [undefined, value]
}

/// What Web Crypto's promises are rejected with.
fn operation_error<'s>(scope: &mut PinScope<'s, '_>, cause: Local<'s, Value>) -> Local<'s, Value> {
    let exports = Realm::current().object(scope, crate::bootstrap::PER_CONTEXT_EXPORTS);
    let class = exports.and_then(|exports| js::get(scope, exports, "DOMException"));
    let Some(class) = class.and_then(|class| Local::<Function>::try_from(class).ok()) else { return cause };
    let options = Object::new(scope);
    let name = js::string(scope, "OperationError");
    js::set(scope, options, "name", name);
    js::set(scope, options, "cause", cause);
    let message = js::string(scope, "The operation failed for an operation-specific reason");
    class.new_instance(scope, &[message.into(), options.into()]).map_or(cause, Into::into)
}

/// Throws Node's error for a hash function that is not there.
pub fn throw_invalid_digest(scope: &mut PinScope, name: &str) {
    let message = format!("Invalid digest: {name}");
    errors::throw_code(scope, errors::Kind::TypeError, "ERR_CRYPTO_INVALID_DIGEST", &message);
}
