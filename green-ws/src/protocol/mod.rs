//! RFC 6455 and RFC 7692 without I/O: bytes in, messages out, and the other way.

mod decoder;
mod deflate;
mod encoder;
#[cfg(test)]
mod fuzz;
mod utf8;

pub(crate) use decoder::{Decoder, Event, is_sendable};
pub(crate) use deflate::{Agreed, Window};
pub(crate) use encoder::Encoder;

/// Which side of a connection this is: the two mask differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// What the peer has done wrong, as it is told in a close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) code: u16,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn protocol(what: impl Into<String>) -> Violation {
        let what = what.into();
        Violation { code: 1002, what }
    }

    pub(crate) fn payload(what: &str) -> Violation {
        let what = what.to_owned();
        Violation { code: 1007, what }
    }

    pub(crate) fn size(limit: usize) -> Violation {
        let what = format!("a message is longer than {limit} bytes");
        Violation { code: 1009, what }
    }
}

/// Masks bytes, or unmasks them: `at` is the place of the first in its frame.
pub(crate) fn mask(bytes: &mut [u8], key: [u8; 4], at: u64) {
    let mut turned = key;
    turned.rotate_left((at % 4) as usize);
    let [a, b, c, d] = turned;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn a_mask_is_the_same_in_any_pieces() {
        let plain: Vec<u8> = (0..100).collect();
        let key = [0xa1, 0xb2, 0xc3, 0xd4];
        let expected: Vec<u8> = plain
            .iter()
            .zip(key.iter().cycle())
            .map(|(b, k)| b ^ k)
            .collect();
        for first in 0..plain.len() {
            let mut bytes = plain.clone();
            let (head, tail) = bytes.split_at_mut(first);
            mask(head, key, 0);
            mask(tail, key, first as u64);
            assert_eq!(bytes, expected, "split at {first}");
        }
    }
}
