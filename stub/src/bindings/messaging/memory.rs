//! Array buffers on their way to another thread.

use v8::{ArrayBuffer, BackingStore, Local, PinScope, SharedArrayBuffer, SharedRef};

/// The memory of an array buffer.
#[derive(Clone)]
pub struct Memory(SharedRef<BackingStore>);

// SAFETY: V8 counts references to a backing store atomically, for the very purpose of handing them from isolate to
// isolate; its contents are only reached through the buffers made of it.
unsafe impl Send for Memory {}
// SAFETY: as above; nothing is reached through a shared reference but the count.
unsafe impl Sync for Memory {}

impl Memory {
    /// The memory of `buffer`.
    pub fn of(buffer: Local<ArrayBuffer>) -> Memory {
        Memory(buffer.get_backing_store())
    }

    /// The memory of `buffer`, which stays shared.
    pub fn of_shared(buffer: Local<SharedArrayBuffer>) -> Memory {
        Memory(buffer.get_backing_store())
    }

    /// A buffer over the memory.
    pub fn buffer<'s>(&self, scope: &PinScope<'s, '_>) -> Local<'s, ArrayBuffer> {
        ArrayBuffer::with_backing_store(scope, &self.0)
    }

    /// A shared buffer over the memory.
    pub fn shared_buffer<'s>(&self, scope: &PinScope<'s, '_>) -> Local<'s, SharedArrayBuffer> {
        SharedArrayBuffer::with_backing_store(scope, &self.0)
    }
}
