//! Children of this process that go on with its memory.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Termination};

use super::{AfterFork, after_fork};
use crate::process::Child;
use crate::runtime::contain;

/// The code of a process whose `main` has panicked, as std has it.
const PANICKED: i32 = 101;

/// Forks this process, and runs `child` in the child, which ends with what that returns, as with what `main` returns.
///
/// The child has a copy of all memory, and shares the open descriptors: it may accept from a listener of its parent.
/// What becomes of the other greenthreads there `others` says, as in [`after_fork`](crate::hubs::after_fork), which
/// the child need not call. No destructor of what the caller owns runs in the child. A panic in there ends it with
/// code 101.
///
/// A [`Signals`](crate::signal::Signals) that was made before the fork is the child's as well, from its first moment
/// on: by one of them it misses no signal that its parent sends at once.
///
/// What the parent gets is the child as every other: to wait for and to send signals to.
///
/// This is the other way to use all cores, beside [`workers`](crate::workers()): processes do not share a crash. They
/// share nothing else either, and a process that has ever used a second thread, such as one of
/// [`tpool`](crate::tpool), cannot fork.
///
/// # Errors
/// `ResourceBusy` if the process has another thread: nothing that it holds would be given back in the child.
/// `Unsupported` elsewhere than on Linux and Android, where the threads cannot be counted. What the system says
/// otherwise.
///
/// ```no_run
/// use std::io;
/// use green::hubs::AfterFork;
/// use green::server::Lifecycle;
///
/// fn main() -> io::Result<()> {
///     let listener = green::listen("127.0.0.1:8000")?;
///     let mut children = Vec::new();
///     for _ in 0..4 {
///         children.push(green::fork(AfterFork::Discard, || {
///             Lifecycle::new().serve(&listener, 1000, |_stream, _peer| ())?;
///             io::Result::Ok(())
///         })?);
///     }
///     for mut child in children {
///         child.wait()?;
///     }
///     Ok(())
/// }
/// ```
pub fn fork<T: Termination>(others: AfterFork, child: impl FnOnce() -> T) -> io::Result<Child> {
    // What stands in their buffers would be written twice.
    let _ = (io::stdout().flush(), io::stderr().flush());
    let first = || {
        if let Err(error) = after_fork(others) {
            log::error!("the child of a fork cannot go on: {error}");
            std::process::exit(1);
        }
    };
    match greenlet::os::fork(first)? {
        Some(pid) => Ok(Child::forked(pid)),
        None => go_on(child),
    }
}

/// The whole of a child's life.
fn go_on<T: Termination>(child: impl FnOnce() -> T) -> ! {
    let code = match catch_unwind(AssertUnwindSafe(|| child().report())) {
        Ok(code) => number_of(code),
        Err(payload) => {
            // The one of an exit ends the process, with its own code.
            contain("the destructor of a panic's payload", || drop(payload));
            PANICKED
        }
    };
    std::process::exit(code)
}

/// std has no way from the one to the other.
fn number_of(code: ExitCode) -> i32 {
    let number = (0..=u8::MAX).find(|&number| ExitCode::from(number) == code);
    number.map_or(1, i32::from)
}
