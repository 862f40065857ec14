//! A value on its way from one realm to another, and structured clones: the same way within one realm.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

use v8::{
    Array, ArrayBuffer, CompiledWasmModule, Function, Global, Local, Object, PinScope, SharedArrayBuffer, Value,
    ValueDeserializer, ValueDeserializerHelper, ValueDeserializerImpl, ValueSerializer, ValueSerializerHelper,
    ValueSerializerImpl, WasmModuleObject,
};

use super::channel::End;
use super::memory::Memory;
use super::{CREATE_OBJECT, foreign, port, throw_data_clone_error};
use crate::bindings::{blob, block_list, crypto, fs, performance, process_methods, serdes, symbols, util};
use crate::realm::Realm;
use crate::{js, wrap};

/// What a `messaging` object allows, as bits: `kTransferable` and `kCloneable` of `util`'s constants.
pub const TRANSFERABLE: u32 = 1;
/// See [`TRANSFERABLE`].
pub const CLONEABLE: u32 = 2;

/// A native object taken apart, ready to be put together in another realm.
pub trait Parcel: Send {
    /// Makes the object of the other realm.
    fn unpack<'s>(self: Box<Self>, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>>;
}

type Mode = for<'s> fn(&PinScope<'s, '_>, Local<'s, Object>) -> Option<u32>;
type Pack = for<'s> fn(&mut PinScope<'s, '_>, Local<'s, Object>, bool) -> Option<Box<dyn Parcel>>;

/// How objects of one native class travel.
pub struct Traveller {
    /// What the object allows, or `None` if it is none of this class.
    pub mode: Mode,
    /// Takes the object apart; if the last argument says so, for good.
    pub pack: Pack,
}

/// All native classes whose objects can travel, apart from ports.
static TRAVELLERS: &[Traveller] =
    &[blob::TRAVELLER, fs::TRAVELLER, performance::TRAVELLER, block_list::LISTS, block_list::ADDRESSES, crypto::KEYS];

enum Item {
    Port(Arc<End>),
    Native(Box<dyn Parcel>),
    /// An object of the library's, by its description; its data follow the message's value.
    Described(String),
}

/// A serialized value.
pub struct Message {
    bytes: Vec<u8>,
    buffers: Mutex<Vec<Memory>>,
    items: Mutex<Vec<Item>>,
    shared: Vec<Memory>,
    modules: Vec<CompiledWasmModule>,
}

impl Message {
    /// Whether it can be received only once.
    pub fn moves_anything(&self) -> bool {
        !take_lock(&self.items).is_empty() || !take_lock(&self.buffers).is_empty()
    }

    /// Whether `end` is among what is transferred.
    pub fn carries(&self, end: &Arc<End>) -> bool {
        take_lock(&self.items).iter().any(|item| matches!(item, Item::Port(port) if Arc::ptr_eq(port, end)))
    }

    /// Serializes `value`. What is in `transfers` moves over. `None` when that threw.
    pub fn serialize<'s>(
        scope: &mut PinScope<'s, '_>,
        value: Local<'s, Value>,
        transfers: &[Local<'s, Value>],
        source: Option<Local<'s, Object>>,
    ) -> Option<Message> {
        let pending = std::rc::Rc::new(Pending::default());
        let serializer = ValueSerializer::new(scope, Box::new(Delegate(pending.clone())));
        let buffers = collect_transfers(scope, &pending, transfers, source)?;
        for (index, buffer) in buffers.iter().enumerate() {
            serializer.transfer_array_buffer(index as u32, *buffer);
        }
        pending.first_clone.set(None);
        pending.collected.set(true);
        let context = scope.get_current_context();
        serializer.write_header();
        serializer.write_value(context, value)?;
        let memories = detach_all(scope, &buffers);
        let items = finish(scope, &pending, &serializer)?;
        let shared =
            pending.shared.borrow().iter().map(|buffer| Memory::of_shared(Local::new(scope, buffer))).collect();
        Some(Message {
            bytes: serializer.release(),
            buffers: Mutex::new(memories),
            items: Mutex::new(items),
            shared,
            modules: pending.modules.take(),
        })
    }

