//! What goes wrong.

use std::error;
use std::fmt;
use std::io;

use crate::protocol::Violation;

/// Why a call on a [`WebSocket`](crate::WebSocket), or the making of one, has failed.
///
/// ```
/// use green_ws::{Error, Options, client};
///
/// let (near, mut far) = green::net::UnixStream::pair()?;
/// std::io::Write::write_all(&mut far, b"HTTP/1.1 404 Not Found\r\n\r\n")?;
/// match client(near, "ws://localhost/", &Options::new()) {
///     Err(Error::Refused { status, what }) => println!("{status}: {what}"),
///     Err(other) => println!("{other}"),
///     Ok(_) => unreachable!(),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The stream below has failed, or has ended without a close frame (`UnexpectedEof`).
    Io(io::Error),
    /// The connection was closed before, by either side.
    Closed,
    /// The peer has broken a rule. It was told so, with this code, and the connection is closed.
    Protocol {
        /// The code of the close frame that was sent: 1002, 1007 or 1009.
        code: u16,
        /// What was wrong.
        what: String,
    },
    /// The peer does not become a WebSocket: as a server, the request was refused with this status; as a client, the
    /// server has answered so.
    Refused {
        /// The status of the answer.
        status: u16,
        /// What was wrong, and what to do.
        what: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => error.fmt(f),
            Error::Closed => f.write_str("the WebSocket is closed"),
            Error::Protocol { code, what } => {
                write!(f, "the peer breaks the protocol ({code}): {what}")
            }
            Error::Refused { status, what } => {
                write!(
                    f,
                    "the WebSocket handshake has failed with status {status}: {what}"
                )
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Error {
        Error::Protocol {
            code: violation.code,
            what: violation.what,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        match error {
            Error::Io(error) => error,
            Error::Closed => io::Error::new(io::ErrorKind::NotConnected, error),
            Error::Protocol { .. } | Error::Refused { .. } => {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
        }
    }
}
