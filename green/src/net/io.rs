//! The one loop through which every socket call goes: try, `WouldBlock`, park, retry.

use std::cell::{Cell, Ref, RefCell};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::{Direction, NotReady, ParkError, Token};

use crate::runtime::{Alarm, Reason, Runtime, Wake};

/// A non-blocking descriptor and its place in the reactor.
///
/// The reactor shares the descriptor while it is registered, so its number cannot be reused under it.
pub(crate) struct Io<T: AsFd + 'static> {
    /// `None` once closed.
    source: RefCell<Option<Rc<T>>>,
    /// `None` until something first had to wait.
    token: Cell<Option<Token>>,
    timeouts: [Cell<Option<Duration>>; 2],
}

impl<T: AsFd + 'static> Io<T> {
    /// Takes a descriptor that is in non-blocking mode.
    pub(crate) fn new(source: T) -> Io<T> {
        Io {
            source: RefCell::new(Some(Rc::new(source))),
            token: Cell::new(None),
            timeouts: [Cell::new(None), Cell::new(None)],
        }
    }

    /// The source, for calls that never wait.
    ///
    /// # Errors
    /// If it was closed.
    pub(crate) fn get(&self) -> io::Result<Ref<'_, T>> {
        Ref::filter_map(self.source.borrow(), |source| source.as_deref()).map_err(|_| closed())
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
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "cannot set a timeout of zero: use None for none",
            ));
        }
        self.timeouts[direction as usize].set(timeout);
        Ok(())
    }

    /// Calls `op` until it says something other than `WouldBlock`, parking in between.
    #[inline]
    pub(crate) fn retry<R>(
        &self,
        direction: Direction,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.retry_for(direction, self.timeout(direction), op)
    }

    /// As `retry`, with a timeout of the call's own.
    #[inline]
    pub(crate) fn retry_for<R>(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        Runtime::with(|runtime| {
            let mut deadline = None;
            loop {
                if self.is_ready(runtime, direction) {
                    match op(&*self.get()?) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            self.clear_ready(runtime, direction, NotReady::WouldBlock);
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        result => {
                            runtime.spend();
                            return result;
                        }
                    }
                }
                if let Some(timeout) = timeout
                    && deadline.is_none()
                {
                    deadline = runtime.deadline(Some(timeout));
                }
                self.park(runtime, direction, deadline)?;
            }
        })
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
        let done = self.retry(direction, op)?;
        if done > 0 && done < wanted {
            Runtime::with(|runtime| {
                self.clear_ready(runtime, direction, NotReady::ShortTransfer);
            });
        }
        Ok(done)
    }

    /// Waits until `direction` is ready, as far as the reactor knows.
    pub(crate) fn wait_ready(&self, direction: Direction) -> io::Result<()> {
        Runtime::with(|runtime| {
            let deadline = runtime.deadline(self.timeout(direction));
            while !self.is_ready(runtime, direction) {
                self.park(runtime, direction, deadline)?;
            }
            Ok(())
        })
    }

    #[inline]
    fn is_ready(&self, runtime: &Runtime, direction: Direction) -> bool {
        match self.token.get() {
            Some(token) => runtime.reactor(|reactor| reactor.is_ready(token, direction)),
            None => true,
        }
    }

    #[inline]
    fn clear_ready(&self, runtime: &Runtime, direction: Direction, why: NotReady) {
        if let Some(token) = self.token.get() {
            runtime.reactor(|reactor| reactor.clear_ready(token, direction, why));
        }
    }

    /// Parks until the reactor reports `direction`.
    fn park(
        &self,
        runtime: &Runtime,
        direction: Direction,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        let fd = self.get()?.as_fd().as_raw_fd();
        let token = match self.token.get() {
            Some(token) => token,
            None => self.register(runtime)?,
        };
        let waiter = runtime.waiter();
        let parked =
            runtime.reactor(|reactor| reactor.park(token, direction, Alarm::Park(waiter.clone())));
        match parked {
            Ok(()) => {}
            Err(ParkError::Busy(_)) => return Err(self.busy(runtime, token, fd, direction)),
            Err(ParkError::Gone(_)) => return Err(closed()),
            Err(ParkError::Io(error, _)) => return Err(error),
        }
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
            Wake::Event => Ok(()),
            Wake::Expired => Err(io::Error::new(io::ErrorKind::TimedOut, "timed out")),
            Wake::Interrupted(interrupt) => interrupt.raise(),
            Wake::Unwinding => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "cannot wait for a socket while unwinding",
            )),
        }
    }

    fn register(&self, runtime: &Runtime) -> io::Result<Token> {
        let source = self.source.borrow().clone().ok_or_else(closed)?;
        let token = runtime.reactor(|reactor| reactor.add(source))?;
        self.token.set(Some(token));
        Ok(token)
    }

    #[cold]
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
        let source = self.source.take();
        if let Some(token) = self.token.take() {
            Runtime::with(|runtime| runtime.deregister(token));
        }
        drop(source);
    }

    /// Takes the source out of the reactor and gives it away. `None` if it was closed.
    pub(crate) fn into_source(self) -> Option<T> {
        let source = self.source.take();
        if let Some(token) = self.token.take() {
            Runtime::with(|runtime| runtime.deregister(token));
        }
        // The reactor's share is gone, and nobody else ever has one.
        source.and_then(Rc::into_inner)
    }
}

impl Runtime {
    /// Ends a registration and wakes everybody who waits on it.
    fn deregister(&self, token: Token) {
        let Some(removed) = self.with_reactor(|reactor| reactor.remove(token)) else {
            return;
        };
        for (_, alarm) in removed.waiters {
            if let Alarm::Park(waiter) = alarm {
                waiter.wake();
            }
        }
    }
}

impl<T: AsFd + 'static> Drop for Io<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T: AsFd + fmt::Debug + 'static> fmt::Debug for Io<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.source.borrow() {
            Some(source) => source.fmt(f),
            None => f.write_str("closed"),
        }
    }
}

pub(crate) fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the socket was closed by another greenthread",
    )
}
