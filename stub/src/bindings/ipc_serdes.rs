//! `internalBinding('ipc_serdes')`: messages between processes with `serialization: 'advanced'`, as V8 serializes them.
//!
//! Views are written by their contents: a `Buffer`'s memory may hold more than what belongs to it.

use v8::{
    ArrayBuffer, ArrayBufferView, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, SharedArrayBuffer,
    Value, ValueDeserializer, ValueDeserializerHelper, ValueDeserializerImpl, ValueSerializer, ValueSerializerHelper,
    ValueSerializerImpl,
};

use super::{buffer, serdes};
use crate::text::{self, STORAGE};
use crate::{errors, js};

crate::room! {
    name: "ipc_serdes",
    functions: {
        pure "serialize" => serialize,
        pure "deserialize" => deserialize,
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// What follows the mark of a host object: a view, or the properties of another object.
const VIEW: u32 = 0;
const PROPERTIES: u32 = 1;
/// The kind of view that a `Buffer` is.
const BUFFER: u32 = 10;
/// The kind of a `Float16Array`.
const FLOAT16: u32 = 13;
/// Bytes of the length in front of a message.
const PREFIX: usize = 4;

struct Writer<'a> {
    buffer_class: Local<'a, Value>,
}

fn throw_not_cloneable(scope: &mut PinScope, value: Local<Value>) {
    let text = value.to_detail_string(scope).map(|text| text.to_rust_string_lossy(scope)).unwrap_or_default();
    errors::throw_error(scope, &format!("{text} could not be cloned."));
}

/// Which kind of view `view` is.
fn kind<'s>(scope: &mut PinScope<'s, '_>, view: Local<'s, ArrayBufferView>, buffer_class: Local<Value>) -> Option<u32> {
    let object: Local<Object> = view.into();
    let class = js::get(scope, object, "constructor")?;
    if class.strict_equals(buffer_class) {
        return Some(BUFFER);
    }
    let kinds = [
        view.is_int8_array(),
        view.is_uint8_array(),
        view.is_uint8_clamped_array(),
        view.is_int16_array(),
        view.is_uint16_array(),
        view.is_int32_array(),
        view.is_uint32_array(),
        view.is_float32_array(),
        view.is_float64_array(),
        view.is_data_view(),
        false,
        view.is_big_int64_array(),
        view.is_big_uint64_array(),
        view.is_float16_array(),
    ];
    kinds.iter().position(|is| *is).map(|kind| kind as u32)
}

impl ValueSerializerImpl for Writer<'_> {
    fn throw_data_clone_error<'s>(&self, scope: &mut PinScope<'s, '_>, message: Local<'s, v8::String>) {
        let error = v8::Exception::error(scope, message);
        scope.throw_exception(error);
    }

    fn write_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        object: Local<'s, Object>,
        serializer: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        let Ok(view) = Local::<ArrayBufferView>::try_from(object) else {
            serializer.write_uint32(PROPERTIES);
            let copy = copy_properties(scope, object)?;
            let context = scope.get_current_context();
            return serializer.write_value(context, copy.into());
        };
        let Some(kind) = kind(scope, view, self.buffer_class) else {
            throw_not_cloneable(scope, object.into());
            return None;
        };
        let mut storage = STORAGE;
        let bytes = text::contents(object.into(), &mut storage).unwrap_or_default();
        serializer.write_uint32(VIEW);
        serializer.write_uint32(kind);
        serializer.write_uint32(bytes.len() as u32);
        serializer.write_raw_bytes(bytes);
        Some(true)
    }

    fn get_shared_array_buffer_id<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        buffer: Local<'s, SharedArrayBuffer>,
    ) -> Option<u32> {
        throw_not_cloneable(scope, buffer.into());
        None
    }
}

/// A plain object with the own properties of `object`.
fn copy_properties<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Local<'s, Object>> {
    let copy = Object::new(scope);
    let names = object.get_own_property_names(scope, Default::default())?;
    for index in 0..names.length() {
        let name = names.get_index(scope, index)?;
        let value = object.get(scope, name)?;
        let Ok(key) = Local::<v8::Name>::try_from(name) else {
            copy.set(scope, name, value);
            continue;
        };
        copy.create_data_property(scope, key, value);
    }
    Some(copy)
}

