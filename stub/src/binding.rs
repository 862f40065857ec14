//! How a binding (what Node's library reaches through `internalBinding(name)`) is written.
//!
//! Each binding has a room: a file or folder of its name under `bindings`, with one [`room!`] in it
//! that says which functions and classes it has. Everything else follows from that table: the object
//! that `internalBinding` returns, the table of external references that a snapshot needs, and
//! which functions are traps. What Node's binding has and the room has not fails when it is called,
//! with a message that names it.

use crate::fast::Fast;
use crate::realm::Realm;
use crate::slots::Name;
use crate::{facts, js, wrap};

/// How a function relates to the world outside of the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Gives the same result on any machine at any time.
    Pure,
    /// Reads or changes the world: must not run while modules are evaluated for a snapshot.
    Trap,
}

/// A native function as JavaScript sees it.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its property name.
    pub name: &'static str,
    /// Pure or trap.
    pub class: Class,
    /// What V8 calls.
    pub callback: v8::FunctionCallback,
    /// What it may call instead from optimized code.
    pub fast: Option<&'static Fast>,
}

/// An accessor of a native class's prototype.
#[derive(Clone, Copy)]
pub struct Accessor {
    /// Its property name.
    pub name: &'static str,
    /// Called to read it.
    pub getter: v8::FunctionCallback,
    /// Called to write it.
    pub setter: Option<v8::FunctionCallback>,
}

/// A native class: its objects have an internal field for a [`wrap`].
pub struct NativeClass {
    /// The constructor's name.
    pub name: &'static str,
    /// The class that it extends; it belongs to a room that is initialized earlier or to [`wrap`].
    pub base: Option<&'static str>,
    /// The constructor.
    pub constructor: Function,
    /// Methods of the prototype.
    pub methods: Vec<Function>,
    /// Accessors of the prototype.
    pub accessors: Vec<Accessor>,
    /// False for a class that JavaScript code never sees by name.
    pub exported: bool,
}

/// Fills a binding's object with what the table can't say: constants, arrays, objects.
pub type Setup = for<'s, 'i> fn(&mut v8::PinScope<'s, 'i>, v8::Local<'s, v8::Object>);

/// One binding.
pub struct Room {
    /// The name that `internalBinding` is called with.
    pub name: &'static str,
    /// Functions of the binding's object.
    pub functions: fn() -> Vec<Function>,
    /// Classes of the binding's object.
    pub classes: fn() -> Vec<NativeClass>,
    /// Further callbacks that V8 objects made in the room refer to.
    pub references: fn() -> Vec<v8::ExternalReference>,
    /// The rest.
    pub setup: Setup,
}

/// Makes a [`Function`]; a trap gets a guard in front of it.
#[macro_export]
macro_rules! function {
    (pure, $name:expr, $callback:path) => {{
        use v8::MapFnTo as _;
        $crate::binding::Function {
            name: $name,
            class: $crate::binding::Class::Pure,
            callback: $callback.map_fn_to(),
            fast: None,
        }
    }};
    (trap, $name:expr, $callback:path) => {{
        use v8::MapFnTo as _;
        fn guarded<'s>(
            scope: &mut v8::PinScope<'s, '_>,
            args: v8::FunctionCallbackArguments<'s>,
            rv: v8::ReturnValue<'s, v8::Value>,
        ) {
            if $crate::trap::spring(scope, $name) {
                return;
            }
            $callback(scope, args, rv)
        }
        $crate::binding::Function {
            name: $name,
            class: $crate::binding::Class::Trap,
            callback: guarded.map_fn_to(),
            fast: None,
        }
    }};
    ($class:ident, $name:expr, $callback:path, $fast:path) => {{ $crate::binding::Function { fast: Some(&$fast), ..$crate::function!($class, $name, $callback) } }};
}

