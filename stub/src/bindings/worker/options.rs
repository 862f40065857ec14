//! The options of a worker.

use std::collections::BTreeMap;
use std::ffi::OsString;

use v8::{Array, Local, PinScope};

use crate::command_line::{self, Options, Value};
use crate::realm::Realm;
use crate::uv::environment::Store;

/// What the program says about them.
pub struct Given<'a> {
    /// The environment that the worker gets, if the program has given it one.
    pub environment: Option<&'a Store>,
    /// `execArgv`
    pub list: Option<Vec<String>>,
}

/// The texts of `list`.
pub fn list<'s>(scope: &mut PinScope<'s, '_>, list: Local<'s, Array>) -> Vec<String> {
    (0..list.length()).filter_map(|index| Some(list.get_index(scope, index)?.to_rust_string_lossy(scope))).collect()
}

/// `process.execArgv` of a worker, and what its options say.
pub type Read = (Vec<OsString>, BTreeMap<String, Value>);
/// What is wrong with options, and the property by which the library learns of it.
pub type Wrong = (&'static str, Vec<String>);

impl Given<'_> {
    /// What comes of it.
    pub fn read(self, realm: &Realm) -> Result<Read, Wrong> {
        let (inherited, values) = inherited(realm);
        if self.environment.is_none() && self.list.is_none() {
            return Ok((inherited, values));
        }
        let own = &realm.thread.environment;
        let environment = self.environment.unwrap_or(own);
        let variable = environment.get(NODE_OPTIONS).filter(|variable| !variable.is_empty());
        let is_own = own.get(NODE_OPTIONS) == variable;
        // A program that was built has not heeded the variables that it was started with.
        let heeds_own = realm.program.image.index().is_ok_and(|index| index.in_place);
        let mut options = Options::default();
        if let Some(variable) = variable.filter(|_| heeds_own || !is_own) {
            options = command_line::of_variable(&variable.to_string_lossy());
            // A worker that has its parent's variable has the options of the process in it, too.
            let wrong = wrong(&options, if is_own { &[] } else { OF_PROCESS });
            if !wrong.is_empty() {
                let message = |option: String| match options.values.get(&option) {
                    Some(Value::Flag(_)) => format!("{option} is not allowed in NODE_OPTIONS"),
                    Some(_) => format!("{option}= is not allowed in NODE_OPTIONS"),
                    None => option,
                };
                return Err(("invalidNodeOptions", wrong.into_iter().map(message).collect()));
            }
        }
        command_line::take_variables(&mut options, |name| {
            environment.get(name).filter(|value| heeds_own || own.get(name).as_ref() != Some(value))
        });
        let Some(list) = self.list else {
            options.v8.clear();
            let mut all = values;
            all.extend(options.values);
            return Ok((inherited, all));
        };
        let given = command_line::of_worker(&list);
        let mut wrong = wrong(&given, OF_PROCESS);
        wrong.extend(given.v8.iter().cloned());
        if !wrong.is_empty() {
            return Err(("invalidExecArgv", wrong));
        }
        // `--` is no option, but the end of them.
        let ended = given.ended.then(|| given.taken.saturating_sub(1));
        let mut list = list;
        if let Some(at) = ended.filter(|at| *at < list.len()) {
            list.remove(at);
        }
        options.merge(given);
        Ok((list.into_iter().map(OsString::from).collect(), options.values))
    }
}

const NODE_OPTIONS: &[u8] = b"NODE_OPTIONS";

/// Options that are the process's, which a worker can't have for itself.
const OF_PROCESS: &[&str] = &[
    "--build-snapshot",
    "--disable-proto",
    "--enable-fips",
    "--force-fips",
    "--icu-data-dir",
    "--openssl-config",
    "--secure-heap",
    "--secure-heap-min",
    "--security-revert",
    "--title",
    "--tls-cipher-list",
    "--trace-event-categories",
    "--trace-event-file-pattern",
    "--use-largepages",
    "--v8-pool-size",
    "--zero-fill-buffers",
];

/// What is wrong with `options`, of which none may be `forbidden`.
fn wrong(options: &Options, forbidden: &[&str]) -> Vec<String> {
    match &options.error {
        Some(error) => vec![error.clone()],
        None => options.values.keys().filter(|name| forbidden.contains(&name.as_str())).cloned().collect(),
    }
}

/// The options of this thread, which a worker has as well unless it is given others.
fn inherited(realm: &Realm) -> Read {
    match (&realm.thread.worker, realm.program.image.index()) {
        (Some(worker), _) => (worker.options.clone(), worker.values.clone()),
        (None, Ok(index)) => {
            let line = command_line::get(index);
            (line.options.clone(), line.values.clone())
        }
        (None, Err(_)) => Default::default(),
    }
}
