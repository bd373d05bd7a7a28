//! The free stacks of a thread.

use std::io;
use std::ptr::NonNull;

use super::slab::{Slab, Stack};
use crate::block::{Ptr, State};
use crate::stats::Stats;

/// The first slab of a class is about this large; each further one doubles what there is.
const FIRST_SLAB: usize = 4 * 1024 * 1024;
/// Stacks that are guarded at a time.
const BATCH: usize = 512;

/// One class for each stack size in use.
pub(crate) struct Pool {
    classes: Vec<Class>,
}

struct Class {
    size: usize,
    slabs: Vec<NonNull<Slab>>,
    /// Last in, first out: the one that died last has its top in the cache.
    dirty: Vec<Stack>,
    /// Not touched since they were mapped or given back.
    clean: Vec<Stack>,
    used: usize,
}

impl Pool {
    pub(crate) const fn new() -> Pool {
        Pool {
            classes: Vec::new(),
        }
    }

    /// A stack of `size` bytes.
    #[inline]
    pub(crate) fn acquire(&mut self, size: usize) -> io::Result<Stack> {
        if let Some(class) = self.classes.first_mut() {
            if class.size == size {
                if let Some(stack) = class.dirty.pop() {
                    class.take(stack);
                    return Ok(stack);
                }
            }
        }
        self.acquire_slowly(size)
    }

    #[cold]
    #[inline(never)]
    fn acquire_slowly(&mut self, size: usize) -> io::Result<Stack> {
        let index = match self.classes.iter().position(|class| class.size == size) {
            Some(index) => index,
            None => {
                self.classes.push(Class {
                    size,
                    slabs: Vec::new(),
                    dirty: Vec::new(),
                    clean: Vec::new(),
                    used: 0,
                });
                self.classes.len() - 1
            }
        };
        self.classes[index].acquire(index)
    }

    /// Takes a stack back.
    ///
    /// # Safety
    /// Nothing on it is used again.
    #[inline]
    pub(crate) unsafe fn release(&mut self, stack: Stack) {
        let slab = stack.slab();
        slab.used.set(slab.used.get() - 1);
        let class = &mut self.classes[slab.class];
        class.used -= 1;
        class.dirty.push(stack);
    }

    /// All greenlets that have a stack.
    pub(crate) fn blocks(&self) -> Vec<Ptr> {
        let mut blocks = Vec::new();
        for slab in self.classes.iter().flat_map(|class| &class.slabs) {
            // SAFETY: the slabs of a class live until it gives them up.
            unsafe { slab.as_ref() }.blocks(&mut blocks);
        }
        blocks
    }

    /// Unmaps every slab that no greenlet is in. The others go with the last handle of theirs.
    pub(crate) fn close(self) {
        for slab in self.classes.into_iter().flat_map(|class| class.slabs) {
            // SAFETY: the slabs of a class live until it gives them up, which is now.
            unsafe {
                let mut blocks = Vec::new();
                slab.as_ref().blocks(&mut blocks);
                let alive = blocks
                    .iter()
                    .any(|block| block.state.get() == State::Active);
                slab.as_ref().leaked.set(alive);
                if slab.as_ref().used.get() == 0 {
                    Slab::unmap(slab);
                }
            }
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for class in &self.classes {
            stats.stacks += class.used;
            for slab in &class.slabs {
                // SAFETY: the slabs of a class live until it gives them up.
                let slab = unsafe { slab.as_ref() };
                stats.mapped_bytes += slab.bytes();
                stats.free_stacks += slab.count - slab.used.get();
            }
        }
        stats
    }
}

impl Class {
    #[inline]
    fn take(&mut self, stack: Stack) {
        self.used += 1;
        let slab = stack.slab();
        slab.used.set(slab.used.get() + 1);
    }

    fn acquire(&mut self, index: usize) -> io::Result<Stack> {
        if let Some(stack) = self.dirty.pop() {
            self.take(stack);
            return Ok(stack);
        }
        if self.clean.is_empty() {
            self.carve(index)?;
        }
        match self.clean.pop() {
            Some(stack) => {
                self.take(stack);
                Ok(stack)
            }
            None => Err(io::Error::from(io::ErrorKind::OutOfMemory)),
        }
    }

    /// Makes clean stacks, of the newest slab or of one more.
    fn carve(&mut self, index: usize) -> io::Result<()> {
        // SAFETY: the slabs of a class live until it gives them up.
        let newest = self.slabs.last().map(|slab| unsafe { slab.as_ref() });
        let slab = match newest {
            Some(slab) if slab.carved.get() < slab.count => slab,
            _ => {
                // SAFETY: as above.
                let have: usize = self.slabs.iter().map(|s| unsafe { s.as_ref() }.count).sum();
                let slab = Slab::map(self.size, have.max(FIRST_SLAB / self.size), index)?;
                self.slabs.push(slab);
                // SAFETY: just made.
                let slab = unsafe { slab.as_ref() };
                // No release has to allocate: there is room for every stack that can come back.
                self.dirty.reserve(have + slab.count - self.dirty.len());
                slab
            }
        };
        slab.carve(BATCH, &mut self.clean)
    }
}
