//! UDP sockets.

use std::ffi::{CString, c_char, c_int, c_uint};
use std::net::SocketAddr;
use std::ptr;

use libuv_sys2 as sys;

use super::address::RawAddress;
use super::handle::{Handle, Kind, OnMessage, storage_of};
use super::stream::{Chunk, Request, allocate, buffers, finished, keep_buffer, take_buffer};

/// Options that are a small number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// Whether messages may go to all.
    Broadcast,
    /// Through how many routers a message may go.
    TimeToLive,
    /// The same for messages to a group.
    GroupTimeToLive,
    /// Whether messages to a group come back.
    GroupLoop,
}

impl Handle {
    /// A UDP socket.
    pub fn udp() -> Result<Handle, c_int> {
        // SAFETY: the function initializes the memory as a UDP handle; without flags it cannot fail.
        unsafe { Handle::create(Kind::Udp, |event_loop, raw| sys::uv_udp_init(event_loop, raw.cast())) }
    }

    fn with_udp(&self, body: impl FnOnce(*mut sys::uv_udp_t) -> c_int) -> c_int {
        match self.kind() {
            Kind::Udp if self.is_open() => body(self.raw()),
            _ => sys::uv_errno_t_UV_EBADF,
        }
    }

    /// Uses an existing descriptor. Returns a libuv error or 0.
    pub fn open_udp(&self, fd: c_int) -> c_int {
        // SAFETY: the handle is an initialized UDP handle.
        self.with_udp(|raw| unsafe { sys::uv_udp_open(raw, fd) })
    }

    /// Binds the socket. Returns a libuv error or 0.
    pub fn bind_udp(&self, address: SocketAddr, flags: c_uint) -> c_int {
        let address = RawAddress::from(address);
        // SAFETY: the handle is an initialized UDP handle; the address lives during the call.
        self.with_udp(|raw| unsafe { sys::uv_udp_bind(raw, address.as_ptr(), flags) })
    }

    /// Sets the only other side, or none. Returns a libuv error or 0.
    pub fn connect_udp(&self, address: Option<SocketAddr>) -> c_int {
        let address = address.map(RawAddress::from);
        let address = address.as_ref().map_or(ptr::null(), |address| address.as_ptr());
        // SAFETY: the handle is an initialized UDP handle; the address lives during the call.
        self.with_udp(|raw| unsafe { sys::uv_udp_connect(raw, address) })
    }

    /// Sends a message at once. Returns how many bytes went out, or a libuv error.
    pub fn try_send(&self, chunks: &[Chunk], to: Option<SocketAddr>) -> Result<usize, c_int> {
        let to = to.map(RawAddress::from);
        let to = to.as_ref().map_or(ptr::null(), |address| address.as_ptr());
        let buffers = buffers(chunks, 0);
        // SAFETY: the handle is an initialized UDP handle; buffers and address live during the call.
        let result =
            self.with_udp(|raw| unsafe { sys::uv_udp_try_send(raw, buffers.as_ptr(), buffers.len() as c_uint, to) });
        usize::try_from(result).map_err(|_| result)
    }

    /// Sends a message. Returns a libuv error; or 0: then `done` will be called with the outcome.
    pub fn send(&self, chunks: Vec<Chunk>, to: Option<SocketAddr>, done: impl FnOnce(c_int) + 'static) -> c_int {
        let to = to.map(RawAddress::from);
        let to = to.as_ref().map_or(ptr::null(), |address| address.as_ptr());
        self.with_udp(|udp| {
            let mut request = Request::<sys::uv_udp_send_t>::new(done);
            request.chunks = chunks;
            request.start(|raw, chunks| {
                let buffers = buffers(chunks, 0);
                let count = buffers.len() as c_uint;
                // SAFETY: the handle is an initialized UDP handle; libuv copies the address; the request keeps the bytes.
                unsafe { sys::uv_udp_send(raw, udp, buffers.as_ptr(), count, to, Some(finished)) }
            })
        })
    }

    /// Starts to receive. Returns a libuv error or 0.
    pub fn receive(&self, on_message: OnMessage) -> c_int {
        *self.storage().on_message.borrow_mut() = Some(on_message);
        // SAFETY: the handle is an initialized UDP handle.
        self.with_udp(|raw| unsafe { sys::uv_udp_recv_start(raw, Some(allocate), Some(received)) })
    }

    /// Stops to receive. Returns a libuv error or 0.
    pub fn stop_receiving(&self) -> c_int {
        // SAFETY: the handle is an initialized UDP handle.
        self.with_udp(|raw| unsafe { sys::uv_udp_recv_stop(raw) })
    }

    fn udp_address(
        &self,
        get: impl FnOnce(*const sys::uv_udp_t, *mut sys::sockaddr, *mut c_int) -> c_int,
    ) -> Result<SocketAddr, c_int> {
        let mut address = RawAddress::empty();
        let mut length = size_of::<RawAddress>() as c_int;
        match self.with_udp(|raw| get(raw, address.as_mut_ptr(), &mut length)) {
            0 => address.get().ok_or(sys::uv_errno_t_UV_EINVAL),
            error => Err(error),
        }
    }

