//! What a server takes, and how long it waits.

use std::time::Duration;

/// Sizes beyond which a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Of the whole head, in bytes.
    pub(crate) head: usize,
    /// Of one header field.
    pub(crate) header_line: usize,
    /// The number of header fields.
    pub(crate) headers: usize,
    /// Of the request's target.
    pub(crate) target: usize,
    /// Of the body. `None` takes any.
    pub(crate) body: Option<u64>,
    /// Of what is read of a body that the handler has left unread.
    pub(crate) drain: usize,
    /// Requests on one connection.
    pub(crate) requests: Option<u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: 64 * 1024,
            header_line: 8 * 1024,
            headers: 100,
            target: 8 * 1024,
            body: None,
            drain: 256 * 1024,
            requests: None,
        }
    }
}

/// How long is waited for a client. `None` is for ever.
#[derive(Clone, Debug)]
pub(crate) struct Timeouts {
    /// For a whole head, and for a TLS handshake.
    pub(crate) head: Option<Duration>,
    /// For the next bytes of a body.
    pub(crate) body: Option<Duration>,
    /// For the next request.
    pub(crate) keep_alive: Option<Duration>,
    /// For the client to take anything of an answer.
    pub(crate) write: Option<Duration>,
    /// For a request with its answer.
    pub(crate) request: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        Timeouts {
            head: seconds(30),
            body: seconds(60),
            keep_alive: seconds(75),
            write: seconds(60),
            request: None,
        }
    }
}
