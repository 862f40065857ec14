//! Values of [`Entry::kind`](super::Entry::kind).

use libuv_sys2 as sys;

/// The file system does not say.
pub const UNKNOWN: u8 = sys::uv_dirent_type_t_UV_DIRENT_UNKNOWN as u8;
/// A regular file.
pub const FILE: u8 = sys::uv_dirent_type_t_UV_DIRENT_FILE as u8;
/// A folder.
pub const DIR: u8 = sys::uv_dirent_type_t_UV_DIRENT_DIR as u8;
/// A symbolic link.
pub const LINK: u8 = sys::uv_dirent_type_t_UV_DIRENT_LINK as u8;
/// A FIFO.
pub const FIFO: u8 = sys::uv_dirent_type_t_UV_DIRENT_FIFO as u8;
/// A socket.
pub const SOCKET: u8 = sys::uv_dirent_type_t_UV_DIRENT_SOCKET as u8;
/// A character device.
pub const CHAR: u8 = sys::uv_dirent_type_t_UV_DIRENT_CHAR as u8;
/// A block device.
pub const BLOCK: u8 = sys::uv_dirent_type_t_UV_DIRENT_BLOCK as u8;

/// The kind that `scandir` would report for a mode.
pub fn of_mode(mode: u64) -> u8 {
    match mode as u32 & libc::S_IFMT {
        libc::S_IFREG => FILE,
        libc::S_IFDIR => DIR,
        libc::S_IFLNK => LINK,
        libc::S_IFIFO => FIFO,
        libc::S_IFSOCK => SOCKET,
        libc::S_IFCHR => CHAR,
        libc::S_IFBLK => BLOCK,
        _ => UNKNOWN,
    }
}
