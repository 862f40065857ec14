//! The first page of an executable: it notices that the file was cut short before anything missing is touched.
//!
//! The kernel loads an ELF file without looking at its length, so a stub of which the second half is gone would crash
//! at its first step into it. Therefore a page goes before the stub, with the file's program headers and a few
//! instructions that compare the file's length and only then jump to the stub's own entry:
//!
//! ```text
//! [ ELF header | program headers | check ][ stub ][ payload ]
//! ```
//!
//! The stub's segments stay at their addresses, only their offsets in the file move on by a page. One segment is
//! added that maps the whole file, so the stub reads its payload without having to find or open the file.
//!
//! This needs a stub at fixed addresses. Any other is used as it is; it notices damage behind itself all the same.

use crate::PAGE;

const HEADER_LEN: usize = 64;
const SEGMENT_LEN: usize = 56;
const LOAD: u32 = 1;
const PHDR: u32 = 6;
const GNU_RELRO: u32 = 0x6474_e552;
const EXECUTE_AND_READ: u32 = 5;
const READ: u32 = 4;

/// How to put a front before a stub.
#[derive(Debug)]
pub struct Front {
    header: [u8; HEADER_LEN],
    segments: Vec<Segment>,
    entry: u64,
    address: u64,
    /// How much of the stub is loaded: what follows, such as symbols, is left out.
    pub stub_len: usize,
    /// Where the whole file is mapped.
    pub file_address: u64,
}

impl Front {
    /// The front for a stub, if it is an executable that can have one.
    pub fn of(stub: &[u8]) -> Option<Front> {
        let header: [u8; HEADER_LEN] = stub.get(..HEADER_LEN)?.try_into().ok()?;
        let is_fixed = header.starts_with(b"\x7fELF\x02\x01") && header[16] == 2;
        if !is_fixed || machine() != Some(u16_at(&header, 18)) {
            return None;
        }
        let table = usize::try_from(u64_at(&header, 32)).ok()?;
        let count = usize::from(u16_at(&header, 56));
        let mut segments: Vec<Segment> = stub
            .get(table..table.checked_add(count * SEGMENT_LEN)?)?
            .chunks_exact(SEGMENT_LEN)
            .map(Segment::read)
            // It would have to describe the new table; nothing needs it.
            .filter(|segment| segment.kind != PHDR)
            .collect();
        let loads = || segments.iter().filter(|segment| segment.kind == LOAD);
        let address = loads().map(|load| load.address).min()?.checked_sub(PAGE)? / PAGE * PAGE;
        let end = loads().map(|load| load.address.saturating_add(load.memory_len)).max()?;
        let file_address = end.checked_next_multiple_of(PAGE)?.checked_add(PAGE)?;
        let stub_len = usize::try_from(loads().map(|load| load.offset.saturating_add(load.file_len)).max()?).ok()?;
        if stub_len > stub.len() || HEADER_LEN + (count + 2) * SEGMENT_LEN + CODE_ROOM > PAGE as usize {
            return None;
        }

        let hardened: Vec<_> = segments.iter().filter(|segment| segment.kind == GNU_RELRO).cloned().collect();
        for segment in &mut segments {
            let is_last = segment.offset + segment.file_len == stub_len as u64;
            segment.offset += PAGE;
            if segment.kind != LOAD || segment.memory_len <= segment.file_len {
                continue;
            }
            // The kernel would clear the rest of the segment's last page, and stumble if that page is missing. In the
            // last segment, zeros follow in the file as well. In another one, what follows is the linker's padding,
            // which nobody reads.
            if !is_last && !hardened.iter().any(|hardened| segment.is_within(hardened)) {
                return None;
            }
            segment.file_len = (segment.address + segment.file_len).next_multiple_of(PAGE) - segment.address;
            segment.memory_len = segment.memory_len.max(segment.file_len);
        }
        Some(Front { header, segments, entry: u64_at(&header, 24), address, stub_len, file_address })
    }

    /// The page, for a file of `file_len` bytes.
    pub fn page(&self, file_len: u64) -> Vec<u8> {
        let whole_page = Segment::plain(EXECUTE_AND_READ, 0, self.address, PAGE);
        let whole_file = Segment::plain(READ, 0, self.file_address, file_len);
        let count = self.segments.len() + 2;
        let check = HEADER_LEN + count * SEGMENT_LEN;

        let mut page = self.header.to_vec();
        page[24..32].copy_from_slice(&(self.address + check as u64).to_le_bytes());
        page[32..40].copy_from_slice(&(HEADER_LEN as u64).to_le_bytes());
        page[56..58].copy_from_slice(&(count as u16).to_le_bytes());
        // There is no table of sections any more.
        page[40..48].fill(0);
        page[58..64].fill(0);
        // Loaded segments stand in the order of their addresses.
        let segments = [&whole_page].into_iter().chain(&self.segments).chain([&whole_file]);
        segments.for_each(|segment| segment.write(&mut page));
        page.extend(check_length(file_len, self.entry));
        page.resize(PAGE as usize, 0);
        page
    }
}

