//! `internalBinding('serdes')`: V8's serializer, as `v8.serialize` uses it.

use v8::{
    Context, Function, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, SharedArrayBuffer, Value,
    ValueDeserializer, ValueDeserializerHelper, ValueDeserializerImpl, ValueSerializer, ValueSerializerHelper,
    ValueSerializerImpl, Weak,
};

use crate::errors::{self, Kind};
use crate::text::{self, Encoding, STORAGE};
use crate::{js, wrap};

crate::room! {
    name: "serdes",
    classes: {
        "Serializer" {
            pure new => new_serializer,
            pure "writeHeader" => write_header,
            pure "writeValue" => write_value,
            pure "releaseBuffer" => release_buffer,
            pure "transferArrayBuffer" => send_array_buffer,
            pure "writeUint32" => write_uint32,
            pure "writeUint64" => write_uint64,
            pure "writeDouble" => write_double,
            pure "writeRawBytes" => write_raw_bytes,
            pure "_setTreatArrayBufferViewsAsHostObjects" => treat_views_as_host_objects,
        },
        "Deserializer" {
            pure new => new_deserializer,
            pure "readHeader" => read_header,
            pure "readValue" => read_value,
            pure "getWireFormatVersion" => get_wire_format_version,
            pure "transferArrayBuffer" => receive_array_buffer,
            pure "readUint32" => read_uint32,
            pure "readUint64" => read_uint64,
            pure "readDouble" => read_double,
            pure "_readRawBytes" => read_raw_bytes,
        },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

struct Serializer(ValueSerializer<'static>);

struct Deserializer {
    // Declared first, so it goes before the bytes that it reads.
    deserializer: ValueDeserializer<'static>,
    bytes: Box<[u8]>,
}

/// Asks the JavaScript object what V8 does not know.
struct Delegate(Weak<Object>);

impl Delegate {
    /// The method `name` of the object, if it has one.
    fn method<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        name: &str,
    ) -> Option<(Local<'s, Object>, Option<Local<'s, Function>>)> {
        let object = self.0.to_local(scope)?;
        let method = js::get(scope, object, name)?;
        Some((object, method.try_into().ok()))
    }
}

fn throw_not_cloneable<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) {
    let text = value.to_detail_string(scope).map(|text| text.to_rust_string_lossy(scope)).unwrap_or_default();
    errors::throw_error(scope, &format!("{text} could not be cloned."));
}

impl ValueSerializerImpl for Delegate {
    fn throw_data_clone_error<'s>(&self, scope: &mut PinScope<'s, '_>, message: Local<'s, v8::String>) {
        let Some((object, Some(make))) = self.method(scope, "_getDataCloneError") else { return };
        if let Some(error) = make.call(scope, object.into(), &[message.into()]) {
            scope.throw_exception(error);
        }
    }

    fn write_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        host: Local<'s, Object>,
        _: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        let (object, method) = self.method(scope, "_writeHostObject")?;
        let Some(method) = method else {
            throw_not_cloneable(scope, host.into());
            return None;
        };
        method.call(scope, object.into(), &[host.into()]).map(|_| true)
    }

    fn get_shared_array_buffer_id<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        buffer: Local<'s, SharedArrayBuffer>,
    ) -> Option<u32> {
        let (object, method) = self.method(scope, "_getSharedArrayBufferId")?;
        let Some(method) = method else {
            throw_not_cloneable(scope, buffer.into());
            return None;
        };
        method.call(scope, object.into(), &[buffer.into()])?.uint32_value(scope)
    }
}

impl ValueDeserializerImpl for Delegate {
    fn read_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        _: &dyn ValueDeserializerHelper,
    ) -> Option<Local<'s, Object>> {
        // V8 keeps scripts from running while it reads.
        v8::allow_javascript_execution_scope!(let scope, scope);
        let (object, method) = self.method(scope, "_readHostObject")?;
        let Some(method) = method else {
            errors::throw_error(scope, "Unable to deserialize cloned data.");
            return None;
        };
        let host = method.call(scope, object.into(), &[])?;
        let host = host.try_into().ok();
        if host.is_none() {
            let message = js::string(scope, "readHostObject must return an object");
            let error = v8::Exception::type_error(scope, message);
            scope.throw_exception(error);
        }
        host
    }

    fn get_shared_array_buffer_from_id<'s>(
        &self,
        _: &mut PinScope<'s, '_>,
        _: u32,
    ) -> Option<Local<'s, SharedArrayBuffer>> {
        // V8 throws what it has to.
        None
    }
}

