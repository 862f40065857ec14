//! `internalBinding('webstorage')`: `sessionStorage`, which lives as long as the process. Storage in a file is still
//! to come.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use v8::{
    Array, Boolean, Function, FunctionCallbackArguments, Integer, Intercepted, Local, MapFnTo as _, Name, Object,
    PinScope, PropertyAttribute, PropertyDescriptor, ReturnValue, Value,
};

use super::symbols;
use crate::errors::{self, Kind};
use crate::exotic::{self, Access, Exotic};
use crate::realm::Realm;
use crate::{binding, bootstrap, js, trap, wrap};

crate::room! {
    name: "webstorage",
    references: references,
    setup: setup,
}

/// The slot of `Storage.prototype`.
const PROTOTYPE: &str = "webstorage.prototype";

/// The most bytes that keys and values may have together, in UTF-16.
const QUOTA: usize = 10 << 20;

/// Keys in UTF-16, for they are sorted by its bytes as SQLite sorts them, and their values.
#[derive(Default)]
struct Storage(RefCell<BTreeMap<Vec<u8>, Vec<u16>>>);

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn methods() -> [binding::Function; 6] {
    [
        crate::function!(pure, "length", length),
        crate::function!(pure, "clear", clear),
        crate::function!(pure, "getItem", get_item),
        crate::function!(pure, "key", key),
        crate::function!(pure, "removeItem", remove_item),
        crate::function!(pure, "setItem", set_item),
    ]
}

fn references() -> Vec<v8::ExternalReference> {
    let mut all = exotic::references::<Items>();
    all.push(v8::ExternalReference { function: new.map_fn_to() });
    all.extend(methods().map(|method| v8::ExternalReference { function: method.callback }));
    all
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let symbol = symbols::symbol(scope, "constructor_key_symbol");
    js::set(scope, target, "kConstructorKey", symbol);
    if let Some(class) = class(scope) {
        js::set(scope, target, "Storage", class);
    }
}

fn class<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Function>> {
    let class = v8::FunctionTemplate::new(scope, new);
    class.set_class_name(js::name(scope, "Storage"));
    let instance = class.instance_template(scope);
    instance.set_internal_field_count(wrap::FIELDS);
    exotic::install::<Items>(instance);
    let class = class.get_function(scope)?;
    let prototype: Local<Object> = js::get(scope, class.into(), "prototype")?.try_into().ok()?;
    for method in methods() {
        if method.name != "length" {
            binding::define(scope, prototype, method);
            continue;
        }
        let getter = v8::Function::builder_raw(method.callback).build(scope)?;
        let undefined = js::undefined(scope);
        let mut accessor = PropertyDescriptor::new_from_get_set(getter.into(), undefined);
        accessor.set_enumerable(true);
        accessor.set_configurable(true);
        let name = js::name(scope, method.name);
        prototype.define_property(scope, name.into(), &accessor);
    }
    Realm::current().set_slot(scope, PROTOTYPE, prototype);
    Some(class)
}

/// `new Storage(kConstructorKey, path)`
fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let key = symbols::symbol(scope, "constructor_key_symbol");
    if !args.get(0).strict_equals(key.into()) {
        errors::throw_code(scope, Kind::Error, "ERR_ILLEGAL_CONSTRUCTOR", "Illegal constructor");
        return;
    }
    if trap::spring(scope, "Storage") {
        return;
    }
    if args.get(1).to_rust_string_lossy(scope) != ":memory:" {
        errors::throw_error(scope, "internalBinding('webstorage').Storage: files are not available in Kiln yet");
        return;
    }
    wrap::attach(scope, args.this(), Storage::default());
}

fn units(scope: &PinScope, text: Local<v8::String>) -> Vec<u16> {
    let mut units = vec![0; text.length()];
    text.write_v2(scope, 0, &mut units, v8::WriteFlags::empty());
    units
}

fn key_of(scope: &PinScope, text: Local<v8::String>) -> Vec<u8> {
    units(scope, text).into_iter().flat_map(u16::to_le_bytes).collect()
}

fn text_of<'s>(scope: &PinScope<'s, '_>, units: &[u16]) -> Local<'s, Value> {
    let text = v8::String::new_from_two_byte(scope, units, v8::NewStringType::Normal);
    text.unwrap_or_else(|| v8::String::empty(scope)).into()
}

