//! The one loop through which every socket call goes: try, `WouldBlock`, park, retry.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::thread::panicking;
use std::time::{Duration, Instant};

use hub_core::{Direction, NotReady, ParkError, Token};

use crate::runtime::{Alarm, Reason, Runtime, Wake};

/// A transfer of this size or more may have been cut off by the system's own limit, which lies above it.
const ALWAYS_WHOLE: usize = 1 << 30;

/// Every system takes this many buffers in one call (`_XOPEN_IOV_MAX`).
const ALWAYS_TAKEN: usize = 16;

/// Between two tries of `retry_blindly`.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A non-blocking descriptor and its place in the reactor.
///
/// The reactor shares the descriptor while it is registered, so its number cannot be reused under it.
pub(crate) struct Io<T: AsFd + 'static> {
    /// `None` once closed.
    source: RefCell<Option<Rc<T>>>,
    /// Set by `as_fd`: who was lent the descriptor may use it for as long as the socket lives, closed or not.
    lent: OnceCell<Rc<T>>,
    /// `None` until something first had to wait.
    token: Cell<Option<Token>>,
    /// Before there is a token: the directions that the last call has used up.
    used_up: [Cell<bool>; 2],
    timeouts: [Cell<Option<Duration>>; 2],
    nonblocking: Cell<bool>,
}

