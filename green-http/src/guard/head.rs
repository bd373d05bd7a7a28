//! The head of a request, line by line.

use http::StatusCode;

use super::field::{is_host, split, target_span, token_span};
use super::refusal::Refusal;
use crate::limits::Limits;

/// How the body of a message is framed (RFC 9112, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Known(u64),
    Chunked,
}

/// What is known of a head so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    lines: usize,
    old: bool,
    pub(crate) to_head: bool,
    hosts: usize,
    length: Option<u64>,
    encoded: bool,
    pub(crate) underscore: bool,
    /// It has `Expect: 100-continue`, and its version knows that.
    pub(crate) expects: bool,
}

impl Head {
    /// Takes the next field line, without its CRLF.
    pub(super) fn field_line(&mut self, line: &[u8], limits: &Limits) -> Result<(), Refusal> {
        self.lines += 1;
        if line.len() > limits.header_line {
            return Err(too_large("a field is too long"));
        }
        if self.lines > limits.headers + 1 {
            return Err(too_large("there are too many fields"));
        }
        let field = split(line)?;
        self.underscore |= field.underscore;
        self.field(field.name, field.value)
    }

    /// True before its first line.
    pub(super) fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Takes its first line, without its CRLF.
    pub(super) fn request_line(&mut self, line: &[u8], limits: &Limits) -> Result<(), Refusal> {
        self.lines = 1;
        let (method, target, version) = request_parts(line)?;
        if target.len() > limits.target {
            return Err(Refusal::of(
                StatusCode::URI_TOO_LONG,
                "the target is too long",
            ));
        }
        self.to_head = method == b"HEAD";
        self.old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Refusal::of(
                    StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                    "the version of HTTP is not served here",
                ));
            }
            _ => return Err(Refusal::bad("the version is none of HTTP")),
        };
        check_target(method, target)
    }

    fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        // By length first: a comparison for one field in many.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.hosts += 1;
                if self.hosts > 1 {
                    return Err(Refusal::bad("there are several Host fields"));
                }
                if !is_host(value.trim_ascii()) {
                    return Err(Refusal::bad("the Host field names no host"));
                }
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                // RFC 9110, 10.1.1: one of a 1.0 request is ignored.
                if !self.old && !value.trim_ascii().eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal::of(
                        StatusCode::EXPECTATION_FAILED,
                        "the only expectation that is met here is 100-continue",
                    ));
                }
                self.expects = !self.old;
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.content_length(value.trim_ascii())?
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.codings(value.trim_ascii())?
            }
            _ => {}
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::bad("there are several Content-Length fields"));
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::bad("Content-Length is no number"));
        }
        let mut digits = value.iter();
        let length = digits.try_fold(0_u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        match length {
            // hyper keeps the highest numbers for itself.
            Some(length) if length < u64::MAX - 2 => self.length = Some(length),
            _ => return Err(Refusal::bad("Content-Length is beyond any body")),
        }
        Ok(())
    }

    fn codings(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.encoded {
            return Err(Refusal::bad("there are several Transfer-Encoding fields"));
        }
        self.encoded = true;
        if self.old {
            return Err(Refusal::bad(
                "the version of the request has no Transfer-Encoding",
            ));
        }
        if value.eq_ignore_ascii_case(b"chunked") {
            return Ok(());
        }
        let codings = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let chunked = codings.filter(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        match chunked.count() {
            0 | 1 => Err(Refusal::of(
                StatusCode::NOT_IMPLEMENTED,
                "the only transfer coding that is known here is chunked",
            )),
            _ => Err(Refusal::bad("the body is chunked more than once")),
        }
    }

    /// The framing of the body, after the empty line that ends the head.
    pub(super) fn end(&self, limits: &Limits) -> Result<Length, Refusal> {
        if self.hosts == 0 && !self.old {
            return Err(Refusal::bad("there is no Host field"));
        }
        if self.encoded && self.length.is_some() {
            return Err(Refusal::bad(
                "Transfer-Encoding and Content-Length contradict each other",
            ));
        }
        let length = match self.encoded {
            true => Length::Chunked,
            false => Length::Known(self.length.unwrap_or(0)),
        };
        match (length, limits.body) {
            (Length::Known(length), Some(limit)) if length > limit => Err(body_too_large()),
            _ => Ok(length),
        }
    }
}

pub(super) fn too_large(reason: &'static str) -> Refusal {
    Refusal::of(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
}

pub(super) fn body_too_large() -> Refusal {
    Refusal::of(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
}

/// The method, the target and the version.
type RequestParts<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn request_parts(line: &[u8]) -> Result<RequestParts<'_>, Refusal> {
    let method = &line[..token_span(line)];
    // Each part ends where the next character is none of it.
    let rest = line[method.len()..].strip_prefix(b" ");
    let target = rest.map(|rest| &rest[..target_span(rest)]);
    let version = rest
        .zip(target)
        .and_then(|(rest, target)| rest[target.len()..].strip_prefix(b" "));
    match (method.first(), target, version) {
        (Some(first), Some(target), Some(version)) if first.is_ascii_alphabetic() => {
            Ok((method, target, version))
        }
        _ => split_request_line(line),
    }
}

/// The same for a target that has characters which no target has.
#[cold]
fn split_request_line(line: &[u8]) -> Result<RequestParts<'_>, Refusal> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (method, target, version) = match (parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(target), Some(version)) if parts.next().is_none() => {
            (method, target, version)
        }
        _ => return Err(Refusal::bad("the request line does not have three parts")),
    };
    match token_span(method) == method.len() && method.first().is_some_and(u8::is_ascii_alphabetic)
    {
        true => Ok((method, target, version)),
        false => Err(Refusal::bad("the method is none")),
    }
}

/// RFC 9112, 3.2: four forms, two of which belong to one method each.
fn check_target(method: &[u8], target: &[u8]) -> Result<(), Refusal> {
    if let Some(other) = target.get(target_span(target)) {
        return Err(Refusal::bad(match other {
            b'#' => "the target has a fragment",
            _ => "the target has a character that no target has",
        }));
    }
    if target.first() == Some(&b'/') && method != b"CONNECT" {
        return Ok(());
    }
    let scheme = |scheme: &[u8]| {
        target.len() > scheme.len() && target[..scheme.len()].eq_ignore_ascii_case(scheme)
    };
    let fits = match (method, target) {
        (b"CONNECT", [b'/', ..]) => false,
        (b"CONNECT", _) => is_host(target) && memchr::memchr(b':', target).is_some(),
        (b"OPTIONS", b"*") => true,
        _ => scheme(b"http://") || scheme(b"https://"),
    };
    match fits {
        true => Ok(()),
        false => Err(Refusal::bad("the target does not fit the method")),
    }
}
