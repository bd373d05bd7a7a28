//! Stacks of one size.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io;
use std::ptr::NonNull;

use super::memory;
use super::pool::StackStats;
use super::size::page;
use super::slab::{Slab, guard};

/// The first slab is about this large; each further one doubles what there is.
const FIRST_SLAB: usize = 4 * 1024 * 1024;

/// Stacks that get their guards, or whose memory is given back, at a time: whoever is due waits for no more than that.
const BATCH: usize = 512;

/// With so many stacks in use, the first pages of the next `BATCH` get their memory at a time: that is half the price.
const MANY: usize = 4096;

/// Used stacks that are kept for the next greenlet in any case. Beyond that, more than there are greenlets alive are a
/// surplus.
const KEEP: usize = 1024;

/// The stacks of one size, of one thread.
///
/// A free stack is *dirty* if a greenlet has used it: its top is likely to be in the cache, so the one that was used last
/// is taken first. If there are more dirty ones than greenlets alive, and more than `KEEP`, the memory of those that have
/// been free for longest is given back, a batch at a time, and they are *clean*. Once all stacks of a slab are clean, and
/// no more than the kept ones would be missed, the slab is unmapped.
pub(crate) struct Class {
    pub(crate) size: usize,
    /// The dirty stacks, the one that was used last at the end. Beside them and not on them, so that those that have gone
    /// cold are given back without a look at them.
    dirty: RefCell<Vec<Dirty>>,
    /// The pool is closed: a stack that is given back goes at once.
    closed: Cell<bool>,
    /// The count at which to see whether there is a surplus.
    look: Cell<usize>,
    store: RefCell<Store>,
}

struct Store {
    slabs: Vec<Slab>,
    /// Low ends of stacks that have a guard and no memory.
    clean: Vec<NonNull<u8>>,
    /// So many of them, at the end, have memory for their first page after all.
    warm: usize,
}

/// A free stack that has been used.
#[derive(Debug, Clone, Copy)]
struct Dirty {
    top: NonNull<u8>,
    low: NonNull<u8>,
}

/// A stack: its low end, and the class that it goes back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    pub(crate) low: NonNull<u8>,
    class: NonNull<Class>,
}

impl Stack {
    #[inline]
    fn class(&self) -> &Class {
        // SAFETY: a class lives as long as any of its stacks.
        unsafe { self.class.as_ref() }
    }

    pub(crate) fn size(self) -> usize {
        self.class().size
    }

    pub(crate) fn high_water(self) -> usize {
        memory::high_water(self.low, self.size())
    }

    /// Gives the memory of the pages below `sp` back to the system.
    ///
    /// # Safety
    /// `sp` is an address in the stack, and nothing below it is used before it is written again.
    pub(crate) unsafe fn trim(self, sp: NonNull<u8>) {
        let unused = sp.addr().get().saturating_sub(self.low.addr().get());
        let unused = unused / page() * page();
        if unused > 0 {
            // SAFETY: whole pages of our own mapping, from its low end to that of the page that `sp` is in.
            unsafe { memory::give_back(&[(self.low, unused)]) };
        }
    }

    /// True if `address` is in the guard below the stack.
    pub(crate) fn is_guard(self, address: usize) -> bool {
        let low = self.low.addr().get();
        (low - guard(self.size())..low).contains(&address)
    }

    /// Gives the stack back.
    ///
    /// # Safety
    /// Nothing on it is used again; `top` is what it was acquired with.
    #[inline]
    pub(crate) unsafe fn release(self, top: NonNull<u8>) {
        let class = self.class();
        if class.closed.get() {
            // SAFETY: passed on.
            return unsafe { self.discard() };
        }
        let mut dirty = class.dirty.borrow_mut();
        dirty.push(Dirty { top, low: self.low });
        if dirty.len() > class.look.get() {
            class.shrink(&mut dirty);
        }
    }

    /// Gives up a stack of a class that is closed.
    ///
    /// # Safety
    /// Nothing on it is used again.
    #[cold]
    #[inline(never)]
    unsafe fn discard(self) {
        let class = self.class();
        let mut store = class.store.borrow_mut();
        let slabs = &mut store.slabs;
        if let Some(i) = slabs.iter().position(|slab| slab.contains(self.low)) {
            slabs[i].used -= 1;
            if slabs[i].used == 0 {
                // SAFETY: the last stack of the slab that was used.
                unsafe { slabs.swap_remove(i).unmap() };
            }
        }
        let over = slabs.is_empty();
        drop(store);
        if over {
            // SAFETY: made by `Class::new`, and no stack is left to name it.
            drop(unsafe { Box::from_raw(self.class.as_ptr()) });
        }
    }
}

