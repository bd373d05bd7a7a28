//! The framing of a chunked body, byte by byte (RFC 9112, 7.1).

use super::field::split;
use super::head::{body_too_large, too_large};
use super::refusal::Refusal;
use crate::limits::Limits;

/// A chunk's extensions may take as many bytes. Nobody uses them.
const LONGEST_EXTENSION: u32 = 1024;

/// Where in a chunked body the next byte is.
#[derive(Clone, Debug)]
pub(super) struct Chunked {
    place: Place,
    /// Of the chunk at hand.
    size: u64,
    digits: u32,
    extension: u32,
    /// The bytes of all chunks.
    total: u64,
    /// The trailer fields: the line at hand, and the bytes of all of them.
    line: Vec<u8>,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    TrailerLf,
    End,
}

/// Fields that say how a message is framed or routed: they must not come after it (RFC 9110, 6.5.1).
const NOT_IN_TRAILERS: [&[u8]; 5] = [
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"trailer",
    b"connection",
];

impl Chunked {
    pub(super) fn new() -> Chunked {
        Chunked {
            place: Place::Size,
            size: 0,
            digits: 0,
            extension: 0,
            total: 0,
            line: Vec::new(),
            trailers: 0,
        }
    }

    /// Looks at `input`. Gives how many of its bytes belong to the body, and whether it ends with them.
    pub(super) fn check(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while at < input.len() {
            if self.place == Place::Data {
                let here = self.size.min((input.len() - at) as u64);
                self.size -= here;
                at += here as usize;
                if self.size == 0 {
                    self.place = Place::DataCr;
                }
                continue;
            }
            self.byte(input[at], limits)?;
            at += 1;
            if self.place == Place::End {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn byte(&mut self, byte: u8, limits: &Limits) -> Result<(), Refusal> {
        self.place = match (self.place, byte) {
            (Place::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte)?,
            (Place::Size, b'\r' | b';') if self.digits == 0 => {
                return Err(Refusal::bad("a chunk has no size"));
            }
            (Place::Size | Place::Extension, b'\r') => Place::SizeLf,
            (Place::Size, b';') => Place::Extension,
            (Place::Size, _) => return Err(Refusal::bad("the size of a chunk is no number")),
            (Place::Extension, b' '..=b'~' | b'\t' | 0x80..) => {
                self.extension += 1;
                if self.extension > LONGEST_EXTENSION {
                    return Err(Refusal::bad("the extensions of a chunk are too long"));
                }
                Place::Extension
            }
            (Place::Extension, _) => {
                return Err(Refusal::bad(
                    "an extension of a chunk has a control character",
                ));
            }
            (Place::SizeLf, b'\n') => self.begin(limits)?,
            (Place::TrailerLf, b'\n') => self.end_of_line()?,
            (Place::Trailer, b'\r') => Place::TrailerLf,
            (Place::Trailer, b'\n') | (Place::SizeLf | Place::TrailerLf, _) => {
                return Err(Refusal::bad("a line does not end with CRLF"));
            }
            (Place::Trailer, _) => self.trailer(byte, limits)?,
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => {
                (self.digits, self.extension, self.size) = (0, 0, 0);
                Place::Size
            }
            (Place::DataCr | Place::DataLf, _) => {
                return Err(Refusal::bad("a chunk is longer than its size"));
            }
            (Place::Data | Place::End, _) => self.place,
        };
        Ok(())
    }

    fn digit(&mut self, byte: u8) -> Result<Place, Refusal> {
        self.digits += 1;
        if self.digits > 15 {
            return Err(Refusal::bad("the size of a chunk is beyond any body"));
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        self.size = self.size * 16 + u64::from(digit);
        Ok(Place::Size)
    }

    fn begin(&mut self, limits: &Limits) -> Result<Place, Refusal> {
        if self.size == 0 {
            return Ok(Place::Trailer);
        }
        self.total = self.total.saturating_add(self.size);
        match limits.body {
            Some(limit) if self.total > limit => Err(body_too_large()),
            _ => Ok(Place::Data),
        }
    }

    fn trailer(&mut self, byte: u8, limits: &Limits) -> Result<Place, Refusal> {
        self.trailers += 1;
        if self.line.len() >= limits.header_line || self.trailers > limits.head {
            return Err(too_large("the trailer fields are too long"));
        }
        self.line.push(byte);
        Ok(Place::Trailer)
    }

    fn end_of_line(&mut self) -> Result<Place, Refusal> {
        if self.line.is_empty() {
            return Ok(Place::End);
        }
        let name = split(&self.line)?.name;
        if NOT_IN_TRAILERS
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
        {
            return Err(Refusal::bad("a field that frames a message comes after it"));
        }
        self.line.clear();
        Ok(Place::Trailer)
    }
}