/// Declares a room:
///
/// ```ignore
/// room! {
///     name: "example",
///     functions: { pure "add" => add, trap "now" => now as NOW },   // NOW: its fast call, see `fast!`
///     classes: {
///         "Timer" extends "HandleWrap" { trap new => timer_new, trap "start" => start }
///             get { "remaining" => remaining },
///     },
///     references: further_references,   // fn() -> Vec<v8::ExternalReference>
///     setup: setup,                     // a binding::Setup
/// }
/// ```
///
/// Every part but the name can be left out; the order is fixed. A class that JavaScript never sees by name is
/// declared with `hidden` before it.
#[macro_export]
macro_rules! room {
    (
        name: $room:literal
        $(, functions: { $($class:ident $name:literal => $callback:path $(as $fast:path)?),* $(,)? })?
        $(, classes: { $($(#[$hidden:ident])? $class_name:literal $(extends $base:literal)? {
                $new_class:ident new => $new:path
                $(, $method_class:ident $method:literal => $method_callback:path)* $(,)?
            } $(get { $($accessor:literal => $getter:path $(, set $setter:path)?);* $(;)? })?),* $(,)? })?
        $(, references: $references:path)?
        $(, setup: $setup:path)?
        $(,)?
    ) => {
        /// This binding.
        pub static ROOM: $crate::binding::Room = $crate::binding::Room {
            name: $room,
            functions: || vec![$($($crate::function!($class, $name, $callback $(, $fast)?)),*)?],
            classes: || vec![$($($crate::binding::NativeClass {
                name: $class_name,
                base: [$($base)?].into_iter().next(),
                constructor: $crate::function!($new_class, $class_name, $new),
                methods: vec![$($crate::function!($method_class, $method, $method_callback)),*],
                accessors: vec![$($($crate::binding::Accessor {
                    name: $accessor,
                    getter: v8::MapFnTo::map_fn_to($getter),
                    setter: [$(v8::MapFnTo::map_fn_to($setter))?].into_iter().next(),
                }),*)?],
                exported: <[&str]>::is_empty(&[$(stringify!($hidden))?]),
            }),*)?],
            references: || {
                #[allow(unused_mut)]
                let mut all: Vec<v8::ExternalReference> = Vec::new();
                $(all.extend($references());)?
                all
            },
            setup: |_scope, _target| { $($setup(_scope, _target);)? },
        };
    };
}

/// The callbacks of all rooms, in the order of the table of external references.
pub fn references() -> impl Iterator<Item = v8::ExternalReference> {
    let own = [function!(pure, "getInternalBinding", get_internal_binding), function!(pure, "missing", missing)];
    own.into_iter()
        .map(|function| v8::ExternalReference { function: function.callback })
        .chain(crate::bindings::ROOMS.iter().flat_map(|room| room.references()))
}

impl Room {
    fn references(&self) -> Vec<v8::ExternalReference> {
        let function = |callback| v8::ExternalReference { function: callback };
        let functions = (self.functions)();
        let mut all: Vec<_> = functions.iter().map(|each| function(each.callback)).collect();
        all.extend(functions.iter().filter_map(|each| each.fast).flat_map(Fast::references));
        for class in (self.classes)() {
            all.push(function(class.constructor.callback));
            all.extend(class.methods.iter().map(|method| function(method.callback)));
            for accessor in &class.accessors {
                all.push(function(accessor.getter));
                all.extend(accessor.setter.map(function));
            }
        }
        all.extend((self.references)());
        all
    }

    fn object<'s>(&self, scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Object> {
        let target = v8::Object::new(scope);
        for function in (self.functions)() {
            define(scope, target, function);
        }
        for class in (self.classes)() {
            let constructor = class.constructor(scope);
            if class.exported {
                js::set(scope, target, class.name, constructor);
            }
        }
        (self.setup)(scope, target);
        target
    }
}

impl NativeClass {
    /// The constructor, made once for each context.
    pub fn constructor<'s>(&self, scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Function> {
        let slot = Name::class(self.name);
        let realm = Realm::current();
        if let Some(constructor) = realm.function(scope, slot) {
            return constructor;
        }
        let template = self.template(scope);
        let prototype = template.prototype_template(scope);
        add_methods(scope, prototype, &self.methods);
        for accessor in &self.accessors {
            let getter = v8::FunctionTemplate::new_raw(scope, accessor.getter);
            let setter = accessor.setter.map(|setter| v8::FunctionTemplate::new_raw(scope, setter));
            let key = js::name(scope, accessor.name);
            prototype.set_accessor_property(key.into(), Some(getter), setter, v8::PropertyAttribute::DONT_ENUM);
        }
        let constructor = template.get_function(scope).expect("a template without errors gives a function");
        if let Some(base) = self.base {
            inherit(scope, constructor, base);
        }
        realm.set_slot(scope, slot, constructor);
        constructor
    }
}

