//! The one loop through which every call on a descriptor of green goes: try, `WouldBlock`, wait, try again.
//!
//! It has two forms, for greenthreads ([`Io::retry`]) and for async code ([`Io::poll_retry`]), and one step, which
//! alone is for those who never wait ([`Io::attempt`]). [`Transfer`] is what they do on streams.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::task::{Context, Poll, Waker};
use std::thread::panicking;
use std::time::{Duration, Instant};

use hub_core::{Direction, NotReady};

use super::io::Io;
use crate::runtime::Runtime;
use crate::runtime::backoff::Backoff;
use crate::runtime::readiness::{
    self, Waited, leave_waker, reason, registered, registered_here, timed_out,
};

/// A transfer of this size or more may have been cut off by the system's own limit, which lies above it.
const ALWAYS_WHOLE: usize = 1 << 30;

/// Every system takes this many buffers in one call (`_XOPEN_IOV_MAX`).
const ALWAYS_TAKEN: usize = 16;

impl<T: AsFd + 'static> Io<T> {
    /// Calls `op` until it says something other than `WouldBlock`, and waits in between for as long as the timeout of
    /// this direction says. `op` may be code of the user.
    #[inline]
    pub(crate) fn retry<R>(
        &self,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let deadline = |runtime: &Runtime| runtime.deadline(self.timeout(direction));
        self.run::<false, _>(direction, deadline, || op(&*self.source()?))
    }

    /// As `retry`, with a deadline of the call's own.
    #[inline]
    pub(crate) fn retry_until<R>(
        &self,
        direction: Direction,
        deadline: Option<Instant>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.run::<false, _>(direction, |_| deadline, || op(&*self.source()?))
    }

    /// Calls `op` once, and never waits. `WouldBlock` is the caller's to deal with.
    #[inline]
    pub(crate) fn attempt<R>(
        &self,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.once(direction, NotReady::WouldBlock, || op(&*self.source()?))
    }

    /// As `retry`, for async code: if `op` says `WouldBlock`, the task is woken when it may say something else. A
    /// task has one place in each direction: a later poll by another task takes it.
    #[inline]
    pub(crate) fn poll_retry<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll(cx, direction, || op(&*self.source()?))
    }

    /// Waits until `direction` is ready, as far as the reactor knows.
    #[inline(never)]
    pub(crate) fn wait_ready(&self, direction: Direction) -> io::Result<()> {
        Runtime::with(|runtime| {
            runtime.spend();
            if !self.is_ready(runtime, direction) {
                let deadline = runtime.deadline(self.timeout(direction));
                self.wait::<true>(runtime, direction, deadline)?;
            }
            self.with_source(|_| Ok(()))
        })
    }

    /// The waker that `poll_retry` would replace by `waker` is taken back.
    pub(crate) fn withdraw(&self, direction: Direction, waker: &Waker) {
        if let Some(token) = self.registration() {
            readiness::withdraw_waker(token, direction, waker);
        }
    }

    /// `why` is what `WouldBlock` says of the direction.
    #[inline(always)]
    fn once<R>(
        &self,
        direction: Direction,
        why: NotReady,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let result = op();
            if let Err(error) = &result {
                match error.kind() {
                    io::ErrorKind::WouldBlock => self.note(direction, why),
                    io::ErrorKind::Interrupted => continue,
                    _ => {}
                }
            }
            return result;
        }
    }

    #[inline]
    fn run<const HERE: bool, R>(
        &self,
        direction: Direction,
        deadline: impl Fn(&Runtime) -> Option<Instant>,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        if self.is_nonblocking() {
            return self.once(direction, NotReady::WouldBlock, op);
        }
        Runtime::with(|runtime| {
            // Before anything was transferred: what a kill or a deadline cuts short here is nothing.
            runtime.spend();
            let mut until = None;
            let mut why = NotReady::WouldBlock;
            let mut is_ready = self.is_ready(runtime, direction);
            loop {
                if is_ready {
                    match self.once(direction, why, &mut op) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        result => return result,
                    }
                }
                match why {
                    NotReady::InVain => self.in_vain(runtime, direction, until)?,
                    _ => until = deadline(runtime),
                }
                self.wait::<HERE>(runtime, direction, until)?;
                why = NotReady::InVain;
                is_ready = true;
            }
        })
    }

    #[inline]
    fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        Runtime::with(|runtime| {
            if !runtime.spend_or_wake(cx.waker()) {
                return Poll::Pending;
            }
            if let Some(why) = self.if_it_would_block(runtime, direction) {
                match self.once(direction, why, op) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            }
            let token = self.token(runtime)?;
            match leave_waker(runtime, token, self.number(), direction, cx.waker()) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
    }

    /// Waits until the reactor reports `direction`. With `HERE` the wait is a part of the caller.
    #[inline(always)]
    fn wait<const HERE: bool>(
        &self,
        runtime: &Runtime,
        direction: Direction,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        let token = self.token(runtime)?;
        let number = self.number();
        let waited = match HERE {
            true => registered_here(runtime, token, number, direction, deadline),
            false => registered(runtime, token, number, direction, deadline),
        };
        match waited {
            Waited::Ready => Ok(()),
            // The number is looked up again, so that it is not kept during the wait.
            ended => ended.or_raise(reason(self.number(), direction)),
        }
    }

    /// What was reported as ready was not. A report beats the deadline that is over in the same turn, so that one is
    /// looked at here: some descriptors are reported for ever.
    #[cold]
    #[inline(never)]
    fn in_vain(
        &self,
        runtime: &Runtime,
        direction: Direction,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        match deadline.is_some_and(|deadline| deadline <= runtime.now()) {
            true => Err(timed_out(reason(self.number(), direction))),
            false => Ok(()),
        }
    }
}

