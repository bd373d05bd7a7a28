//! Errors of lookups.

use std::error;
use std::fmt;
use std::io;

/// Why a lookup has found no address, as a kind: the cases of `getaddrinfo`.
///
/// ```
/// use green_dns::{Error, ErrorKind};
///
/// fn is_worth_another_try(error: &Error) -> bool {
///     matches!(error.kind(), ErrorKind::TryAgain | ErrorKind::System)
/// }
/// assert!(is_worth_another_try(&Error::new(ErrorKind::TryAgain, "www", "no answer in time")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such name (`EAI_NONAME`).
    NotFound,
    /// No such service (`EAI_SERVICE`).
    NoService,
    /// The name exists, but has no address of the wanted family (`EAI_NODATA`).
    NoData,
    /// No answer could be had just now: a server failed or did not answer in time (`EAI_AGAIN`).
    TryAgain,
    /// The servers have answered, and what they said cannot be used (`EAI_FAIL`).
    Failed,
    /// The question contradicts itself, or has a flag that the system does not know (`EAI_BADFLAGS`).
    Invalid,
    /// The system does not have that family of addresses (`EAI_FAMILY`).
    Family,
    /// The system does not have that type of sockets (`EAI_SOCKTYPE`).
    SockType,
    /// It was not asked: the system lacks something for that (`EAI_SYSTEM`, `EAI_MEMORY`).
    System,
}

impl ErrorKind {
    /// The name of the constant that C programs know it by.
    ///
    /// ```
    /// assert_eq!(green_dns::ErrorKind::NotFound.eai(), "EAI_NONAME");
    /// ```
    pub fn eai(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "EAI_NONAME",
            ErrorKind::NoService => "EAI_SERVICE",
            ErrorKind::NoData => "EAI_NODATA",
            ErrorKind::TryAgain => "EAI_AGAIN",
            ErrorKind::Failed => "EAI_FAIL",
            ErrorKind::Invalid => "EAI_BADFLAGS",
            ErrorKind::Family => "EAI_FAMILY",
            ErrorKind::SockType => "EAI_SOCKTYPE",
            ErrorKind::System => "EAI_SYSTEM",
        }
    }
}

/// Why a lookup gave nothing, made afresh for every lookup.
///
/// ```
/// use green_dns::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::NotFound, "no.example", "there is no such name");
/// assert_eq!(error.to_string(), "cannot resolve \"no.example\": there is no such name");
/// assert_eq!(error.asked(), "no.example");
/// let error = std::io::Error::from(error);
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// assert!(error.get_ref().is_some_and(|inner| inner.is::<Error>()));
///
/// let error = Error::timed_out("www.example", "no answer within 10 s");
/// assert_eq!(error.kind(), ErrorKind::TryAgain);
/// assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::TimedOut);
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    asked: String,
    why: String,
    timed_out: bool,
    cause: Option<io::Error>,
}

impl Error {
    /// Says that `asked` gave nothing, and why.
    pub fn new(kind: ErrorKind, asked: &str, why: impl fmt::Display) -> Error {
        Error {
            kind,
            asked: asked.to_owned(),
            why: why.to_string(),
            timed_out: false,
            cause: None,
        }
    }

    /// Says that the time of the lookup of `asked` was up: of kind `TryAgain`, and as an `io::Error` of kind `TimedOut`.
    pub fn timed_out(asked: &str, why: impl fmt::Display) -> Error {
        Error {
            timed_out: true,
            ..Error::new(ErrorKind::TryAgain, asked, why)
        }
    }

    /// The same, with the system's error that it comes from as its [`source`](error::Error::source). As an `io::Error` it
    /// then has the kind of that one.
    ///
    /// ```
    /// use green_dns::{Error, ErrorKind};
    /// use std::io;
    ///
    /// let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    /// let error = Error::new(ErrorKind::System, "www.example", &denied).caused_by(denied);
    /// assert_eq!(io::Error::from(error).kind(), io::ErrorKind::PermissionDenied);
    /// ```
    #[must_use]
    pub fn caused_by(mut self, cause: io::Error) -> Error {
        self.cause = Some(cause);
        self
    }

    /// The kind of the error.
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

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let cause = self.cause.as_ref()?;
        Some(cause)
    }
}

/// The error stays inside, for `downcast_ref`.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match (error.kind, &error.cause) {
            _ if error.timed_out => io::ErrorKind::TimedOut,
            (_, Some(cause)) => cause.kind(),
            (ErrorKind::NotFound | ErrorKind::NoService | ErrorKind::NoData, None) => {
                io::ErrorKind::NotFound
            }
            (ErrorKind::Invalid | ErrorKind::Family | ErrorKind::SockType, None) => {
                io::ErrorKind::InvalidInput
            }
            (ErrorKind::TryAgain | ErrorKind::Failed | ErrorKind::System, None) => {
                io::ErrorKind::Other
            }
        };
        io::Error::new(kind, error)
    }
}