impl<T: AsFd + 'static> Io<T> {
    /// Takes a descriptor that is in non-blocking mode.
    pub(crate) fn new(source: T) -> Io<T> {
        let timeout = Runtime::with(|runtime| runtime.default_timeout.get());
        Io {
            source: RefCell::new(Some(Rc::new(source))),
            lent: OnceCell::new(),
            token: Cell::new(None),
            used_up: [Cell::new(false), Cell::new(false)],
            timeouts: [Cell::new(timeout), Cell::new(timeout)],
            nonblocking: Cell::new(false),
        }
    }

    /// The source, for calls that never wait.
    ///
    /// # Errors
    /// If it was closed.
    #[inline]
    pub(crate) fn source(&self) -> io::Result<Rc<T>> {
        self.source.borrow().clone().ok_or_else(closed)
    }

    /// The number of the descriptor, or -1 if it was closed.
    pub(crate) fn number(&self) -> RawFd {
        let source = self.source.borrow();
        source
            .as_ref()
            .map_or(-1, |source| source.as_fd().as_raw_fd())
    }

    /// The descriptor itself: from now on a `close` leaves it open until this is dropped.
    pub(crate) fn lend(&self) -> BorrowedFd<'_> {
        let lent = self.lent.get_or_init(|| match self.source() {
            Ok(source) => source,
            Err(error) => panic!("cannot lend a descriptor: {error}"),
        });
        lent.as_fd()
    }

    pub(crate) fn timeout(&self, direction: Direction) -> Option<Duration> {
        self.timeouts[direction as usize].get()
    }

    /// # Errors
    /// A timeout of zero, as std.
    pub(crate) fn set_timeout(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(zero_timeout());
        }
        self.timeouts[direction as usize].set(timeout);
        Ok(())
    }

    pub(crate) fn is_nonblocking(&self) -> bool {
        self.nonblocking.get()
    }

    /// Whether calls that would wait say `WouldBlock` instead. The descriptor itself never blocks.
    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.source()?;
        self.nonblocking.set(nonblocking);
        Ok(())
    }

    /// A second descriptor of the same socket, with the same settings and a registration of its own.
    pub(crate) fn duplicate(&self, dup: impl FnOnce(&T) -> io::Result<T>) -> io::Result<Io<T>> {
        let io = Io::new(dup(&*self.source()?)?);
        for direction in [Direction::Read, Direction::Write] {
            io.timeouts[direction as usize].set(self.timeout(direction));
        }
        io.nonblocking.set(self.nonblocking.get());
        Ok(io)
    }

    /// Calls `op` until it says something other than `WouldBlock`, parking in between.
    #[inline]
    pub(crate) fn retry<R>(
        &self,
        direction: Direction,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let deadline = |runtime: &Runtime| runtime.deadline(self.timeout(direction));
        self.run(direction, deadline, op, |_| false)
    }

    /// As `retry`, with a deadline of the call's own.
    #[inline]
    pub(crate) fn retry_until<R>(
        &self,
        direction: Direction,
        deadline: Option<Instant>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.run(direction, |_| deadline, op, |_| false)
    }

    /// As `retry`, for a stream and a buffer of `wanted` bytes: after a shorter transfer the kernel has no more, so
    /// the next call parks without asking again.
    #[inline]
    pub(crate) fn transfer(
        &self,
        direction: Direction,
        wanted: usize,
        op: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let deadline = |runtime: &Runtime| runtime.deadline(self.timeout(direction));
        self.run(direction, deadline, op, |&done| is_short(done, wanted))
    }

    /// Calls `op` once, and never parks. `WouldBlock` is the caller's to deal with.
    #[inline]
    pub(crate) fn attempt<R>(
        &self,
        direction: Direction,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.once(direction, op, |_| false)
    }

    #[inline]
    pub(super) fn once<R>(
        &self,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R>,
        used_up: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let source = self.source()?;
        loop {
            let result = op(&source);
            match &result {
                Ok(done) if used_up(done) => self.note(direction, NotReady::ShortTransfer),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.note(direction, NotReady::WouldBlock),
                    io::ErrorKind::Interrupted => continue,
                    _ => {}
                },
            }
            return result;
        }
    }

    /// `attempt` for a stream and a buffer of `wanted` bytes.
    #[inline]
    pub(crate) fn attempt_transfer(
        &self,
        direction: Direction,
        wanted: usize,
        op: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.once(direction, op, |&done| is_short(done, wanted))
    }

    #[inline]
    fn run<R>(
        &self,
        direction: Direction,
        deadline: impl FnOnce(&Runtime) -> Option<Instant>,
        mut op: impl FnMut(&T) -> io::Result<R>,
        used_up: impl Fn(&R) -> bool + Copy,
    ) -> io::Result<R> {
        if self.nonblocking.get() {
            return self.once(direction, op, used_up);
        }
        Runtime::with(|runtime| {
            // Before anything was transferred: what a kill or a deadline cuts short here is nothing.
            runtime.spend_on_call();
            if self.is_ready(runtime, direction) {
                match self.once(direction, &mut op, used_up) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            }
            let deadline = deadline(runtime);
            loop {
                self.park(runtime, direction, deadline)?;
                match self.once(direction, &mut op, used_up) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            }
        })
    }

    /// Waits until `direction` is ready, as far as the reactor knows.
    pub(crate) fn wait_ready(&self, direction: Direction) -> io::Result<()> {
        Runtime::with(|runtime| {
            self.source()?;
            runtime.spend_on_call();
            if self.is_ready(runtime, direction) {
                return Ok(());
            }
            let deadline = runtime.deadline(self.timeout(direction));
            self.park(runtime, direction, deadline)
        })
    }

    #[inline]
    pub(super) fn is_ready(&self, runtime: &Runtime, direction: Direction) -> bool {
        match self.token.get() {
            Some(token) => runtime.reactor(|reactor| reactor.is_ready(token, direction)),
            None => !self.used_up[direction as usize].get(),
        }
    }

    /// Takes note that the next call would find nothing.
    #[inline]
    fn note(&self, direction: Direction, why: NotReady) {
        match self.token.get() {
            Some(token) => Runtime::with(|runtime| {
                runtime.reactor(|reactor| reactor.clear_ready(token, direction, why));
            }),
            None => self.used_up[direction as usize].set(true),
        }
    }

    /// Parks until the reactor reports `direction`.
    fn park(
        &self,
        runtime: &Runtime,
        direction: Direction,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        let fd = self.source()?.as_fd().as_raw_fd();
        let token = self.token(runtime)?;
        let waiter = runtime.waiter();
        let park = |alarm| runtime.reactor(|reactor| reactor.park(token, direction, alarm));
        let parked = match park(Alarm::Park(waiter.clone())) {
            Err(ParkError::Busy(alarm)) if displace(runtime, token, direction) => park(alarm),
            parked => parked,
        };
        parked.map_err(|refusal| self.refused(runtime, token, fd, direction, refusal))?;
        let reason = match direction {
            Direction::Read => Reason::Readable(fd),
            Direction::Write => Reason::Writable(fd),
        };
        let wake = runtime.park(reason, deadline);
        if !matches!(wake, Wake::Event) {
            let left = runtime.reactor(|reactor| {
                reactor.unpark(
                    token,
                    direction,
                    |alarm| matches!(alarm, Alarm::Park(other) if other.is_same(&waiter)),
                )
            });
            drop(left);
        }
        match wake {
            Wake::Event | Wake::Again => self.source().map(drop),
            Wake::Expired => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("timed out waiting for {reason}"),
            )),
            Wake::Interrupted(interrupt) => interrupt.raise(),
            Wake::Unwinding => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("cannot wait for {reason} while the thread unwinds"),
            )),
        }
    }

    pub(super) fn registration(&self) -> Option<Token> {
        self.token.get()
    }

    /// The registration, made on first use.
    pub(super) fn token(&self, runtime: &Runtime) -> io::Result<Token> {
        match self.token.get() {
            Some(token) => Ok(token),
            None => self.register(runtime),
        }
    }

    fn register(&self, runtime: &Runtime) -> io::Result<Token> {
        let source = self.source()?;
        let token = runtime.reactor(|reactor| {
            let token = reactor.add(source)?;
            for direction in [Direction::Read, Direction::Write] {
                if self.used_up[direction as usize].get() {
                    reactor.clear_ready(token, direction, NotReady::WouldBlock);
                }
            }
            io::Result::Ok(token)
        })?;
        self.token.set(Some(token));
        Ok(token)
    }

    #[cold]
    pub(super) fn refused(
        &self,
        runtime: &Runtime,
        token: Token,
        fd: RawFd,
        direction: Direction,
        refusal: ParkError<Alarm>,
    ) -> io::Error {
        match refusal {
            ParkError::Busy(_) => self.busy(runtime, token, fd, direction),
            ParkError::Gone(_) => closed(),
            ParkError::Io(error, _) => error,
        }
    }

    fn busy(&self, runtime: &Runtime, token: Token, fd: RawFd, direction: Direction) -> io::Error {
        let verb = match direction {
            Direction::Read => "reads from",
            Direction::Write => "writes to",
        };
        let first = runtime.reactor(|reactor| match reactor.waiter(token, direction) {
            Some(Alarm::Park(waiter)) => waiter.task().id,
            _ => 0,
        });
        let second = runtime.current().id;
        io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!(
                "greenthread {second} cannot wait for descriptor {fd}: greenthread {first} {verb} it already; \
                 let one greenthread do it, or allow more with debug::hub_prevent_multiple_readers(false)"
            ),
        )
    }

    /// Closes the descriptor now, whoever else refers to this socket; those who wait get an error.
    pub(crate) fn close(&self) {
        if let Some(source) = self.detach() {
            let number = source.as_fd().as_raw_fd();
            drop(source);
            Runtime::with(|runtime| {
                runtime.descriptor_closing(number, self.lent.get().is_some());
                runtime.descriptor_closed();
            });
        }
    }

    /// Takes the source out of the reactor and gives it away. `None` if it was closed.
    pub(crate) fn into_source(mut self) -> Option<T> {
        self.end_loan();
        // The reactor's share is gone, and nobody else has one.
        self.detach().and_then(Rc::into_inner)
    }

    /// Nobody uses a lent descriptor any more.
    fn end_loan(&mut self) {
        if let Some(lent) = self.lent.take()
            && self.source.get_mut().is_none()
        {
            let number = lent.as_fd().as_raw_fd();
            drop(lent);
            Runtime::with(|runtime| runtime.descriptor_gone(number));
        }
    }

    fn detach(&self) -> Option<Rc<T>> {
        let source = self.source.take();
        if let Some(token) = self.token.take() {
            Runtime::with(|runtime| runtime.deregister(token));
        }
        source
    }
}

