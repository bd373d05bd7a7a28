//! What has to be known of the C library to make a storage: found at run time, tried once, refused if it is not as
//! expected.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;

use super::destructors::{self, Own};
use super::reuse::Reuse;
use super::segment::{errno, segment, segment_of};
use super::storage::{at, birth, call_with, free, on_host};
use crate::arch;
use crate::thread::{Thread, thread, word};

type Allocate = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type Deallocate = unsafe extern "C" fn(*mut c_void, bool);

/// Places are counted from the thread pointer.
pub(super) struct Layout {
    allocate: Allocate,
    deallocate: Deallocate,
    /// How a storage is used again, if that can be.
    pub(super) reuse: Option<Reuse>,
    /// The C library's description of the thread, which is what `pthread_self` gives.
    description: isize,
    /// An `int` that is not zero where a thread must take locks.
    multiple: isize,
    /// The system's number of the thread.
    id: isize,
    /// The head of the list of robust mutexes; the word before it leads to its end.
    robust: isize,
    /// The lists of values of `pthread_setspecific`, if they were found: the first of them is part of the description, the
    /// others are allocated.
    specific: Option<(isize, usize)>,
    /// What the system writes the number of the processor to, if it is asked to.
    rseq: Option<isize>,
    /// The word of this crate that leads to the state of the thread.
    pub(super) word: isize,
    /// This crate's own thread-local.
    pub(super) own: isize,
    /// Where the thread-locals of the file are that this code is in: at the same place in each storage, as `word` is.
    pub(super) file: Range<isize>,
}

/// `cpu_id` of a thread that the system was not asked about: the C library makes a system call instead.
const NOT_REGISTERED: i32 = -2;

static KNOWN: OnceLock<Result<Layout, &'static str>> = OnceLock::new();

/// The caller has entered the thread, and runs with its pointer the first time.
#[inline]
pub(super) fn known() -> Result<&'static Layout, &'static str> {
    KNOWN
        .get_or_init(|| {
            let mut found = Err("");
            on_host(&mut || found = find());
            found
        })
        .as_ref()
        .map_err(|reason| *reason)
}

/// As `known`, but if nobody has looked yet it is not known.
pub(super) fn known_before() -> Result<&'static Layout, &'static str> {
    match KNOWN.get() {
        Some(known) => known.as_ref().map_err(|reason| *reason),
        None => Err("nobody has looked"),
    }
}

#[cold]
fn find() -> Result<Layout, &'static str> {
    let sanitized = cfg!(greenlet_sanitize = "address") || cfg!(greenlet_sanitize = "thread");
    if sanitized || symbol(c"__asan_init").is_some() || symbol(c"__tsan_init").is_some() {
        return Err("a sanitizer keeps its own record of the threads");
    }
    let pointer = arch::pointer();
    let unknown = "this C library's threads are not known";
    let allocate = symbol(c"_dl_allocate_tls").ok_or(unknown)?;
    let deallocate = symbol(c"_dl_deallocate_tls").ok_or(unknown)?;
    // SAFETY: the C library's functions, which have had this type for as long as they have been there.
    let (allocate, deallocate) = unsafe {
        (
            mem::transmute::<*mut c_void, Allocate>(allocate),
            mem::transmute::<*mut c_void, Deallocate>(deallocate),
        )
    };
    // SAFETY: the call cannot fail.
    let description = offset(pointer, unsafe { libc::pthread_self() } as *const u8);
    let mut layout = Layout {
        allocate,
        deallocate,
        reuse: None,
        description,
        multiple: description + MULTIPLE,
        id: description + id_in_description().ok_or(unknown)?,
        robust: robust_list(pointer, description)
            .ok_or("the list of robust mutexes was not found")?,
        specific: specific(description),
        rseq: rseq(),
        word: offset(pointer, word().cast()),
        own: offset(pointer, destructors::address().cast()),
        file: file(pointer).ok_or("the thread-locals of this code were not found")?,
    };
    layout.verify(pointer)?;
    let segment = segment().ok_or("the C library's own thread-locals were not found")?;
    arch::configure(offset(pointer, segment.start), segment.bytes);
    layout.try_out(thread())?;
    layout.try_reuse();
    Ok(layout)
}

/// Where the description says that the thread is one of several.
#[cfg(target_arch = "x86_64")]
const MULTIPLE: isize = 0x18;
#[cfg(target_arch = "aarch64")]
const MULTIPLE: isize = 0;

