//! `internalBinding('blob')`: the bytes behind `Blob`, in memory or in files.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use v8::{
    Array, ArrayBuffer, Function, FunctionCallbackArguments, Global, Local, Object, PinScope, ReturnValue, Value,
};

use crate::bindings::messaging::{CLONEABLE, Parcel, Traveller};
use crate::realm::{self, Realm};
use crate::text::{self, Encoding};
use crate::{binding, callback, errors, js, wrap};

crate::room! {
    name: "blob",
    functions: {
        pure "createBlob" => create_blob,
        trap "storeDataObject" => store_data_object,
        trap "getDataObject" => get_data_object,
        trap "revokeObjectURL" => revoke_object_url,
        pure "concat" => concat,
        trap "createBlobFromFilePath" => create_blob_from_file_path,
    },
    classes: {
        #[hidden] "Blob" { pure new => nothing, pure "getReader" => get_reader, pure "slice" => slice },
        #[hidden] "BlobReader" { pure new => nothing, pure "pull" => pull, pure "setWakeup" => nothing },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// Bytes in a row.
#[derive(Clone)]
struct Part {
    source: Source,
    start: u64,
    length: u64,
}

#[derive(Clone)]
enum Source {
    Memory(Arc<[u8]>),
    /// A file as it was when the blob was made: once it is changed it can't be read any more.
    File(Arc<PathBuf>, Stamp),
}

/// When a file was changed last, in seconds and nanoseconds, and its length.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(i64, i64, u64);

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp(metadata.mtime(), metadata.mtime_nsec(), metadata.len())
    }

    fn check(self, metadata: &Metadata) -> io::Result<()> {
        match Stamp::of(metadata) == self {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::EIO)),
        }
    }
}

/// The state of a `Blob`'s handle.
struct Blob {
    parts: Vec<Part>,
}

/// The state of a reader.
struct Reader {
    parts: Vec<Part>,
    part: Cell<usize>,
    offset: Cell<u64>,
}

/// What a pull says.
mod status {
    pub const END: i32 = 0;
    pub const CONTINUE: i32 = 1;
}

/// What is read from a file at once.
const CHUNK: u64 = 64 * 1024;

/// What `URL.createObjectURL` has registered: handle, length and type.
#[derive(Default)]
struct Registered(RefCell<HashMap<String, [Global<Value>; 3]>>);

/// How blobs travel between realms: their bytes are shared.
pub const TRAVELLER: Traveller = Traveller {
    mode: |scope, object| wrap::get::<Blob>(scope, object).map(|_| CLONEABLE),
    pack: |scope, object, _| {
        let parts = wrap::get::<Blob>(scope, object)?.parts.clone();
        Some(Box::new(Packed(parts)))
    },
};

struct Packed(Vec<Part>);

impl Parcel for Packed {
    fn unpack<'s>(self: Box<Self>, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
        new_blob(scope, self.0)
    }
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn new_blob<'s>(scope: &mut PinScope<'s, '_>, parts: Vec<Part>) -> Option<Local<'s, Object>> {
    let object = binding::construct(scope, "Blob", &[])?;
    wrap::attach(scope, object, Blob { parts });
    Some(object)
}

/// `createBlob(sources, length)`: sources are arrays of bytes and handles of other blobs.
fn create_blob<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(sources) = Local::<Array>::try_from(args.get(0)) else { return };
    let mut parts = Vec::new();
    for index in 0..sources.length() {
        let Some(source) = sources.get_index(scope, index) else { return };
        if let Some(bytes) = js::bytes(source) {
            let bytes: Arc<[u8]> = text::read(bytes).into();
            let length = bytes.len() as u64;
            parts.push(Part { source: Source::Memory(bytes), start: 0, length });
        } else if let Some(blob) =
            Local::<Object>::try_from(source).ok().and_then(|blob| wrap::get::<Blob>(scope, blob))
        {
            parts.extend_from_slice(&blob.parts);
        }
    }
    if let Some(blob) = new_blob(scope, parts) {
        rv.set(blob.into());
    }
}

