//! Greenthreads: spawn, wait, kill, link.

mod any;
mod builder;
mod end;
mod group;
mod join;
pub(crate) mod leave;
pub(crate) mod local;
mod scope;
pub mod time;
pub(crate) mod timeout;

use std::any::Any;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

pub use any::{AnyGreenThread, current};
pub use builder::Builder;
pub use end::LinkId;
use end::drop_result;
pub use group::{
    Iwait, iwait, joinall, joinall_timeout, killall, killall_wait, try_joinall, wait_any,
};

pub use leave::exit;
pub use local::{LocalKey, get_ident};
pub(crate) use scope::is_lending;
pub use scope::{Scope, ScopedGreenThread, scope};
pub use time::{sleep, sleep_until, yield_now};
pub use timeout::{Deadline, Elapsed, Timeout, is_timeout, with_timeout};

pub use crate::runtime::{Exit, Panic};
use crate::runtime::{OnEnd, Runtime, State, Task, Why, contain};
use any::after;

/// Runs `f` in a new greenthread, which gets its turn when this one next waits.
///
/// Greenthreads start in the order of their spawn. They live and die on the OS thread that spawned them, so `f`
/// need not be `Send`.
///
/// # Panics
/// If no stack can be had (see [`Builder::spawn`] for an error instead), or if the thread is ending.
///
/// ```
/// let gt = green::spawn(|| 6 * 7);
/// assert_eq!(gt.join().unwrap(), 42);
/// ```
#[track_caller]
#[inline]
pub fn spawn<T: 'static>(f: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    expect(Builder::new().spawn(f))
}

/// Runs `f` in a new greenthread whose end nobody can wait for. Cheaper than [`spawn`].
///
/// # Panics
/// As [`spawn`]. A panic of `f` is printed by the panic hook and goes no further.
///
/// ```
/// green::spawn_n(|| println!("hello"));
/// green::yield_now();
/// ```
#[track_caller]
#[inline]
pub fn spawn_n(f: impl FnOnce() + 'static) {
    expect(spawn_detached(Location::caller(), f));
}

/// Runs `f` in a new greenthread that starts after `delay`, even if the caller has ended by then.
///
/// # Panics
/// As [`spawn`].
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let gt = green::spawn_after(Duration::from_millis(5), Instant::now);
/// assert!(gt.join().unwrap() - start >= Duration::from_millis(5));
/// ```
#[track_caller]
pub fn spawn_after<T: 'static>(delay: Duration, f: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    expect(Builder::new().spawn_after(delay, f))
}

/// As [`spawn_after`], but `f` does not run if the caller has ended by then: it is cancelled.
///
/// # Panics
/// As [`spawn`].
///
/// ```
/// use std::time::Duration;
///
/// let inner = green::spawn(|| green::spawn_after_local(Duration::from_millis(1), || 1)).join().unwrap();
/// assert!(matches!(inner.join(), Err(green::Exit::Cancelled)));
/// ```
#[track_caller]
pub fn spawn_after_local<T: 'static>(
    delay: Duration,
    f: impl FnOnce() -> T + 'static,
) -> GreenThread<T> {
    expect(Builder::new().spawn_after_local(delay, f))
}

#[track_caller]
#[inline]
pub(crate) fn expect<T>(spawned: io::Result<T>) -> T {
    match spawned {
        Ok(spawned) => spawned,
        Err(error) => panic!("cannot spawn a greenthread: {error}"),
    }
}

#[inline]
pub(crate) fn spawn_detached(
    spawned_at: &'static Location<'static>,
    f: impl FnOnce() + 'static,
) -> io::Result<Rc<Task>> {
    Runtime::with(|runtime| runtime.spawn_detached(None, spawned_at, State::Fresh, f))
}

