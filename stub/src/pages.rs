//! Large memory pages for what every start fills: V8's heap and the allocator's.
//!
//! The kernel hands out memory page by page, at well over a microsecond each, and a start touches more than a thousand.
//! Asked for pages of two megabytes, it takes a tenth of that for the same memory. Where it has none, everything is as
//! it was without asking.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What x86-64, and AArch64 with pages of 4 kB, call a huge page.
const HUGE: usize = 2 << 20;
/// How much of V8's heap may lie in large pages. What comes later is allocated as V8 does. Where a program stops short of
/// the end, what it has not touched is never there.
const ROOM: usize = 16 * HUGE;
/// The same of the allocator's memory.
const ALLOCATOR_ROOM: usize = 4 * HUGE;
/// The size and the alignment of V8's ordinary heap pages.
const V8_PAGE: usize = 256 << 10;

/// `v8::base::OS::MemoryPermission::kRead` and `kReadWrite`.
const READ: c_int = 1;
const READ_WRITE: c_int = 2;

/// Whether V8's next heap page is the first that is worth a large one.
static READY: AtomicBool = AtomicBool::new(false);
/// Where V8's next heap page goes, and where the room for them ends. 0 without a room.
static NEXT: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);

/// Has the allocator go on in large pages. Once for each process, before V8 and the program allocate.
pub fn prepare_allocator() {
    // More than the allocator has left at this point, so that it grows; and what it then writes to.
    const FIRST: usize = 160 << 10;
    // SAFETY: the settings are the allocator's own; the break moves up only, which the allocator expects of others; and
    // the advice is about memory that it has by then.
    unsafe {
        // What V8 allocates at start stays in the heap, which grows once. The thresholds are those that the allocator
        // comes to by itself, if it is not told any, in a program that frees large blocks: a block that is mapped anew
        // for each file that is read costs more, in page faults, than reading it.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 16 * HUGE as c_int);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 32 * HUGE as c_int);
        libc::mallopt(libc::M_TOP_PAD, (ALLOCATOR_ROOM + HUGE) as c_int);
        let end = libc::sbrk(0) as usize;
        let start = (end + FIRST).next_multiple_of(HUGE);
        // A page in which anything was written can't become part of a large one.
        if libc::sbrk((start - FIRST - end) as isize) as isize != -1 {
            // The compiler must not see that nobody uses it.
            libc::free(std::hint::black_box(libc::malloc(FIRST - (8 << 10))));
            libc::madvise(start as *mut c_void, ALLOCATOR_ROOM, libc::MADV_HUGEPAGE);
        }
    }
}

unsafe extern "C" {
    #[link_name = "__real__ZN2v84base2OS8AllocateEPvmmNS1_16MemoryPermissionENSt4__Cr8optionalINS_18SharedMemoryHandleEEE"]
    fn v8_allocate(hint: *mut c_void, size: usize, alignment: usize, access: c_int, shared: u64) -> *mut c_void;
    #[link_name = "__real__ZN2v84base2OS14SetPermissionsEPvmNS1_16MemoryPermissionE"]
    fn v8_set_permissions(address: *mut c_void, size: usize, access: c_int) -> bool;
}

/// Stands before `v8::base::OS::Allocate` (the build script asks the linker for it): V8's first heap pages come out of
/// one mapping with large pages. V8 gives them back with `munmap`, like any other.
#[unsafe(export_name = "__wrap__ZN2v84base2OS8AllocateEPvmmNS1_16MemoryPermissionENSt4__Cr8optionalINS_18SharedMemoryHandleEEE")]
extern "C" fn allocate(hint: *mut c_void, size: usize, alignment: usize, access: c_int, shared: u64) -> *mut c_void {
    if access == READ_WRITE && alignment == V8_PAGE && size <= V8_PAGE {
        if READY.swap(false, Ordering::Relaxed) {
            make_room();
        }
        let page = NEXT.fetch_add(V8_PAGE, Ordering::Relaxed);
        if page < END.load(Ordering::Relaxed) {
            return page as *mut c_void;
        }
        NEXT.fetch_sub(V8_PAGE, Ordering::Relaxed);
    }
    // SAFETY: the arguments are V8's own.
    unsafe { v8_allocate(hint, size, alignment, access, shared) }
}

/// Stands before `v8::base::OS::SetPermissions`: V8 seals its read-only space before it fills the rest of its heap. The
/// read-only pages have holes, which would tear a large page up.
#[unsafe(export_name = "__wrap__ZN2v84base2OS14SetPermissionsEPvmNS1_16MemoryPermissionE")]
extern "C" fn set_permissions(address: *mut c_void, size: usize, access: c_int) -> bool {
    static SEALED: AtomicBool = AtomicBool::new(false);
    if access == READ && !SEALED.swap(true, Ordering::Relaxed) {
        READY.store(true, Ordering::Relaxed);
    }
    // SAFETY: the arguments are V8's own.
    unsafe { v8_set_permissions(address, size, access) }
}

/// Maps the room.
fn make_room() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: the mapping is new and nobody else's; what is cut off of it lies inside of it.
    unsafe {
        let map = libc::mmap(ptr::null_mut(), ROOM + HUGE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if map == libc::MAP_FAILED {
            return;
        }
        let map = map as usize;
        let start = map.next_multiple_of(HUGE);
        if start > map {
            libc::munmap(map as *mut c_void, start - map);
        }
        libc::munmap((start + ROOM) as *mut c_void, map + HUGE - start);
        libc::madvise(start as *mut c_void, ROOM, libc::MADV_HUGEPAGE);
        // As V8 does with its heap: a child is there to run another program.
        libc::madvise(start as *mut c_void, ROOM, libc::MADV_DONTFORK);
        NEXT.store(start, Ordering::Relaxed);
        END.store(start + ROOM, Ordering::Relaxed);
    }
}
