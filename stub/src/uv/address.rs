//! IP addresses, as libuv and the system take and give them.

use std::ffi::c_int;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use libuv_sys2 as sys;

/// An address as libuv takes it.
#[repr(C)]
pub(super) union RawAddress {
    any: libc::sockaddr,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    storage: libc::sockaddr_storage,
}

impl RawAddress {
    /// One to be filled.
    pub fn empty() -> Self {
        // SAFETY: the union is made of C structures of numbers: all zero is valid for each.
        unsafe { std::mem::zeroed() }
    }

    /// For functions that read it.
    pub fn as_ptr(&self) -> *const sys::sockaddr {
        (&raw const *self).cast()
    }

    /// For functions that fill it.
    pub fn as_mut_ptr<T>(&mut self) -> *mut T {
        (&raw mut *self).cast()
    }

    /// The IP address at `raw`.
    ///
    /// # Safety
    ///
    /// There must be an address of the length that its family has.
    pub unsafe fn read(raw: *const sys::sockaddr) -> Option<SocketAddr> {
        let mut copy = Self::empty();
        // SAFETY: the family says how many bytes there are, and the union has room for either.
        unsafe {
            match c_int::from((*raw).sa_family) {
                libc::AF_INET => copy.v4 = raw.cast::<libc::sockaddr_in>().read_unaligned(),
                libc::AF_INET6 => copy.v6 = raw.cast::<libc::sockaddr_in6>().read_unaligned(),
                _ => return None,
            }
        }
        copy.get()
    }

    /// The address that it holds, if it is an IP address.
    pub fn get(&self) -> Option<SocketAddr> {
        // SAFETY: every field of the union is made of numbers, and libuv has filled it as its family says.
        unsafe {
            match c_int::from(self.any.sa_family) {
                libc::AF_INET => {
                    let ip = Ipv4Addr::from(self.v4.sin_addr.s_addr.to_ne_bytes());
                    Some(SocketAddrV4::new(ip, u16::from_be(self.v4.sin_port)).into())
                }
                libc::AF_INET6 => {
                    let ip = Ipv6Addr::from(self.v6.sin6_addr.s6_addr);
                    Some(SocketAddrV6::new(ip, u16::from_be(self.v6.sin6_port), 0, self.v6.sin6_scope_id).into())
                }
                _ => None,
            }
        }
    }
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> Self {
        let mut raw = Self::empty();
        match address {
            SocketAddr::V4(address) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as _,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                    sin_zero: [0; 8],
                };
            }
            SocketAddr::V6(address) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as _,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
            }
        }
        raw
    }
}

/// Reads an IP address as libuv does, with the scope (`%eth0`) of an IPv6 one.
pub fn parse_address(text: &str, port: u16, v6: bool) -> Result<SocketAddr, c_int> {
    let text = std::ffi::CString::new(text).map_err(|_| sys::uv_errno_t_UV_EINVAL)?;
    let mut raw = RawAddress::empty();
    // SAFETY: the text ends with zero, and the structure is the one that the function fills.
    let result = unsafe {
        match v6 {
            true => sys::uv_ip6_addr(text.as_ptr(), port.into(), raw.as_mut_ptr()),
            false => sys::uv_ip4_addr(text.as_ptr(), port.into(), raw.as_mut_ptr()),
        }
    };
    match result {
        0 => raw.get().ok_or(sys::uv_errno_t_UV_EINVAL),
        error => Err(error),
    }
}

/// An address's text as libuv writes it, with the scope of an IPv6 one.
pub fn address_text(address: &SocketAddr) -> String {
    let SocketAddr::V6(v6) = address else { return address.ip().to_string() };
    let scope = v6.ip().is_unicast_link_local().then(|| super::system::interface_name(v6.scope_id())).flatten();
    match scope {
        Some(name) => format!("{}%{name}", v6.ip()),
        None => v6.ip().to_string(),
    }
}
