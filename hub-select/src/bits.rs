//! The bit sets of select, as long as they need to be

use std::os::fd::RawFd;

/// What the system's sets are made of. Where it is not this type its sets are little-endian, and
/// the bits stand in the same places.
type Word = libc::c_ulong;

const WORD: usize = Word::BITS as usize;

/// From which number on descriptors cannot be in a set.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const LIMIT: Option<RawFd> = None;

/// From which number on descriptors cannot be in a set.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const LIMIT: Option<RawFd> = Some(libc::FD_SETSIZE as RawFd);

/// How many descriptors so many words hold.
pub(crate) fn capacity(words: usize) -> RawFd {
    (words * WORD) as RawFd
}

/// A set of descriptors. Its last word is never empty, so that its length is what a wait costs.
pub(crate) struct Bits(Vec<Word>);

impl Bits {
    pub(crate) const fn new() -> Bits {
        Bits(Vec::new())
    }

    #[inline]
    pub(crate) fn has(&self, fd: RawFd) -> bool {
        let word = self.0.get(fd as usize / WORD);
        word.is_some_and(|word| word >> (fd as usize % WORD) & 1 == 1)
    }

    #[inline]
    pub(crate) fn set(&mut self, fd: RawFd) {
        let index = fd as usize / WORD;
        if index >= self.0.len() {
            self.0.resize(index + 1, 0);
        }
        self.0[index] |= 1 << (fd as usize % WORD);
    }

    #[inline]
    pub(crate) fn clear(&mut self, fd: RawFd) {
        if let Some(word) = self.0.get_mut(fd as usize / WORD) {
            *word &= !(1 << (fd as usize % WORD));
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    #[inline]
    pub(crate) fn words(&self) -> usize {
        self.0.len()
    }

    /// Becomes a copy of `other`, so many words long.
    #[inline]
    pub(crate) fn copy(&mut self, other: &Bits, words: usize) {
        self.0.clear();
        self.0.extend_from_slice(&other.0);
        self.0.resize(words, 0);
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut libc::fd_set {
        self.0.as_mut_ptr().cast()
    }

    /// The descriptors in any of three sets of the same length, and which of them have it.
    #[inline]
    pub(crate) fn members(sets: [&Bits; 3]) -> impl Iterator<Item = (RawFd, [bool; 3])> {
        (0..sets[0].0.len()).flat_map(move |index| {
            let words = sets.map(|set| set.0[index]);
            let mut rest = words[0] | words[1] | words[2];
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                if bit == WORD {
                    return None;
                }
                rest &= rest - 1;
                let fd = (index * WORD + bit) as RawFd;
                Some((fd, words.map(|word| word >> bit & 1 == 1)))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn a_set_grows_and_shrinks_and_lists_its_members() {
        let (mut reads, mut writes) = (Bits::new(), Bits::new());
        for fd in [0, 63, 64, 2000] {
            reads.set(fd);
        }
        writes.set(64);
        assert!(reads.has(2000) && !reads.has(1999) && !reads.has(100_000));
        let (mut readable, mut writable) = (Bits::new(), Bits::new());
        readable.copy(&reads, reads.words());
        writable.copy(&writes, reads.words());
        let members: Vec<_> = Bits::members([&readable, &writable, &writable]).collect();
        let all = [
            (0, [true, false, false]),
            (63, [true, false, false]),
            (64, [true, true, true]),
            (2000, [true, false, false]),
        ];
        assert_eq!(members, all);
        reads.clear(2000);
        assert_eq!(reads.words(), 64 / super::WORD + 1);
        for fd in [0, 63, 64] {
            reads.clear(fd);
        }
        assert_eq!(reads.words(), 0);
    }
}