/// `serialize(message, Buffer)`: a buffer with the message's length and the message.
fn serialize<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let writer = Writer { buffer_class: args.get(1) };
    let serializer = ValueSerializer::new(scope, Box::new(writer));
    serializer.set_treat_array_buffer_views_as_host_objects(true);
    serializer.write_raw_bytes(&[0; PREFIX]);
    serializer.write_header();
    let context = scope.get_current_context();
    if serializer.write_value(context, args.get(0)).is_none() {
        return;
    }
    let mut bytes = serializer.release();
    let length = (bytes.len() - PREFIX) as u32;
    bytes[..PREFIX].copy_from_slice(&length.to_be_bytes());
    rv.set(buffer::new_buffer(scope, bytes).into());
}

struct Reader<'a> {
    /// The message as JavaScript has it: views that come out of it share its memory.
    memory: Local<'a, ArrayBuffer>,
    /// Where in the memory the message begins.
    start: usize,
    /// The bytes that V8 reads.
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn view<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<Local<'s, Object>> {
        let (mut kind, mut length) = (0, 0);
        if !deserializer.read_uint32(&mut kind) || !deserializer.read_uint32(&mut length) {
            return None;
        }
        let length = length as usize;
        let contents = match length {
            // V8 has no pointer to nothing.
            0 => &[][..],
            _ => deserializer.read_raw_bytes(length)?,
        };
        let width = match kind {
            3 | 4 | FLOAT16 => 2,
            5..=7 => 4,
            8 | 11 | 12 => 8,
            _ => 1,
        };
        let offset = if length == 0 { 0 } else { contents.as_ptr().addr() - self.bytes.as_ptr().addr() };
        let shared = Local::new(scope, self.memory);
        let (memory, offset) = match self.start + offset {
            offset if offset % width == 0 => (shared, offset),
            _ => {
                let store = ArrayBuffer::new_backing_store_from_vec(contents.to_vec()).make_shared();
                (ArrayBuffer::with_backing_store(scope, &store), 0)
            }
        };
        let count = length / width;
        Some(match kind {
            0 => v8::Int8Array::new(scope, memory, offset, count)?.into(),
            1 => v8::Uint8Array::new(scope, memory, offset, count)?.into(),
            2 => v8::Uint8ClampedArray::new(scope, memory, offset, count)?.into(),
            3 => v8::Int16Array::new(scope, memory, offset, count)?.into(),
            4 => v8::Uint16Array::new(scope, memory, offset, count)?.into(),
            5 => v8::Int32Array::new(scope, memory, offset, count)?.into(),
            6 => v8::Uint32Array::new(scope, memory, offset, count)?.into(),
            7 => v8::Float32Array::new(scope, memory, offset, count)?.into(),
            8 => v8::Float64Array::new(scope, memory, offset, count)?.into(),
            9 => v8::DataView::new(scope, memory, offset, count).into(),
            BUFFER => buffer::over(scope, memory, offset, count)?.into(),
            11 => v8::BigInt64Array::new(scope, memory, offset, count)?.into(),
            12 => v8::BigUint64Array::new(scope, memory, offset, count)?.into(),
            FLOAT16 => float16_array(scope, memory, offset, count)?,
            _ => return None,
        })
    }
}

/// The crate's handles of this class are not objects: JavaScript has to make it.
fn float16_array<'s>(
    scope: &mut PinScope<'s, '_>,
    memory: Local<'s, ArrayBuffer>,
    offset: usize,
    count: usize,
) -> Option<Local<'s, Object>> {
    let global = scope.get_current_context().global(scope);
    let class: Local<v8::Function> = js::get(scope, global, "Float16Array")?.try_into().ok()?;
    let arguments = [memory.into(), js::number(scope, offset as f64), js::number(scope, count as f64)];
    class.new_instance(scope, &arguments)
}

impl ValueDeserializerImpl for Reader<'_> {
    fn read_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<Local<'s, Object>> {
        match serdes::read_number(deserializer)? {
            VIEW => self.view(scope, deserializer),
            _ => serdes::read_object(scope, deserializer),
        }
    }
}

/// `deserialize(bytes)`
fn deserialize<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(view) = Local::<ArrayBufferView>::try_from(args.get(0)) else { return };
    let Some(memory) = view.buffer(scope) else { return };
    let mut storage = STORAGE;
    // V8 keeps a pointer to what it reads, and a getter could change it.
    let bytes = text::contents(args.get(0), &mut storage).unwrap_or_default().to_vec();
    let reader = Reader { memory, start: view.byte_offset(), bytes: &bytes };
    let deserializer = ValueDeserializer::new(scope, Box::new(reader), &bytes);
    let context = scope.get_current_context();
    if deserializer.read_header(context).is_none() {
        return;
    }
    if let Some(value) = deserializer.read_value(context) {
        rv.set(value);
    }
}