fn text_of_key<'s>(scope: &PinScope<'s, '_>, key: &[u8]) -> Local<'s, Value> {
    let units: Vec<u16> = key.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    text_of(scope, &units)
}

impl Storage {
    fn load<'s>(&self, scope: &PinScope<'s, '_>, key: Local<v8::String>) -> Option<Local<'s, Value>> {
        let items = self.0.borrow();
        items.get(&key_of(scope, key)).map(|value| text_of(scope, value))
    }

    /// Throws when there is no room for the item.
    fn store(&self, scope: &mut PinScope, key: Local<v8::String>, value: Local<v8::String>) -> bool {
        let (key, value) = (key_of(scope, key), units(scope, value));
        let others = self.0.borrow().iter().filter(|(known, _)| **known != key).map(size).sum::<usize>();
        if others + size((&key, &value)) > QUOTA {
            throw_quota(scope);
            return false;
        }
        self.0.borrow_mut().insert(key, value);
        true
    }

    fn keys<'s>(&self, scope: &PinScope<'s, '_>) -> Vec<Local<'s, Value>> {
        self.0.borrow().keys().map(|key| text_of_key(scope, key)).collect()
    }
}

fn size((key, value): (&Vec<u8>, &Vec<u16>)) -> usize {
    key.len() + 2 * value.len()
}

fn throw_quota(scope: &mut PinScope) {
    let exports = Realm::current().object(scope, bootstrap::PER_CONTEXT_EXPORTS);
    let class = exports.and_then(|exports| js::get(scope, exports, "QuotaExceededError"));
    let message = js::string(scope, "Setting the value exceeded the quota");
    let error = class
        .and_then(|class| Local::<Function>::try_from(class).ok())
        .and_then(|class| class.new_instance(scope, &[message.into()]));
    if let Some(error) = error {
        scope.throw_exception(error.into());
    }
}

/// The storage that a method is called on; throws when it is called on something else, or with too little.
fn storage<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>, name: &str, wanted: i32) -> Option<Rc<Storage>> {
    let storage = wrap::get::<Storage>(scope, args.this());
    if storage.is_none() {
        let message = js::string(scope, "Illegal invocation");
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
    } else if args.length() < wanted {
        let plural = if wanted == 1 { "" } else { "s" };
        let message = format!("Failed to execute '{name}' on 'Storage': {wanted} argument{plural} required");
        errors::throw_code(scope, Kind::TypeError, "ERR_MISSING_ARGS", &message);
        return None;
    }
    storage
}

fn length<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(storage) = storage(scope, &args, "length", 0) {
        rv.set_uint32(storage.0.borrow().len() as u32);
    }
}

fn clear<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(storage) = storage(scope, &args, "clear", 0) {
        storage.0.borrow_mut().clear();
    }
}

fn get_item<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(storage) = storage(scope, &args, "getItem", 1) else { return };
    let Some(key) = args.get(0).to_string(scope) else { return };
    match storage.load(scope, key) {
        Some(value) => rv.set(value),
        None => rv.set_null(),
    }
}

fn key<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(storage) = storage(scope, &args, "key", 1) else { return };
    let Some(index) = args.get(0).integer_value(scope) else { return };
    let items = storage.0.borrow();
    match usize::try_from(index).ok().and_then(|index| items.keys().nth(index)) {
        Some(key) => rv.set(text_of_key(scope, key)),
        None => rv.set_null(),
    }
}

fn remove_item<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(storage) = storage(scope, &args, "removeItem", 1) else { return };
    if let Some(key) = args.get(0).to_string(scope) {
        storage.0.borrow_mut().remove(&key_of(scope, key));
    }
}

fn set_item<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(storage) = storage(scope, &args, "setItem", 2) else { return };
    let Some(key) = args.get(0).to_string(scope) else { return };
    if let Some(value) = args.get(1).to_string(scope) {
        storage.store(scope, key, value);
    }
}

