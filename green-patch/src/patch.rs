//! Switching it on.

use std::io;

use crate::active::{self, Part, is_on};
use crate::probe;
use crate::{Flags, PatchError, thread_locals};

/// Has the blocking calls of the whole program wait on the hub, wherever a greenthread makes them: those of std, of every
/// crate, and of C libraries, also of those that are opened later. Threads that do not use green block as ever.
///
/// It is called once, first thing in `main`, and does nothing if it is called again.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// green_patch::monkey_patch()?;
/// let start = Instant::now();
/// let sleepers: Vec<_> = (0..100)
///     .map(|_| green::spawn(|| std::thread::sleep(Duration::from_millis(20))))
///     .collect();
/// green::joinall(&sleepers);
/// assert!(start.elapsed() < Duration::from_secs(1));
/// # Ok::<(), green_patch::PatchError>(())
/// ```
///
/// # Errors
/// If it cannot be done in this program: the error says why and what to do. Nothing is patched then.
pub fn monkey_patch() -> Result<(), PatchError> {
    monkey_patch_with(Flags::ALL)
}

/// As [`monkey_patch`], for some of the calls. Further calls of it patch more: what is patched stays so.
///
/// ```
/// use green_patch::{Flags, is_monkey_patched, monkey_patch_with};
///
/// monkey_patch_with(Flags { time: true, ..Flags::NONE })?;
/// assert!(is_monkey_patched("time") && !is_monkey_patched("socket"));
/// monkey_patch_with(Flags { socket: true, select: true, ..Flags::NONE })?;
/// assert!(is_monkey_patched("time") && is_monkey_patched("socket"));
/// # Ok::<(), green_patch::PatchError>(())
/// ```
///
/// # Errors
/// As [`monkey_patch`]; and of kind `InvalidInput` if no flag is set.
pub fn monkey_patch_with(flags: Flags) -> Result<(), PatchError> {
    if flags == Flags::NONE {
        return Err(PatchError::new(
            io::ErrorKind::InvalidInput,
            "no flag is set: name what is to be patched, or call monkey_patch()",
        ));
    }
    probe::check()?;
    if flags.thread {
        // What threads wait for is found by thread-locals of std: without their own, two would be taken for one.
        thread_locals().map_err(|error| {
            error.and("patch the rest: monkey_patch_with(Flags { thread: false, ..Flags::ALL })")
        })?;
    }
    active::turn_on(flags);
    Ok(())
}

/// True if the program is patched in what `name` means: a flag ("socket") or a function of libc ("recv"). A name that is
/// neither is not patched.
///
/// ```
/// green_patch::monkey_patch()?;
/// assert!(green_patch::is_monkey_patched("socket") && green_patch::is_monkey_patched("recv"));
/// assert!(!green_patch::is_monkey_patched("malloc"));
/// # Ok::<(), green_patch::PatchError>(())
/// ```
pub fn is_monkey_patched(name: &str) -> bool {
    match name {
        "os" => is_on(Part::Os),
        "select" => is_on(Part::Select),
        "socket" => is_on(Part::Socket),
        "thread" => is_on(Part::Thread),
        "time" => is_on(Part::Time),
        _ => crate::hooks::hooks()
            .iter()
            .find(|hook| hook.name() == name)
            .is_some_and(|hook| match hook.part {
                Some(part) => is_on(part),
                None => active::is_armed(),
            }),
    }
}
