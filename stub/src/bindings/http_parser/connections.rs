//! `ConnectionsList`: a server's connections, in the order in which their messages began.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use v8::{Array, FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::parser::Parser;
use crate::uv::event_loop;
use crate::wrap;

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;
/// Those without a message come first: they have a start of 0.
type Ordered = BTreeMap<(u64, u64), Rc<Parser>>;

/// A server's connections.
#[derive(Default)]
pub struct ConnectionsList {
    all: RefCell<Ordered>,
    active: RefCell<Ordered>,
}

impl ConnectionsList {
    /// Adds a connection, by the present start of its message.
    pub fn add(&self, parser: &Rc<Parser>, is_active: bool) {
        self.all.borrow_mut().insert(parser.order(), parser.clone());
        if is_active {
            self.active.borrow_mut().insert(parser.order(), parser.clone());
        }
    }

    /// Takes a connection out; the start of its message must be the one that it was added with.
    pub fn remove(&self, parser: &Parser) {
        let removed = (self.all.borrow_mut().remove(&parser.order()), self.active.borrow_mut().remove(&parser.order()));
        drop(removed);
    }
}

pub fn new_list<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), ConnectionsList::default());
}

fn objects<'s>(scope: &PinScope<'s, '_>, parsers: &[Rc<Parser>]) -> Local<'s, Value> {
    let objects: Vec<Local<Value>> =
        parsers.iter().filter_map(|parser| parser.object(scope)).map(|object| object.into()).collect();
    Array::new_with_elements(scope, &objects).into()
}

pub fn all<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(list) = wrap::get::<ConnectionsList>(scope, args.this()) else { return };
    let parsers: Vec<_> = list.all.borrow().values().cloned().collect();
    rv.set(objects(scope, &parsers));
}

pub fn idle<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(list) = wrap::get::<ConnectionsList>(scope, args.this()) else { return };
    let parsers: Vec<_> = list.all.borrow().values().filter(|parser| parser.order().0 == 0).cloned().collect();
    rv.set(objects(scope, &parsers));
}

pub fn active<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(list) = wrap::get::<ConnectionsList>(scope, args.this()) else { return };
    let parsers: Vec<_> = list.active.borrow().values().cloned().collect();
    rv.set(objects(scope, &parsers));
}

/// `expired(headersTimeout, requestTimeout)`: those whose message takes longer, in milliseconds; none of them is
/// reported again. 0 is no limit.
pub fn expired<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(list) = wrap::get::<ConnectionsList>(scope, args.this()) else { return };
    let nanoseconds = |index| args.get(index).number_value(scope).unwrap_or_default().max(0.0) as u64 * 1_000_000;
    let (mut headers, mut request) = (nanoseconds(0), nanoseconds(1));
    if request > 0 && headers > request {
        std::mem::swap(&mut headers, &mut request);
    }
    let now = event_loop::hrtime();
    let deadline = |timeout: u64| if timeout > 0 { now.saturating_sub(timeout) } else { 0 };
    let (headers, request) = (deadline(headers), deadline(request));
    let mut late = Vec::new();
    list.active.borrow_mut().retain(|&(start, _), parser| {
        let is_late = (!parser.has_headers() && start < headers) || start < request;
        if is_late {
            late.push(parser.clone());
        }
        !is_late
    });
    rv.set(objects(scope, &late));
}
