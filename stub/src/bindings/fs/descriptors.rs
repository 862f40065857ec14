//! Files that a worker has opened by number: they are closed when it ends.

use std::cell::RefCell;
use std::collections::BTreeSet;

use v8::PinScope;

use super::data;
use crate::errors;
use crate::realm::Realm;

#[derive(Default)]
struct Open(RefCell<BTreeSet<i32>>);

fn tracks(realm: &Realm) -> bool {
    realm.thread.worker.as_ref().is_some_and(|worker| worker.tracks_descriptors)
}

/// The program has got this descriptor.
pub fn opened(scope: &mut PinScope, fd: i32) {
    let realm = Realm::current();
    if tracks(&realm) && !realm.room::<Open>().0.borrow_mut().insert(fd) {
        errors::emit_warning(scope, &format!("File descriptor {fd} opened in unmanaged mode twice"));
    }
}

/// The program closes this descriptor.
pub fn closed(scope: &mut PinScope, fd: i32) {
    let realm = Realm::current();
    if tracks(&realm) && !realm.room::<Open>().0.borrow_mut().remove(&fd) {
        errors::emit_warning(scope, &format!("File descriptor {fd} closed but not opened in unmanaged mode"));
    }
}

/// Closes what is left open at the end of this thread.
pub fn close_all() {
    let open = Realm::current().room::<Open>().0.take();
    for fd in open {
        // Whoever closed it in another way has it closed.
        let _ = data::close(fd);
    }
}
