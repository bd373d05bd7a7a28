//! Bytes in, messages out.

use std::io::{self, Cursor};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::deflate::Inflater;
use super::utf8::Utf8;
use super::{Agreed, Role, Violation, mask};
use crate::message::{Close, Message};

/// What a control frame carries at most.
const LONGEST_CONTROL: u64 = 125;

/// The room for what was read and not yet decoded: at first, and for who fills it.
const FIRST_ROOM: usize = 4 * 1024;
const MOST_ROOM: usize = 64 * 1024;

/// What a peer has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Message(Message),
    Ping(Vec<u8>),
    Pong,
    /// Nothing that follows counts.
    Close(Option<Close>),
}

/// Decodes frames as they come, in any pieces.
#[derive(Debug)]
pub(crate) struct Decoder {
    role: Role,
    limit: usize,
    inflater: Option<Inflater>,
    /// What was read: `room[begin..end]` is still to be decoded.
    room: Vec<u8>,
    begin: usize,
    end: usize,
    frame: Option<Frame>,
    message: Option<Partial>,
    control: Vec<u8>,
    closed: bool,
}

/// The frame that is being read.
#[derive(Debug)]
struct Frame {
    header: FrameHeader,
    at: u64,
    left: u64,
}

/// The message that is being read.
#[derive(Debug)]
struct Partial {
    is_text: bool,
    is_compressed: bool,
    payload: Vec<u8>,
    utf8: Utf8,
}

impl Decoder {
    /// `limit` is the length that a message may have, after inflation.
    pub(crate) fn new(role: Role, limit: usize, deflate: Option<Agreed>) -> Decoder {
        Decoder {
            role,
            limit,
            inflater: deflate.map(|agreed| Inflater::new(agreed.theirs)),
            room: Vec::new(),
            begin: 0,
            end: 0,
            frame: None,
            message: None,
            control: Vec::new(),
            closed: false,
        }
    }

    /// Has `read` put more bytes behind those that are here. Gives what it gives.
    pub(crate) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.begin > 0 {
            self.room.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        if self.room.is_empty() {
            self.room.resize(FIRST_ROOM, 0);
        }
        let read = read(&mut self.room[self.end..])?;
        self.end += read;
        if self.end == self.room.len() && self.end < MOST_ROOM {
            self.room.resize(2 * self.end, 0);
        }
        Ok(read)
    }

    /// Puts bytes behind those that are here.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = self.room.len().max(FIRST_ROOM).max(self.end + bytes.len());
        self.room.resize(room, 0);
        self.room[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// The next thing that has come whole. `None` says that more has to be read first.
    ///
    /// # Errors
    /// If the peer has broken a rule; nothing can be decoded after that.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Violation> {
        while !self.closed {
            if self.frame.is_none() && !self.begin_frame()? {
                break;
            }
            if let Some(event) = self.continue_frame()? {
                self.closed = matches!(event, Event::Close(_));
                return Ok(Some(event));
            }
            if self.frame.is_some() {
                break;
            }
        }
        Ok(None)
    }

    /// Decodes a frame's header, if it has come.
    fn begin_frame(&mut self) -> Result<bool, Violation> {
        let bytes = &self.room[self.begin..self.end];
        let mut cursor = Cursor::new(bytes);
        let parsed = FrameHeader::parse(&mut cursor);
        let (header, left) = match parsed {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Ok(false),
            Err(error) => return Err(Violation::protocol(error.to_string())),
        };
        let taken = cursor.position() as usize;
        if taken != header.len(left) || left > i64::MAX as u64 {
            return Err(Violation::protocol("a length is not in its shortest form"));
        }
        self.begin += taken;
        self.check(&header, left)?;
        self.control.clear();
        self.frame = Some(Frame {
            header,
            at: 0,
            left,
        });
        Ok(true)
    }

