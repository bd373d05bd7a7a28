//! Storages that are used again: to make one anew costs three times what it costs to begin it afresh.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::mem::{self, ManuallyDrop};
use std::ptr;

use super::layout::{Layout, symbol};
use super::storage::{at, free};

/// Those of a thread that no greenlet has.
pub(crate) struct Spare {
    pointers: ManuallyDrop<RefCell<Vec<*mut u8>>>,
    closed: Cell<bool>,
}

/// The most that are kept.
const KEEP: usize = 1024;

impl Spare {
    pub(crate) const fn new() -> Spare {
        Spare {
            pointers: ManuallyDrop::new(RefCell::new(Vec::new())),
            closed: Cell::new(false),
        }
    }

    #[inline]
    pub(super) fn take(&self) -> Option<*mut u8> {
        self.pointers.borrow_mut().pop()
    }

    /// False if there are enough, or the thread ends.
    #[inline]
    pub(super) fn keep(&self, pointer: *mut u8) -> bool {
        let mut spare = self.pointers.borrow_mut();
        let keeps = spare.len() < KEEP && !self.closed.get();
        if keeps {
            spare.push(pointer);
        }
        keeps
    }

    /// All, when the thread ends.
    pub(super) fn take_all(&self) -> Vec<*mut u8> {
        self.closed.set(true);
        self.pointers.take()
    }
}

type Init = unsafe extern "C" fn(*mut c_void, bool) -> *mut c_void;

/// How a storage begins afresh.
pub(super) struct Reuse {
    init: Init,
    /// The C library's description of a thread, from the thread pointer.
    description: isize,
    bytes: usize,
}

/// Where the thread pointer leads to the table of the modules' thread-locals. Before its first entry stands how many there
/// are; the first is no module's. An entry is an address, and what is to be freed.
#[cfg(target_arch = "x86_64")]
const TABLE: isize = 8;
#[cfg(target_arch = "aarch64")]
const TABLE: isize = 0;

type Entry = [usize; 2];

/// More modules than any program has.
const MANY: usize = 1 << 16;

/// # Safety
/// `pointer` is a thread pointer.
unsafe fn table(pointer: *mut u8) -> (*mut Entry, usize) {
    // SAFETY: promised by the caller.
    unsafe {
        let table = at::<*mut Entry>(pointer, TABLE).read();
        (table, (*table.sub(1))[0])
    }
}

impl Reuse {
    /// `None` if this C library's tables are not those that are known. `fresh` is a storage that was just made.
    ///
    /// # Safety
    /// As it says.
    pub(super) unsafe fn find(fresh: *mut u8, description: isize) -> Option<Reuse> {
        let init = symbol(c"_dl_allocate_tls_init")?;
        // SAFETY: the C library's function and constant, which are of these types where the table is as below.
        let (init, bytes) = unsafe {
            (
                mem::transmute::<*mut c_void, Init>(init),
                symbol(c"_thread_db_sizeof_pthread")?.cast::<u32>().read() as usize,
            )
        };
        // SAFETY: promised by the caller.
        let (table, entries) = unsafe { table(fresh) };
        let is_known = (1..MANY).contains(&entries)
            && (512..8192).contains(&bytes)
            && (1..=entries).all(|entry| {
                // SAFETY: so many are there.
                let [address, to_free] = unsafe { table.add(entry).read() };
                let is_near = address.abs_diff(fresh.addr()) < 1 << 20;
                to_free == 0 && (address == 0 || address == usize::MAX || is_near)
            });
        is_known.then_some(Reuse {
            init,
            description,
            bytes,
        })
    }

    /// Makes of a used storage what the C library gives for a new thread.
    ///
    /// # Safety
    /// Nothing uses the storage any more.
    pub(super) unsafe fn begin_afresh(&self, layout: &Layout, pointer: *mut u8) {
        // SAFETY: promised by the caller. What libraries that were opened later have allocated is freed as the C library
        // itself does it for the stack of a thread that it uses again.
        unsafe {
            layout.free_specific(pointer);
            let (table, entries) = table(pointer);
            for entry in 1..=entries {
                free((*table.add(entry))[1] as *mut c_void);
            }
            ptr::write_bytes(table, 0, entries + 1);
            let description = at::<u8>(pointer, self.description);
            // In halves: the C library writes what is longer than two kilobytes by an instruction that takes twice the time.
            let (first, last) = (self.bytes / 2, self.bytes - self.bytes / 2);
            ptr::write_bytes(description, 0, first);
            ptr::write_bytes(description.add(first), 0, last);
            at::<*mut Entry>(pointer, TABLE).write(table);
            (self.init)(pointer.cast(), true);
        }
    }
}
