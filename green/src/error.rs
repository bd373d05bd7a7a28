//! Errors of the system that say what was attempted.

use std::error::Error;
use std::fmt;
use std::io;

/// What the system said, and what was attempted when it did. It is what an [`io::Error`] of green holds that names
/// the program, the process or the file: its kind is that of the system's error, and [`raw_os_error`] finds the
/// number.
///
/// ```
/// use green::{OsError, process::Command};
///
/// let error = Command::new("no-such-program").spawn().unwrap_err();
/// let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<OsError>()).unwrap();
/// assert_eq!(inner.attempt(), "cannot run \"no-such-program\"");
/// assert_eq!(inner.error().raw_os_error(), Some(2));
/// ```
#[derive(Debug)]
pub struct OsError {
    attempt: String,
    error: io::Error,
}

impl OsError {
    /// What could not be done, as `cannot run "ls"`.
    pub fn attempt(&self) -> &str {
        &self.attempt
    }

    /// What the system said.
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.attempt, self.error)
    }
}

impl Error for OsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// Keeps the kind, and the number where [`raw_os_error`] finds it.
impl From<OsError> for io::Error {
    fn from(error: OsError) -> io::Error {
        io::Error::new(error.error.kind(), error)
    }
}

/// `error` with what was attempted in front of it, as `cannot run "ls"`.
pub(crate) fn failed(attempt: impl Into<String>, error: impl Into<io::Error>) -> io::Error {
    let (attempt, error) = (attempt.into(), error.into());
    OsError { attempt, error }.into()
}

/// The number that the system gave to `error`, or to what caused it: `ENOENT`, `EMFILE`. std's method of this name
/// knows only errors that say nothing else.
///
/// ```
/// use green::process::Command;
///
/// let error = Command::new("true").current_dir("/no/such/directory").spawn().unwrap_err();
/// assert_eq!(green::raw_os_error(&error), Some(2));
/// assert!(error.to_string().contains("/no/such/directory"));
/// ```
pub fn raw_os_error(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if let Some(number) = error.raw_os_error() {
                return Some(number);
            }
            // What it holds, which its `source` passes over.
            next = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
            continue;
        }
        next = error.source();
    }
    None
}

/// True if the system has no more of something that others may give back: descriptors, memory, places in a table.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(
        raw_os_error(error),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::ENOSPC)
    )
}
