//! How a call waits for its descriptor: try, `EAGAIN`, wait, try again.

use std::ffi::c_int;
use std::io;
use std::time::{Duration, Instant};

use green::layer::{self, Direction, Interest, NotReady, WaitEnd};

use crate::known::{self, Kind, Seen, borrow};
use crate::sys;

/// Calls `op`, which must not wait, until it says something other than `EAGAIN`, and waits for the descriptor in between, for
/// as long as its own timeout says. Gives what `op` said, or `-errno`: `EAGAIN` after that timeout, `ECANCELED` if the
/// greenthread is being killed or a deadline around it has passed, `EBADF` if the number was closed meanwhile.
#[inline]
pub(crate) fn retry(seen: Seen, direction: Direction, mut op: impl FnMut() -> isize) -> isize {
    if !begins(seen) {
        return -(libc::EBADF as isize);
    }
    let mut waits = Waits::new(seen, direction);
    if waits.is_worth_a_try() {
        let said = op();
        if !sys::is(said, libc::EAGAIN) {
            return said;
        }
    }
    loop {
        if let Err(errno) = waits.wait() {
            return -(errno as isize);
        }
        let said = op();
        if !sys::is(said, libc::EAGAIN) {
            return said;
        }
    }
}

/// Lets others run if the caller has had its share. False if one of them has closed the number.
#[inline]
pub(crate) fn begins(seen: Seen) -> bool {
    layer::spend();
    seen.is_open()
}

/// The waits of one call.
pub(crate) struct Waits {
    seen: Seen,
    direction: Direction,
    /// When its timeout is over, once it is known.
    deadline: Option<Option<Instant>>,
    /// True if the last wait has found it ready.
    woken: bool,
    pause: Pause,
    /// False for a call that waits whatever the mode of the descriptor is: `poll`.
    heeds_mode: bool,
}

impl Waits {
    pub(crate) fn new(seen: Seen, direction: Direction) -> Waits {
        Waits {
            seen,
            direction,
            deadline: None,
            woken: false,
            pause: Pause::new(),
            heeds_mode: true,
        }
    }

    /// As `new`, with a deadline of the call's own.
    pub(crate) fn until(seen: Seen, direction: Direction, deadline: Option<Instant>) -> Waits {
        Waits {
            deadline: Some(deadline),
            heeds_mode: false,
            ..Waits::new(seen, direction)
        }
    }

    /// As the function.
    pub(crate) fn begins(&self) -> bool {
        begins(self.seen)
    }

    /// True if a call is worth its price, as far as the hub knows.
    #[inline]
    pub(crate) fn is_worth_a_try(&self) -> bool {
        self.seen
            .token
            .is_none_or(|token| layer::is_ready(token, self.direction))
    }

    /// Waits until the last call, which has found nothing, is worth another one. An error is the number that the call
    /// fails with.
    #[inline]
    pub(crate) fn wait(&mut self) -> Result<(), c_int> {
        let errno = sys::errno();
        let ended = self.wait_once();
        sys::set_errno(errno);
        self.woken = true;
        if !self.seen.is_open() {
            return Err(libc::EBADF);
        }
        match ended {
            WaitEnd::Ready => Ok(()),
            WaitEnd::Expired => Err(libc::EAGAIN),
            WaitEnd::Interrupted => Err(libc::ECANCELED),
            WaitEnd::Cannot(error) => self.pause_for(&error),
        }
    }

    fn wait_once(&mut self) -> WaitEnd {
        let deadline = self.deadline();
        if self.woken && deadline.is_some_and(|deadline| deadline <= green::time::now()) {
            // A report beats the deadline of the same turn, and some descriptors are reported for ever.
            return WaitEnd::Expired;
        }
        if self.seen.mode.kind == Kind::Device {
            return self.wait_unknown(deadline);
        }
        // Another greenthread may have had the hub forget it, by a shutdown, or learn of it, since.
        match known::look(self.seen.fd) {
            Some(now) if now.stamp.is_same_file(self.seen.stamp) => self.seen.token = now.token,
            _ => return WaitEnd::Ready,
        }
        if self.seen.token.is_none() && !self.seen.is_confirmed() {
            return self.in_another_mode();
        }
        let token = match self.seen.token {
            Some(token) => token,
            None => match self.seen.register() {
                Ok(token) => token,
                Err(_) => return self.wait_unknown(deadline),
            },
        };
        let why = match self.woken {
            true => NotReady::InVain,
            false => NotReady::WouldBlock,
        };
        layer::used_up(token, self.direction, why);
        match layer::wait(token, self.seen.fd, self.direction, deadline) {
            WaitEnd::Cannot(error) if error.kind() == io::ErrorKind::NotConnected => WaitEnd::Ready,
            // Another greenthread waits here, or the hub has lost sight of it.
            WaitEnd::Cannot(_) => self.wait_unknown(deadline),
            end => end,
        }
    }

    /// The mode was changed by a bare system call.
    #[cold]
    fn in_another_mode(&mut self) -> WaitEnd {
        match self.seen.mode.nonblocking && self.heeds_mode {
            true => WaitEnd::Expired,
            false => {
                if self.heeds_mode {
                    self.deadline = None;
                }
                WaitEnd::Ready
            }
        }
    }

    /// Waits for a duplicate, of which the hub is told for this one wait.
    #[cold]
    fn wait_unknown(&self, deadline: Option<Instant>) -> WaitEnd {
        let interest = Interest::from(self.direction);
        layer::wait_fds(&[(borrow(self.seen.fd), interest)], deadline)
    }

    /// What cannot be waited for is asked from time to time: the call itself must not wait.
    #[cold]
    fn pause_for(&mut self, error: &io::Error) -> Result<(), c_int> {
        if error.raw_os_error() == Some(libc::EBADF) {
            return Err(libc::EBADF);
        }
        let deadline = self.deadline();
        match self.pause.wait(deadline) {
            WaitEnd::Expired => Ok(()),
            WaitEnd::Interrupted => Err(libc::ECANCELED),
            WaitEnd::Ready | WaitEnd::Cannot(_) => Err(libc::EAGAIN),
        }
    }

    fn deadline(&mut self) -> Option<Instant> {
        let (seen, direction) = (self.seen, self.direction);
        *self.deadline.get_or_insert_with(|| {
            let timeout = seen.mode.timeout(seen.fd, direction)?;
            layer::deadline(timeout)
        })
    }
}

/// Pauses that become longer, between looks at what no hub reports.
pub(crate) struct Pause(Duration);

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(32);

impl Pause {
    pub(crate) fn new() -> Pause {
        Pause(SHORTEST)
    }

    /// The end of the next pause, which is not waited for here.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        let next = layer::deadline(self.0);
        self.0 = (self.0 * 2).min(LONGEST);
        next
    }

    /// Sleeps, until `deadline` at most. `Expired` says that it is time for another look, and `Ready` that the deadline is
    /// over.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> WaitEnd {
        let now = green::time::now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return WaitEnd::Ready;
        }
        let next = now + self.0;
        self.0 = (self.0 * 2).min(LONGEST);
        layer::sleep_until(Some(deadline.map_or(next, |deadline| deadline.min(next))))
    }
}

/// The time that lies `timeout` ahead; `None` never comes.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(layer::deadline)
}