fn throw_argument(scope: &mut PinScope, message: &str) {
    errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
}

/// Throws, and returns false, unless this is a call with `new`.
fn requires_new(scope: &mut PinScope, args: &Args, class: &str) -> bool {
    if !args.is_construct_call() {
        let message = format!("Class constructor {class} cannot be invoked without 'new'");
        errors::throw_code(scope, Kind::TypeError, "ERR_CONSTRUCT_CALL_REQUIRED", &message);
    }
    args.is_construct_call()
}

fn new_serializer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if requires_new(scope, &args, "Serializer") {
        let delegate = Delegate(Weak::new(scope, args.this()));
        let serializer = ValueSerializer::new(scope, Box::new(delegate));
        wrap::attach(scope, args.this(), Serializer(serializer));
    }
}

/// Runs `body` with the serializer of `this`.
fn serializer<'s, R>(
    scope: &mut PinScope<'s, '_>,
    args: &Args<'s>,
    body: impl FnOnce(&mut PinScope<'s, '_>, &ValueSerializer) -> R,
) -> Option<R> {
    let state = wrap::get::<Serializer>(scope, args.this())?;
    Some(body(scope, &state.0))
}

fn write_header<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    serializer(scope, &args, |_, serializer| serializer.write_header());
}

fn write_value<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let written = serializer(scope, &args, |scope, serializer| {
        let context: Local<Context> = scope.get_current_context();
        serializer.write_value(context, args.get(0))
    });
    if let Some(Some(written)) = written {
        rv.set_bool(written);
    }
}

fn release_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(bytes) = serializer(scope, &args, |_, serializer| serializer.release()) {
        rv.set(super::buffer::new_buffer(scope, bytes).into());
    }
}

fn send_array_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(id) = args.get(0).uint32_value(scope) else { return };
    match args.get(1).try_into() {
        Ok(buffer) => {
            serializer(scope, &args, |_, serializer| serializer.transfer_array_buffer(id, buffer));
        }
        Err(_) => throw_argument(scope, "arrayBuffer must be an ArrayBuffer"),
    }
}

fn write_uint32<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(number) = args.get(0).uint32_value(scope) {
        serializer(scope, &args, |_, serializer| serializer.write_uint32(number));
    }
}

fn write_uint64<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(high) = args.get(0).uint32_value(scope) else { return };
    let Some(low) = args.get(1).uint32_value(scope) else { return };
    let number = u64::from(high) << 32 | u64::from(low);
    serializer(scope, &args, |_, serializer| serializer.write_uint64(number));
}

fn write_double<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(number) = args.get(0).number_value(scope) {
        serializer(scope, &args, |_, serializer| serializer.write_double(number));
    }
}

fn write_raw_bytes<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let mut storage = STORAGE;
    match text::contents(args.get(0), &mut storage) {
        Some(bytes) if args.get(0).is_array_buffer_view() => {
            serializer(scope, &args, |_, serializer| serializer.write_raw_bytes(bytes));
        }
        _ => throw_argument(scope, "source must be a TypedArray or a DataView"),
    }
}

fn treat_views_as_host_objects<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let mode = args.get(0).boolean_value(scope);
    serializer(scope, &args, |_, serializer| serializer.set_treat_array_buffer_views_as_host_objects(mode));
}

/// `new Deserializer(buffer)`
fn new_deserializer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if !requires_new(scope, &args, "Deserializer") {
        return;
    }
    if !args.get(0).is_array_buffer_view() {
        throw_argument(scope, "buffer must be a TypedArray or a DataView");
        return;
    }
    js::set(scope, args.this(), "buffer", args.get(0));
    // V8 keeps a pointer to what it reads: a copy can't be detached.
    let bytes = text::bytes_of_value(scope, args.get(0), Encoding::Utf8).unwrap_or_default().into_boxed_slice();
    let delegate = Delegate(Weak::new(scope, args.this()));
    let deserializer = ValueDeserializer::new(scope, Box::new(delegate), &bytes);
    wrap::attach(scope, args.this(), Deserializer { deserializer, bytes });
}

