//! UTF-8 that comes in pieces.

use std::str;

/// Checks text as it streams: an error is seen with the byte that makes it one.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character whose rest is still to come.
    begun: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// False if the text cannot be UTF-8, whatever follows.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> bool {
        while self.len > 0 && !bytes.is_empty() {
            self.begun[self.len] = bytes[0];
            self.len += 1;
            bytes = &bytes[1..];
            match str::from_utf8(&self.begun[..self.len]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let rest = &bytes[error.valid_up_to()..];
                self.begun[..rest.len()].copy_from_slice(rest);
                self.len = rest.len();
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Utf8;

    #[test]
    fn characters_may_be_split_anywhere() {
        let text = "a\u{e4}\u{20ac}\u{1f600}z\u{10ffff}".as_bytes();
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut utf8 = Utf8::default();
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert!(
                    pieces.iter().all(|piece| utf8.push(piece)),
                    "{first} {second}"
                );
                assert_eq!(utf8.len, 0);
            }
        }
    }

    #[test]
    fn the_byte_that_makes_it_wrong_is_seen() {
        for bad in [
            &[0xff][..],
            &[0xc0],
            &[0xf4, 0x90],
            &[0xed, 0xa0],
            &[0xe0, 0x80],
            &[0xce, 0x20],
            &[0xf0, 0x9f, 0x98, 0x20],
        ] {
            let mut utf8 = Utf8::default();
            let (last, begun) = bad.split_last().unwrap();
            assert!(begun.iter().all(|byte| utf8.push(&[*byte])), "{bad:x?}");
            assert!(!utf8.push(&[*last]), "{bad:x?}");
        }
    }
}