    /// Makes the value, in the scope's context. Ports that came along are put into `ports`. `None` when that threw.
    pub fn deserialize<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        mut ports: Option<&mut Vec<Local<'s, Value>>>,
    ) -> Option<Local<'s, Value>> {
        let items = std::mem::take(&mut *take_lock(&self.items));
        let mut described = Vec::new();
        let mut objects: Vec<Local<Object>> = Vec::new();
        for item in items {
            let object = match item {
                Item::Port(end) => {
                    let port = port::create(scope, end)?;
                    if let Some(ports) = &mut ports {
                        ports.push(port.into());
                    }
                    port
                }
                Item::Native(_) | Item::Described(_) if foreign::is_foreign(scope) => {
                    foreign::throw_unavailable(scope);
                    return None;
                }
                Item::Native(parcel) => parcel.unpack(scope)?,
                Item::Described(description) => {
                    let object = create_described(scope, &description)?;
                    described.push(object);
                    object
                }
            };
            objects.push(object);
        }
        let shared = self.shared.iter().map(|memory| {
            let buffer = memory.shared_buffer(scope);
            Global::new(scope, buffer)
        });
        let arrived = Arrived {
            shared: shared.collect(),
            objects: objects.iter().map(|object| Global::new(scope, *object)).collect(),
            modules: &self.modules,
        };
        let deserializer = ValueDeserializer::new(scope, Box::new(arrived), &self.bytes);
        let memories = std::mem::take(&mut *take_lock(&self.buffers));
        for (index, memory) in memories.iter().enumerate() {
            let buffer = memory.buffer(scope);
            deserializer.transfer_array_buffer(index as u32, buffer);
        }
        let context = scope.get_current_context();
        deserializer.read_header(context)?;
        let value = deserializer.read_value(context)?;
        for object in described {
            let data = deserializer.read_value(context)?;
            let symbol = symbols::symbol(scope, "messaging_deserialize_symbol");
            let method = object.get(scope, symbol.into())?;
            if let Ok(method) = Local::<Function>::try_from(method) {
                method.call(scope, object.into(), &[data])?;
            }
        }
        Some(value)
    }
}

fn take_lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts the transfer list into `pending`, and returns the array buffers among it.
fn collect_transfers<'s>(
    scope: &mut PinScope<'s, '_>,
    pending: &Pending,
    transfers: &[Local<'s, Value>],
    source: Option<Local<'s, Object>>,
) -> Option<Vec<Local<'s, ArrayBuffer>>> {
    let mut buffers: Vec<Local<ArrayBuffer>> = Vec::new();
    for entry in transfers {
        let object = Local::<Object>::try_from(*entry).ok();
        if let Some(object) = object {
            let mark = util::private(scope, "untransferable_object_private_symbol");
            if object.has_private(scope, mark)? {
                throw_data_clone_error(scope, "Cannot transfer object of unsupported type.");
                return None;
            }
        }
        if let Ok(buffer) = Local::<ArrayBuffer>::try_from(*entry) {
            if !buffer.is_detachable() || buffer.was_detached() {
                throw_data_clone_error(scope, "Cannot transfer object of unsupported type.");
                return None;
            }
            if buffers.contains(&buffer) {
                throw_data_clone_error(scope, "Transfer list contains duplicate ArrayBuffer");
                return None;
            }
            buffers.push(buffer);
            continue;
        }
        let Some(object) = object else {
            throw_data_clone_error(scope, "Found invalid value in transferList.");
            return None;
        };
        let message = match port::is_port(scope, object) {
            true if port::end_of(scope, object).is_none() => "MessagePort in transfer list is already detached",
            true if source.is_some_and(|source| source == object) => "Transfer list contains source port",
            _ => "",
        };
        if !message.is_empty() {
            throw_data_clone_error(scope, message);
            return None;
        }
        if pending.find(scope, object).is_some() {
            let name = object.get_constructor_name().to_rust_string_lossy(scope);
            throw_data_clone_error(scope, &format!("Transfer list contains duplicate {name}"));
            return None;
        }
        if mode(scope, object).unwrap_or_default() & TRANSFERABLE == 0 {
            throw_data_clone_error(scope, "Found invalid value in transferList.");
            return None;
        }
        pending.objects.borrow_mut().push(Global::new(scope, object));
    }
    add_nested(scope, pending)?;
    Some(buffers)
}

