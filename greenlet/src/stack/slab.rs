//! Slabs: many equal stacks in one mapping.
//!
//! ```text
//!     base                                                          base + count * stride
//!     | guard | stack 0          top | guard | stack 1          top | ...
//! ```
//!
//! A stack grows down towards its guard, which costs address space and its entries in the page table. The tops differ in
//! their offset within the page, so that the hot ends of many stacks do not compete for the same cache sets. From one
//! stack to the next it is an odd number of pages, so that their pages do not compete for the same sets of the TLB.

use std::io;
use std::ptr::NonNull;

use super::memory;
use super::size::page;

/// Offsets of the tops: `(i % COLOURS) * COLOUR` bytes. Eight are enough to spread a thousand stacks over the caches; with
/// more, the frames of some parked greenlets would reach into a second page.
const COLOURS: usize = 8;
const COLOUR: usize = 128;

/// Rust code touches every page of a large frame in turn. C code may not, unless it was compiled so: a frame of up to this
/// size, minus what it leaves untouched at its low end, cannot step over the guard.
const GUARD: usize = 64 * 1024;

/// The bytes of the guard below a stack of `size` bytes, which are whole pages.
pub(crate) fn guard(size: usize) -> usize {
    let least = GUARD.max(page());
    let is_even = ((size + least) / page()).is_multiple_of(2);
    least + if is_even { page() } else { 0 }
}

#[derive(Debug)]
pub(crate) struct Slab {
    base: NonNull<u8>,
    /// Bytes of a stack, without its guard.
    size: usize,
    pub(crate) count: usize,
    /// The stacks below this one have their guards.
    pub(crate) carved: usize,
    /// Stacks that have a guard and no memory.
    pub(crate) clean: usize,
    /// Stacks in use; counted only once the thread has ended.
    pub(crate) used: usize,
}

impl Slab {
    /// Maps a slab of `count` stacks, or of fewer if there is no room for so many.
    pub(crate) fn map(size: usize, count: usize) -> io::Result<Slab> {
        let mut count = count.max(1);
        loop {
            match memory::map((size + guard(size)).saturating_mul(count)) {
                Ok(base) => {
                    return Ok(Slab {
                        base,
                        size,
                        count,
                        carved: 0,
                        clean: 0,
                        used: 0,
                    });
                }
                Err(_) if count > 1 => count /= 2,
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("cannot map a stack of {size} bytes: {error}"),
                    ));
                }
            }
        }
    }

    /// # Safety
    /// None of its stacks is used any more.
    pub(crate) unsafe fn unmap(self) {
        // SAFETY: the mapping of this slab.
        unsafe { memory::unmap(self.base, self.bytes()) };
    }

    fn stride(&self) -> usize {
        self.size + guard(self.size)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.stride() * self.count
    }

    pub(crate) fn contains(&self, low: NonNull<u8>) -> bool {
        let base = self.base.addr().get();
        (base..base + self.bytes()).contains(&low.addr().get())
    }

    /// True if `top` is that of one of its stacks.
    pub(crate) fn has_top(&self, top: NonNull<u8>) -> bool {
        // The top of the last one may be the end of the slab.
        let base = self.base.addr().get();
        (base + 1..=base + self.bytes()).contains(&top.addr().get())
    }

    /// The low end of stack `i`; its guard is below.
    fn low(&self, i: usize) -> NonNull<u8> {
        // SAFETY: within the mapping.
        unsafe { self.base.add((i + 1) * self.stride() - self.size) }
    }

    /// The top of a stack, by its low end: aligned to 64.
    pub(crate) fn top(&self, low: NonNull<u8>) -> NonNull<u8> {
        let i = (low.addr().get() - self.base.addr().get()) / self.stride();
        // SAFETY: within the stack.
        unsafe { low.add(self.size - (i % COLOURS) * COLOUR) }
    }

    /// The low ends of all stacks that have their guards.
    pub(crate) fn carved(&self) -> impl Iterator<Item = NonNull<u8>> {
        (0..self.carved).map(|i| self.low(i))
    }

    /// Guards up to `most` further stacks and appends their low ends, so that the lowest is popped first.
    pub(crate) fn carve(&mut self, most: usize, lows: &mut Vec<NonNull<u8>>) -> io::Result<()> {
        let from = self.carved;
        let to = self.count.min(from + most);
        let guard = guard(self.size);
        // SAFETY: what is below each stack is within the mapping.
        let guards: Vec<_> = (from..to)
            .map(|i| unsafe { (self.low(i).sub(guard), guard) })
            .collect();
        // SAFETY: ranges of our own mapping that nothing is in.
        let done = unsafe { memory::guard(&guards) }.map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot guard a stack (vm.max_map_count may be reached): {error}"),
            )
        })?;
        self.carved = from + done;
        self.clean += done;
        lows.extend((from..from + done).rev().map(|i| self.low(i)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_an_odd_number_of_pages_apart() {
        for pages in 4..80 {
            let size = pages * page();
            assert!(guard(size) >= GUARD);
            assert_eq!((size + guard(size)) / page() % 2, 1, "{pages} pages");
        }
    }
}