/// `createBlobFromFilePath(path)`: `[handle, length]`
fn create_blob_from_file_path<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = text::bytes_of_value(scope, args.get(0), Encoding::Utf8).unwrap_or_default();
    let found = match crate::vfs::read(&path) {
        // What is embedded is in memory already.
        Some(bytes) => {
            bytes.map(|bytes| (bytes.len() as u64, bytes)).map(|(length, bytes)| (Source::Memory(bytes.into()), length))
        }
        None => on_disk(path.clone()),
    };
    let (source, length) = match found {
        Ok(found) => found,
        Err(errno) => {
            let path = String::from_utf8_lossy(&path);
            errors::throw_uv(
                scope,
                errors::Failure { errno, syscall: "stat", path: Some(&path), ..Default::default() },
            );
            return;
        }
    };
    if let Some(blob) = new_blob(scope, vec![Part { source, start: 0, length }]) {
        let both = [blob.into(), js::number(scope, length as f64)];
        rv.set(Array::new_with_elements(scope, &both).into());
    }
}

/// A file of the disk and its length, or a libuv error.
fn on_disk(path: Vec<u8>) -> Result<(Source, u64), i32> {
    let path = PathBuf::from(OsString::from_vec(path));
    let metadata = std::fs::metadata(&path).map_err(|error| -error.raw_os_error().unwrap_or(libc::EIO))?;
    Ok((Source::File(Arc::new(path), Stamp::of(&metadata)), metadata.len()))
}

/// `handle.slice(start, end)`
fn slice<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(blob) = wrap::get::<Blob>(scope, args.this()) else { return };
    let start = args.get(0).integer_value(scope).unwrap_or_default().max(0) as u64;
    let end = args.get(1).integer_value(scope).unwrap_or_default().max(0) as u64;
    let mut parts = Vec::new();
    let mut position = 0;
    for part in &blob.parts {
        let from = start.clamp(position, position + part.length) - position;
        let to = end.clamp(position, position + part.length) - position;
        if from < to {
            parts.push(Part { source: part.source.clone(), start: part.start + from, length: to - from });
        }
        position += part.length;
    }
    if let Some(blob) = new_blob(scope, parts) {
        rv.set(blob.into());
    }
}

fn get_reader<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(blob) = wrap::get::<Blob>(scope, args.this()) else { return };
    if let Some(object) = binding::construct(scope, "BlobReader", &[]) {
        let reader = Reader { parts: blob.parts.clone(), part: Cell::default(), offset: Cell::default() };
        wrap::attach(scope, object, reader);
        rv.set(object.into());
    }
}

/// `reader.pull(callback)`: calls back with a status and, if there is some, an ArrayBuffer.
fn pull<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(reader) = wrap::get::<Reader>(scope, args.this()) else { return };
    let Ok(done) = Local::<Function>::try_from(args.get(0)) else { return };
    rv.set_int32(status::CONTINUE);
    let Some(part) = reader.parts.get(reader.part.get()) else {
        answer(scope, args.this(), done, Ok(None), status::END);
        return;
    };
    let offset = reader.offset.get();
    let rest = part.length - offset;
    if rest == 0 {
        // Of an empty file nothing was read that could have shown that it has changed.
        if let Source::File(path, stamp) = &part.source
            && part.length == 0
            && let Err(error) = std::fs::metadata(&**path).and_then(|metadata| stamp.check(&metadata))
        {
            answer(scope, args.this(), done, Err(error), status::END);
            return;
        }
        reader.part.set(reader.part.get() + 1);
        reader.offset.set(0);
        let last = reader.part.get() == reader.parts.len();
        answer(scope, args.this(), done, Ok(None), if last { status::END } else { status::CONTINUE });
        return;
    }
    let start = part.start + offset;
    match &part.source {
        Source::Memory(bytes) => {
            let bytes = bytes[start as usize..(start + rest) as usize].to_vec();
            reader.offset.set(part.length);
            answer(scope, args.this(), done, Ok(Some(bytes)), status::CONTINUE);
        }
        Source::File(path, stamp) => {
            let (path, stamp) = (path.clone(), *stamp);
            let length = rest.min(CHUNK);
            let target = Rc::new((Global::new(scope, args.this()), Global::new(scope, done)));
            let work = move || read_file(&path, stamp, start, length);
            crate::uv::work::queue(work, move |bytes| {
                let bytes = bytes.unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::ECANCELED)));
                realm::enter(|scope| {
                    if let Ok(bytes) = &bytes {
                        reader.offset.set(offset + bytes.len() as u64);
                    }
                    let (object, done) = (Local::new(scope, &target.0), Local::new(scope, &target.1));
                    answer_later(scope, object, done, bytes);
                });
            });
        }
    }
}

