use std::error::Error;
use std::fmt;
use std::io;

/// Why a program was not patched, and what to do about that.
///
/// ```
/// use std::io::ErrorKind;
///
/// match green_patch::monkey_patch() {
///     Ok(()) => println!("calls of libc let other greenthreads run from now on"),
///     Err(error) if error.kind() == ErrorKind::Unsupported => println!("not here: {error}"),
///     Err(error) => println!("{error}"), // It says what was asked for wrongly.
/// }
/// ```
#[derive(Debug)]
pub struct PatchError {
    kind: io::ErrorKind,
    what: String,
}

impl PatchError {
    pub(crate) fn new(kind: io::ErrorKind, what: impl Into<String>) -> PatchError {
        let what = what.into();
        PatchError { kind, what }
    }

    /// The same, with what else can be done.
    pub(crate) fn and(mut self, what: &str) -> PatchError {
        self.what.push_str("; ");
        self.what.push_str(what);
        self
    }

    /// `Unsupported` if it cannot be done here, `InvalidInput` if it was not asked for rightly.
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot patch this program: {}", self.what)
    }
}

impl Error for PatchError {}

impl From<PatchError> for io::Error {
    fn from(error: PatchError) -> io::Error {
        io::Error::new(error.kind, error)
    }
}
