use std::error;
use std::fmt;
use std::io;

/// What kind of answer a lookup has come to when it is not an address: the cases of `getaddrinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such name, or no such service (`EAI_NONAME`, `EAI_SERVICE`).
    NotFound,
    /// The name exists, but has no address of the wanted family (`EAI_NODATA`).
    NoData,
    /// Nobody could say just now: a server failed or did not answer in time (`EAI_AGAIN`).
    TryAgain,
    /// The servers have answered, and what they said cannot be used (`EAI_FAIL`).
    Failed,
    /// The question contradicts itself, or asks for a family or flag that the system does not have
    /// (`EAI_BADFLAGS`, `EAI_FAMILY`, `EAI_SOCKTYPE`).
    Invalid,
    /// It was not asked: the system lacks something for that (`EAI_SYSTEM`, `EAI_MEMORY`).
    System,
}

/// Why a name has no address, made afresh for every lookup.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    asked: String,
    why: String,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, asked: &str, why: impl fmt::Display) -> Error {
        Error {
            kind,
            asked: asked.to_owned(),
            why: why.to_string(),
        }
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was looked up.
    pub fn asked(&self) -> &str {
        &self.asked
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot resolve {:?}: {}", self.asked, self.why)
    }
}

impl error::Error for Error {}

/// The error stays inside, for `downcast_ref`.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.kind {
            ErrorKind::NotFound | ErrorKind::NoData => io::ErrorKind::NotFound,
            ErrorKind::Invalid => io::ErrorKind::InvalidInput,
            ErrorKind::TryAgain | ErrorKind::Failed | ErrorKind::System => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
