//! A greenthread, seen from other threads.

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::try_block_on;
use crate::greenthread::{AnyGreenThread, Panic};
use crate::hubs::{self, ThreadClosed, ThreadHandle};
use crate::primitives::local_or_shared::Unwinding;
use crate::runtime::{Runtime, contain, lock};
use crate::{Elapsed, Exit, GreenThread};

/// A greenthread of another thread: a future of its end, and a way to kill it.
///
/// Made by [`GreenThread::remote`] and [`ThreadHandle::submit`]. It is `Send`, and any executor can await it. Dropping it
/// detaches: the greenthread runs on. While it lives, the greenthread's thread never reports a deadlock, as with a
/// [`ThreadHandle`].
///
/// ```
/// let gt = green::spawn(|| 6 * 7);
/// let remote = gt.remote()?;
/// let thread = std::thread::spawn(move || green::future::block_on(remote).unwrap());
/// while !thread.is_finished() {
///     green::sleep(std::time::Duration::from_millis(1));
/// }
/// assert_eq!(thread.join().unwrap(), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "to let it run on its own, drop it"]
pub struct RemoteGreenThread<T> {
    slot: Arc<Slot<T>>,
    hub: ThreadHandle,
}

/// Why a greenthread of another thread has no value.
///
/// ```
/// use green::future::{RemoteExit, block_on};
///
/// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
/// let remote = gt.remote()?;
/// remote.kill();
/// assert!(matches!(block_on(remote), Err(RemoteExit::Killed)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RemoteExit {
    /// It was killed. A reason, if there was one, stays in its thread.
    Killed,
    /// It was cancelled before it ran, or its value has been taken before.
    Cancelled,
    /// It panicked.
    Panicked(Panic),
    /// A timeout has ended it that it had [armed](crate::Timeout::arm).
    Elapsed(Elapsed),
    /// Its hub was closed, or its thread has ended, before it had ended.
    ThreadClosed,
    /// Not its end: the thread of the waiter is unwinding, and so the wait was refused.
    Unwinding,
}

impl fmt::Display for RemoteExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteExit::Killed => f.write_str("the greenthread was killed"),
            RemoteExit::Cancelled => f.write_str("the greenthread was cancelled before it ran"),
            RemoteExit::Elapsed(elapsed) => write!(f, "the greenthread {elapsed}"),
            RemoteExit::Panicked(panic) => {
                write!(f, "the greenthread panicked: {}", panic.message())
            }
            RemoteExit::ThreadClosed => ThreadClosed.fmt(f),
            RemoteExit::Unwinding => f.write_str("cannot wait for a greenthread while unwinding"),
        }
    }
}

impl Error for RemoteExit {}

impl From<Exit> for RemoteExit {
    fn from(exit: Exit) -> RemoteExit {
        match exit {
            Exit::Killed(_) => RemoteExit::Killed,
            Exit::Cancelled => RemoteExit::Cancelled,
            Exit::Panicked(panic) => RemoteExit::Panicked(panic),
            Exit::Elapsed(elapsed) => RemoteExit::Elapsed(elapsed),
            Exit::Unwinding => RemoteExit::Unwinding,
        }
    }
}

struct Slot<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    stage: Stage<T>,
    /// What names the greenthread in its thread: once it runs.
    target: Option<(usize, u64)>,
    killed: bool,
}

enum Stage<T> {
    /// Until its end, with the task to wake then.
    Pending(Option<Waker>),
    Done(Result<T, RemoteExit>),
    Taken,
}

impl<T> Slot<T> {
    fn new(target: Option<(usize, u64)>) -> Arc<Slot<T>> {
        let state = Mutex::new(State {
            stage: Stage::Pending(None),
            target,
            killed: false,
        });
        Arc::new(Slot { state })
    }

    /// No code of the user runs under this lock, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

/// The duty to say how a greenthread ended, also if it never will.
struct Deliver<T>(Arc<Slot<T>>);

impl<T> Deliver<T> {
    fn deliver(&self, result: Result<T, RemoteExit>) {
        let mut state = self.0.lock();
        let Stage::Pending(waker) = &mut state.stage else {
            return;
        };
        let waker = waker.take();
        state.stage = Stage::Done(result);
        drop(state);
        if let Some(waker) = waker {
            contain("the waker of a future", || waker.wake());
        }
    }
}

impl<T> Drop for Deliver<T> {
    fn drop(&mut self) {
        let state = self.0.lock();
        if let Stage::Pending(_) = state.stage {
            let exit = match state.killed {
                true => RemoteExit::Killed,
                false => RemoteExit::ThreadClosed,
            };
            drop(state);
            self.deliver(Err(exit));
        }
    }
}

impl<T: Send + 'static> GreenThread<T> {
    /// A handle to this greenthread for other threads.
    ///
    /// # Errors
    /// If the system has no descriptors left for the wake-up channel of the hub. The greenthread runs on, detached.
    ///
    /// ```
    /// let gt = green::spawn(|| 6 * 7).remote()?;
    /// let thread = std::thread::spawn(|| gt.join());
    /// green::sleep(std::time::Duration::from_millis(5));
    /// assert_eq!(thread.join().unwrap().unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn remote(self) -> io::Result<RemoteGreenThread<T>> {
        let hub = hubs::handle()?;
        let slot = Slot::new(Some(self.as_any().task().name_in_thread()));
        let deliver = Deliver(Arc::clone(&slot));
        self.link(move |gt| deliver.deliver(gt.take().map_err(RemoteExit::from)));
        Ok(RemoteGreenThread { slot, hub })
    }
}

