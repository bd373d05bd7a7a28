//! permessage-deflate (RFC 7692): what was agreed on, and the two streams.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Violation;

/// What every message compressed so ends with, and what is therefore left out.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The least window that zlib compresses with as raw deflate.
const LEAST_WINDOW: u8 = 9;

/// More than this at once is not set aside for data that may not come.
const STEP: usize = 16 * 1024;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The size of the window, as a power of two: 8 to 15.
    pub(crate) bits: u8,
    /// True if it is kept from one message to the next.
    pub(crate) takeover: bool,
}

/// What both sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) ours: Window,
    pub(crate) theirs: Window,
}

/// Compresses what is sent.
#[derive(Debug)]
pub(super) struct Deflater {
    stream: Compress,
    takeover: bool,
}

impl Deflater {
    /// `None` if the window is too small for zlib: messages then go out as they are, which is always allowed.
    pub(super) fn new(window: Window) -> Option<Deflater> {
        (window.bits >= LEAST_WINDOW).then(|| Deflater {
            stream: Compress::new_with_window_bits(Compression::fast(), false, window.bits),
            takeover: window.takeover,
        })
    }

    /// One message, compressed. `None` if that fails, which it does not; the stream is then of no more use.
    pub(super) fn message(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(payload.len() / 2 + 64);
        let begin = self.stream.total_in();
        loop {
            let done = (self.stream.total_in() - begin) as usize;
            let status = self
                .stream
                .compress_vec(&payload[done..], &mut out, FlushCompress::Sync);
            match status {
                Ok(Status::Ok | Status::BufError) if out.len() == out.capacity() => {
                    out.reserve(payload.len() / 2 + 64);
                }
                Ok(Status::Ok | Status::BufError) => break,
                Ok(Status::StreamEnd) | Err(_) => return None,
            }
        }
        let done = (self.stream.total_in() - begin) as usize;
        if done != payload.len() || !out.ends_with(&TAIL) {
            return None;
        }
        out.truncate(out.len() - TAIL.len());
        if !self.takeover {
            self.stream.reset();
        }
        Some(out)
    }
}

/// Inflates what comes.
#[derive(Debug)]
pub(super) struct Inflater {
    stream: Decompress,
    takeover: bool,
}

impl Inflater {
    pub(super) fn new(window: Window) -> Inflater {
        let bits = window.bits.max(LEAST_WINDOW);
        Inflater {
            stream: Decompress::new_with_window_bits(false, bits),
            takeover: window.takeover,
        }
    }

    /// Inflates a piece of a message to the end of `out`, which may grow to `limit` bytes.
    pub(super) fn piece(
        &mut self,
        mut piece: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), Violation> {
        loop {
            if out.len() == out.capacity() {
                out.reserve(STEP.min(limit.saturating_sub(out.len()) + 1));
            }
            let before = self.stream.total_in();
            let status = self
                .stream
                .decompress_vec(piece, out, FlushDecompress::Sync);
            piece = &piece[(self.stream.total_in() - before) as usize..];
            if out.len() > limit {
                return Err(Violation::size(limit));
            }
            match status {
                // A block that says it is the last one: what follows begins anew.
                Ok(Status::StreamEnd) => self.stream.reset(false),
                Ok(Status::Ok | Status::BufError) => {}
                Err(_) => return Err(Violation::payload("compressed data is broken")),
            }
            if piece.is_empty() && out.len() < out.capacity() {
                return Ok(());
            }
            if self.stream.total_in() == before && out.len() < out.capacity() {
                return Err(Violation::payload("compressed data is broken"));
            }
        }
    }

    /// Inflates the end of a message.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>, limit: usize) -> Result<(), Violation> {
        self.piece(&TAIL, out, limit)?;
        if !self.takeover {
            self.stream.reset(false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bits: u8, takeover: bool) -> Window {
        Window { bits, takeover }
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..len).map(next).collect()
    }

    #[test]
    fn messages_come_back_with_every_window() {
        for bits in 9..=15 {
            for takeover in [false, true] {
                let mut deflater = Deflater::new(window(bits, takeover)).unwrap();
                let mut inflater = Inflater::new(window(bits, takeover));
                for message in [
                    vec![b'x'; 100_000],
                    noise(70_000),
                    b"short".to_vec(),
                    noise(1),
                ] {
                    let compressed = deflater.message(&message).unwrap();
                    let mut out = Vec::new();
                    for piece in compressed.chunks(1000) {
                        inflater.piece(piece, &mut out, 1 << 20).unwrap();
                    }
                    inflater.finish(&mut out, 1 << 20).unwrap();
                    assert!(out == message, "{bits} bits, takeover {takeover}");
                }
            }
        }
        assert!(Deflater::new(window(8, true)).is_none());
    }

    #[test]
    fn with_takeover_a_second_time_is_shorter() {
        let message = noise(1000);
        let mut keeps = Deflater::new(window(15, true)).unwrap();
        let mut forgets = Deflater::new(window(15, false)).unwrap();
        let lengths =
            |deflater: &mut Deflater| [0, 1].map(|_| deflater.message(&message).unwrap().len());
        let [first, second] = lengths(&mut keeps);
        assert!(second < first / 10, "{first} {second}");
        let [first, second] = lengths(&mut forgets);
        assert_eq!(first, second);
    }

    #[test]
    fn the_limit_holds_after_inflation() {
        let bomb = Deflater::new(window(15, true))
            .unwrap()
            .message(&vec![0; 10 << 20])
            .unwrap();
        assert!(bomb.len() < 1 << 18);
        let mut out = Vec::new();
        let refused = Inflater::new(window(15, true))
            .piece(&bomb, &mut out, 1 << 20)
            .unwrap_err();
        assert_eq!(refused.code, 1009);
        assert!(
            out.capacity() < 3 << 20,
            "{} bytes were set aside",
            out.capacity()
        );
    }

    #[test]
    fn the_examples_of_the_rfc_inflate() {
        // RFC 7692, 7.2.3: a message, the same again with the window kept, a stored block, a final block.
        let mut inflater = Inflater::new(window(15, true));
        for compressed in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0xf2, 0x00, 0x11, 0x00, 0x00],
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
        ] {
            let mut out = Vec::new();
            inflater.piece(compressed, &mut out, 100).unwrap();
            inflater.finish(&mut out, 100).unwrap();
            assert_eq!(out, b"Hello", "{compressed:x?}");
        }
        let broken = Inflater::new(window(15, true)).piece(&[0xff; 10], &mut Vec::new(), 100);
        assert_eq!(broken.unwrap_err().code, 1007);
    }
}
