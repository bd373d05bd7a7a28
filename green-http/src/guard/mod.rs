//! The guard: it sees the bytes of a connection before hyper does, and lets only those through that RFC 9112 leaves no
//! doubt about.
//!
//! What two servers could understand in two ways is refused, so that a server behind a proxy never takes for the head
//! of a request what the proxy took for a body, or the reverse.

mod chunked;
mod field;
mod head;
mod refusal;

use http::StatusCode;

use crate::limits::Limits;
use chunked::Chunked;
pub(crate) use head::Head;
use head::{Length, too_large};
pub use refusal::Refusal;

/// Where in its messages a connection is.
#[derive(Debug)]
pub(crate) struct Guard {
    place: Place,
    /// The head of the message at hand, or of the last one.
    pub(crate) head: Head,
    /// The bytes of the unfinished head that were looked at.
    seen: usize,
    /// Empty lines before it.
    empty: usize,
    refused_in_body: bool,
}

#[derive(Debug)]
enum Place {
    Head,
    Known(u64),
    Chunked(Box<Chunked>),
    /// A message has ended with the last byte that was let through.
    End,
    /// Nothing is let through any more.
    Refused(Refusal),
}

/// What of the input may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Bytes before a head that go nowhere.
    pub(crate) skip: usize,
    /// Bytes after them that may go on.
    pub(crate) pass: usize,
    /// True if these are a whole head.
    pub(crate) head: bool,
}

impl Guard {
    pub(crate) fn new() -> Guard {
        Guard {
            place: Place::Head,
            head: Head::default(),
            seen: 0,
            empty: 0,
            refused_in_body: false,
        }
    }

    /// True between two messages, if nothing of the next one has been looked at.
    pub(crate) fn is_between(&self) -> bool {
        match self.place {
            Place::Head => self.seen == 0 && self.empty == 0,
            Place::End => true,
            _ => false,
        }
    }

    /// True while a body is expected.
    pub(crate) fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Known(_) | Place::Chunked(_)) || self.refused_in_body
    }

    /// Looks at `input`: all that has come and was not let through. It never lets through more than one message, and
    /// a head only as a whole.
    pub(crate) fn check(&mut self, input: &[u8], limits: &Limits) -> Result<Passed, Refusal> {
        let passed = self.look(input, limits);
        if let Err(refusal) = passed {
            self.refused_in_body = self.is_in_body();
            self.place = Place::Refused(refusal);
        }
        passed
    }

    fn look(&mut self, input: &[u8], limits: &Limits) -> Result<Passed, Refusal> {
        if let Place::End = self.place {
            self.place = Place::Head;
            self.head = Head::default();
            self.seen = 0;
            self.empty = 0;
        }
        match &mut self.place {
            Place::Head => self.check_head(input, limits),
            Place::Known(left) => {
                let pass = (*left).min(input.len() as u64);
                *left -= pass;
                if *left == 0 {
                    self.place = Place::End;
                }
                Ok(Passed {
                    pass: pass as usize,
                    ..Passed::default()
                })
            }
            Place::Chunked(chunked) => {
                let (pass, ended) = chunked.check(input, limits)?;
                if ended {
                    self.place = Place::End;
                }
                Ok(Passed {
                    pass,
                    ..Passed::default()
                })
            }
            Place::End => Ok(Passed::default()),
            Place::Refused(refusal) => Err(*refusal),
        }
    }

    fn check_head(&mut self, input: &[u8], limits: &Limits) -> Result<Passed, Refusal> {
        while let Some(len) = memchr::memchr(b'\n', &input[self.seen..]) {
            let line = &input[self.seen..self.seen + len];
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Refusal::bad("a line does not end with CRLF"));
            };
            self.seen += len + 1;
            match (line.is_empty(), self.head.is_empty()) {
                (false, true) => self.head.request_line(line, limits)?,
                (false, false) => self.head.field_line(line, limits)?,
                (true, true) => return self.skip_empty_line(),
                (true, false) => return self.end_head(limits),
            }
            if self.seen > limits.head {
                return Err(too_large("the head is too long"));
            }
        }
        self.check_unfinished(&input[self.seen..], limits)?;
        Ok(Passed::default())
    }

    /// RFC 9112, 2.2: some clients send an empty line after a body.
    #[cold]
    fn skip_empty_line(&mut self) -> Result<Passed, Refusal> {
        self.empty += 1;
        if self.empty > 2 {
            return Err(Refusal::bad("there is no request line"));
        }
        Ok(Passed {
            skip: std::mem::take(&mut self.seen),
            ..Passed::default()
        })
    }

    fn end_head(&mut self, limits: &Limits) -> Result<Passed, Refusal> {
        let length = self.head.end(limits)?;
        if self.seen > limits.head {
            return Err(too_large("the head is too long"));
        }
        self.place = match length {
            Length::Known(0) => Place::End,
            Length::Known(left) => Place::Known(left),
            Length::Chunked => Place::Chunked(Box::new(Chunked::new())),
        };
        Ok(Passed {
            skip: 0,
            pass: self.seen,
            head: true,
        })
    }

    /// The start of a line: what is too long already, or can become nothing, is not waited for.
    fn check_unfinished(&self, line: &[u8], limits: &Limits) -> Result<(), Refusal> {
        if self.head.is_empty() {
            let starts = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'\r';
            if line.first().is_some_and(|byte| !starts(byte)) {
                return Err(Refusal::bad("the method is none"));
            }
            if line.len() > limits.target + 64 {
                return Err(Refusal::of(
                    StatusCode::URI_TOO_LONG,
                    "the target is too long",
                ));
            }
        } else if line.len() > limits.header_line {
            return Err(too_large("a field is too long"));
        }
        if self.seen + line.len() > limits.head {
            return Err(too_large("the head is too long"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
