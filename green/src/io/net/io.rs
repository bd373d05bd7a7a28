//! The ownership of a descriptor: opened, lent, duplicated, closed, given away.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use hub_core::{Direction, NotReady, Token};

use crate::runtime::readiness::closed;
use crate::runtime::{Runtime, ThreadState};

const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];

/// A non-blocking descriptor and its place in the reactor.
///
/// The reactor shares the descriptor while it is registered, so its number cannot be reused under it.
// The first half is what each request looks at: it lies in one cache line, wherever this is.
#[repr(C, align(32))]
pub(crate) struct Io<T: AsFd + 'static> {
    /// `None` once closed.
    source: RefCell<Option<Rc<T>>>,
    /// `NO_TOKEN` until something first had to wait.
    token: Cell<Token>,
    /// Before there is a token: the directions that the last call has used up.
    used_up: [Cell<bool>; 2],
    nonblocking: Cell<bool>,
    plain: bool,
    /// There was a timeout at some time.
    timed: Cell<bool>,
    /// In nanoseconds. Zero is none.
    timeouts: [Cell<u64>; 2],
    /// Set by `as_fd`: a caller that was lent the descriptor may use it for as long as the socket lives, closed or
    /// not.
    lent: OnceCell<Rc<T>>,
}

/// No registration has this token.
const NO_TOKEN: Token = Token::from_raw(u64::MAX);

/// What sockets start with in a thread: see [`set_default_timeout`](super::set_default_timeout).
#[derive(Default)]
pub(super) struct DefaultTimeout(pub(super) Cell<Option<Duration>>);

impl ThreadState for DefaultTimeout {}

pub(super) fn default_of_thread() -> Rc<DefaultTimeout> {
    Runtime::with(Runtime::state)
}

