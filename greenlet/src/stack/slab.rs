//! Slabs: many equal stacks in one mapping.
//!
//! ```text
//!     base                                                          base + count * stride
//!     | guard | stack 0          top | guard | stack 1          top | ...
//! ```
//!
//! A stack grows down towards its guard. The tops differ in their offset within the page, so that the hot ends of many
//! stacks do not compete for the same cache sets.

use std::cell::Cell;
use std::io;
use std::ptr::{self, NonNull};

use super::guard;
use super::size::page;
use crate::block::{Block, Ptr, State};

/// Offsets of the tops: `(i % COLOURS) * COLOUR` bytes. Half a page stays for the frames of a greenlet that is parked.
const COLOURS: usize = 16;
const COLOUR: usize = 128;

pub(crate) struct Slab {
    base: NonNull<u8>,
    /// Bytes of a stack without its guard.
    pub(crate) size: usize,
    stride: usize,
    pub(crate) count: usize,
    /// The stacks below this one have their guards.
    pub(crate) carved: Cell<usize>,
    /// Stacks that belong to a greenlet.
    pub(crate) used: Cell<usize>,
    /// The size class in the pool.
    pub(crate) class: usize,
    /// A greenlet in it has refused to end: what is on its stack may be in use, so the memory is never given back.
    pub(crate) leaked: Cell<bool>,
}

/// A stack, by the coloured top of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    top: NonNull<u8>,
    slab: NonNull<Slab>,
}

impl Slab {
    /// Maps a slab of `count` stacks, or of fewer if there is no room for so many.
    pub(crate) fn map(size: usize, count: usize, class: usize) -> io::Result<NonNull<Slab>> {
        let stride = size + page();
        let mut count = count.max(1);
        let base = loop {
            match map(stride.saturating_mul(count)) {
                Ok(base) => break base,
                Err(error) if count == 1 => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("cannot map a greenlet's stack of {size} bytes: {error}"),
                    ));
                }
                Err(_) => count /= 2,
            }
        };
        Ok(NonNull::from(Box::leak(Box::new(Slab {
            base,
            size,
            stride,
            count,
            carved: Cell::new(0),
            used: Cell::new(0),
            class,
            leaked: Cell::new(false),
        }))))
    }

    /// Unmaps the slab and all its stacks.
    ///
    /// # Safety
    /// None of its stacks is used any more, and `slab` neither.
    pub(crate) unsafe fn unmap(slab: NonNull<Slab>) {
        // SAFETY: made by `map`, by `Box::leak`, and not used again.
        unsafe {
            let slab = Box::from_raw(slab.as_ptr());
            libc::munmap(slab.base.as_ptr().cast(), slab.bytes());
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.stride * self.count
    }

    /// The low end of stack `i`; its guard is the page below.
    fn low(&self, i: usize) -> *mut u8 {
        // SAFETY: within the mapping.
        unsafe { self.base.as_ptr().add(i * self.stride + page()) }
    }

    fn top(&self, i: usize) -> NonNull<u8> {
        // SAFETY: within the mapping, and not null.
        unsafe { NonNull::new_unchecked(self.low(i).add(self.size - (i % COLOURS) * COLOUR)) }
    }

    /// Guards up to `most` further stacks and appends them to `stacks`, so that the lowest is popped first.
    pub(crate) fn carve(&self, most: usize, stacks: &mut Vec<Stack>) -> io::Result<()> {
        let from = self.carved.get();
        let wanted = most.min(self.count - from);
        let guards = (from..from + wanted).map(|i| self.low(i).wrapping_sub(page()));
        let done = guard::install(guards)?;
        self.carved.set(from + done);
        let slab = NonNull::from(self);
        stacks.extend((from..from + done).rev().map(|i| Stack {
            top: self.top(i),
            slab,
        }));
        Ok(())
    }

    /// The greenlets whose stacks are in this slab, dead or alive.
    pub(crate) fn blocks(&self, blocks: &mut Vec<Ptr>) {
        let mut left = self.used.get();
        for i in 0..self.carved.get() {
            if left == 0 {
                return;
            }
            // SAFETY: the top of a carved stack holds a control block, or zeros, which say `Free`.
            unsafe {
                let block = self.top(i).cast::<Block>().sub(1);
                if (*block.as_ptr()).state.get() != State::Free {
                    blocks.push(Ptr::new(block));
                    left -= 1;
                }
            }
        }
    }
}

fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    #[cfg(target_os = "linux")]
    let flags = libc::MAP_NORESERVE | libc::MAP_STACK;
    #[cfg(not(target_os = "linux"))]
    let flags = 0;
    // SAFETY: a new mapping, wherever the system likes.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON | flags,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    #[cfg(target_os = "linux")]
    // SAFETY: our own mapping. Where it fails there are no huge pages to keep away.
    unsafe {
        libc::madvise(address, bytes, libc::MADV_NOHUGEPAGE);
    }
    NonNull::new(address.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
}

/// A stack that is in no pool.
#[cold]
pub(crate) fn alone(size: usize) -> io::Result<Stack> {
    let slab = Slab::map(size, 1, 0)?;
    let mut stacks = Vec::new();
    // SAFETY: just made.
    unsafe {
        if let Err(error) = slab.as_ref().carve(1, &mut stacks) {
            Slab::unmap(slab);
            return Err(error);
        }
        slab.as_ref().used.set(1);
    }
    Ok(stacks[0])
}

impl Stack {
    #[inline(always)]
    pub(crate) fn top(self) -> NonNull<u8> {
        self.top
    }

    #[inline(always)]
    pub(crate) fn slab(&self) -> &Slab {
        // SAFETY: a slab lives as long as any of its stacks is used or free in the pool.
        unsafe { self.slab.as_ref() }
    }

    pub(crate) fn size(self) -> usize {
        self.slab().size
    }

    /// The lowest address of the stack; its guard is the page below.
    pub(crate) fn low(self) -> *mut u8 {
        let slab = self.slab();
        let i = (self.top.addr().get() - 1 - slab.base.addr().get()) / slab.stride;
        slab.low(i)
    }

    /// Gives the pages of the stack back to the system; it stays guarded.
    pub(crate) fn range(self) -> (*mut u8, usize) {
        (self.low(), self.size())
    }

    /// The bytes from the lowest page that is in memory to the top.
    pub(crate) fn high_water(self) -> usize {
        let (low, size) = self.range();
        let mut resident = vec![0; size / page()];
        // SAFETY: a range of our own mapping, and a byte for each page.
        if unsafe { libc::mincore(low.cast(), size, resident.as_mut_ptr()) } != 0 {
            return size;
        }
        let untouched = resident.iter().take_while(|&&page| page & 1 == 0).count();
        size - untouched * page()
    }

    /// Gives up a stack that no pool looks after any more.
    ///
    /// # Safety
    /// It is not used again.
    pub(crate) unsafe fn discard(self) {
        let used = self.slab().used.get() - 1;
        self.slab().used.set(used);
        if used == 0 && !self.slab().leaked.get() {
            // SAFETY: this was the last stack of the slab in use.
            unsafe { Slab::unmap(self.slab) };
        }
    }
}
