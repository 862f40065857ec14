//! Environment variables: those of the process, and copies that threads have of their own.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Held while C libraries read the environment behind Rust's back, and while it changes.
static LOCK: RwLock<()> = RwLock::new(());

/// The variables that a thread sees as its environment.
#[derive(Clone, Default)]
pub enum Store {
    /// Those of the process.
    #[default]
    Process,
    /// Its own, which threads may share.
    Own(Arc<Mutex<Variables>>),
}

/// Names and values, in the order in which they were set.
pub type Variables = Vec<(Vec<u8>, Vec<u8>)>;

impl Store {
    /// Variables that belong to nobody else yet.
    pub fn of(variables: Variables) -> Store {
        Store::Own(Arc::new(Mutex::new(variables)))
    }

    /// A copy of the variables as they are now.
    pub fn copy(&self) -> Store {
        Store::of(self.all().into_iter().map(|(name, value)| (name.into_vec(), value.into_vec())).collect())
    }

    /// The value of a variable.
    pub fn get(&self, name: &[u8]) -> Option<OsString> {
        match self {
            Store::Process => get(name),
            Store::Own(own) => {
                let own = lock(own);
                let value = own.iter().find(|(each, _)| each == name);
                value.map(|(_, value)| OsString::from_vec(value.clone()))
            }
        }
    }

    /// Sets a variable. What cannot be the name of one is ignored.
    pub fn set(&self, name: &[u8], value: &[u8]) {
        match self {
            Store::Process => set(name, value),
            Store::Own(own) => {
                let mut own = lock(own);
                match own.iter_mut().find(|(each, _)| each == name) {
                    Some((_, old)) => *old = value.to_owned(),
                    None => own.push((name.to_owned(), value.to_owned())),
                }
            }
        }
    }

    /// Removes a variable.
    pub fn remove(&self, name: &[u8]) {
        match self {
            Store::Process => remove(name),
            Store::Own(own) => lock(own).retain(|(each, _)| each != name),
        }
    }

    /// All variables' names and values.
    pub fn all(&self) -> Vec<(OsString, OsString)> {
        match self {
            Store::Process => all().collect(),
            Store::Own(own) => {
                let own = lock(own);
                let text = |bytes: &Vec<u8>| OsString::from_vec(bytes.clone());
                own.iter().map(|(name, value)| (text(name), text(value))).collect()
            }
        }
    }

    /// Whether these are the process's.
    pub fn is_process(&self) -> bool {
        matches!(self, Store::Process)
    }
}

fn lock(variables: &Mutex<Variables>) -> std::sync::MutexGuard<'_, Variables> {
    variables.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What C sees of `bytes`: they end at the first zero.
fn c_text(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

/// Whether the system has variables of this name.
fn is_name(name: &OsStr) -> bool {
    !name.is_empty() && !name.as_bytes().contains(&b'=')
}

/// The value of a variable of the process.
pub fn get(name: &[u8]) -> Option<OsString> {
    let name = c_text(name);
    is_name(name).then(|| std::env::var_os(name)).flatten()
}

/// Runs `body`, which calls a C library that reads the environment; no thread changes it meanwhile.
pub fn unchanged<T>(body: impl FnOnce() -> T) -> T {
    let _guard = LOCK.read().unwrap_or_else(PoisonError::into_inner);
    body()
}

/// Sets a variable of the process. What cannot be the name of one is ignored.
pub fn set(name: &[u8], value: &[u8]) {
    let name = c_text(name);
    if is_name(name) {
        let _guard = LOCK.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: Rust's own readers take a lock of the standard library, and calls of libuv that read the environment
        // behind its back are made under ours. Neither keeps a pointer into it.
        unsafe { std::env::set_var(name, c_text(value)) }
    }
}

/// Removes a variable of the process.
pub fn remove(name: &[u8]) {
    let name = c_text(name);
    if is_name(name) {
        let _guard = LOCK.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as in `set`.
        unsafe { std::env::remove_var(name) }
    }
}

/// All variables of the process, names and values.
pub fn all() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}