/// Runs `body` with the deserializer of `this`.
fn deserializer<'s, R>(
    scope: &mut PinScope<'s, '_>,
    args: &Args<'s>,
    body: impl FnOnce(&mut PinScope<'s, '_>, &Deserializer) -> R,
) -> Option<R> {
    let state = wrap::get::<Deserializer>(scope, args.this())?;
    Some(body(scope, &state))
}

fn read_header<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let read = deserializer(scope, &args, |scope, state| {
        let context = scope.get_current_context();
        state.deserializer.read_header(context)
    });
    if let Some(Some(read)) = read {
        rv.set_bool(read);
    }
}

fn read_value<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let value = deserializer(scope, &args, |scope, state| {
        let context = scope.get_current_context();
        state.deserializer.read_value(context)
    });
    if let Some(Some(value)) = value {
        rv.set(value);
    }
}

fn get_wire_format_version<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(version) = deserializer(scope, &args, |_, state| state.deserializer.get_wire_format_version()) {
        rv.set_uint32(version);
    }
}

fn receive_array_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(id) = args.get(0).uint32_value(scope) else { return };
    if let Ok(buffer) = args.get(1).try_into() {
        deserializer(scope, &args, |_, state| state.deserializer.transfer_array_buffer(id, buffer));
    } else if let Ok(buffer) = args.get(1).try_into() {
        deserializer(scope, &args, |_, state| state.deserializer.transfer_shared_array_buffer(id, buffer));
    } else {
        throw_argument(scope, "arrayBuffer must be an ArrayBuffer or SharedArrayBuffer");
    }
}

fn read_uint32<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mut number = 0;
    match deserializer(scope, &args, |_, state| state.deserializer.read_uint32(&mut number)) {
        Some(true) => rv.set_uint32(number),
        _ => errors::throw_error(scope, "ReadUint32() failed"),
    }
}

fn read_uint64<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mut number = 0;
    match deserializer(scope, &args, |_, state| state.deserializer.read_uint64(&mut number)) {
        Some(true) => {
            let halves = [(number >> 32) as u32, number as u32];
            let halves = halves.map(|half| v8::Integer::new_from_unsigned(scope, half).into());
            rv.set(v8::Array::new_with_elements(scope, &halves).into());
        }
        _ => errors::throw_error(scope, "ReadUint64() failed"),
    }
}

fn read_double<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mut number = 0.0;
    match deserializer(scope, &args, |_, state| state.deserializer.read_double(&mut number)) {
        Some(true) => rv.set_double(number),
        _ => errors::throw_error(scope, "ReadDouble() failed"),
    }
}

/// `_readRawBytes(length)`: where in the buffer they begin.
fn read_raw_bytes<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(length) = args.get(0).integer_value(scope) else { return };
    let offset = deserializer(scope, &args, |_, state| {
        let length = usize::try_from(length).ok()?;
        // V8 has no pointer to nothing.
        if state.bytes.is_empty() {
            return None;
        }
        let bytes = state.deserializer.read_raw_bytes(length)?;
        Some(bytes.as_ptr().addr() - state.bytes.as_ptr().addr())
    });
    match offset.flatten() {
        Some(offset) => rv.set_double(offset as f64),
        None => errors::throw_error(scope, "ReadRawBytes() failed"),
    }
}

/// What a writer of host objects begins each with.
pub fn read_number(deserializer: &dyn ValueDeserializerHelper) -> Option<u32> {
    let mut number = 0;
    deserializer.read_uint32(&mut number).then_some(number)
}

/// A host object that was written as another object, in its place.
pub fn read_object<'s>(
    scope: &mut PinScope<'s, '_>,
    deserializer: &dyn ValueDeserializerHelper,
) -> Option<Local<'s, Object>> {
    let context = scope.get_current_context();
    deserializer.read_value(context)?.try_into().ok()
}
