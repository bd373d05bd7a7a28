//! Which calls are green here and now.

use std::sync::atomic::{AtomicU8, Ordering};

use green::layer;

use crate::Flags;

/// One of the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    Os = 1,
    Select = 2,
    Socket = 4,
    Thread = 8,
    Time = 16,
}

/// Set once any call of any greenthread may be green.
const ARMED: u8 = 128;

/// The parts that are patched, and `ARMED`.
static ON: AtomicU8 = AtomicU8::new(0);

/// The parts that `patched` greens: threads only if each greenthread has thread-locals of its own.
static SCOPED: AtomicU8 = AtomicU8::new(!ARMED & !(Part::Thread as u8));

/// What a greenthread's mark says. Zero is: as the program is patched.
const ORIGINAL: u8 = 1;
const PATCHED: u8 = 2;

/// True if calls of this part are to wait on the hub: they are patched, and the caller is a greenthread that can wait.
#[inline]
pub(crate) fn is_green(part: Part) -> bool {
    parts() & part as u8 != 0
}

/// The parts whose calls are to wait on the hub here and now, as bits.
#[inline]
pub(crate) fn parts() -> u8 {
    let on = ON.load(Ordering::Relaxed);
    if on == 0 {
        return 0;
    }
    match layer::mark() {
        Some(0) => on & !ARMED,
        Some(PATCHED) => SCOPED.load(Ordering::Relaxed),
        _ => 0,
    }
}

/// True if any call may be green: then it is noted which descriptors are closed, whoever closes them.
#[inline]
pub(crate) fn is_armed() -> bool {
    ON.load(Ordering::Relaxed) != 0
}

pub(crate) fn arm() {
    ON.fetch_or(ARMED, Ordering::SeqCst);
}

pub(crate) fn turn_on(flags: Flags) {
    ON.fetch_or(bits(flags) | ARMED, Ordering::SeqCst);
}

/// From now on what threads wait for each other with may be green.
pub(crate) fn allow_threads() {
    SCOPED.fetch_or(Part::Thread as u8, Ordering::SeqCst);
}

/// True if they may be.
pub(crate) fn threads_are_allowed() -> bool {
    SCOPED.load(Ordering::Relaxed) & Part::Thread as u8 != 0
}

/// True if the program is patched in this part.
pub(crate) fn is_on(part: Part) -> bool {
    ON.load(Ordering::Relaxed) & part as u8 != 0
}

fn bits(flags: Flags) -> u8 {
    let parts = [
        (flags.os, Part::Os),
        (flags.select, Part::Select),
        (flags.socket, Part::Socket),
        (flags.thread, Part::Thread),
        (flags.time, Part::Time),
    ];
    let set = parts.into_iter().filter(|(is_set, _)| *is_set);
    set.fold(0, |bits, (_, part)| bits | part as u8)
}

/// Greens the calls of this greenthread while `f` runs, whether or not the program is patched. The calls of others, and of
/// those that it spawns, are as they were.
///
/// It is what `import_patched` is in eventlet: there a module sees green calls that nobody else does, here a closure
/// does. On a thread that has not used green yet it is as if that had been used before. What threads wait for each other
/// with is green in it only if [`thread_locals`](crate::thread_locals) has been called.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let sleepers: Vec<_> = (0..10)
///     .map(|_| green::spawn(|| green_patch::patched(|| std::thread::sleep(Duration::from_millis(20)))))
///     .collect();
/// green::joinall(&sleepers);
/// assert!(start.elapsed() < Duration::from_millis(200));
/// ```
pub fn patched<R>(f: impl FnOnce() -> R) -> R {
    arm();
    marked(PATCHED, f)
}

/// Runs `f` with the calls of this greenthread as libc has them: they block the thread.
pub(crate) fn unpatched<R>(f: impl FnOnce() -> R) -> R {
    marked(ORIGINAL, f)
}

fn marked<R>(mark: u8, f: impl FnOnce() -> R) -> R {
    struct Back(u8);
    impl Drop for Back {
        fn drop(&mut self) {
            layer::set_mark(self.0);
        }
    }
    let _back = Back(layer::set_mark(mark));
    f()
}
