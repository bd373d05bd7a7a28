//! What the reactor knows of the readiness of one descriptor, in a byte.

use crate::{Direction, NotReady, Ready};

/// Per direction: whether the next system call is worth its price; whether a short transfer
/// proves nothing, after a hang-up or error, which no second report will follow, and with urgent
/// data, behind whose mark there may be more; whether the next to park is one that was woken in
/// vain; whether a waiter has come back since the last system call that is known of.
#[derive(Clone, Copy)]
pub(crate) struct State(u8);

/// The lower two bits are the directions' first flags; those of every further pair stand above them.
#[inline(always)]
fn first_flag(direction: Direction) -> u8 {
    direction as u8 + 1
}

impl State {
    pub(crate) const FRESH: State = State(0b0011);

    #[inline]
    pub(crate) fn is_ready(self, direction: Direction) -> bool {
        self.0 & first_flag(direction) != 0
    }

    #[inline]
    pub(crate) fn report(&mut self, ready: Ready) {
        let broken = ready.has(Ready::HUP | Ready::ERR | Ready::NVAL);
        let doubtful = broken || ready.has(Ready::RDHUP | Ready::PRI);
        self.0 |= ready.is_readable() as u8
            | (ready.is_writable() as u8) << 1
            | (doubtful as u8) << 2
            | (broken as u8) << 3;
    }

    #[inline]
    pub(crate) fn clear(&mut self, direction: Direction, why: NotReady) {
        let flag = first_flag(direction);
        let sticky = flag << 2;
        self.take_woken(direction);
        match why {
            NotReady::WouldBlock => self.0 &= !(flag | sticky),
            NotReady::InVain => {
                self.0 &= !(flag | sticky);
                self.0 |= first_flag(direction) << 4;
            }
            NotReady::ShortTransfer if self.0 & sticky == 0 => self.0 &= !flag,
            NotReady::ShortTransfer => {}
        }
    }

    /// True, once, if the direction's last report was in vain.
    #[inline]
    pub(crate) fn take_vain(&mut self, direction: Direction) -> bool {
        self.take(first_flag(direction) << 4)
    }

    /// The waiter of the direction comes back.
    #[inline]
    pub(crate) fn wake(&mut self, direction: Direction) {
        self.0 |= first_flag(direction) << 6;
    }

    /// True, once, if a waiter of the direction has come back.
    #[inline]
    pub(crate) fn take_woken(&mut self, direction: Direction) -> bool {
        self.take(first_flag(direction) << 6)
    }

    #[inline]
    fn take(&mut self, flag: u8) -> bool {
        let was = self.0 & flag != 0;
        self.0 &= !flag;
        was
    }
}