/// Reads a piece of a file, unless it was changed since the blob was made.
fn read_file(path: &PathBuf, stamp: Stamp, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    stamp.check(&file.metadata()?)?;
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

fn arguments<'s>(
    scope: &mut PinScope<'s, '_>,
    bytes: io::Result<Option<Vec<u8>>>,
    status: i32,
) -> [Local<'s, Value>; 2] {
    match bytes {
        Ok(None) => [js::integer(scope, status), js::undefined(scope)],
        Ok(Some(bytes)) => {
            let store = ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
            [js::integer(scope, status), ArrayBuffer::with_backing_store(scope, &store).into()]
        }
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            [js::integer(scope, -errno), js::undefined(scope)]
        }
    }
}

fn answer<'s>(
    scope: &mut PinScope<'s, '_>,
    _: Local<'s, Object>,
    done: Local<'s, Function>,
    bytes: io::Result<Option<Vec<u8>>>,
    status: i32,
) {
    let arguments = arguments(scope, bytes, status);
    let undefined = js::undefined(scope);
    done.call(scope, undefined, &arguments);
}

fn answer_later<'s>(
    scope: &mut PinScope<'s, '_>,
    object: Local<'s, Object>,
    done: Local<'s, Function>,
    bytes: io::Result<Vec<u8>>,
) {
    let arguments = arguments(scope, bytes.map(Some), status::CONTINUE);
    callback::function(scope, object, done, &arguments);
}

/// `concat(buffers)`: one ArrayBuffer of them all.
fn concat<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(buffers) = Local::<Array>::try_from(args.get(0)) else { return };
    let mut all = Vec::new();
    for index in 0..buffers.length() {
        let Some(buffer) = buffers.get_index(scope, index) else { return };
        if let Some(bytes) = js::bytes(buffer) {
            all.extend_from_slice(text::read(bytes));
        }
    }
    let store = ArrayBuffer::new_backing_store_from_vec(all).make_shared();
    rv.set(ArrayBuffer::with_backing_store(scope, &store).into());
}

/// `storeDataObject(id, handle, length, type)`
fn store_data_object<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let id = args.get(0).to_rust_string_lossy(scope);
    let values = [1, 2, 3].map(|index| Global::new(scope, args.get(index)));
    Realm::current().room::<Registered>().0.borrow_mut().insert(id, values);
}

/// `getDataObject(id)`: `[handle, length, type]`
fn get_data_object<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let id = args.get(0).to_rust_string_lossy(scope);
    let registered = Realm::current().room::<Registered>();
    let values = registered.0.borrow().get(&id).map(|values| [0, 1, 2].map(|index| Local::new(scope, &values[index])));
    if let Some(values) = values {
        rv.set(Array::new_with_elements(scope, &values).into());
    }
}

/// `revokeObjectURL(url)`: forgets what is registered for `blob:nodedata:ID`.
fn revoke_object_url<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let url = args.get(0).to_rust_string_lossy(scope);
    if let Some(id) = url.strip_prefix("blob:nodedata:") {
        Realm::current().room::<Registered>().0.borrow_mut().remove(id);
    }
}
