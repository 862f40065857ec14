//! What the operating system says about the machine, its users and its processes.

use std::ffi::{CStr, OsString, c_char, c_int};
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use libuv_sys2 as sys;

use super::process::text;

/// The machine's name.
pub fn hostname() -> Result<OsString, c_int> {
    text(|buffer, size| {
        // SAFETY: the pointers are those of `text`.
        unsafe { sys::uv_os_gethostname(buffer, size) }
    })
}

/// The version of the GNU C library, if that is what the process runs on.
pub fn c_library_version() -> Option<String> {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes nothing and returns a text that lives for ever.
    return Some(unsafe { c_string(libc::gnu_get_libc_version()) });
    #[cfg(not(target_env = "gnu"))]
    None
}

/// The load of the last 1, 5 and 15 minutes.
pub fn load_average() -> [f64; 3] {
    let mut average = [0.0; 3];
    // SAFETY: libuv writes three numbers.
    unsafe { sys::uv_loadavg(average.as_mut_ptr()) };
    average
}

/// Fills `bytes` with random numbers that nobody can foretell. May be called on any thread.
pub fn random(bytes: &mut [u8]) -> Result<(), c_int> {
    // The most that libuv takes at once.
    for part in bytes.chunks_mut(i32::MAX as usize) {
        // SAFETY: without a loop and a callback libuv fills the bytes before it returns, and looks at nothing else.
        let result = unsafe {
            sys::uv_random(std::ptr::null_mut(), std::ptr::null_mut(), part.as_mut_ptr().cast(), part.len(), 0, None)
        };
        if result != 0 {
            return Err(result);
        }
    }
    Ok(())
}

/// How long the machine has been running, in seconds.
pub fn uptime() -> Result<f64, c_int> {
    let mut uptime = 0.0;
    // SAFETY: libuv writes one number.
    match unsafe { sys::uv_uptime(&mut uptime) } {
        0 => Ok(uptime),
        error => Err(error),
    }
}

/// Amounts of memory in bytes.
pub mod memory {
    use libuv_sys2 as sys;

    /// What the machine has.
    pub fn total() -> f64 {
        // SAFETY: it may be called at any time; so may the others here.
        unsafe { sys::uv_get_total_memory() as f64 }
    }

    /// What nobody uses.
    pub fn free() -> f64 {
        // SAFETY: as in `total`.
        unsafe { sys::uv_get_free_memory() as f64 }
    }

    /// What the process may use; 0 if nothing but the machine limits it.
    pub fn constrained() -> f64 {
        // SAFETY: as in `total`.
        unsafe { sys::uv_get_constrained_memory() as f64 }
    }

    /// What the process may still use.
    pub fn available() -> f64 {
        // SAFETY: as in `total`.
        unsafe { sys::uv_get_available_memory() as f64 }
    }

    /// What the process may use, be it the machine or a control group that limits it; 0 if that is unknown.
    pub fn usable() -> u64 {
        // SAFETY: it is plain data, which the kernel fills in. libuv would parse /proc/meminfo for the same number.
        let machine = unsafe {
            let mut machine: libc::sysinfo = std::mem::zeroed();
            libc::sysinfo(&mut machine);
            machine
        };
        let (total, constrained) = (machine.totalram * u64::from(machine.mem_unit), constrained() as u64);
        if constrained > 0 { total.min(constrained) } else { total }
    }

    /// What the process has in memory.
    pub fn resident() -> Result<f64, i32> {
        let mut size = 0;
        // SAFETY: libuv writes one number.
        match unsafe { sys::uv_resident_set_memory(&mut size) } {
            0 => Ok(size as f64),
            error => Err(error),
        }
    }
}

/// How many threads can usefully run at a time.
pub fn parallelism() -> u32 {
    // SAFETY: it may be called at any time.
    unsafe { sys::uv_available_parallelism() }
}

/// One processor.
pub struct Processor {
    /// Its name.
    pub model: String,
    /// Its speed in MHz.
    pub speed: c_int,
    /// How long it was busy for users, nice users, the system; idle; in interrupts. In milliseconds.
    pub times: [f64; 5],
}