impl NativeClass {
    fn template<'s>(&self, scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::FunctionTemplate> {
        let template = v8::FunctionTemplate::new_raw(scope, self.constructor.callback);
        template.set_class_name(js::name(scope, self.name));
        template.instance_template(scope).set_internal_field_count(wrap::FIELDS);
        template
    }
}

fn add_methods(scope: &mut v8::PinScope, prototype: v8::Local<v8::ObjectTemplate>, methods: &[Function]) {
    for method in methods {
        let function = v8::FunctionTemplate::new_raw(scope, method.callback);
        function.set_class_name(js::name(scope, method.name));
        function.remove_prototype();
        prototype.set(js::name(scope, method.name).into(), function.into());
    }
}

/// A class for the scope's context, which need not be the main one: `names[0]` with the methods of all that are named.
pub fn foreign_class<'s>(scope: &mut v8::PinScope<'s, '_>, names: &[&str]) -> Option<v8::Local<'s, v8::Function>> {
    let classes = crate::bindings::ROOMS.iter().flat_map(|room| (room.classes)());
    let classes: Vec<NativeClass> = classes.filter(|class| names.contains(&class.name)).collect();
    let template = classes.iter().find(|class| class.name == names[0])?.template(scope);
    let prototype = template.prototype_template(scope);
    for class in &classes {
        add_methods(scope, prototype, &class.methods);
    }
    template.get_function(scope)
}

/// Makes `constructor` a subclass of the native class `base`.
///
/// This is done on the functions, not their templates: a template's handle would not outlive a snapshot.
fn inherit<'s>(scope: &mut v8::PinScope<'s, '_>, constructor: v8::Local<'s, v8::Function>, base: &'static str) {
    let base = class(scope, base);
    let prototype = |scope: &mut v8::PinScope<'s, '_>, function: v8::Local<'s, v8::Function>| {
        let value = js::get(scope, function.into(), "prototype");
        value.and_then(|value| v8::Local::<v8::Object>::try_from(value).ok())
    };
    if let (Some(own), Some(parent)) = (prototype(scope, constructor), prototype(scope, base)) {
        own.set_prototype(scope, parent.into());
        constructor.set_prototype(scope, base.into());
    }
}

/// The constructor of a native class of any room.
pub fn class<'s>(scope: &mut v8::PinScope<'s, '_>, name: &'static str) -> v8::Local<'s, v8::Function> {
    if let Some(constructor) = Realm::current().function(scope, Name::class(name)) {
        return constructor;
    }
    crate::bindings::ROOMS
        .iter()
        .flat_map(|room| (room.classes)())
        .find(|class| class.name == name)
        .map(|class| class.constructor(scope))
        .unwrap_or_else(|| panic!("no room declares the class {name}"))
}

/// `new NAME(...arguments)` of a native class.
pub fn construct<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: &'static str,
    arguments: &[v8::Local<'s, v8::Value>],
) -> Option<v8::Local<'s, v8::Object>> {
    class(scope, name).new_instance(scope, arguments)
}

/// Sets a native function as `target[function.name]`.
pub fn define(scope: &mut v8::PinScope, target: v8::Local<v8::Object>, function: Function) {
    let value = match function.fast {
        Some(fast) => {
            v8::FunctionTemplate::builder_raw(function.callback).build_fast(scope, fast.overloads()).get_function(scope)
        }
        None => v8::Function::builder_raw(function.callback)
            .constructor_behavior(v8::ConstructorBehavior::Throw)
            .build(scope),
    };
    if let Some(value) = value {
        let key = js::name(scope, function.name);
        value.set_name(key);
        target.set(scope, key.into(), value.into());
    }
}

/// `getInternalBinding(name)`: what `internal/bootstrap/realm` wraps as `internalBinding`.
pub fn get_internal_binding<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    args: v8::FunctionCallbackArguments<'s>,
    mut rv: v8::ReturnValue<'s, v8::Value>,
) {
    let name = args.get(0).to_rust_string_lossy(scope);
    let room = crate::bindings::ROOMS.iter().find(|room| room.name == name);
    let target = match room {
        Some(room) => room.object(scope),
        None if facts::has_binding(scope, &name) => v8::Object::new(scope),
        None => {
            crate::errors::throw_error(scope, &format!("No such binding: {name}"));
            return;
        }
    };
    fill_missing(scope, &name, target);
    rv.set(target.into());
}