/// Objects of the library's may bring native ones along, such as a `FileHandle` its handle.
fn add_nested<'s>(scope: &mut PinScope<'s, '_>, pending: &Pending) -> Option<()> {
    let mut index = 0;
    loop {
        let object = pending.objects.borrow().get(index).map(|object| Local::new(scope, object));
        let Some(object) = object else { return Some(()) };
        index += 1;
        if is_native(scope, object) {
            continue;
        }
        let symbol = symbols::symbol(scope, "messaging_transfer_list_symbol");
        let Ok(method) = Local::<Function>::try_from(object.get(scope, symbol.into())?) else { continue };
        let Ok(list) = Local::<Array>::try_from(method.call(scope, object.into(), &[])?) else { continue };
        for index in 0..list.length() {
            let Ok(nested) = Local::<Object>::try_from(list.get_index(scope, index)?) else { continue };
            if pending.find(scope, nested).is_none() && mode(scope, nested).is_some() {
                pending.objects.borrow_mut().push(Global::new(scope, nested));
            }
        }
    }
}

fn detach_all<'s>(scope: &mut PinScope<'s, '_>, buffers: &[Local<'s, ArrayBuffer>]) -> Vec<Memory> {
    let _ = scope;
    buffers
        .iter()
        .map(|buffer| {
            let memory = Memory::of(*buffer);
            buffer.detach(None);
            memory
        })
        .collect()
}

/// Takes apart all objects that the value refers to, those too that come up on the way.
fn finish<'s>(scope: &mut PinScope<'s, '_>, pending: &Pending, serializer: &ValueSerializer) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    loop {
        let index = items.len();
        let object = pending.objects.borrow().get(index).map(|object| Local::new(scope, object));
        let Some(object) = object else { return Some(items) };
        let transfer = pending.first_clone.get().is_none_or(|first| index < first);
        items.push(if port::is_port(scope, object) {
            Item::Port(port::take_end(scope, object)?)
        } else if let Some(traveller) = traveller(scope, object) {
            Item::Native((traveller.pack)(scope, object, transfer)?)
        } else {
            describe(scope, object, transfer, serializer)?
        });
    }
}

/// Asks an object of the library's for its description and data.
fn describe<'s>(
    scope: &mut PinScope<'s, '_>,
    object: Local<'s, Object>,
    transfer: bool,
    serializer: &ValueSerializer,
) -> Option<Item> {
    let names = match transfer {
        true => &["messaging_transfer_symbol", "messaging_clone_symbol"][..],
        false => &["messaging_clone_symbol"],
    };
    for name in names {
        let symbol = symbols::symbol(scope, name);
        let Ok(method) = Local::<Function>::try_from(object.get(scope, symbol.into())?) else { continue };
        let Ok(result) = Local::<Object>::try_from(method.call(scope, object.into(), &[])?) else { return None };
        let data = js::get(scope, result, "data")?;
        let description = js::get(scope, result, "deserializeInfo")?;
        if !description.is_string() {
            return None;
        }
        let context = scope.get_current_context();
        serializer.write_value(context, data)?;
        return Some(Item::Described(description.to_rust_string_lossy(scope)));
    }
    throw_data_clone_error(scope, "Cannot clone object of unsupported type.");
    None
}

fn create_described<'s>(scope: &mut PinScope<'s, '_>, description: &str) -> Option<Local<'s, Object>> {
    let create = Realm::current().function(scope, CREATE_OBJECT)?;
    let null = js::null(scope);
    let description = js::string(scope, description);
    create.call(scope, null, &[description.into()])?.try_into().ok()
}

fn traveller<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<&'static Traveller> {
    TRAVELLERS.iter().find(|traveller| (traveller.mode)(scope, object).is_some())
}

fn is_native<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> bool {
    wrap::has_state(scope, object)
}

/// What `object` allows to be done with it; `None` for one that is cloned like any other.
fn mode<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) -> Option<u32> {
    if port::is_port(scope, object) {
        return Some(if port::end_of(scope, object).is_some() { TRANSFERABLE } else { 0 });
    }
    if let Some(mode) = TRAVELLERS.iter().find_map(|traveller| (traveller.mode)(scope, object)) {
        return Some(mode);
    }
    if is_native(scope, object) {
        return Some(0);
    }
    let key = util::private(scope, "transfer_mode_private_symbol");
    match object.has_private(scope, key)? {
        true => object.get_private(scope, key)?.uint32_value(scope),
        false => None,
    }
}

/// What serializing a value brings up.
#[derive(Default)]
struct Pending {
    objects: RefCell<Vec<Global<Object>>>,
    /// From this index on, objects are cloned and not transferred.
    first_clone: Cell<Option<usize>>,
    collected: Cell<bool>,
    shared: RefCell<Vec<Global<SharedArrayBuffer>>>,
    modules: RefCell<Vec<CompiledWasmModule>>,
}