impl Layout {
    /// True to form: what is read at the places of the running thread, whose pointer is `pointer`, is what must be there.
    fn verify(&self, pointer: *mut u8) -> Result<(), &'static str> {
        let places = self.id - self.description;
        if !(0..4096).contains(&places) || !(8..4096).contains(&(self.robust - self.description)) {
            return Err("this C library's threads are larger than those that are known");
        }
        // SAFETY: all inside the description of the running thread, which is larger than its robust list is far.
        unsafe {
            let id = libc::syscall(libc::SYS_gettid);
            if libc::c_long::from(at::<i32>(pointer, self.id).read()) != id {
                return Err("the number of the thread is not where it should be");
            }
            if !matches!(at::<c_int>(pointer, self.multiple).read(), 0 | 1) {
                return Err("the number of threads is not where it should be");
            }
            let head = at::<*mut u8>(pointer, self.robust);
            if head.read() == head.cast() && head.sub(1).read() != head.cast() {
                return Err("the list of robust mutexes is not as it should be");
            }
            if !head_is_self(pointer) {
                return Err("the thread pointer does not lead to itself");
            }
        }
        if let Some(rseq) = self.rseq {
            // SAFETY: the C library says that this is there.
            let processor = unsafe { at::<i32>(pointer, rseq + 4).read() };
            if !(NOT_REGISTERED..1 << 20).contains(&processor) {
                return Err("the number of the processor is not where it should be");
            }
        }
        Ok(())
    }

    /// Writes what is different from thread to thread.
    ///
    /// # Safety
    /// `pointer` is that of a storage that the C library has just made, `host` that of the running thread.
    pub(super) unsafe fn fill(&self, pointer: *mut u8, host: *mut u8, id: u32) {
        // SAFETY: all of it lies in the description, or before it where the C library says so.
        unsafe {
            fill_head(pointer, host);
            at::<c_int>(pointer, self.multiple).write(1);
            at::<u32>(pointer, self.id).write(id);
            let head = at::<*mut u8>(pointer, self.robust);
            head.write(head.cast());
            head.sub(1).write(head.cast());
            if let Some(rseq) = self.rseq {
                at::<i32>(pointer, rseq + 4).write(NOT_REGISTERED);
            }
        }
    }

    /// Frees the lists of values of a storage, which the C library does at the end of a thread alone.
    ///
    /// # Safety
    /// `pointer` is that of a storage that nothing uses any more.
    pub(super) unsafe fn free_specific(&self, pointer: *mut u8) {
        let Some((place, lists)) = self.specific else {
            return;
        };
        for list in 1..lists {
            // SAFETY: inside the description, and allocated by the C library if it is there.
            unsafe { free(at::<*mut c_void>(pointer, place).add(list).read()) };
        }
    }

    /// Makes a storage and looks at it from inside.
    fn try_out(&self, thread: &'static Thread) -> Result<(), &'static str> {
        let host = thread.host.get();
        let pointer = birth(self, thread).ok_or("there is no memory for thread-locals")?;
        let error = offset(host, errno().cast());
        let mut reason = None;
        let mut look = || {
            // SAFETY: the call cannot fail.
            let itself = unsafe { libc::pthread_self() } as *const u8;
            let known = crate::thread::existing();
            reason = if offset(pointer, word().cast()) != self.word
                || offset(pointer, destructors::address().cast()) != self.own
                || !known.is_some_and(|known| ptr::eq(known, thread))
                || !destructors::are_own()
            {
                Some("this code is in a library that was loaded late")
            } else if offset(pointer, errno().cast()) != error {
                Some("the C library's own thread-locals are not where they should be")
            } else if offset(pointer, itself) != self.description {
                Some("pthread_self does not follow the thread pointer")
            } else if !sees_registrations() {
                Some(
                    "the registrations of destructors are not seen: something else defines \
                      __cxa_thread_atexit_impl before greenlet, or this is a library that was loaded late",
                )
            } else {
                None
            };
        };
        // SAFETY: the storage was made for this thread, and nothing is suspended with it.
        unsafe { call_with(pointer, &mut look) };
        if crate::arch::pointer() != host {
            std::process::abort();
        }
        // SAFETY: nothing uses it any more.
        unsafe { self.unmake(pointer) };
        reason.map_or(Ok(()), Err)
    }

    /// Finds out how a storage is used again, and tries it: what was changed must be as it was.
    fn try_reuse(&mut self) {
        let Some(pointer) = self.make() else {
            return;
        };
        // SAFETY: just made, and nobody else's; all places are inside it.
        unsafe {
            let reuse = Reuse::find(pointer, self.description);
            if let Some(reuse) = &reuse {
                at::<Own>(pointer, self.own).write(Own::new(true));
                at::<u32>(pointer, self.id).write(1);
                reuse.begin_afresh(self, pointer);
                let is_fresh = !(*at::<Own>(pointer, self.own)).is_own.get()
                    && at::<u32>(pointer, self.id).read() == 0;
                if !is_fresh {
                    return;
                }
            }
            self.unmake(pointer);
            self.reuse = reuse;
        }
    }

    /// A storage as the C library makes it.
    pub(super) fn make(&self) -> Option<*mut u8> {
        // SAFETY: the C library's function, as it is called for a new thread: without memory of the caller's.
        let pointer = unsafe { (self.allocate)(ptr::null_mut()) }.cast::<u8>();
        (!pointer.is_null()).then_some(pointer)
    }

    /// Frees a storage.
    ///
    /// # Safety
    /// Nothing uses it any more.
    pub(super) unsafe fn unmake(&self, pointer: *mut u8) {
        // SAFETY: promised by the caller; the C library made it and its memory.
        unsafe {
            self.free_specific(pointer);
            (self.deallocate)(pointer.cast(), true);
        }
    }
}

