//! JavaScript values that native code keeps by name: see [`Realm`](crate::realm::Realm).
//!
//! Names are constants of the program, so one is known again by its address; the text is looked at once.

use std::cell::{Cell, RefCell};

use rustc_hash::FxHashMap;

/// The name of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    /// What several names have in common.
    prefix: &'static str,
    text: &'static str,
}

impl From<&'static str> for Name {
    fn from(text: &'static str) -> Name {
        Name { prefix: "", text }
    }
}

impl Name {
    /// The name of the native class `name`.
    pub fn class(name: &'static str) -> Name {
        Name { prefix: "class ", text: name }
    }

    /// The name of the symbol `name`.
    pub fn symbol(name: &'static str) -> Name {
        Name { prefix: "symbols.", text: name }
    }

    /// Constants may be there more than once, so that one name can have several addresses; but what lies at an address
    /// never changes.
    fn address(self) -> Address {
        (self.prefix.as_ptr() as usize, self.text.as_ptr() as usize, self.text.len())
    }

    fn full(self) -> String {
        [self.prefix, self.text].concat()
    }
}

type Address = (usize, usize, usize);

/// The slots of a realm.
pub struct Slots {
    values: RefCell<Vec<v8::Global<v8::Value>>>,
    /// Indices of `values`.
    by_name: RefCell<FxHashMap<String, usize>>,
    /// The same, as far as they have been asked for.
    by_address: RefCell<FxHashMap<Address, usize>>,
    /// Of the typed arrays in slots, where their elements are.
    memory: RefCell<FxHashMap<Address, (*mut u8, usize)>>,
}

thread_local! {
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

/// How often slots of this thread were set or given up: as long as it stays, what was found in one is still there.
pub fn changes() -> u64 {
    CHANGES.get()
}

fn changed() {
    CHANGES.set(CHANGES.get() + 1);
}

impl Default for Slots {
    fn default() -> Slots {
        changed();
        Slots {
            values: RefCell::default(),
            by_name: RefCell::default(),
            by_address: RefCell::default(),
            memory: RefCell::default(),
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        changed();
    }
}

impl Slots {
    fn index(&self, name: Name) -> Option<usize> {
        if let Some(index) = self.by_address.borrow().get(&name.address()) {
            return Some(*index);
        }
        let index = *self.by_name.borrow().get(&name.full())?;
        self.by_address.borrow_mut().insert(name.address(), index);
        Some(index)
    }

    /// Keeps `value` under `name`.
    pub fn set(&self, name: Name, value: v8::Global<v8::Value>) {
        // It may have been a typed array's, under any address of its name.
        self.memory.borrow_mut().clear();
        changed();
        match self.index(name) {
            Some(index) => self.values.borrow_mut()[index] = value,
            None => self.restore(name.full(), value),
        }
    }

    /// Keeps `value` under a name that is not in use.
    pub fn restore(&self, name: String, value: v8::Global<v8::Value>) {
        changed();
        let mut values = self.values.borrow_mut();
        self.by_name.borrow_mut().insert(name, values.len());
        values.push(value);
    }

    /// What is kept under `name`.
    pub fn get<'s>(&self, scope: &v8::PinScope<'s, '_>, name: Name) -> Option<v8::Local<'s, v8::Value>> {
        let index = self.index(name)?;
        Some(v8::Local::new(scope, &self.values.borrow()[index]))
    }

    /// Where the elements of the typed array under `name` are, and how many bytes they take.
    pub fn memory(&self, scope: &v8::PinScope, name: Name) -> Option<(*mut u8, usize)> {
        if let Some(known) = self.memory.borrow().get(&name.address()) {
            return Some(*known);
        }
        let view = v8::Local::<v8::ArrayBufferView>::try_from(self.get(scope, name)?).ok()?;
        let memory = (view.data().cast::<u8>(), view.byte_length());
        self.memory.borrow_mut().insert(name.address(), memory);
        Some(memory)
    }

    /// All of them, in the order of their names. Nothing is kept.
    pub fn take(&self) -> Vec<(String, v8::Global<v8::Value>)> {
        changed();
        self.by_address.take();
        self.memory.take();
        let values = self.values.take();
        let mut names: Vec<_> = self.by_name.take().into_iter().collect();
        names.sort();
        names.into_iter().map(|(name, index)| (name, values[index].clone())).collect()
    }
}
