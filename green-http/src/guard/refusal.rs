//! What is not let through, and the answer to it.

use std::fmt;
use std::time::SystemTime;

use http::StatusCode;

/// Why a request is not let through: answered with a status, after which the connection is closed.
///
/// ```
/// use green_http::{Refusal, StatusCode};
///
/// fn is_of_length(refusal: &Refusal) -> bool {
///     refusal.status == StatusCode::PAYLOAD_TOO_LARGE || refusal.status == StatusCode::URI_TOO_LONG
/// }
/// let refusal = Refusal { status: StatusCode::URI_TOO_LONG, reason: "the target is too long" };
/// assert!(is_of_length(&refusal));
/// assert_eq!(refusal.to_string(), "the target is too long");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer that the client gets.
    pub status: StatusCode,
    /// What is wrong with the request.
    pub reason: &'static str,
}

impl Refusal {
    /// 400: the message is not one.
    pub(crate) const fn bad(reason: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            reason,
        }
    }

    pub(crate) const fn of(status: StatusCode, reason: &'static str) -> Refusal {
        Refusal { status, reason }
    }

    /// The whole answer. One to a HEAD request has no body.
    pub(crate) fn answer(&self, to_head: bool) -> String {
        let body = format!("{}\n", self.reason);
        format!(
            "HTTP/1.1 {} {}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\
             content-length: {}\r\ndate: {}\r\n\r\n{}",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or("Refused"),
            body.len(),
            httpdate::fmt_http_date(SystemTime::now()),
            if to_head { "" } else { &body },
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Refusal {}
