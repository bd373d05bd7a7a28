//! Choices for a WebSocket.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

type Allows = Rc<dyn Fn(Option<&str>) -> bool>;

/// Choices for a WebSocket, on either side.
///
/// ```
/// use std::time::Duration;
/// use green_ws::{Deflate, Options};
///
/// let options = Options::new()
///     .protocols(["chat.v2", "chat.v1"])
///     .origins(|origin| origin == Some("https://example.com"))
///     .deflate(Deflate::new())
///     .max_message(1 << 20)
///     .handshake_timeout(Duration::from_secs(5))
///     .close_timeout(Duration::from_secs(2));
/// let client = Options::new().header("Authorization", "Bearer secret");
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) protocols: Vec<String>,
    pub(crate) deflate: Option<Deflate>,
    pub(crate) max_message: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) fields: Vec<(String, String)>,
    origins: Option<Allows>,
}

impl Options {
    /// Options with no subprotocols, no compression, messages of up to 8 MiB, ten seconds for the handshake, five for
    /// the closing one.
    pub fn new() -> Options {
        Options {
            protocols: Vec::new(),
            deflate: None,
            max_message: 8 << 20,
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            fields: Vec::new(),
            origins: None,
        }
    }

    /// Sets the subprotocols that are spoken, the favourite first. A server takes the first that the client offers
    /// too; if there is none, the connection has none.
    #[must_use]
    pub fn protocols<P: Into<String>>(mut self, protocols: impl IntoIterator<Item = P>) -> Options {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets which pages may connect to this server, by what the browser says of their origin; others get a 403. By
    /// default all may. A client that is no browser may say anything, or nothing, which is `None`.
    #[must_use]
    pub fn origins(mut self, allows: impl Fn(Option<&str>) -> bool + 'static) -> Options {
        self.origins = Some(Rc::new(allows));
        self
    }

    /// Compresses messages if the other side can.
    #[must_use]
    pub fn deflate(mut self, deflate: Deflate) -> Options {
        self.deflate = Some(deflate);
        self
    }

    /// Sets how long a message from the peer may be, in bytes after inflation. A longer one closes the connection
    /// with 1009.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Options {
        self.max_message = bytes;
        self
    }

    /// Sets how long the handshake may take.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Options {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets how long the closing handshake may take: after that the connection is closed without the peer's answer.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Options {
        self.close_timeout = timeout;
        self
    }

    /// Adds a header field to a client's request, as `Origin` or `Authorization`.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Options {
        self.fields.push((name.into(), value.into()));
        self
    }

    pub(crate) fn allows(&self, origin: Option<&str>) -> bool {
        self.origins.as_ref().is_none_or(|allows| allows(origin))
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("protocols", &self.protocols)
            .field("deflate", &self.deflate)
            .field("max_message", &self.max_message)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("close_timeout", &self.close_timeout)
            .finish_non_exhaustive()
    }
}

/// Compression of messages: permessage-deflate, RFC 7692.
///
/// ```
/// use green_ws::Deflate;
///
/// // Little memory for each connection, for somewhat longer messages.
/// let deflate = Deflate::new().context_takeover(false).window_bits(10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    pub(crate) context_takeover: bool,
    pub(crate) window_bits: u8,
}

impl Deflate {
    /// The whole window of 32 KiB, kept from one message to the next: the shortest messages, for some 300 KiB of memory
    /// a connection.
    pub fn new() -> Deflate {
        Deflate {
            context_takeover: true,
            window_bits: 15,
        }
    }

    /// With `true`, as by default, a message may refer to those before it, in both directions.
    #[must_use]
    pub fn context_takeover(mut self, kept: bool) -> Deflate {
        self.context_takeover = kept;
        self
    }

    /// Sets the size of the window, as a power of two: 9 to 15, in both directions as far as the peer can.
    ///
    /// # Panics
    /// If it is out of range.
    #[must_use]
    pub fn window_bits(mut self, bits: u8) -> Deflate {
        assert!(
            (9..=15).contains(&bits),
            "a window of {bits} bits: 9 to 15 are possible"
        );
        self.window_bits = bits;
        self
    }
}

impl Default for Deflate {
    fn default() -> Deflate {
        Deflate::new()
    }
}