/// A greenthread that was spawned: wait for its value, kill it, be told of its end.
///
/// Dropping it detaches: the greenthread runs on.
///
/// It belongs to the OS thread that spawned it:
///
/// ```compile_fail
/// let gt = green::spawn(|| 1);
/// std::thread::spawn(move || gt.join());
/// ```
pub struct GreenThread<T> {
    any: AnyGreenThread,
    /// False for the one that a link is given: only the end of the spawner's handle detaches.
    owner: bool,
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> GreenThread<T> {
    #[inline]
    pub(super) fn new(task: Rc<Task>) -> GreenThread<T> {
        GreenThread {
            any: AnyGreenThread::new(task),
            owner: true,
            value: PhantomData,
        }
    }

    /// Waits for the end and takes the value.
    ///
    /// # Errors
    /// How it ended, if without a value. [`Exit::Unwinding`] if it has not ended and the calling thread is
    /// unwinding: nothing waits then.
    ///
    /// ```
    /// let gt = green::spawn(|| -> u32 { panic!("no") });
    /// assert_eq!(gt.join().unwrap_err().to_string(), "the greenthread panicked: no");
    /// ```
    #[inline]
    pub fn join(self) -> Result<T, Exit> {
        match self.any.wait_end(None) {
            Err(Why::Unwinding) => Err(Exit::Unwinding),
            _ => self.take(),
        }
    }

    /// The result, if it is there and was not taken before.
    #[inline]
    pub(crate) fn take(&self) -> Result<T, Exit> {
        let result = self.any.task().result.borrow_mut().take();
        match result {
            Some(Ok(value)) => match value.downcast() {
                Ok(value) => Ok(*value),
                Err(_) => unreachable!("the value of a greenthread is of the type of its closure"),
            },
            Some(Err(exit)) => Err(exit),
            None => Err(Exit::Cancelled),
        }
    }

    /// Waits for the end and gives a clone of the value: any number of greenthreads may wait, any number of times.
    ///
    /// # Errors
    /// As [`GreenThread::join`].
    ///
    /// ```
    /// let gt = green::spawn(|| "ready");
    /// assert_eq!(gt.wait().unwrap(), "ready");
    /// assert_eq!(gt.wait().unwrap(), "ready");
    /// ```
    pub fn wait(&self) -> Result<T, Exit>
    where
        T: Clone,
    {
        match self.any.wait_end(None) {
            Err(Why::Unwinding) => Err(Exit::Unwinding),
            _ => self.peek(),
        }
    }

    /// As [`GreenThread::wait`], for at most `timeout`. `None` says that it has not ended by then.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let gt = green::spawn(|| green::sleep(Duration::from_secs(60)));
    /// assert!(gt.wait_timeout(Duration::from_millis(1)).is_none());
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<T, Exit>>
    where
        T: Clone,
    {
        match self.any.wait_end(after(timeout)) {
            Ok(()) => Some(self.peek()),
            Err(Why::Unwinding) => Some(Err(Exit::Unwinding)),
            Err(_) => None,
        }
    }

    /// See [`AnyGreenThread::is_ready`].
    pub fn is_ready(&self) -> bool {
        self.any.is_ready()
    }

    /// The result, if it has ended: never waits.
    pub fn poll(&self) -> Option<Result<T, Exit>>
    where
        T: Clone,
    {
        match &*self.any.task().result.borrow() {
            Some(Ok(value)) => value.downcast_ref().map(|value: &T| Ok(value.clone())),
            Some(Err(exit)) => Some(Err(exit.clone())),
            None => None,
        }
    }

    fn peek(&self) -> Result<T, Exit>
    where
        T: Clone,
    {
        self.poll().unwrap_or(Err(Exit::Cancelled))
    }

    /// True if it has ended with a value.
    pub fn is_successful(&self) -> bool {
        matches!(&*self.any.task().result.borrow(), Some(Ok(_)))
    }

    /// Calls `f` in this greenthread when it ends, after those linked before. If it has ended, calls `f` now.
    ///
    /// A link that panics is logged; the others are called all the same.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let seen = Rc::new(Cell::new(0));
    /// let gt = green::spawn(|| 5);
    /// let link = Rc::clone(&seen);
    /// gt.link(move |gt| link.set(gt.poll().unwrap().unwrap()));
    /// gt.wait().unwrap();
    /// assert_eq!(seen.get(), 5);
    /// ```
    pub fn link(&self, f: impl FnOnce(&GreenThread<T>) + 'static) -> LinkId {
        let task = self.any.task();
        if task.is_complete() {
            contain("a link of a greenthread", || f(self));
            return LinkId(None);
        }
        let ended = Rc::downgrade(task);
        let link = move || {
            if let Some(task) = ended.upgrade() {
                let mut gt = GreenThread::new(task);
                gt.owner = false;
                f(&gt);
            }
        };
        LinkId(Some(task.on_end(OnEnd::Call(Box::new(link)))))
    }

    /// Takes a link back. True if it had not been called or taken back before.
    pub fn unlink(&self, id: LinkId) -> bool {
        let link = id.0.and_then(|place| self.any.task().leave_end(place));
        link.is_some()
    }

    /// Cancels it if it has not started: it never runs, and who waits gets [`Exit::Cancelled`]. False if it has.
    ///
    /// ```
    /// let gt = green::spawn(|| unreachable!());
    /// assert!(gt.cancel());
    /// assert!(matches!(gt.join(), Err(green::Exit::Cancelled)));
    /// ```
    pub fn cancel(&self) -> bool {
        self.as_any().cancel()
    }

    /// This greenthread without its type.
    pub fn as_any(&self) -> &AnyGreenThread {
        &self.any
    }

    /// See [`AnyGreenThread::kill`].
    pub fn kill(&self) {
        self.any.kill();
    }

    /// See [`AnyGreenThread::kill_with`].
    pub fn kill_with(&self, reason: impl Any + Send + Sync) {
        self.any.kill_with(reason);
    }

    /// See [`AnyGreenThread::kill_wait`].
    pub fn kill_wait(&self, timeout: Duration) -> bool {
        self.any.kill_wait(timeout)
    }

    /// See [`AnyGreenThread::exit`].
    pub fn exit(&self) -> Option<Exit> {
        self.any.exit()
    }

    /// See [`AnyGreenThread::id`].
    pub fn id(&self) -> u64 {
        self.any.id()
    }

    /// See [`AnyGreenThread::name`].
    pub fn name(&self) -> Option<Rc<str>> {
        self.any.name()
    }

    /// See [`AnyGreenThread::is_dead`].
    pub fn is_dead(&self) -> bool {
        self.any.is_dead()
    }

    /// See [`AnyGreenThread::is_active`].
    pub fn is_active(&self) -> bool {
        self.any.is_active()
    }

    /// See [`AnyGreenThread::spawned_by`].
    pub fn spawned_by(&self) -> Option<u64> {
        self.any.spawned_by()
    }

    /// See [`AnyGreenThread::spawned_at`].
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.any.spawned_at()
    }
}

/// The end of the greenthread, for async code of the same thread. Polled again after that, it gives
/// [`Exit::Cancelled`].
///
/// Dropping the handle detaches, as ever: the greenthread runs on.
///
/// ```
/// use green::future::block_on;
///
/// let gt = green::spawn(|| 6 * 7);
/// assert_eq!(block_on(async { gt.await.unwrap() + 1 }), 43);
/// ```
impl<T: 'static> Future for GreenThread<T> {
    type Output = Result<T, Exit>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Exit>> {
        if self.any.is_ended() {
            return Poll::Ready(self.take());
        }
        self.any.task().await_end(cx.waker());
        Poll::Pending
    }
}

impl<T> Drop for GreenThread<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.owner {
            return;
        }
        let task = self.any.task();
        task.forget_awaiter();
        if task.detach() {
            drop_result(task);
        }
    }
}

impl<T> fmt::Debug for GreenThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}