/// The storage and the key of a property that is an item: no symbol, and not what all storages have.
fn item<'s>(
    scope: &mut PinScope<'s, '_>,
    args: &Access<'s>,
    name: Local<'s, Name>,
) -> Option<(Rc<Storage>, Local<'s, v8::String>)> {
    let key = Local::<v8::String>::try_from(name).ok()?;
    let prototype = Realm::current().object(scope, PROTOTYPE)?;
    if prototype.has(scope, key.into())? {
        return None;
    }
    wrap::get::<Storage>(scope, args.holder()).map(|storage| (storage, key))
}

/// What is stored, as the properties of a storage.
struct Items;

impl Exotic for Items {
    fn get<'s>(
        scope: &mut PinScope<'s, '_>,
        name: Local<'s, Name>,
        args: Access<'s>,
        mut rv: ReturnValue<Value>,
    ) -> Intercepted {
        let value = item(scope, &args, name).and_then(|(storage, key)| storage.load(scope, key));
        match value {
            Some(value) => {
                rv.set(value);
                Intercepted::kYes
            }
            None => Intercepted::kNo,
        }
    }

    fn set<'s>(
        scope: &mut PinScope<'s, '_>,
        name: Local<'s, Name>,
        value: Local<'s, Value>,
        args: Access<'s>,
        mut rv: ReturnValue<Boolean>,
    ) -> Intercepted {
        let Ok(key) = Local::<v8::String>::try_from(name) else { return Intercepted::kNo };
        let Some(storage) = wrap::get::<Storage>(scope, args.holder()) else { return Intercepted::kNo };
        if let Some(value) = value.to_string(scope)
            && storage.store(scope, key, value)
        {
            rv.set_bool(true);
        }
        Intercepted::kYes
    }

    fn query<'s>(
        scope: &mut PinScope<'s, '_>,
        name: Local<'s, Name>,
        args: Access<'s>,
        mut rv: ReturnValue<Integer>,
    ) -> Intercepted {
        let value = item(scope, &args, name).and_then(|(storage, key)| storage.load(scope, key));
        if value.is_none() {
            return Intercepted::kNo;
        }
        rv.set_int32(PropertyAttribute::NONE.as_u32() as i32);
        Intercepted::kYes
    }

    fn delete<'s>(
        scope: &mut PinScope<'s, '_>,
        name: Local<'s, Name>,
        args: Access<'s>,
        mut rv: ReturnValue<Boolean>,
    ) -> Intercepted {
        let Some((storage, key)) = item(scope, &args, name) else { return Intercepted::kNo };
        storage.0.borrow_mut().remove(&key_of(scope, key));
        rv.set_bool(true);
        Intercepted::kYes
    }

    fn define<'s>(
        scope: &mut PinScope<'s, '_>,
        name: Local<'s, Name>,
        descriptor: &PropertyDescriptor,
        args: Access<'s>,
        rv: ReturnValue<Boolean>,
    ) -> Intercepted {
        if !descriptor.has_value() {
            return Intercepted::kNo;
        }
        let value = Local::new(scope, descriptor.value());
        Self::set(scope, name, value, args, rv)
    }

    fn names<'s>(scope: &mut PinScope<'s, '_>, args: Access<'s>, rv: ReturnValue<Array>) {
        enumerate(scope, &args, rv, false);
    }

    fn indices<'s>(scope: &mut PinScope<'s, '_>, args: Access<'s>, rv: ReturnValue<Array>) {
        enumerate(scope, &args, rv, true);
    }
}

/// Whether a key is spelled as an array's index is.
fn is_index(scope: &mut PinScope, key: Local<Value>) -> bool {
    let text = key.to_rust_string_lossy(scope);
    text.parse::<u32>().is_ok_and(|index| index != u32::MAX && index.to_string() == text)
}

fn enumerate<'s>(scope: &mut PinScope<'s, '_>, args: &Access<'s>, mut rv: ReturnValue<Array>, indices: bool) {
    let Some(storage) = wrap::get::<Storage>(scope, args.holder()) else { return };
    let mut keys = storage.keys(scope);
    keys.retain(|key| is_index(scope, *key) == indices);
    if indices {
        keys = keys.iter().filter_map(|key| key.to_uint32(scope)).map(Into::into).collect();
    }
    rv.set(Array::new_with_elements(scope, &keys));
}