/// Gives `target` what Node's binding `name` has and it has not: data as it is in Node, functions and
/// classes that throw when they are called.
fn fill_missing<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str, target: v8::Local<'s, v8::Object>) {
    let Some(surface) = facts::surface(scope, name) else { return };
    let keys = surface.get_own_property_names(scope, Default::default());
    let Some(keys) = keys else { return };
    for index in 0..keys.length() {
        let Some(key) = keys.get_index(scope, index) else { continue };
        if target.has(scope, key) == Some(true) {
            continue;
        }
        let Some(value) = surface.get(scope, key) else { continue };
        // The surface says `null` for a function and holds all other values themselves.
        let value = match value.is_null() {
            true => missing_function(scope, name, key),
            false => value,
        };
        target.set(scope, key, value);
    }
}

fn missing_function<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    binding: &str,
    key: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    let path = format!("internalBinding('{binding}').{}", key.to_rust_string_lossy(scope));
    let Some(function) = throwing(scope, &path) else { return js::undefined(scope) };
    let key = key.to_rust_string_lossy(scope);
    if let Some(shape) = facts::object(scope, &["classes", binding, &key]) {
        fill_class(scope, function, shape, &path);
    }
    function.into()
}

/// A function that says that `path` is not there.
fn throwing<'s>(scope: &mut v8::PinScope<'s, '_>, path: &str) -> Option<v8::Local<'s, v8::Function>> {
    let path = js::string(scope, path);
    let callback = function!(pure, "missing", missing).callback;
    v8::FunctionTemplate::builder_raw(callback).data(path.into()).build(scope).get_function(scope)
}

/// Gives a class that is not there what the library looks at while it is loaded: data of the constructor, methods and
/// accessors of the prototype.
fn fill_class<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    class: v8::Local<'s, v8::Function>,
    shape: v8::Local<'s, v8::Object>,
    path: &str,
) {
    let part = |scope: &mut v8::PinScope<'s, '_>, name: &str| -> Option<v8::Local<'s, v8::Object>> {
        js::get(scope, shape, name)?.try_into().ok()
    };
    if let Some(data) = part(scope, "data") {
        each(scope, data, |scope, key, value| {
            class.set(scope, key, value);
        });
    }
    let prototype = js::get(scope, class.into(), "prototype").and_then(|value| value.try_into().ok());
    let Some(prototype): Option<v8::Local<v8::Object>> = prototype else { return };
    for (kind, is_accessor) in [("methods", false), ("accessors", true)] {
        let Some(names) = part(scope, kind) else { continue };
        each(scope, names, |scope, _, name| {
            let path = format!("{path}.{}", name.to_rust_string_lossy(scope));
            let Some(function) = throwing(scope, &path) else { return };
            let Ok(name) = v8::Local::<v8::Name>::try_from(name) else { return };
            if is_accessor {
                let undefined = js::undefined(scope);
                let mut accessor = v8::PropertyDescriptor::new_from_get_set(function.into(), undefined);
                accessor.set_configurable(true);
                prototype.define_property(scope, name, &accessor);
            } else {
                prototype.set(scope, name.into(), function.into());
            }
        });
    }
}

/// Calls `body` with each own key of `object` and its value.
fn each<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    object: v8::Local<'s, v8::Object>,
    mut body: impl FnMut(&mut v8::PinScope<'s, 'i>, v8::Local<'s, v8::Value>, v8::Local<'s, v8::Value>),
) {
    let Some(keys) = object.get_own_property_names(scope, Default::default()) else { return };
    for index in 0..keys.length() {
        let key = keys.get_index(scope, index);
        if let Some(key) = key
            && let Some(value) = object.get(scope, key)
        {
            body(scope, key, value);
        }
    }
}

fn missing<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    args: v8::FunctionCallbackArguments<'s>,
    _: v8::ReturnValue<'s, v8::Value>,
) {
    let path = args.data().to_rust_string_lossy(scope);
    crate::errors::throw_error(scope, &format!("{path} is not available in Kiln yet"));
}
