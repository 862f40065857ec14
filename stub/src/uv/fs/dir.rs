//! Open folders.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use libuv_sys2 as sys;

/// An open folder; it is closed by [`Call::CloseDir`], at the latest when it is dropped.
#[derive(Clone)]
pub struct Dir(pub(super) Arc<DirState>);

pub(super) struct DirState {
    /// Null once it is closed.
    pub(super) raw: AtomicPtr<sys::uv_dir_t>,
    /// True while the pool works on it.
    pub(super) busy: AtomicBool,
}

impl Dir {
    pub(super) fn new(raw: *mut sys::uv_dir_t) -> Self {
        Dir(Arc::new(DirState { raw: AtomicPtr::new(raw), busy: AtomicBool::new(false) }))
    }

    /// True before it is closed.
    pub fn is_open(&self) -> bool {
        !self.0.raw.load(Ordering::Relaxed).is_null()
    }
}

impl DirState {
    /// The folder, for a call that is about to begin. While the pool works on it no other may.
    pub(super) fn take_for(&self, pool: bool) -> Result<*mut sys::uv_dir_t, i32> {
        let raw = self.raw.load(Ordering::Relaxed);
        if raw.is_null() {
            return Err(sys::uv_errno_t_UV_EBADF);
        }
        if self.busy.load(Ordering::Relaxed) {
            return Err(sys::uv_errno_t_UV_EBUSY);
        }
        self.busy.store(pool, Ordering::Relaxed);
        Ok(raw)
    }
}

impl Drop for DirState {
    fn drop(&mut self) {
        let raw = *self.raw.get_mut();
        if !raw.is_null() {
            // SAFETY: the folder is open, and nothing else refers to it: a request in flight holds a clone.
            unsafe {
                let mut request: sys::uv_fs_t = std::mem::zeroed();
                sys::uv_fs_closedir(std::ptr::null_mut(), &mut request, raw, None);
                sys::uv_fs_req_cleanup(&mut request);
            }
        }
    }
}