impl Store {
    /// Stacks that have a guard: the used, the dirty and the clean.
    fn carved(&self) -> usize {
        self.slabs.iter().map(|slab| slab.carved).sum()
    }

    /// The slab of a stack.
    fn slab(&mut self, low: NonNull<u8>) -> &mut Slab {
        let slab = self.slabs.iter_mut().rev().find(|slab| slab.contains(low));
        slab.expect("a stack is in a slab")
    }

    /// Takes stacks whose memory was given back.
    fn take_clean(&mut self, lows: Vec<NonNull<u8>>) {
        for &low in &lows {
            self.slab(low).clean += 1;
        }
        self.clean.extend(lows);
        self.warm = 0;
    }

    /// Unmaps slabs of clean stacks only, as long as `keep` clean ones stay.
    fn unmap_spare(&mut self, keep: usize) {
        let mut i = 0;
        while let Some(slab) = self.slabs.get(i) {
            let spare = self.clean.len().saturating_sub(keep);
            if slab.clean == slab.carved && slab.carved <= spare {
                self.clean.retain(|&low| !slab.contains(low));
                // SAFETY: all its stacks were free, and they are on no list any more.
                unsafe { self.slabs.remove(i).unmap() };
            } else {
                i += 1;
            }
        }
    }

    /// Gives the next clean stacks the memory of their first page.
    fn warm_up(&mut self, size: usize) {
        let next = &self.clean[self.clean.len().saturating_sub(BATCH)..];
        self.warm = next.len();
        // SAFETY: the last page of each stack.
        let tops: Vec<_> = next
            .iter()
            .map(|low| unsafe { low.add(size - page()) })
            .collect();
        // SAFETY: pages of our own mappings.
        unsafe { memory::populate(&tops) };
    }
}

impl Class {
    /// One that lives until [`Class::close`] and the end of its last stack.
    pub(crate) fn new(size: usize) -> NonNull<Class> {
        NonNull::from(Box::leak(Box::new(Class {
            size,
            dirty: RefCell::new(Vec::new()),
            closed: Cell::new(false),
            look: Cell::new(KEEP),
            store: RefCell::new(Store {
                slabs: Vec::new(),
                clean: Vec::new(),
                warm: 0,
            }),
        })))
    }

    /// The top of a stack, and the stack.
    ///
    /// # Safety
    /// The class is not closed.
    #[inline]
    pub(crate) unsafe fn acquire(class: NonNull<Class>) -> io::Result<(NonNull<u8>, Stack)> {
        // SAFETY: it is not closed, so it lives.
        let this = unsafe { class.as_ref() };
        let Some(Dirty { top, low }) = this.dirty.borrow_mut().pop() else {
            let (top, low) = this.acquire_clean()?;
            return Ok((top, Stack { low, class }));
        };
        Ok((top, Stack { low, class }))
    }

    #[cold]
    #[inline(never)]
    fn acquire_clean(&self) -> io::Result<(NonNull<u8>, NonNull<u8>)> {
        if self.store.borrow().clean.is_empty() {
            self.carve()?;
        }
        let store = &mut *self.store.borrow_mut();
        if store.warm == 0 && store.carved() - store.clean.len() >= MANY {
            store.warm_up(self.size);
        }
        let Some(low) = store.clean.pop() else {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        };
        store.warm = store.warm.saturating_sub(1);
        let slab = store.slab(low);
        slab.clean -= 1;
        Ok((slab.top(low), low))
    }

    /// Makes clean stacks, of the newest slab or of one more.
    fn carve(&self) -> io::Result<()> {
        let (full, have) = {
            let slabs = &self.store.borrow().slabs;
            let full = slabs.last().is_none_or(|slab| slab.carved == slab.count);
            (full, slabs.iter().map(|slab| slab.count).sum::<usize>())
        };
        if full {
            self.grow(have.max(FIRST_SLAB / self.size))?;
        }
        let Store { slabs, clean, warm } = &mut *self.store.borrow_mut();
        *warm = 0;
        let newest = slabs.last_mut().expect("a slab was just made");
        newest.carve(BATCH, clean)
    }

    fn grow(&self, count: usize) -> io::Result<()> {
        let slab = Slab::map(self.size, count)?;
        self.store.borrow_mut().slabs.push(slab);
        Ok(())
    }

