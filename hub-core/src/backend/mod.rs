//! What the hubs of this workspace share, for hubs of your own
//!
//! | part | is for |
//! |---|---|
//! | [`FdTable`] | every hub: its descriptors, by number |
//! | [`Registry`] | a hub whose system keeps the set of descriptors, as epoll does |
//! | [`AlwaysReady`] | the descriptors that such a system refuses to watch |
//! | [`wait`], [`retry`] | system calls that a signal or a shortage may end |
//! | [`check`], [`millis`], [`closed`] | results, timeouts and errors as every hub words them |

mod always;
mod registry;
mod table;

use std::io;
use std::thread;
use std::time::Duration;

pub use always::AlwaysReady;
pub use registry::{Change, Registered, Registry};
pub use table::FdTable;

/// How often a call is tried that the system refuses for want of something, a second in all.
const TRIES: u32 = 11;

const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// ENOBUFS, which has no kind of its own.
const ENOBUFS: i32 = match cfg!(any(target_os = "linux", target_os = "android")) {
    true => 105,
    false => 55,
};

/// The result of a system call that says -1 for an error.
///
/// # Errors
/// What `errno` says, if the result is negative.
///
/// ```
/// use hub_core::backend::check;
/// assert_eq!(check(3).unwrap(), 3);
/// assert!(check(-1).is_err());
/// ```
#[inline]
pub fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// A timeout in whole milliseconds, rounded up, for systems that take no others; -1 waits for ever.
///
/// ```
/// use hub_core::backend::millis;
/// use std::time::Duration;
/// assert_eq!(millis(Some(Duration::from_micros(1))), 1);
/// assert_eq!((millis(None), millis(Some(Duration::MAX))), (-1, i32::MAX));
/// ```
pub fn millis(timeout: Option<Duration>) -> i32 {
    timeout.map_or(-1, |timeout| {
        i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    })
}

/// The error of a descriptor that was closed while it was registered.
///
/// ```
/// let error = hub_core::backend::closed();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// ```
pub fn closed() -> io::Error {
    let what = "the descriptor was closed while it was registered; remove it";
    io::Error::new(io::ErrorKind::NotFound, what)
}

/// Makes the system call of a wait, again after a pause if the system lacks something for it.
/// `None` if a signal has ended it.
///
/// # Errors
/// What the call says, if it goes on saying so for a second.
///
/// ```
/// use hub_core::backend::wait;
/// use std::io::{Error, ErrorKind};
/// let mut answers = [Err(ErrorKind::OutOfMemory), Err(ErrorKind::Interrupted)].into_iter();
/// let ready = wait("mine", || answers.next().unwrap().map_err(Error::from));
/// assert_eq!(ready.unwrap(), None::<usize>, "a signal, after a shortage");
/// ```
#[inline]
pub fn wait<T>(hub: &str, mut call: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    match call() {
        Ok(result) => Ok(Some(result)),
        Err(error) => wait_again(hub, error, &mut call),
    }
}

#[cold]
fn wait_again<T>(
    hub: &str,
    error: io::Error,
    call: &mut dyn FnMut() -> io::Result<T>,
) -> io::Result<Option<T>> {
    let mut first = Some(error);
    retry(hub, "waiting", || {
        match first.take().map_or_else(&mut *call, Err) {
            // A signal is an answer, not a reason to try again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            result => result.map(Some),
        }
    })
}

/// Makes a system call, again after a pause if the system lacks memory or buffers for it now, and
/// at once if a signal has ended it. The log says so once.
///
/// # Errors
/// What the call says, if it goes on saying so for a second.
///
/// ```
/// use hub_core::backend::retry;
/// use std::io::{Error, ErrorKind};
/// let mut answers = [Err(ErrorKind::OutOfMemory), Err(ErrorKind::Interrupted), Ok(7)].into_iter();
/// let answer = retry("mine", "waiting", || answers.next().unwrap().map_err(Error::from));
/// assert_eq!(answer.unwrap(), 7);
/// ```
#[inline]
pub fn retry<T>(hub: &str, what: &str, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    match call() {
        Err(error) => retry_after(hub, what, error, &mut call),
        result => result,
    }
}

#[cold]
fn retry_after<T>(
    hub: &str,
    what: &str,
    mut error: io::Error,
    call: &mut dyn FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let mut pause = Duration::from_millis(1);
    for tries in 1..TRIES {
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            _ if is_transient(&error) => {
                if tries == 1 {
                    log::warn!("hub {hub}: {what}: {error}; trying again for a second");
                }
                thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            _ => return Err(error),
        }
        match call() {
            Err(again) => error = again,
            result => return result,
        }
    }
    log::error!("hub {hub}: {what}: {error}, {TRIES} times");
    Err(error)
}

/// True if the system may do later what it refuses now.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{OutOfMemory, WouldBlock};
    matches!(error.kind(), OutOfMemory | WouldBlock) || error.raw_os_error() == Some(ENOBUFS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    fn answers<const N: usize>(list: [ErrorKind; N]) -> impl FnMut() -> io::Result<u32> {
        let mut list = list.into_iter();
        move || list.next().map_or(Ok(1), |kind| Err(kind.into()))
    }

    #[test]
    fn a_wait_survives_a_shortage_and_hears_of_signals() {
        for kind in [ErrorKind::OutOfMemory, ErrorKind::WouldBlock] {
            assert_eq!(wait("test", answers([kind, kind])).unwrap(), Some(1));
            let signal = answers([kind, ErrorKind::Interrupted]);
            assert_eq!(wait("test", signal).unwrap(), None);
        }
        let mut short = [Err(io::Error::from_raw_os_error(ENOBUFS)), Ok(2)].into_iter();
        assert_eq!(wait("test", || short.next().unwrap()).unwrap(), Some(2));
        assert_eq!(
            wait("test", answers([ErrorKind::Interrupted])).unwrap(),
            None
        );
    }

    #[test]
    fn what_stays_is_one_error_with_its_number() {
        let mut calls = 0;
        let refused: io::Result<()> = retry("test", "waiting", || {
            calls += 1;
            Err(io::Error::from_raw_os_error(12))
        });
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(12));
        assert_eq!(calls, TRIES);
        let mut calls = 0;
        let refused: io::Result<()> = retry("test", "waiting", || {
            calls += 1;
            Err(ErrorKind::InvalidInput.into())
        });
        assert_eq!(
            (refused.unwrap_err().kind(), calls),
            (ErrorKind::InvalidInput, 1)
        );
    }
}