/// True if the destructor of a thread-local comes to the running storage, and is called by it.
fn sees_registrations() -> bool {
    use std::cell::Cell;

    struct Probe;
    impl Drop for Probe {
        fn drop(&mut self) {
            DROPPED.set(true);
        }
    }
    thread_local! {
        static DROPPED: Cell<bool> = const { Cell::new(false) };
        static PROBE: Probe = const { Probe };
    }
    PROBE.with(|_| ());
    let seen = destructors::have_destructors();
    destructors::run();
    seen && DROPPED.get()
}

pub(super) fn offset(pointer: *mut u8, address: *const u8) -> isize {
    address.addr().wrapping_sub(pointer.addr()).cast_signed()
}

fn file(pointer: *mut u8) -> Option<Range<isize>> {
    let file = segment_of(word().addr())?;
    let start = offset(pointer, file.start);
    Some(start..start + file.bytes.cast_signed())
}

pub(super) fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// What the C library tells debuggers of a field of a description: bits, elements, bytes from the start.
fn field(name: &CStr) -> Option<[u32; 3]> {
    // SAFETY: the C library's constants of these names are so.
    Some(unsafe { symbol(name)?.cast::<[u32; 3]>().read() })
}

/// Where a description has the system's number of the thread.
fn id_in_description() -> Option<isize> {
    let [bits, elements, offset] = field(c"_thread_db_pthread_tid")?;
    (bits == 32 && elements == 1).then_some(offset as isize)
}

/// Where the lists of values of `pthread_setspecific` are, and how many.
fn specific(description: isize) -> Option<(isize, usize)> {
    let [bits, elements, offset] = field(c"_thread_db_pthread_specific")?;
    // Some say 32 elements of a word, some say one of 32 words.
    let lists = (bits as usize * elements as usize) / 64;
    let is_known = (2..=64).contains(&lists) && offset < 4096;
    is_known.then_some((description + offset as isize, lists))
}

/// Where the system was told that the list is. One that knows nothing of such lists cannot say: then where there is an
/// empty one.
fn robust_list(pointer: *mut u8, description: isize) -> Option<isize> {
    let (mut head, mut bytes) = (ptr::null_mut::<u8>(), 0usize);
    // SAFETY: asks about the calling thread; the system writes two words.
    let status =
        unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut bytes) };
    if status == 0 {
        return (!head.is_null() && head.addr() % 8 == 0).then(|| offset(pointer, head));
    }
    (description + 8..description + 2048)
        .step_by(8)
        .find(|place| {
            // SAFETY: a description has more than two kilobytes.
            let [before, head, lock] = unsafe { at::<[usize; 3]>(pointer, place - 8).read() };
            let itself = pointer.addr().wrapping_add_signed(*place);
            // A lock is some words before its link in the list.
            before == itself && head == itself && (-64..0).contains(&lock.cast_signed())
        })
}

fn rseq() -> Option<isize> {
    let offset = symbol(c"__rseq_offset")?.cast::<isize>();
    // SAFETY: the C library's constant of this name.
    Some(unsafe { offset.read() })
}

/// The words that the ABI or the compiler wants at the thread pointer itself.
#[cfg(target_arch = "x86_64")]
const SELF: [isize; 2] = [0x00, 0x10];
/// The values that stack protectors and `setjmp` compare with.
#[cfg(target_arch = "x86_64")]
const GUARDS: [isize; 2] = [0x28, 0x30];
#[cfg(target_arch = "aarch64")]
const SELF: [isize; 0] = [];
#[cfg(target_arch = "aarch64")]
const GUARDS: [isize; 0] = [];

/// # Safety
/// `pointer` is a thread pointer.
unsafe fn head_is_self(pointer: *mut u8) -> bool {
    // SAFETY: every thread pointer has these words.
    SELF.iter()
        .all(|place| unsafe { at::<*mut u8>(pointer, *place).read() } == pointer)
}

/// # Safety
/// As for [`Layout::fill`].
unsafe fn fill_head(pointer: *mut u8, host: *mut u8) {
    // SAFETY: every thread pointer has these words.
    unsafe {
        for place in SELF {
            at::<*mut u8>(pointer, place).write(pointer);
        }
        for place in GUARDS {
            at::<usize>(pointer, place).write(at::<usize>(host, place).read());
        }
    }
}