impl Pending {
    fn find<'s>(&self, scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<usize> {
        self.objects.borrow().iter().position(|other| Local::new(scope, other) == object)
    }
}

struct Delegate(std::rc::Rc<Pending>);

impl ValueSerializerImpl for Delegate {
    fn throw_data_clone_error<'s>(&self, scope: &mut PinScope<'s, '_>, message: Local<'s, v8::String>) {
        let message = message.to_rust_string_lossy(scope);
        throw_data_clone_error(scope, &message);
    }

    fn has_custom_host_object(&self, _: &v8::Isolate) -> bool {
        true
    }

    fn is_host_object<'s>(&self, scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) -> Option<bool> {
        if is_native(scope, object) {
            return Some(true);
        }
        let key = util::private(scope, "transfer_mode_private_symbol");
        object.has_private(scope, key)
    }

    fn write_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        object: Local<'s, Object>,
        serializer: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        if process_methods::is_env(scope, object) {
            let copy = copy_properties(scope, object)?;
            serializer.write_uint32(PLAIN_OBJECT);
            let context = scope.get_current_context();
            return serializer.write_value(context, copy.into());
        }
        let mode = mode(scope, object).unwrap_or_default();
        if mode == 0 {
            throw_data_clone_error(scope, "Cannot clone object of unsupported type.");
            return None;
        }
        let known = self.0.find(scope, object);
        let index = match known {
            Some(index) => index,
            None if mode & CLONEABLE != 0 => {
                let mut objects = self.0.objects.borrow_mut();
                if self.0.first_clone.get().is_none() {
                    self.0.first_clone.set(Some(objects.len()));
                }
                objects.push(Global::new(scope, object));
                objects.len() - 1
            }
            None => {
                let message = "Object that needs transfer was found in message but not listed in transferList";
                throw_data_clone_error(scope, message);
                return None;
            }
        };
        serializer.write_uint32(index as u32);
        Some(true)
    }

    fn get_shared_array_buffer_id<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        buffer: Local<'s, SharedArrayBuffer>,
    ) -> Option<u32> {
        let mut shared = self.0.shared.borrow_mut();
        let known = shared.iter().position(|other| Local::new(scope, other) == buffer);
        let index = known.unwrap_or_else(|| {
            shared.push(Global::new(scope, buffer));
            shared.len() - 1
        });
        Some(index as u32)
    }

    fn get_wasm_module_transfer_id(&self, _: &mut PinScope<'_, '_>, module: Local<WasmModuleObject>) -> Option<u32> {
        let mut modules = self.0.modules.borrow_mut();
        modules.push(module.get_compiled_module());
        Some(modules.len() as u32 - 1)
    }
}

/// Stands in the place of a native object's index: what follows is a value like any other.
const PLAIN_OBJECT: u32 = u32::MAX;

/// A plain object with the properties of `object`.
fn copy_properties<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Local<'s, Object>> {
    let copy = Object::new(scope);
    let names = object.get_own_property_names(scope, Default::default())?;
    for index in 0..names.length() {
        let name = names.get_index(scope, index)?;
        let value = object.get(scope, name)?;
        copy.set(scope, name, value);
    }
    Some(copy)
}

/// What came along with a message.
struct Arrived<'a> {
    shared: Vec<Global<SharedArrayBuffer>>,
    objects: Vec<Global<Object>>,
    modules: &'a [CompiledWasmModule],
}

impl ValueDeserializerImpl for Arrived<'_> {
    fn read_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<Local<'s, Object>> {
        match serdes::read_number(deserializer)? {
            PLAIN_OBJECT => serdes::read_object(scope, deserializer),
            index => self.objects.get(index as usize).map(|object| Local::new(scope, object)),
        }
    }

    fn get_shared_array_buffer_from_id<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        index: u32,
    ) -> Option<Local<'s, SharedArrayBuffer>> {
        self.shared.get(index as usize).map(|buffer| Local::new(scope, buffer))
    }

    fn get_wasm_module_from_id<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        index: u32,
    ) -> Option<Local<'s, WasmModuleObject>> {
        let module = self.modules.get(index as usize)?;
        WasmModuleObject::from_compiled_module(scope, module)
    }
}
