//! Messages that say whose they are.

use std::io::{self, Read};

/// The least length: an owner and a number.
pub(crate) const LEAST: usize = 16;

/// A message that says whose it is and which one, so that an answer can be checked.
pub(super) struct Message(Vec<u8>);

impl Message {
    /// # Errors
    /// `InvalidInput` for a size that does not hold two numbers.
    pub(super) fn new(size: usize) -> io::Result<Message> {
        if size < LEAST {
            let what = format!("a message of {size} bytes is too short, the least is {LEAST}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(Message((0..size).map(|at| (at * 31 + 7) as u8).collect()))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn of(&mut self, owner: u64, number: u64) -> &[u8] {
        self.0[..8].copy_from_slice(&owner.to_le_bytes());
        self.0[8..LEAST].copy_from_slice(&number.to_le_bytes());
        &self.0
    }
}

/// Reads once into `buffer`, which is longer than `expected`, and compares; none if nothing is there.
///
/// # Errors
/// If the stream has ended, or brings anything else or more than is expected.
pub(super) fn receive(
    mut stream: impl Read,
    expected: &[u8],
    buffer: &mut [u8],
) -> io::Result<Option<usize>> {
    let received = match stream.read(&mut buffer[..=expected.len()]) {
        Ok(0) => return Err(io::Error::other("the server has closed a connection")),
        Ok(received) => received,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    if received > expected.len() || buffer[..received] != expected[..received] {
        return Err(io::Error::other("an echo differs from what was sent"));
    }
    Ok(Some(received))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_or_ends_is_an_error() {
        let mut message = Message::new(LEAST).unwrap();
        let expected = message.of(3, 4).to_vec();
        let mut buffer = [0; 64];
        assert_eq!(
            receive(&expected[..5], &expected, &mut buffer).unwrap(),
            Some(5)
        );
        assert!(receive(&message.of(3, 5).to_vec()[..], &expected, &mut buffer).is_err());
        assert!(receive(&[][..], &expected, &mut buffer).is_err());
        let more = [&expected[..], b"x"].concat();
        assert!(receive(&more[..], &expected, &mut buffer).is_err());
        assert!(Message::new(LEAST - 1).is_err());
    }
}
