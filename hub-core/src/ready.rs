use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// One of the two things that a descriptor can be waited for.
///
/// ```
/// use hub_core::{Direction, Interest};
/// let wanted: Interest = Direction::Read.into();
/// assert!(wanted.has(Direction::Read) && !wanted.has(Direction::Write));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Data, a connection, or the end of the stream can be read.
    Read,
    /// There is room to write.
    Write,
}

/// Which directions are wanted: a set of [`Direction`]s.
///
/// ```
/// use hub_core::{Direction, Interest};
/// let both = Interest::READ | Interest::WRITE;
/// assert!(both.has(Direction::Write) && !Interest::NONE.has(Direction::Read));
///
/// // What a report leaves of it.
/// let answered = Interest::answered_by(hub_core::Ready::READ);
/// assert_eq!(both.without(answered), Interest::of(Direction::Write));
/// assert!(both.without(both).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interest(u8);

impl Interest {
    /// Neither direction.
    pub const NONE: Interest = Interest(0);
    /// Reading.
    pub const READ: Interest = Interest(1);
    /// Writing.
    pub const WRITE: Interest = Interest(2);
    /// Both directions.
    pub const BOTH: Interest = Interest(3);

    /// True if neither direction is wanted.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// True if this direction is wanted.
    #[inline]
    pub const fn has(self, direction: Direction) -> bool {
        self.0 & Interest::of(direction).0 != 0
    }

    /// The set of one direction.
    #[inline]
    pub const fn of(direction: Direction) -> Interest {
        match direction {
            Direction::Read => Interest::READ,
            Direction::Write => Interest::WRITE,
        }
    }

    /// What is left of this set when `other` is taken out.
    #[inline]
    pub const fn without(self, other: Interest) -> Interest {
        Interest(self.0 & !other.0)
    }

    /// What a report of `ready` answers: the directions that it makes ready.
    #[inline]
    pub const fn answered_by(ready: Ready) -> Interest {
        Interest(ready.is_readable() as u8 | (ready.is_writable() as u8) << 1)
    }
}

impl BitOr for Interest {
    type Output = Interest;
    #[inline]
    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    #[inline]
    fn bitor_assign(&mut self, other: Interest) {
        self.0 |= other.0;
    }
}

impl From<Direction> for Interest {
    #[inline]
    fn from(direction: Direction) -> Interest {
        Interest::of(direction)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(["NONE", "READ", "WRITE", "READ|WRITE"][usize::from(self.0 & 3)])
    }
}

/// What a hub reports of a descriptor: a set of bits.
///
/// [`is_readable`](Ready::is_readable) and [`is_writable`](Ready::is_writable) are what a caller
/// acts on, and what every hub agrees on. The other bits are detail that a hub shows if its system
/// shows it: select knows no [`HUP`](Ready::HUP), it says readable or writable instead; see
/// [`Hub::shows_hang_ups`](crate::Hub::shows_hang_ups).
///
/// ```
/// use hub_core::Ready;
/// assert!(Ready::HUP.is_readable() && Ready::HUP.is_writable());
/// assert!(!Ready::READ.is_writable());
/// assert_eq!((Ready::READ | Ready::HUP).bits(), 5);
///
/// use hub_core::Direction;
/// let (may_read, may_write) = (true, false); // As a system says it.
/// let ready = Ready::of([(may_read, Ready::READ), (may_write, Ready::WRITE)]);
/// assert!(ready.is(Direction::Read) && !ready.has(Ready::WRITE) && !ready.is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ready(u8);

impl Ready {
    /// Nothing.
    pub const NONE: Ready = Ready(0);
    /// A read makes progress: data, a connection, the end of the stream, or an error.
    pub const READ: Ready = Ready(1);
    /// A write makes progress.
    pub const WRITE: Ready = Ready(2);
    /// Both halves of the stream are closed, or the other end of a pipe is.
    pub const HUP: Ready = Ready(4);
    /// An error is pending; the next system call brings it.
    pub const ERR: Ready = Ready(8);
    /// The descriptor was closed while it was registered. It is reported at most once.
    pub const NVAL: Ready = Ready(16);
    /// The peer has shut down its writing half: after what is buffered a read finds the end.
    pub const RDHUP: Ready = Ready(32);
    /// Urgent data is there: a read stops at its mark, however much lies behind it.
    pub const PRI: Ready = Ready(64);

    /// The bits, as in the constants: READ 1, WRITE 2, HUP 4, ERR 8, NVAL 16, RDHUP 32,
    /// PRI 64.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of those that come with `true`: how a hub translates what its system says.
    #[inline]
    pub fn of<const N: usize>(bits: [(bool, Ready); N]) -> Ready {
        let set = bits.into_iter().filter(|(is_set, _)| *is_set);
        set.fold(Ready::NONE, |all, (_, bit)| all | bit)
    }

    /// True if nothing is set.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// True if any bit of `other` is set.
    #[inline]
    pub const fn has(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }

    /// True if a read would make progress. A hang-up or an error counts: the read finds it.
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.0 & (1 | 4 | 8 | 16 | 32 | 64) != 0
    }

    /// True if a write would make progress. A hang-up or an error counts: the write finds it.
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.0 & (2 | 4 | 8 | 16) != 0
    }

    /// True if this direction is ready.
    #[inline]
    pub const fn is(self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.is_readable(),
            Direction::Write => self.is_writable(),
        }
    }
}

impl From<Interest> for Ready {
    /// Every wanted direction is ready.
    #[inline]
    fn from(interest: Interest) -> Ready {
        Ready(interest.0)
    }
}

impl BitOr for Ready {
    type Output = Ready;
    #[inline]
    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl BitOrAssign for Ready {
    #[inline]
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("NONE");
        }
        let names = ["READ", "WRITE", "HUP", "ERR", "NVAL", "RDHUP", "PRI"];
        let set = (0..names.len()).filter(|bit| self.0 >> bit & 1 == 1);
        let set: Vec<&str> = set.map(|bit| names[bit]).collect();
        f.write_str(&set.join("|"))
    }
}
