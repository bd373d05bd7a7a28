use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use hub_core::{TimerKey, Timers};

use crate::errno::{Errno, Result};

/// Timers that the caller tells apart by tokens of its own.
#[derive(Debug, Default)]
pub(crate) struct TokenTimers {
    timers: Timers<u64>,
    keys: HashMap<u64, TimerKey, BuildHasherDefault<Mix>>,
}

impl TokenTimers {
    pub(crate) fn add(&mut self, deadline: i64, token: u64) -> Result<()> {
        if self.keys.contains_key(&token) {
            return Err(Errno(libc::EEXIST));
        }
        if self.timers.entries() >= i32::MAX as usize {
            return Err(Errno(libc::ENOMEM));
        }
        let key = self.timers.add(in_order(deadline), token);
        self.keys.insert(token, key);
        Ok(())
    }

    pub(crate) fn cancel(&mut self, token: u64) -> Result<()> {
        let key = self.keys.remove(&token).ok_or(Errno(libc::ENOENT))?;
        self.timers.cancel(key);
        Ok(())
    }

    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.timers.next_deadline().map(from_order)
    }

    /// The earliest token whose deadline is not after `now`.
    pub(crate) fn expire(&mut self, now: i64) -> Option<u64> {
        let (_, token) = self.timers.expire(in_order(now))?;
        self.keys.remove(&token);
        Some(token)
    }

    /// Forgets them all; says how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        let count = self.keys.len();
        *self = TokenTimers::default();
        count
    }
}

/// Signed times as unsigned ones in the same order.
fn in_order(time: i64) -> u64 {
    time as u64 ^ 1 << 63
}

fn from_order(time: u64) -> i64 {
    (time ^ 1 << 63) as i64
}

/// A hash for numbers that the caller chooses: mostly addresses and counters, whose low bits
/// differ little. One multiplication spreads them over 128 bits, which are folded.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_by_deadline_also_before_zero() {
        let mut timers = TokenTimers::default();
        for (deadline, token) in [(5, 1), (-5, 2), (i64::MAX, 3), (i64::MIN, 4), (5, 5)] {
            timers.add(deadline, token).unwrap();
        }
        assert_eq!(timers.add(9, 5), Err(Errno(libc::EEXIST)));
        assert_eq!(timers.next_deadline(), Some(i64::MIN));
        let due = std::iter::from_fn(|| timers.expire(5)).collect::<Vec<_>>();
        assert_eq!(due, [4, 2, 1, 5]);
        assert_eq!(timers.cancel(5), Err(Errno(libc::ENOENT)));
        assert_eq!(timers.cancel(3), Ok(()));
        assert_eq!((timers.next_deadline(), timers.clear()), (None, 0));
    }

    #[test]
    fn a_token_is_free_again_when_it_has_expired() {
        let mut timers = TokenTimers::default();
        for round in 0..10_000 {
            timers.add(round, 7).unwrap();
            assert_eq!(timers.expire(round), Some(7));
        }
        assert!(timers.keys.is_empty() && timers.timers.entries() == 0);
    }
}