    /// Gives the memory of surplus stacks back, of a batch of them.
    #[cold]
    #[inline(never)]
    fn shrink(&self, dirty: &mut Vec<Dirty>) {
        let store = &mut *self.store.borrow_mut();
        let used = store.carved() - store.clean.len() - dirty.len();
        let keep = used.max(KEEP);
        if dirty.len() <= keep {
            self.look.set(dirty.len() + KEEP);
            return;
        }
        // Those that were free last stay.
        let batch = BATCH.min(dirty.len() - keep / 2);
        let mut lows: Vec<_> = dirty.drain(..batch).map(|stack| stack.low).collect();
        lows.sort_unstable_by(|a, b| b.cmp(a));
        let ranges: Vec<_> = lows.iter().map(|&low| (low, self.size)).collect();
        // SAFETY: these stacks are free, and on no list but `lows`.
        unsafe { memory::give_back(&ranges) };
        store.take_clean(lows);
        // Sooner than the next batch is full, so that what is left of the surplus shrinks.
        self.look.set(dirty.len() + BATCH / 4);
        if dirty.len() < dirty.capacity() / 4 {
            dirty.shrink_to(keep);
        }
        store.unmap_spare(keep);
    }

    /// Appends the tops of all stacks that are in use.
    pub(crate) fn in_use(&self, tops: &mut Vec<NonNull<u8>>) {
        let store = self.store.borrow();
        let dirty = self.dirty.borrow();
        let mut free: HashSet<_> = store.clean.iter().copied().collect();
        free.extend(dirty.iter().map(|stack| stack.low));
        for slab in &store.slabs {
            let used = slab.carved().filter(|low| !free.contains(low));
            tops.extend(used.map(|low| slab.top(low)));
        }
    }

    /// Unmaps every slab in which no stack is used; the others go with their last stack.
    ///
    /// # Safety
    /// Made by [`Class::new`]; no stack is acquired from it any more.
    pub(crate) unsafe fn close(class: NonNull<Class>) {
        // SAFETY: it lives until it is closed.
        let this = unsafe { class.as_ref() };
        let mut tops = Vec::new();
        this.in_use(&mut tops);
        this.closed.set(true);
        let mut store = this.store.borrow_mut();
        for mut slab in std::mem::take(&mut store.slabs) {
            slab.used = tops.iter().filter(|&&top| slab.has_top(top)).count();
            if slab.used == 0 {
                // SAFETY: none of its stacks is used.
                unsafe { slab.unmap() };
            } else {
                store.slabs.push(slab);
            }
        }
        let over = store.slabs.is_empty();
        drop(store);
        if over {
            // SAFETY: made by `Class::new`, and no stack is left to name it.
            drop(unsafe { Box::from_raw(class.as_ptr()) });
        }
    }

    /// Adds what this class holds.
    pub(crate) fn count(&self, stats: &mut StackStats) {
        let store = self.store.borrow();
        let free = store.clean.len() + self.dirty.borrow().len();
        for slab in &store.slabs {
            stats.used += slab.carved;
            stats.free += slab.count - slab.carved;
            stats.mapped_bytes += slab.bytes();
        }
        stats.used -= free;
        stats.free += free;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Free stacks, whether their memory was given back and how many slabs there are.
    fn counts(class: &Class) -> (usize, usize, usize) {
        let store = class.store.borrow();
        let clean = store.slabs.iter().map(|slab| slab.clean).sum();
        assert_eq!(store.clean.len(), clean);
        (class.dirty.borrow().len(), clean, store.slabs.len())
    }

    #[test]
    fn a_surplus_is_given_back_a_batch_at_a_time() {
        const STACKS: usize = 20 * KEEP;
        let pointer = Class::new(4 * page());
        // SAFETY: made above, and closed at the end.
        let class = unsafe { pointer.as_ref() };
        // SAFETY: it is not closed before the end.
        let acquire = || unsafe { Class::acquire(pointer) };
        let mut stacks: Vec<_> = (0..STACKS).map(|_| acquire().unwrap()).collect();
        let (.., slabs) = counts(class);
        // Every second one first, so that no slab is free before the end.
        for odd in [1, 0] {
            for i in (odd..STACKS).step_by(2) {
                let (_, before, had) = counts(class);
                let (top, stack) = stacks[i];
                // SAFETY: acquired above, and released once.
                unsafe { stack.release(top) };
                let (_, clean, has) = counts(class);
                assert!(has < had || clean <= before + BATCH, "{before} {clean}");
            }
        }
        let (dirty, clean, left) = counts(class);
        assert!(dirty <= 2 * KEEP, "{dirty} keep their memory");
        assert!(
            left < slabs,
            "{left} of {slabs} slabs are left, with {clean} clean stacks"
        );

        // What is taken again is the same stacks, each once.
        stacks = (0..STACKS).map(|_| acquire().unwrap()).collect();
        let lows: HashSet<_> = stacks.iter().map(|(_, stack)| stack.low).collect();
        assert_eq!(lows.len(), STACKS);
        for (top, stack) in stacks {
            // SAFETY: as above.
            unsafe { stack.release(top) };
        }
        // SAFETY: nothing is acquired from it any more.
        unsafe { Class::close(pointer) };
    }
}
