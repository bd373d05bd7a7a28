//! Messages in, bytes out.

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::deflate::Deflater;
use super::{Agreed, Role, mask};
use crate::message::{Close, Message};

/// Encodes messages and control frames, one after the other.
#[derive(Debug)]
pub(crate) struct Encoder {
    role: Role,
    deflater: Option<Deflater>,
}

impl Encoder {
    pub(crate) fn new(role: Role, deflate: Option<Agreed>) -> Encoder {
        Encoder {
            role,
            deflater: deflate.and_then(|agreed| Deflater::new(agreed.ours)),
        }
    }

    /// Appends a message, compressed if that was agreed on.
    pub(crate) fn message(&mut self, message: &Message, out: &mut Vec<u8>) {
        let (kind, payload) = match message {
            Message::Text(text) => (Data::Text, text.as_bytes()),
            Message::Binary(bytes) => (Data::Binary, &**bytes),
        };
        let opcode = OpCode::Data(kind);
        let compressed = match &mut self.deflater {
            // An empty message would be longer.
            Some(deflater) if !payload.is_empty() => {
                let compressed = deflater.message(payload);
                if compressed.is_none() {
                    self.deflater = None;
                }
                compressed
            }
            _ => None,
        };
        match compressed {
            Some(compressed) => self.frame(opcode, true, &compressed, out),
            None => self.frame(opcode, false, payload, out),
        }
    }

    pub(crate) fn ping(&self, payload: &[u8], out: &mut Vec<u8>) {
        self.frame(OpCode::Control(Control::Ping), false, payload, out);
    }

    pub(crate) fn pong(&self, payload: &[u8], out: &mut Vec<u8>) {
        self.frame(OpCode::Control(Control::Pong), false, payload, out);
    }

    pub(crate) fn close(&self, close: Option<&Close>, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        if let Some(close) = close {
            payload.extend_from_slice(&close.code.to_be_bytes());
            payload.extend_from_slice(close.reason.as_bytes());
        }
        self.frame(OpCode::Control(Control::Close), false, &payload, out);
    }

    fn frame(&self, opcode: OpCode, compressed: bool, payload: &[u8], out: &mut Vec<u8>) {
        let key = match self.role {
            Role::Server => None,
            Role::Client => Some(rand::random()),
        };
        let header = FrameHeader {
            rsv1: compressed,
            opcode,
            mask: key,
            ..FrameHeader::default()
        };
        let len = payload.len() as u64;
        out.reserve(header.len(len) + payload.len());
        let formatted = header.format(len, out);
        debug_assert!(
            formatted.is_ok(),
            "a vector takes all that is written to it"
        );
        let begin = out.len();
        out.extend_from_slice(payload);
        if let Some(key) = key {
            mask(&mut out[begin..], key, 0);
        }
    }
}
