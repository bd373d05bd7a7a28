//! The Close frame that a drain sends to the client of a WebSocket that the service itself speaks, as axum does.
//!
//! Its frames go by as bytes. Between two of them a Close with 1001 is put there; what the service sends after that goes
//! nowhere, since nothing may follow a Close (RFC 6455, 5.5.1). The client answers it, and by that answer the service
//! learns that the WebSocket has ended.

/// A Close frame of a server: 1001 and why.
const CLOSE: &[u8] = b"\x88\x16\x03\xe9the server goes away";
const OPCODE_CLOSE: u8 = 8;

/// The frames that a service sends, of which only the heads are looked at.
#[derive(Debug, Default)]
pub(crate) struct Goodbye {
    /// What has come of the head of a frame.
    head: [u8; 14],
    len: usize,
    /// Bytes of a payload that are still to come.
    left: u64,
    /// The frame at hand, or the last one, is a Close.
    last: bool,
}

impl Goodbye {
    /// Lets bytes of the service go by. With `say`, it puts a Close in the place of all that follows the frame that is
    /// half out, if one is. Behind a Close it takes away whatever comes.
    pub(crate) fn pass(&mut self, bytes: &mut Vec<u8>, say: bool) {
        let mut at = 0;
        loop {
            if self.is_between() && (self.last || say) {
                bytes.truncate(at);
                if !std::mem::replace(&mut self.last, true) {
                    bytes.extend_from_slice(CLOSE);
                }
                return;
            }
            if at == bytes.len() {
                return;
            }
            at += self.step(&bytes[at..]);
        }
    }

    /// True once a Close has gone by, or was put there.
    pub(crate) fn is_said(&self) -> bool {
        self.last && self.is_between()
    }

    /// True if no frame is half out.
    fn is_between(&self) -> bool {
        self.len == 0 && self.left == 0
    }

    /// Takes some of the bytes, of one frame at most, and says how many.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.left > 0 {
            let taken = self.left.min(bytes.len() as u64);
            self.left -= taken;
            return taken as usize;
        }
        self.head[self.len] = bytes[0];
        self.len += 1;
        let short = self.head[1] & 0x7f;
        let extended = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        if self.len >= 2 && self.len == 2 + extended + mask {
            let length = self.head[2..2 + extended].iter();
            self.left = match extended {
                0 => u64::from(short),
                _ => length.fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
            };
            self.last = self.head[0] & 0x0f == OPCODE_CLOSE;
            self.len = 0;
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CLOSE, Goodbye};

    /// A frame of a server, or one under a mask.
    fn frame(opcode: u8, length: usize, masked: bool) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        let mask = if masked { 0x80 } else { 0 };
        match length {
            0..126 => frame.push(mask | length as u8),
            126..65536 => {
                frame.push(mask | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0x88; if masked { 4 } else { 0 } + length]);
        frame
    }

    fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let length = prop_oneof![0..4usize, 120..130usize, 65_530..65_540usize];
        let one = (prop_oneof![Just(1u8), Just(9u8)], length, any::<bool>());
        let one = one.prop_map(|(opcode, length, masked)| frame(opcode, length, masked));
        prop::collection::vec(one, 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// However the bytes are cut, and whenever it is told: whole frames, one Close, and nothing behind it.
        #[test]
        fn a_close_comes_between_two_frames(
            frames in frames(),
            cuts in prop::collection::vec(1..70_000usize, 1..20),
            when in 0..12usize,
        ) {
            let all = frames.concat();
            let (mut goodbye, mut out, mut told_at) = (Goodbye::default(), Vec::new(), None);
            let (mut rest, mut cuts) = (&all[..], cuts.iter().cycle());
            for round in 0.. {
                let say = round >= when;
                if say && told_at.is_none() {
                    told_at = Some(all.len() - rest.len());
                }
                let (piece, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                let mut piece = piece.to_vec();
                goodbye.pass(&mut piece, say);
                out.extend(piece);
                rest = behind;
                if say && rest.is_empty() {
                    break;
                }
            }
            // The first end of a frame from there on.
            let told_at = told_at.unwrap();
            let mut end = 0;
            for frame in &frames {
                if end >= told_at {
                    break;
                }
                end += frame.len();
            }
            prop_assert_eq!(out, [&all[..end], CLOSE].concat());
            prop_assert!(goodbye.is_said());
        }
    }

    #[test]
    fn a_close_of_the_service_is_the_only_one() {
        for cut in 0..6 {
            let bytes = [&frame(1, 1, false)[..], b"\x88\x02\x03\xe8"].concat();
            let (first, second) = bytes.split_at(cut + 1);
            let mut goodbye = Goodbye::default();
            let mut out = Vec::new();
            for (piece, say) in [(first, false), (second, cut >= 4), (&b"more"[..], true)] {
                let mut piece = piece.to_vec();
                goodbye.pass(&mut piece, say);
                out.extend(piece);
            }
            assert_eq!(out, bytes, "{cut}");
            assert!(goodbye.is_said());
        }
    }
}
