//! A handle whose greenthread does not outlive it.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Exit, GreenThread};
use crate::runtime::{Runtime, Why};

/// A [`GreenThread`] that is killed when this is dropped: made by [`GreenThread::kill_on_drop`].
///
/// Awaited by a future, it binds the two together: the greenthread is killed if the future is dropped, and the future gets
/// [`Exit::Killed`] if the greenthread is killed. (The other way round it is always so: a future that a greenthread waits
/// for in [`block_on`](crate::future::block_on) is dropped when that is killed.)
///
/// The drop does not switch: the greenthread is the next to run, and unwinds then. One that has never run is finished at
/// once.
///
/// ```
/// use std::time::Duration;
/// use green::future::block_on;
///
/// let slow = green::spawn(|| green::sleep(Duration::from_secs(60)));
/// let any = slow.as_any().clone();
/// let slow = slow.kill_on_drop();
/// let awaiting = async move { slow.await };
/// drop(awaiting);
/// assert!(any.is_dead());
///
/// let fast = green::spawn(|| 5).kill_on_drop();
/// assert_eq!(block_on(fast).unwrap(), 5);
///
/// assert_eq!(green::spawn(|| 6).kill_on_drop().join().unwrap(), 6);
/// drop(green::spawn(|| println!("runs on")).kill_on_drop().detach());
/// green::yield_now();
/// ```
#[must_use = "a handle that is not kept kills its greenthread at once"]
pub struct KillOnDrop<T: 'static> {
    /// `None` only while it is consumed.
    gt: Option<GreenThread<T>>,
}

impl<T: 'static> KillOnDrop<T> {
    pub(super) fn new(gt: GreenThread<T>) -> KillOnDrop<T> {
        KillOnDrop { gt: Some(gt) }
    }

    /// Waits for the end and takes the value. A kill or a timeout that arrives meanwhile kills the greenthread.
    ///
    /// # Errors
    /// As [`GreenThread::join`].
    pub fn join(self) -> Result<T, Exit> {
        match self.as_any().wait_end(None) {
            Err(Why::Unwinding) => Err(Exit::Unwinding),
            _ => self.take(),
        }
    }

    /// The usual handle, whose drop detaches.
    pub fn detach(mut self) -> GreenThread<T> {
        match self.gt.take() {
            Some(gt) => gt,
            None => unreachable!("the handle is there until this is consumed"),
        }
    }

    fn inner(&mut self) -> &mut GreenThread<T> {
        match &mut self.gt {
            Some(gt) => gt,
            None => unreachable!("the handle is there until this is consumed"),
        }
    }
}

impl<T: 'static> Deref for KillOnDrop<T> {
    type Target = GreenThread<T>;

    fn deref(&self) -> &GreenThread<T> {
        match &self.gt {
            Some(gt) => gt,
            None => unreachable!("the handle is there until this is consumed"),
        }
    }
}

impl<T: 'static> Future for KillOnDrop<T> {
    type Output = Result<T, Exit>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Exit>> {
        Pin::new(self.inner()).poll(cx)
    }
}

impl<T: 'static> Drop for KillOnDrop<T> {
    fn drop(&mut self) {
        if let Some(gt) = &self.gt {
            Runtime::with(|runtime| runtime.kill_soon(gt.as_any().task(), None));
        }
    }
}

impl<T: 'static> fmt::Debug for KillOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