    /// Checks a header, and begins a message if it is its first.
    fn check(&mut self, header: &FrameHeader, len: u64) -> Result<(), Violation> {
        match (self.role, header.mask) {
            (Role::Server, None) => {
                return Err(Violation::protocol("a client's frame is not masked"));
            }
            (Role::Client, Some(_)) => {
                return Err(Violation::protocol("a server's frame is masked"));
            }
            _ => {}
        }
        let is_first = matches!(header.opcode, OpCode::Data(Data::Text | Data::Binary));
        if header.rsv2 || header.rsv3 || header.rsv1 && !(is_first && self.inflater.is_some()) {
            return Err(Violation::protocol("a reserved bit is set"));
        }
        match header.opcode {
            OpCode::Control(_) if !header.is_final => {
                return Err(Violation::protocol("a control frame is fragmented"));
            }
            OpCode::Control(_) if len > LONGEST_CONTROL => {
                return Err(Violation::protocol(
                    "a control frame is longer than 125 bytes",
                ));
            }
            OpCode::Control(_) => return Ok(()),
            OpCode::Data(Data::Continue) if self.message.is_none() => {
                return Err(Violation::protocol("nothing is there to be continued"));
            }
            OpCode::Data(Data::Continue) => {}
            OpCode::Data(_) if self.message.is_some() => {
                return Err(Violation::protocol("a message begins within another"));
            }
            OpCode::Data(kind) => {
                self.message = Some(Partial {
                    is_text: kind == Data::Text,
                    is_compressed: header.rsv1,
                    payload: Vec::new(),
                    utf8: Utf8::default(),
                });
            }
        }
        let message = self.message.as_ref();
        let plain = message.filter(|message| !message.is_compressed);
        let so_far = plain.map_or(0, |message| message.payload.len() as u64);
        if plain.is_some() && len.saturating_add(so_far) > self.limit as u64 {
            return Err(Violation::size(self.limit));
        }
        Ok(())
    }

    /// Takes what has come of the frame's payload.
    fn continue_frame(&mut self) -> Result<Option<Event>, Violation> {
        let Some(frame) = &mut self.frame else {
            return Ok(None);
        };
        let here = self.end - self.begin;
        let len = usize::try_from(frame.left).map_or(here, |left| left.min(here));
        let piece = &mut self.room[self.begin..self.begin + len];
        if let Some(key) = frame.header.mask {
            mask(piece, key, frame.at);
        }
        frame.at += len as u64;
        frame.left -= len as u64;
        self.begin += len;
        let is_done = frame.left == 0;
        let (opcode, is_final) = (frame.header.opcode, frame.header.is_final);
        if is_done {
            self.frame = None;
        }
        match (opcode, &mut self.message) {
            (OpCode::Control(kind), _) => {
                self.control.extend_from_slice(piece);
                is_done.then(|| control(kind, &self.control)).transpose()
            }
            (OpCode::Data(_), Some(message)) => {
                let is_last = is_done && is_final;
                message.piece(piece, is_last, self.inflater.as_mut(), self.limit)?;
                match is_last {
                    true => self.finish_message().map(Some),
                    false => Ok(None),
                }
            }
            (OpCode::Data(_), None) => Ok(None),
        }
    }

    fn finish_message(&mut self) -> Result<Event, Violation> {
        let Some(message) = self.message.take() else {
            unreachable!("a message ends only after it has begun");
        };
        match message.is_text {
            true => match String::from_utf8(message.payload) {
                Ok(text) => Ok(Event::Message(Message::Text(text))),
                Err(_) => Err(Violation::payload("a text message is no UTF-8")),
            },
            false => Ok(Event::Message(Message::Binary(message.payload))),
        }
    }
}

impl Partial {
    /// A piece more. Text is checked as it comes, the last piece with the whole message.
    fn piece(
        &mut self,
        piece: &[u8],
        is_last: bool,
        inflater: Option<&mut Inflater>,
        limit: usize,
    ) -> Result<(), Violation> {
        let before = self.payload.len();
        match inflater.filter(|_| self.is_compressed) {
            Some(inflater) => {
                inflater.piece(piece, &mut self.payload, limit)?;
                if is_last {
                    inflater.finish(&mut self.payload, limit)?;
                }
            }
            None => self.payload.extend_from_slice(piece),
        }
        if self.is_text && !is_last && !self.utf8.push(&self.payload[before..]) {
            return Err(Violation::payload("a text message is no UTF-8"));
        }
        Ok(())
    }
}

fn control(kind: Control, payload: &[u8]) -> Result<Event, Violation> {
    match kind {
        Control::Ping => Ok(Event::Ping(payload.to_vec())),
        Control::Pong => Ok(Event::Pong),
        Control::Close => close(payload).map(Event::Close),
        Control::Reserved(code) => Err(Violation::protocol(format!("opcode {code} is reserved"))),
    }
}

fn close(payload: &[u8]) -> Result<Option<Close>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::protocol("a close frame has half a code")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !is_sendable(code) {
                return Err(Violation::protocol(format!("{code} is no close code")));
            }
            match std::str::from_utf8(reason) {
                Ok(reason) => Ok(Some(Close {
                    code,
                    reason: reason.to_owned(),
                })),
                Err(_) => Err(Violation::payload(
                    "the reason of a close frame is no UTF-8",
                )),
            }
        }
    }
}

/// True if a close frame may carry the code.
pub(crate) fn is_sendable(code: u16) -> bool {
    // Registered after RFC 6455.
    const BAD_GATEWAY: u16 = 1014;
    code == BAD_GATEWAY || code != 0 && CloseCode::from(code).is_allowed()
}
