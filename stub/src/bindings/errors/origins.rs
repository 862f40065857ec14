//! Places in generated code become places in the files that it was made of, wherever an error shows them.
//!
//! Nothing of this runs before an error's stack is looked at.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ada_url::Url;
use kiln_payload::Origins;
use v8::{Array, Function, Local, Object, PinScope, Value};

use crate::bindings::{contextify, url};
use crate::realm::Realm;
use crate::{js, vfs};

/// The slot of the function that makes a call site with another place.
const MOVE: &str = "errors.moveCallSite";

/// What has been looked at, by the name of a script.
#[derive(Default)]
struct State {
    seen: RefCell<HashMap<String, Option<Rc<Origins>>>>,
}

/// A place in a file that code was made of; the line counts from one, the column from zero.
pub struct Place {
    /// The file, as a script in its stead would be called.
    pub name: String,
    pub line: u32,
    pub column: u32,
    /// The text of the line.
    pub text: String,
}

/// Where a place in a script comes from, if the script was generated.
pub fn find(script: &str, line: u32, column: u32) -> Option<Place> {
    let state = Realm::current().room::<State>();
    let known = state.seen.borrow().get(script).cloned();
    let origins = known.unwrap_or_else(|| {
        let origins = load(script).map(Rc::new);
        state.seen.borrow_mut().insert(script.to_owned(), origins.clone());
        origins
    })?;
    let (origin, stretch) = origins.find(line.checked_sub(1)?, column)?;
    let name = match script.starts_with("file:") {
        true => contextify::file_url(&origin.path),
        false => origin.path.clone(),
    };
    let text = origin.line(stretch.source_line).to_owned();
    Some(Place { name, line: stretch.source_line + 1, column: stretch.column_of(column), text })
}

/// The same for the place of a message.
pub fn of_message<'s>(scope: &PinScope<'s, '_>, message: Local<'s, v8::Message>) -> Option<Place> {
    if !vfs::has_origins() {
        return None;
    }
    let script = message.get_script_resource_name(scope).filter(|name| name.is_string())?;
    let line = message.get_line_number(scope)?;
    find(&script.to_rust_string_lossy(scope), line as u32, message.get_start_column() as u32)
}

fn load(script: &str) -> Option<Origins> {
    let path = match script.starts_with("file:") {
        true => url::file_path(&Url::parse(script, None).ok()?).ok()?,
        false => script.to_owned(),
    };
    let inside = vfs::inside(path.as_bytes())?;
    let id = inside.file().ok()?.module.as_ref()?.to_native();
    vfs::origins(id)
}

/// The frames of a stack, with those in generated code moved to where it comes from.
pub fn moved<'s>(scope: &mut PinScope<'s, '_>, trace: Local<'s, Array>) -> Local<'s, Array> {
    if !vfs::has_origins() {
        return trace;
    }
    let frames: Vec<Local<Value>> = (0..trace.length()).filter_map(|index| trace.get_index(scope, index)).collect();
    let mut any = false;
    let frames: Vec<Local<Value>> = frames
        .into_iter()
        .map(|frame| match moved_frame(scope, frame) {
            Some(moved) => {
                any = true;
                moved
            }
            None => frame,
        })
        .collect();
    if any { Array::new_with_elements(scope, &frames) } else { trace }
}

fn moved_frame<'s>(scope: &mut PinScope<'s, '_>, frame: Local<'s, Value>) -> Option<Local<'s, Value>> {
    let frame = Local::<Object>::try_from(frame).ok()?;
    let script = ask(scope, frame, "getScriptNameOrSourceURL").filter(|name| name.is_string())?;
    let script = script.to_rust_string_lossy(scope);
    let line = ask(scope, frame, "getLineNumber")?.uint32_value(scope)?;
    let column = ask(scope, frame, "getColumnNumber")?.uint32_value(scope)?;
    let place = find(&script, line, column.checked_sub(1)?)?;
    let mover = mover(scope)?;
    let undefined = js::undefined(scope);
    let arguments = [
        frame.into(),
        js::string(scope, &format!("{script}:{line}:{column}")).into(),
        js::string(scope, &place.name).into(),
        js::integer(scope, place.line as i32),
        js::integer(scope, place.column as i32 + 1),
    ];
    mover.call(scope, undefined, &arguments)
}

fn ask<'s>(scope: &mut PinScope<'s, '_>, frame: Local<'s, Object>, method: &str) -> Option<Local<'s, Value>> {
    let method: Local<Function> = js::get(scope, frame, method)?.try_into().ok()?;
    method.call(scope, frame.into(), &[])
}

fn mover<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Function>> {
    if let Some(mover) = Realm::current().function(scope, MOVE) {
        return Some(mover);
    }
    let text = js::string(scope, include_str!("origins.js"));
    let mover: Local<Function> = v8::Script::compile(scope, text, None)?.run(scope)?.try_into().ok()?;
    Realm::current().set_slot(scope, MOVE, mover);
    Some(mover)
}