    /// The socket's own address.
    pub fn local_udp_address(&self) -> Result<SocketAddr, c_int> {
        // SAFETY: the handle is an initialized UDP handle; the pointers are valid during the call.
        self.udp_address(|raw, address, length| unsafe { sys::uv_udp_getsockname(raw, address, length) })
    }

    /// The address of the only other side.
    pub fn peer_udp_address(&self) -> Result<SocketAddr, c_int> {
        // SAFETY: as in `local_udp_address`.
        self.udp_address(|raw, address, length| unsafe { sys::uv_udp_getpeername(raw, address, length) })
    }

    /// Sets an option. Returns a libuv error or 0.
    pub fn set_udp(&self, setting: Setting, value: c_int) -> c_int {
        // SAFETY: the handle is an initialized UDP handle; libuv checks the value.
        self.with_udp(|raw| unsafe {
            match setting {
                Setting::Broadcast => sys::uv_udp_set_broadcast(raw, value),
                Setting::TimeToLive => sys::uv_udp_set_ttl(raw, value),
                Setting::GroupTimeToLive => sys::uv_udp_set_multicast_ttl(raw, value),
                Setting::GroupLoop => sys::uv_udp_set_multicast_loop(raw, value),
            }
        })
    }

    /// Sets the interface that messages to a group go out by. Returns a libuv error or 0.
    pub fn set_group_interface(&self, interface: &str) -> c_int {
        let Ok(interface) = CString::new(interface) else { return sys::uv_errno_t_UV_EINVAL };
        // SAFETY: the handle is an initialized UDP handle; the text lives during the call.
        self.with_udp(|raw| unsafe { sys::uv_udp_set_multicast_interface(raw, interface.as_ptr()) })
    }

    /// Joins a group or leaves it, for messages of `source` if that is given. Returns a libuv error or 0.
    pub fn set_membership(&self, group: &str, interface: Option<&str>, source: Option<&str>, joins: bool) -> c_int {
        let text = |text: &str| CString::new(text).ok();
        let (Some(group), Ok(interface), Ok(source)) =
            (text(group), interface.map(CString::new).transpose(), source.map(CString::new).transpose())
        else {
            return sys::uv_errno_t_UV_EINVAL;
        };
        let interface: *const c_char = interface.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let change = match joins {
            true => sys::uv_membership_UV_JOIN_GROUP,
            false => sys::uv_membership_UV_LEAVE_GROUP,
        };
        // SAFETY: the handle is an initialized UDP handle; the texts live during the call.
        self.with_udp(|raw| unsafe {
            match &source {
                Some(source) => {
                    sys::uv_udp_set_source_membership(raw, group.as_ptr(), interface, source.as_ptr(), change)
                }
                None => sys::uv_udp_set_membership(raw, group.as_ptr(), interface, change),
            }
        })
    }

    /// Bytes and messages that wait to be sent.
    pub fn send_queue(&self) -> (usize, usize) {
        if self.kind() != Kind::Udp || !self.is_open() {
            return (0, 0);
        }
        // SAFETY: the handle is an initialized UDP handle.
        unsafe { (sys::uv_udp_get_send_queue_size(self.raw()), sys::uv_udp_get_send_queue_count(self.raw())) }
    }

    /// Sets, or for 0 reads, the size of the system's buffer. Returns a libuv error or the size.
    pub fn buffer_size(&self, receives: bool, size: c_int) -> Result<c_int, c_int> {
        let mut value = size;
        // SAFETY: the handle is an initialized UDP handle; the number is valid during the call.
        let result = self.with_udp(|raw| unsafe {
            match receives {
                true => sys::uv_recv_buffer_size(raw.cast(), &mut value),
                false => sys::uv_send_buffer_size(raw.cast(), &mut value),
            }
        });
        if result == 0 { Ok(value) } else { Err(result) }
    }
}

unsafe extern "C" fn received(
    raw: *mut sys::uv_udp_t,
    count: isize,
    _: *const sys::uv_buf_t,
    from: *const sys::sockaddr,
    _: c_uint,
) {
    // SAFETY: only handles of `Handle` receive with this callback; see `read` of streams.
    let storage = unsafe { storage_of(raw) };
    // SAFETY: libuv is done with the buffer.
    let buffer = unsafe { take_buffer(storage) };
    // SAFETY: an address of libuv's is one of IP, and lives during the callback.
    let from = (!from.is_null()).then(|| unsafe { RawAddress::read(from) }).flatten();
    let on_message = storage.on_message.borrow().clone();
    if let Some(on_message) = on_message {
        match (usize::try_from(count), from) {
            (Err(_), _) => on_message(Err(count as c_int)),
            (Ok(count), Some(from)) => {
                on_message(Ok((buffer.as_deref().map_or(&[], |buffer| &buffer[..count]), from)));
            }
            // Nothing came.
            (Ok(_), None) => {}
        }
    }
    keep_buffer(buffer);
}