impl ThreadHandle {
    /// Spawns `f` as a greenthread of that thread, as [`ThreadHandle::spawn`], with a handle to wait for its value.
    ///
    /// For a future: `hub.submit(|| green::future::block_on(async { .. }))`.
    ///
    /// # Errors
    /// [`ThreadClosed`] if the hub was closed or its thread has ended. `f` is dropped.
    ///
    /// ```
    /// let hub = green::hubs::handle()?;
    /// let other = std::thread::spawn(move || hub.submit(|| 6 * 7).unwrap().join());
    /// green::sleep(std::time::Duration::from_millis(20));
    /// assert_eq!(other.join().unwrap().unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn submit<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<RemoteGreenThread<T>, ThreadClosed> {
        let slot = Slot::new(None);
        let deliver = Deliver(Arc::clone(&slot));
        self.spawn(move || {
            let name = Runtime::with(|runtime| runtime.current().name_in_thread());
            let killed = {
                let mut state = deliver.0.lock();
                state.target = Some(name);
                state.killed
            };
            if !killed {
                let result = panic::catch_unwind(AssertUnwindSafe(f));
                deliver.deliver(result.map_err(|payload| Exit::of(payload).into()));
            }
        })?;
        let hub = self.clone();
        Ok(RemoteGreenThread { slot, hub })
    }
}

impl<T: Send + 'static> RemoteGreenThread<T> {
    /// Waits for the end and takes the value. Only the calling greenthread waits.
    ///
    /// # Errors
    /// How it ended, if without a value. [`RemoteExit::Unwinding`] if it has not ended and the calling thread is
    /// unwinding: nothing waits then.
    pub fn join(self) -> Result<T, RemoteExit> {
        try_block_on(self).unwrap_or_else(|Unwinding| Err(RemoteExit::Unwinding))
    }

    /// Asks its thread to kill it, as [`GreenThread::kill`] does there, and returns at once. If it has not started it
    /// never does.
    ///
    /// ```
    /// use green::future::RemoteExit;
    ///
    /// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60))).remote()?;
    /// let thread = std::thread::spawn(|| {
    ///     gt.kill();
    ///     gt.join()
    /// });
    /// green::sleep(std::time::Duration::from_millis(5));
    /// assert!(matches!(thread.join().unwrap(), Err(RemoteExit::Killed)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn kill(&self) {
        {
            let mut state = self.slot.lock();
            if !matches!(state.stage, Stage::Pending(_)) {
                return;
            }
            state.killed = true;
        }
        let slot = Arc::clone(&self.slot);
        // In a greenthread, since what it unwinds may wait. If the hub is closed, its greenthreads are killed anyway.
        let _ = self.hub.spawn(move || {
            let target = slot.lock().target;
            let task = target.and_then(|(key, id)| Runtime::with(|runtime| runtime.task(key, id)));
            if let Some(task) = task {
                AnyGreenThread::new(task).kill();
            }
        });
    }

    /// True if it has ended.
    pub fn is_finished(&self) -> bool {
        !matches!(self.slot.lock().stage, Stage::Pending(_))
    }
}

/// The end of the greenthread, for async code of any thread. Polled again after that, it gives
/// [`RemoteExit::Cancelled`].
impl<T> Future for RemoteGreenThread<T> {
    type Output = Result<T, RemoteExit>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RemoteExit>> {
        let waker = cx.waker().clone();
        let mut state = self.slot.lock();
        if let Stage::Pending(known) = &mut state.stage {
            let known = known.replace(waker);
            drop(state);
            drop(known);
            return Poll::Pending;
        }
        let stage = std::mem::replace(&mut state.stage, Stage::Taken);
        drop(state);
        Poll::Ready(match stage {
            Stage::Done(result) => result,
            Stage::Pending(_) | Stage::Taken => Err(RemoteExit::Cancelled),
        })
    }
}

impl<T> fmt::Debug for RemoteGreenThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = !matches!(self.slot.lock().stage, Stage::Pending(_));
        f.debug_struct("RemoteGreenThread")
            .field("finished", &finished)
            .finish_non_exhaustive()
    }
}
