//! The loop of `net/io.rs` for async code: try, `WouldBlock`, leave a waker, return.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::task::{Context, Poll, Waker};

use hub_core::Direction;

use super::io::Io;
use crate::runtime::{Alarm, Runtime};

impl<T: AsFd + 'static> Io<T> {
    /// Calls `op`; if it says `WouldBlock`, the task is woken when it may say something else. A task has one place in
    /// each direction: a later poll by another task takes it.
    pub(crate) fn poll_retry<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll(cx, direction, op, |_| false)
    }

    #[inline]
    pub(crate) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(&T) -> io::Result<R>,
        used_up: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        Runtime::with(|runtime| {
            if !runtime.spend_or_wake(cx.waker()) {
                return Poll::Pending;
            }
            if self.is_ready(runtime, direction) {
                match self.once(direction, op, used_up) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            }
            match self.leave_waker(runtime, direction, cx.waker()) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
    }

    /// Has the reactor wake `waker` when it reports `direction`, and no other that was left here before.
    fn leave_waker(
        &self,
        runtime: &Runtime,
        direction: Direction,
        waker: &Waker,
    ) -> io::Result<()> {
        let fd = self.source()?.as_fd().as_raw_fd();
        let token = self.token(runtime)?;
        let known = runtime.reactor(|reactor| {
            matches!(
                reactor.waiter(token, direction),
                Some(Alarm::Waker(known)) if known.will_wake(waker)
            )
        });
        if known {
            return Ok(());
        }
        // Cloned and dropped outside the reactor's borrow: what a waker does there is its own affair.
        let alarm = Alarm::Waker(waker.clone());
        let (former, left) = runtime.reactor(|reactor| {
            let is_waker = |alarm: &Alarm| matches!(alarm, Alarm::Waker(_));
            let former = reactor.unpark(token, direction, is_waker);
            (former, reactor.park(token, direction, alarm))
        });
        drop(former);
        left.map_err(|refusal| self.refused(runtime, token, fd, direction, refusal))
    }

    /// The waker that `waker` would replace is taken back.
    pub(crate) fn withdraw(&self, direction: Direction, waker: &Waker) {
        let Some(token) = self.registration() else {
            return;
        };
        let left = Runtime::with(|runtime| {
            runtime.with_reactor(|reactor| {
                let is_same =
                    |alarm: &Alarm| matches!(alarm, Alarm::Waker(left) if left.will_wake(waker));
                reactor.unpark(token, direction, is_same)
            })
        });
        drop(left);
    }
}

/// What async code polls.
pub(crate) trait Polled {
    type Source: AsFd + 'static;

    fn io(&self) -> &Io<Self::Source>;
}