/// A transfer of bytes, as std's traits name it.
pub(crate) enum Transfer<'a, 'b> {
    Read(&'a mut [u8]),
    ReadVectored(&'a mut [IoSliceMut<'b>]),
    Write(&'a [u8]),
    WriteVectored(&'a [IoSlice<'b>]),
}

impl Transfer<'_, '_> {
    #[inline]
    fn direction(&self) -> Direction {
        match self {
            Transfer::Read(_) | Transfer::ReadVectored(_) => Direction::Read,
            Transfer::Write(_) | Transfer::WriteVectored(_) => Direction::Write,
        }
    }

    #[inline]
    fn run<T>(&mut self, mut stream: &T) -> io::Result<usize>
    where
        for<'s> &'s T: Read + Write,
    {
        match self {
            Transfer::Read(buf) => stream.read(buf),
            Transfer::ReadVectored(bufs) => stream.read_vectored(bufs),
            Transfer::Write(buf) => stream.write(buf),
            Transfer::WriteVectored(bufs) => stream.write_vectored(bufs),
        }
    }

    /// True if `done` is less than was asked. On a plain stream of bytes it says that the system's buffer is empty,
    /// or full.
    #[inline]
    fn is_short(&self, done: usize) -> bool {
        let wanted = match self {
            Transfer::Read(buf) => buf.len(),
            Transfer::ReadVectored(bufs) => total(bufs),
            Transfer::Write(buf) => buf.len(),
            Transfer::WriteVectored(bufs) => total(bufs),
        };
        done > 0 && done < wanted.min(ALWAYS_WHOLE)
    }
}

/// The bytes of all buffers, or 0 (of which nothing falls short) if the system may take only some of the buffers.
fn total(bufs: &[impl Deref<Target = [u8]>]) -> usize {
    match bufs.len() {
        0..=ALWAYS_TAKEN => bufs.iter().map(|buf| buf.len()).sum(),
        _ => 0,
    }
}

impl<T: AsFd + 'static> Io<T>
where
    for<'s> &'s T: Read + Write,
{
    #[inline(always)]
    pub(crate) fn transfer(&self, transfer: Transfer<'_, '_>) -> io::Result<usize> {
        match transfer {
            Transfer::Read(buf) => self.read(buf),
            Transfer::Write(buf) => self.write(buf),
            vectored => self.transfer_vectored(vectored),
        }
    }

    #[inline(never)]
    fn transfer_vectored(&self, mut transfer: Transfer<'_, '_>) -> io::Result<usize> {
        let direction = transfer.direction();
        let deadline = |runtime: &Runtime| runtime.deadline(self.timeout(direction));
        self.run::<false, _>(direction, deadline, || self.step(&mut transfer))
    }

    /// The call that waits most: all that it leaves on the stack meanwhile is its own frame.
    #[inline(never)]
    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let direction = Direction::Read;
        let deadline = |runtime: &Runtime| runtime.deadline(self.timeout(direction));
        let step = || self.step(&mut Transfer::Read(&mut *buf));
        self.run::<true, _>(direction, deadline, step)
    }

    #[inline(never)]
    fn write(&self, buf: &[u8]) -> io::Result<usize> {
        let direction = Direction::Write;
        let deadline = |runtime: &Runtime| runtime.deadline(self.timeout(direction));
        let step = || self.step(&mut Transfer::Write(buf));
        self.run::<false, _>(direction, deadline, step)
    }

    /// Never waits.
    #[inline]
    pub(crate) fn try_transfer(&self, mut transfer: Transfer<'_, '_>) -> io::Result<usize> {
        self.once(transfer.direction(), NotReady::WouldBlock, || {
            self.step(&mut transfer)
        })
    }

    #[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio"))]
    #[inline]
    pub(crate) fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        mut transfer: Transfer<'_, '_>,
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, transfer.direction(), || self.step(&mut transfer))
    }

    #[inline(always)]
    fn step(&self, transfer: &mut Transfer<'_, '_>) -> io::Result<usize> {
        let done = self.with_source(|stream| transfer.run(stream))?;
        if self.is_plain() && transfer.is_short(done) {
            Runtime::with(|runtime| {
                self.note_here(runtime, transfer.direction(), NotReady::ShortTransfer)
            });
        }
        Runtime::with(|runtime| runtime.transferred(transfer.direction(), done));
        Ok(done)
    }
}

/// Calls `op` until it says something other than `WouldBlock`, with pauses in between: for the few waits whose end no
/// hub can report.
pub(super) fn retry_blindly<R>(
    deadline: Option<Instant>,
    mut op: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
    loop {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !panicking() => {}
            result => return result,
        }
        let now = Runtime::with(Runtime::now);
        let left = deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(now)
        });
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "timed out: the queue at the other end has stayed full",
            ));
        }
        crate::sleep(backoff.next().min(left));
    }
}