/// An entry of the table of program headers.
#[derive(Debug, Clone)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_len: u64,
    memory_len: u64,
    align: u64,
}

impl Segment {
    fn plain(flags: u32, offset: u64, address: u64, len: u64) -> Self {
        Self { kind: LOAD, flags, offset, address, file_len: len, memory_len: len, align: PAGE }
    }

    fn read(entry: &[u8]) -> Self {
        let kind = u32::from(u16_at(entry, 0)) | u32::from(u16_at(entry, 2)) << 16;
        Self {
            kind,
            flags: u32::from(u16_at(entry, 4)) | u32::from(u16_at(entry, 6)) << 16,
            offset: u64_at(entry, 8),
            address: u64_at(entry, 16),
            file_len: u64_at(entry, 32),
            memory_len: u64_at(entry, 40),
            // An offset that moves by a page keeps no greater alignment.
            align: if kind == LOAD { PAGE } else { u64_at(entry, 48) },
        }
    }

    fn is_within(&self, other: &Segment) -> bool {
        other.address <= self.address && self.address + self.memory_len <= other.address + other.memory_len
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.kind.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        for field in [self.offset, self.address, self.address, self.file_len, self.memory_len, self.align] {
            out.extend(field.to_le_bytes());
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    (0..4).map(|part| u64::from(u16_at(bytes, at + 2 * part)) << (16 * part)).sum()
}

/// More than the instructions take.
const CODE_ROOM: usize = 512;

#[cfg(target_arch = "x86_64")]
use x86_64::{check_length, machine};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::global_asm;

    /// `e_machine` of the stubs that `check_length` is for.
    pub fn machine() -> Option<u16> {
        Some(62)
    }

    macro_rules! message {
        () => {
            "this executable is damaged: it does not have the length that it was built with"
        };
    }

    // Runs as the process's first instructions: the stack is as the kernel left it, and must be so at the end.
    global_asm!(
        ".pushsection .rodata.kiln_front, \"a\", @progbits",
        "kiln_front_start:",
        "    lea rdi, [rip + 7f]", // open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        "    mov esi, 0x80000",
        "    xor edx, edx",
        "    mov eax, 2",
        "    syscall",
        "    test eax, eax",
        "    jns 4f",
        "    mov rax, [rsp]", // There is no /proc: the auxiliary vector, behind the arguments
        "    lea rbx, [rsp + rax*8 + 16]", // and the environment, has the path that was executed.
        "2:  mov rax, [rbx]",
        "    add rbx, 8",
        "    test rax, rax",
        "    jnz 2b",
        "3:  mov rax, [rbx]",
        "    test rax, rax",
        "    jz 5f",
        "    add rbx, 16",
        "    cmp rax, 31", // AT_EXECFN
        "    jne 3b",
        "    mov rdi, [rbx - 8]",
        "    mov esi, 0x80000",
        "    mov eax, 2",
        "    syscall",
        "    test eax, eax",
        "    js 5f",
        "4:  mov ebx, eax",
        "    mov edi, eax", // lseek(fd, 0, SEEK_END)
        "    xor esi, esi",
        "    mov edx, 2",
        "    mov eax, 8",
        "    syscall",
        "    mov r12, rax",
        "    mov edi, ebx", // close(fd)
        "    mov eax, 3",
        "    syscall",
        "    cmp r12, [rip + 9f]",
        "    jne 6f",
        "5:  xor edx, edx", // The stub is entered as if by the kernel.
        "    xor ebx, ebx",
        "    xor r12d, r12d",
        "    jmp [rip + 9f + 8]",
        "6:  mov edi, 2", // write(2, message)
        "    lea rsi, [rip + 8f]",
        "    mov edx, {message_len}",
        "    mov eax, 1",
        "    syscall",
        "    mov edi, 70", // exit_group(70)
        "    mov eax, 231",
        "    syscall",
        "7:  .asciz \"/proc/self/exe\"",
        concat!("8:  .ascii \"", message!(), "\\n\""),
        "9:",
        "kiln_front_end:",
        ".popsection",
        message_len = const message!().len() + 1,
    );

    unsafe extern "C" {
        #[link_name = "kiln_front_start"]
        static START: u8;
        #[link_name = "kiln_front_end"]
        static END: u8;
    }

    /// The instructions, and the two numbers that they refer to.
    pub fn check_length(file_len: u64, entry: u64) -> Vec<u8> {
        // SAFETY: the two symbols enclose read-only data of this program.
        let code = unsafe {
            let (start, end) = (&raw const START, &raw const END);
            std::slice::from_raw_parts(start, end.offset_from_unsigned(start))
        };
        [code, &file_len.to_le_bytes(), &entry.to_le_bytes()].concat()
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn machine() -> Option<u16> {
    None
}

#[cfg(not(target_arch = "x86_64"))]
fn check_length(_: u64, _: u64) -> Vec<u8> {
    Vec::new()
}

#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
#[path = "front_tests.rs"]
mod tests;