/// A greenthread that waits takes the place of a task: whether anybody still awaits what that has begun cannot be known.
/// The task is woken, and its next poll is refused for as long as the greenthread waits. False if there is none.
#[cold]
fn displace(runtime: &Runtime, token: Token, direction: Direction) -> bool {
    let is_waker = |alarm: &Alarm| matches!(alarm, Alarm::Waker(_));
    let left = runtime.reactor(|reactor| reactor.unpark(token, direction, is_waker));
    match left {
        Some(alarm) => {
            alarm.wake();
            true
        }
        None => false,
    }
}

impl Runtime {
    /// Ends a registration and wakes everybody who waits on it.
    fn deregister(&self, token: Token) {
        let Some(removed) = self.remove(token) else {
            return;
        };
        for (_, alarm) in removed.waiters {
            alarm.wake();
        }
    }

    /// A descriptor was closed: who lacked one may try again.
    fn descriptor_closed(&self) {
        self.lacking.borrow_mut().wake_all();
    }
}

impl<T: AsFd + 'static> Drop for Io<T> {
    fn drop(&mut self) {
        self.end_loan();
        self.close();
    }
}

impl<T: AsFd + fmt::Debug + 'static> fmt::Debug for Io<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.source.borrow() {
            Some(source) => source.fmt(f),
            None => f.write_str("Closed"),
        }
    }
}

/// On a stream it says that the kernel's buffer is empty, or full.
#[inline]
pub(crate) fn is_short(done: usize, wanted: usize) -> bool {
    done > 0 && done < wanted.min(ALWAYS_WHOLE)
}

/// Calls `op` until it says something other than `WouldBlock`, with pauses in between: for the few waits whose end no
/// hub can report.
pub(super) fn retry_blindly<R>(
    deadline: Option<Instant>,
    mut op: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    let mut pause = Duration::from_millis(1);
    loop {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !panicking() => {}
            result => return result,
        }
        let now = Runtime::with(Runtime::now);
        let left = deadline.map_or(LONGEST_PAUSE, |deadline| {
            deadline.saturating_duration_since(now)
        });
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "timed out: the queue at the other end has stayed full",
            ));
        }
        crate::sleep(pause.min(left));
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

/// The bytes of all buffers, or 0 (which is never short) if the system may take only some of the buffers.
pub(crate) fn total(bufs: &[impl Deref<Target = [u8]>]) -> usize {
    match bufs.len() {
        0..=ALWAYS_TAKEN => bufs.iter().map(|buf| buf.len()).sum(),
        _ => 0,
    }
}

/// What every call on a closed socket says, and every wait that a close has ended.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket was closed")
}

pub(super) fn zero_timeout() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "a timeout of zero would never let anything happen: use None for no timeout",
    )
}
