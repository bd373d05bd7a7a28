//! What all threads know of a number: how often it was closed, and how often its mode was changed.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

const IN_CHUNK: usize = 1024;
const CHUNKS: usize = 1024;

/// One number. A word that changes by `CLOSED` when it is closed, and by one when its mode is changed.
#[derive(Default)]
pub(super) struct Slot {
    stamp: AtomicU64,
    /// True if this program has made it and nobody else has the open file: no duplicate, no other process.
    sole: AtomicBool,
    /// A name of the one thread that has accepted from it; `MANY` if several have.
    accepts: AtomicU32,
}

const CLOSED: u64 = 1 << 32;

/// Several threads accept from it.
const MANY: u32 = u32::MAX;

type Chunk = [Slot; IN_CHUNK];

static ALL: [AtomicPtr<Chunk>; CHUNKS] = [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];

/// Counts changes of a mode that may concern any number: `O_NONBLOCK` and timeouts belong to the open file, which several
/// numbers may have.
static MODES: AtomicU32 = AtomicU32::new(0);

/// What a number is at one time: the same again says that it is the same open file, in the same mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    number: u64,
    modes: u32,
}

impl Stamp {
    /// True if the number has not been closed in between.
    pub(crate) fn is_same_file(self, other: Stamp) -> bool {
        self.number / CLOSED == other.number / CLOSED
    }
}

/// What the number is now.
#[inline]
pub(crate) fn stamp(fd: c_int) -> Stamp {
    Stamp {
        number: slot(fd).map_or(0, |slot| slot.stamp.load(Ordering::Acquire)),
        modes: MODES.load(Ordering::Acquire),
    }
}

/// The number if it was ever remembered.
#[inline]
fn slot(fd: c_int) -> Option<&'static Slot> {
    let at = usize::try_from(fd).ok()?;
    let chunk = ALL.get(at / IN_CHUNK)?.load(Ordering::Acquire);
    // SAFETY: a chunk is never freed.
    let chunk = unsafe { chunk.as_ref() }?;
    Some(&chunk[at % IN_CHUNK])
}

/// The number, which is to be remembered. `None` for one that is too high for that.
fn made(fd: c_int) -> Option<&'static Slot> {
    if let Some(slot) = slot(fd) {
        return Some(slot);
    }
    let place = ALL.get(usize::try_from(fd).ok()? / IN_CHUNK)?;
    let fresh = Box::into_raw(Box::new(std::array::from_fn(|_| Slot::default())));
    let first = place.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire);
    if first.is_err() {
        // SAFETY: another thread was faster, and nobody has seen this one.
        drop(unsafe { Box::from_raw(fresh) });
    }
    slot(fd)
}

/// False if it cannot be: its number is too high.
pub(super) fn remember(fd: c_int) -> bool {
    made(fd).is_some()
}

/// The number is being closed, or given to another open file.
pub(crate) fn closed(fd: c_int) {
    if let Some(slot) = slot(fd) {
        slot.sole.store(false, Ordering::Relaxed);
        slot.accepts.store(0, Ordering::Relaxed);
        slot.stamp.fetch_add(CLOSED, Ordering::AcqRel);
    }
}

/// The system has just given out this number, for an open file that nobody else has: whatever is remembered of it is of
/// one that was closed unseen.
pub(super) fn born(fd: c_int) {
    if let Some(slot) = made(fd) {
        slot.accepts.store(0, Ordering::Relaxed);
        slot.stamp.fetch_add(CLOSED, Ordering::AcqRel);
        slot.sole.store(true, Ordering::Release);
    }
}

/// The open file of the number has become another's too.
pub(crate) fn shared(fd: c_int) {
    if let Some(slot) = slot(fd) {
        slot.sole.store(false, Ordering::Release);
    }
}

/// The mode of the open file of this number is another one, or may be.
pub(crate) fn mode_changed(fd: c_int) {
    match slot(fd) {
        Some(slot) if slot.sole.load(Ordering::Acquire) => {
            slot.stamp.fetch_add(1, Ordering::AcqRel);
        }
        _ => {
            MODES.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// True if others may accept from this listener between a look and a call: another thread, or another process.
pub(crate) fn is_contended(fd: c_int, thread: u32) -> bool {
    let Some(slot) = slot(fd) else {
        return true;
    };
    let first = slot
        .accepts
        .compare_exchange(0, thread, Ordering::AcqRel, Ordering::Acquire);
    if first.is_err_and(|first| first != thread) {
        slot.accepts.store(MANY, Ordering::Release);
        return true;
    }
    !slot.sole.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_closed_is_another_file() {
        // In a chunk that no other test has.
        const FD: c_int = 900_000;
        let never = stamp(FD);
        closed(FD);
        assert_eq!(stamp(FD).number, never.number, "nobody remembers it");
        assert!(remember(FD));
        let first = stamp(FD);
        closed(FD);
        assert!(!stamp(FD).is_same_file(first));
        assert!(!remember(2_000_000) && !remember(-1));
    }

    #[test]
    fn a_change_of_mode_concerns_its_number_if_the_file_is_its_own() {
        const FD: c_int = 1_000_001;
        const OTHER: c_int = 1_000_002;
        born(FD);
        born(OTHER);
        let (before, other) = (stamp(FD), stamp(OTHER));
        mode_changed(FD);
        assert!(stamp(FD) != before && stamp(FD).is_same_file(before));
        assert_eq!(stamp(OTHER).number, other.number);
        shared(FD);
        let other = stamp(OTHER);
        mode_changed(FD);
        assert!(stamp(OTHER) != other && stamp(OTHER).is_same_file(other));
    }

    #[test]
    fn a_listener_is_contended_once_two_threads_have_accepted_from_it() {
        const FD: c_int = 1_000_003;
        assert!(is_contended(FD, 1), "of unknown origin");
        born(FD);
        assert!(!is_contended(FD, 1) && !is_contended(FD, 1));
        assert!(is_contended(FD, 2) && is_contended(FD, 1));
        born(FD);
        assert!(!is_contended(FD, 2));
        shared(FD);
        assert!(is_contended(FD, 2));
    }
}