/// The machine's processors.
pub fn processors() -> Result<Vec<Processor>, c_int> {
    let (mut list, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: libuv writes a list and its length, which is given back below.
    match unsafe { sys::uv_cpu_info(&mut list, &mut count) } {
        0 => {}
        error => return Err(error),
    }
    // SAFETY: the list has `count` elements whose texts end with zero, until it is freed.
    unsafe {
        let all = std::slice::from_raw_parts(list, count as usize);
        let processors = all.iter().map(|info| {
            let times = &info.cpu_times;
            Processor {
                model: c_string(info.model),
                speed: info.speed,
                times: [times.user, times.nice, times.sys, times.idle, times.irq].map(|time| time as f64),
            }
        });
        let processors = processors.collect();
        sys::uv_free_cpu_info(list, count);
        Ok(processors)
    }
}

/// # Safety
///
/// `text` must be null or end with zero.
unsafe fn c_string(text: *const c_char) -> String {
    match text.is_null() {
        true => String::new(),
        // SAFETY: the caller's promise.
        false => unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned(),
    }
}

/// One address of a network interface.
pub struct Interface {
    /// The interface's name.
    pub name: String,
    /// The address.
    pub address: String,
    /// The mask of its network.
    pub netmask: String,
    /// Whether it is an IPv6 address.
    pub v6: bool,
    /// The interface's hardware address.
    pub mac: [u8; 6],
    /// Whether it reaches nothing but this machine.
    pub internal: bool,
    /// The scope of an IPv6 address.
    pub scope: Option<u32>,
}

/// All addresses of all network interfaces.
pub fn interfaces() -> Result<Vec<Interface>, c_int> {
    let (mut list, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: libuv writes a list and its length, which is given back below.
    match unsafe { sys::uv_interface_addresses(&mut list, &mut count) } {
        0 => {}
        error => return Err(error),
    }
    // SAFETY: the list has `count` elements until it is freed; each union is filled as its family says.
    unsafe {
        let all = std::slice::from_raw_parts(list, count as usize);
        let interfaces = all.iter().map(|each| {
            let v6 = c_int::from(each.address.address4.sin_family) == libc::AF_INET6;
            let ip = |raw: *const sys::sockaddr| {
                let mut buffer = [0u8; 64];
                sys::uv_ip_name(raw, buffer.as_mut_ptr().cast(), buffer.len());
                c_string(buffer.as_ptr().cast())
            };
            Interface {
                name: c_string(each.name),
                address: ip((&raw const each.address).cast()),
                netmask: ip((&raw const each.netmask).cast()),
                v6,
                mac: each.phys_addr.map(|byte| byte as u8),
                internal: each.is_internal != 0,
                scope: v6.then_some(each.address.address6.sin6_scope_id),
            }
        });
        let interfaces = interfaces.collect();
        sys::uv_free_interface_addresses(list, count);
        Ok(interfaces)
    }
}

/// The name of the network interface with that index.
pub fn interface_name(index: u32) -> Option<String> {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the size that the function asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    // SAFETY: a name that was found ends with zero.
    (!found.is_null()).then(|| unsafe { c_string(found) })
}

/// A process's priority.
pub fn priority(pid: c_int) -> Result<c_int, c_int> {
    let mut priority = 0;
    // SAFETY: libuv writes one number.
    match unsafe { sys::uv_os_getpriority(pid, &mut priority) } {
        0 => Ok(priority),
        error => Err(error),
    }
}

/// Sets a process's priority. Returns a libuv error or 0.
pub fn set_priority(pid: c_int, priority: c_int) -> c_int {
    // SAFETY: any numbers may be passed.
    unsafe { sys::uv_os_setpriority(pid, priority) }
}

/// The system's name, version, release, and the machine's architecture.
pub fn name() -> Result<[String; 4], c_int> {
    // SAFETY: a structure of numbers may be zero.
    let mut name: sys::uv_utsname_t = unsafe { std::mem::zeroed() };
    // SAFETY: libuv fills the structure with texts that end with zero.
    unsafe {
        match sys::uv_os_uname(&mut name) {
            0 => Ok([&name.sysname, &name.version, &name.release, &name.machine].map(|text| c_string(text.as_ptr()))),
            error => Err(error),
        }
    }
}

/// A line of `/etc/passwd`.
///
/// The C library's own look-up may load modules as the system is set up to; a static executable cannot.
pub struct User {
    /// The login name.
    pub name: OsString,
    /// The number.
    pub uid: u32,
    /// The number of the main group.
    pub gid: u32,
    /// The home folder.
    pub home: OsString,
    /// The shell.
    pub shell: OsString,
}

/// The first user for whom `wanted` is true.
pub fn find_user(wanted: impl Fn(&User) -> bool) -> Option<User> {
    records("/etc/passwd").find_map(|fields| {
        let [name, _, uid, gid, _, home, shell]: [Vec<u8>; 7] = fields.try_into().ok()?;
        let user = User {
            name: OsString::from_vec(name),
            uid: number(&uid)?,
            gid: number(&gid)?,
            home: OsString::from_vec(home),
            shell: OsString::from_vec(shell),
        };
        wanted(&user).then_some(user)
    })
}

/// A line of `/etc/group`.
pub struct Group {
    /// The name.
    pub name: Vec<u8>,
    /// The number.
    pub gid: u32,
    /// Names of users that belong to it.
    pub members: Vec<Vec<u8>>,
}

/// All groups.
pub fn groups() -> impl Iterator<Item = Group> {
    records("/etc/group").filter_map(|fields| {
        let [name, _, gid, members]: [Vec<u8>; 4] = fields.try_into().ok()?;
        let members = members.split(|&byte| byte == b',').filter(|name| !name.is_empty()).map(<[u8]>::to_vec);
        Some(Group { name, gid: number(&gid)?, members: members.collect() })
    })
}

fn records(path: &str) -> impl Iterator<Item = Vec<Vec<u8>>> {
    let text = fs::read(path).unwrap_or_default();
    let lines: Vec<_> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.into_iter().map(|line| line.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect())
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Users and groups of the process.
pub mod identity {
    use std::io;

    /// The ids of the process: real and effective user, real and effective group.
    pub fn ids() -> [u32; 4] {
        // SAFETY: they always succeed.
        unsafe { [libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()] }
    }

    /// The supplementary groups.
    pub fn groups() -> io::Result<Vec<u32>> {
        // SAFETY: with a size of 0 the list is not touched; then it has room for as many as were counted.
        unsafe {
            let count = libc::getgroups(0, std::ptr::null_mut());
            let mut list = vec![0; usize::try_from(count).map_err(|_| io::Error::last_os_error())?];
            let count = libc::getgroups(count, list.as_mut_ptr());
            list.truncate(usize::try_from(count).map_err(|_| io::Error::last_os_error())?);
            Ok(list)
        }
    }

    /// Sets the supplementary groups.
    pub fn set_groups(groups: &[u32]) -> io::Result<()> {
        // SAFETY: the list is as long as is said.
        check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })
    }

    /// Sets the user.
    pub fn set_uid(id: u32) -> io::Result<()> {
        // SAFETY: any number may be passed; so in the three below.
        check(unsafe { libc::setuid(id) })
    }

    /// Sets the effective user.
    pub fn set_euid(id: u32) -> io::Result<()> {
        // SAFETY: as in `set_uid`.
        check(unsafe { libc::seteuid(id) })
    }

    /// Sets the group.
    pub fn set_gid(id: u32) -> io::Result<()> {
        // SAFETY: as in `set_uid`.
        check(unsafe { libc::setgid(id) })
    }

    /// Sets the effective group.
    pub fn set_egid(id: u32) -> io::Result<()> {
        // SAFETY: as in `set_uid`.
        check(unsafe { libc::setegid(id) })
    }

    /// Whether the process has more rights than who started it.
    pub fn is_privileged() -> bool {
        // SAFETY: it may be asked at any time.
        unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
    }

    fn check(result: libc::c_int) -> io::Result<()> {
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