impl<T: AsFd + 'static> Io<T> {
    /// Takes a descriptor that is in non-blocking mode, of any kind: it is used until the system says `WouldBlock`.
    pub(crate) fn new(source: T) -> Io<T> {
        let timeout = default_of_thread().0.get();
        Io {
            source: RefCell::new(Some(Rc::new(source))),
            token: Cell::new(NO_TOKEN),
            timed: Cell::new(timeout.is_some()),
            timeouts: [nanoseconds(timeout), nanoseconds(timeout)].map(Cell::new),
            used_up: [Cell::new(false), Cell::new(false)],
            nonblocking: Cell::new(false),
            plain: false,
            lent: OnceCell::new(),
        }
    }

    /// As `new`. `plain` says that it is known for a stream of bytes and nothing but bytes, as TCP's is: a transfer
    /// of less than was asked then proves that its buffer is empty, or full. Of anything else it proves nothing:
    /// reads of terminals end with the line, those of pipes in packet mode and of inotify with the message, those of
    /// Unix sockets where a descriptor was passed. A listener is plain if what it accepts is.
    pub(crate) fn of_kind(source: T, plain: bool) -> Io<T> {
        let mut io = Io::new(source);
        io.plain = plain;
        io
    }

    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The source, for calls that never wait.
    ///
    /// # Errors
    /// If it was closed.
    pub(crate) fn source(&self) -> io::Result<Rc<T>> {
        self.source.borrow().clone().ok_or_else(closed)
    }

    /// Lends the source to a system call. `op` must run no code of the user: it could close this.
    ///
    /// # Errors
    /// If it was closed.
    #[inline]
    pub(super) fn with_source<R>(&self, op: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        match &*self.source.borrow() {
            Some(source) => op(source),
            None => Err(closed()),
        }
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
        if !self.timed.get() {
            return None;
        }
        let timeout = self.timeouts[direction as usize].get();
        (timeout > 0).then(|| Duration::from_nanos(timeout))
    }

    /// Longer than 584 years is that.
    ///
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
        self.timed.set(true);
        self.timeouts[direction as usize].set(nanoseconds(timeout));
        Ok(())
    }

    #[inline]
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.nonblocking.get()
    }

    /// With `true`, calls that would wait say `WouldBlock` instead. The descriptor itself never blocks.
    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.source()?;
        self.nonblocking.set(nonblocking);
        Ok(())
    }

    /// A second descriptor of the same socket, with the same settings and a registration of its own.
    pub(crate) fn duplicate(&self, dup: impl FnOnce(&T) -> io::Result<T>) -> io::Result<Io<T>> {
        let io = Io::of_kind(dup(&*self.source()?)?, self.plain);
        io.timed.set(self.timed.get());
        for direction in DIRECTIONS {
            io.timeouts[direction as usize].set(self.timeouts[direction as usize].get());
        }
        io.nonblocking.set(self.nonblocking.get());
        Ok(io)
    }

    /// True if the next call is worth its price, as far as is known.
    #[inline]
    pub(super) fn is_ready(&self, runtime: &Runtime, direction: Direction) -> bool {
        match self.registration() {
            Some(token) => runtime.reactor(|reactor| reactor.is_ready(token, direction)),
            None => !self.used_up[direction as usize].get(),
        }
    }

    /// As `is_ready`, for a call that is made by a poll: if it is worth its price, what a `WouldBlock` says of the
    /// direction. Whether it is one for which the task was woken, the reactor knows.
    #[inline]
    pub(super) fn if_it_would_block(
        &self,
        runtime: &Runtime,
        direction: Direction,
    ) -> Option<NotReady> {
        let (ready, woken) = match self.registration() {
            Some(token) => runtime.reactor(|reactor| {
                let ready = reactor.is_ready(token, direction);
                (ready, ready && reactor.take_woken(token, direction))
            }),
            None => (!self.used_up[direction as usize].get(), false),
        };
        ready.then_some(match woken {
            true => NotReady::InVain,
            false => NotReady::WouldBlock,
        })
    }

    /// Takes note that the next call would find nothing.
    #[inline(never)]
    pub(super) fn note(&self, direction: Direction, why: NotReady) {
        Runtime::with(|runtime| self.note_here(runtime, direction, why));
    }

    /// As `note`, as a part of its caller.
    #[inline(always)]
    pub(super) fn note_here(&self, runtime: &Runtime, direction: Direction, why: NotReady) {
        match self.registration() {
            Some(token) => runtime.reactor(|reactor| reactor.clear_ready(token, direction, why)),
            None => self.used_up[direction as usize].set(true),
        }
    }

    #[inline]
    pub(super) fn registration(&self) -> Option<Token> {
        let token = self.token.get();
        (token != NO_TOKEN).then_some(token)
    }

    /// The registration, made on first use.
    #[inline]
    pub(super) fn token(&self, runtime: &Runtime) -> io::Result<Token> {
        match self.registration() {
            Some(token) => Ok(token),
            None => self.register(runtime),
        }
    }

    #[cold]
    #[inline(never)]
    fn register(&self, runtime: &Runtime) -> io::Result<Token> {
        let source = self.source()?;
        let token = runtime.reactor(|reactor| {
            let token = reactor.add(source)?;
            for direction in DIRECTIONS {
                if self.used_up[direction as usize].get() {
                    reactor.clear_ready(token, direction, NotReady::WouldBlock);
                }
            }
            io::Result::Ok(token)
        })?;
        self.token.set(token);
        Ok(token)
    }

    /// After a shutdown: those who wait in these directions have something to find, and so has the next call. The
    /// system does not say so of every socket and direction: the registration ends, and a greenthread that goes on
    /// waiting makes another.
    pub(crate) fn woken_by(&self, how: Shutdown) {
        let ended: &[Direction] = match how {
            Shutdown::Read => &[Direction::Read],
            Shutdown::Write => &[Direction::Write],
            Shutdown::Both => &DIRECTIONS,
        };
        for direction in ended {
            self.used_up[*direction as usize].set(false);
        }
        let Some(token) = self.registration() else {
            return;
        };
        Runtime::with(|runtime| {
            let concerned = runtime.reactor(|reactor| {
                let mut ended = ended.iter();
                ended.any(|&direction| {
                    reactor.waiter(token, direction).is_some()
                        || !reactor.is_ready(token, direction)
                })
            });
            if concerned {
                self.renew();
            }
        });
    }

    /// Ends the registration and wakes those who wait. The next call is tried, and the next wait makes another, of
    /// which the system says anew what is ready.
    pub(super) fn renew(&self) {
        self.used_up.iter().for_each(|used_up| used_up.set(false));
        if let Some(token) = self.registration() {
            self.token.set(NO_TOKEN);
            Runtime::with(|runtime| runtime.deregister(token));
        }
    }

    /// Closes the descriptor now, also for others that refer to this socket; those who wait get an error.
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

    /// Ends the loan of a descriptor: no caller of `lend` uses it any more.
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
        self.renew();
        source
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
}

impl<T: AsFd + 'static> Drop for Io<T> {
    // Not inline: the frame of everybody who has a socket would have room for its end.
    #[inline(never)]
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

/// What is nothing but an [`Io`].
pub(crate) trait HasIo {
    type Source: AsFd + 'static;

    fn io(&self) -> &Io<Self::Source>;
}

fn nanoseconds(timeout: Option<Duration>) -> u64 {
    timeout.map_or(0, |timeout| {
        u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
    })
}

pub(super) fn zero_timeout() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "a timeout of zero would never let anything happen: use None for no timeout",
    )
}
