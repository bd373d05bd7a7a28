//! The handle of a greenthread: its value, and its end.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::any::after;
use super::end::drop_result;
use super::{AnyGreenThread, Exit, KillOnDrop, LinkId};
use crate::runtime::{OnEnd, Runtime, Task, Why, contain};

/// A greenthread that was spawned: wait for its value, kill it, be told of its end.
///
/// Dropping it detaches: the greenthread runs on.
///
/// ```
/// use std::time::Duration;
///
/// let gt = green::Builder::new().name("adder").spawn(|| 40 + 2)?;
/// let link = gt.link(|_| unreachable!());
/// assert!(gt.unlink(link) && !gt.is_active()); // It has not started.
/// assert_eq!((gt.name().as_deref(), gt.poll().is_none()), (Some("adder"), true));
/// println!("greenthread {} was spawned by {:?} at {}", gt.id(), gt.spawned_by(), gt.spawned_at());
/// assert_eq!(gt.wait().unwrap(), 42);
/// assert!(gt.is_ready() && gt.is_successful());
///
/// let [one, two, three] = [(); 3].map(|()| green::spawn(|| green::sleep(Duration::from_secs(60))));
/// one.kill();
/// assert!(one.is_dead() && matches!(one.exit(), Some(green::Exit::Killed(_))));
/// two.kill_with("no longer wanted");
/// assert!(three.kill_wait(Duration::from_secs(60)) && three.as_any().is_dead());
/// # Ok::<(), std::io::Error>(())
/// ```
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

    /// As [`GreenThread::join`], for at most `timeout`. `None` says that it has not ended by then; the handle stays.
    ///
    /// After the value has been taken every call for it gives [`Exit::Cancelled`].
    ///
    /// ```
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// let mut gt = green::spawn(|| -> io::Result<u32> {
    ///     green::sleep(Duration::from_millis(20));
    ///     Ok(1)
    /// });
    /// assert!(gt.join_timeout(Duration::from_millis(1)).is_none());
    /// assert_eq!(gt.join()??, 1);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn join_timeout(&mut self, timeout: Duration) -> Option<Result<T, Exit>> {
        match self.any.wait_again(after(timeout)) {
            Ok(()) => Some(self.take()),
            Err(Why::Unwinding) => Some(Err(Exit::Unwinding)),
            Err(_) => None,
        }
    }

    /// Takes the value if it has ended: never waits.
    ///
    /// ```
    /// let mut gt = green::spawn(|| std::io::Result::Ok(1));
    /// assert!(gt.try_join().is_none());
    /// green::yield_now();
    /// assert_eq!(gt.try_join().unwrap()??, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_join(&mut self) -> Option<Result<T, Exit>> {
        self.any.is_ended().then(|| self.take())
    }

    /// The result, if it is there and was not taken before.
    #[inline]
    pub(crate) fn take(&self) -> Result<T, Exit> {
        let mut held = self.any.task().result.try_borrow_mut();
        // Lent to code of the user that has called this: it cannot have what it looks at.
        let result = held.as_mut().ok().and_then(|result| result.take());
        drop(held);
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
        match self.any.wait_again(None) {
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
        match self.any.wait_again(after(timeout)) {
            Ok(()) => Some(self.peek()),
            Err(Why::Unwinding) => Some(Err(Exit::Unwinding)),
            Err(_) => None,
        }
    }

    /// See [`AnyGreenThread::is_ready`].
    pub fn is_ready(&self) -> bool {
        self.any.is_ready()
    }

    /// A clone of the result, if it has ended: never waits, and neither can the value's `clone`.
    pub fn poll(&self) -> Option<Result<T, Exit>>
    where
        T: Clone,
    {
        self.inspect(|result| result.cloned().map_err(Exit::clone))
    }

    /// Has `f` look at the result, if it has ended and nobody has taken it. The value need not be `Clone`.
    ///
    /// `f` cannot wait, as while the thread unwinds: to all others it is as if looking took no time.
    ///
    /// ```
    /// use std::{cell::Cell, io, rc::Rc};
    ///
    /// let gt = green::spawn(|| -> io::Result<String> { Err(io::ErrorKind::NotFound.into()) });
    /// let kind = Rc::new(Cell::new(None));
    /// let seen = Rc::clone(&kind);
    /// gt.link(move |gt| {
    ///     gt.inspect(|result| seen.set(result.unwrap().as_ref().err().map(io::Error::kind)));
    /// });
    /// assert!(gt.join().unwrap().is_err());
    /// assert_eq!(kind.get(), Some(io::ErrorKind::NotFound));
    /// ```
    pub fn inspect<R>(&self, f: impl FnOnce(Result<&T, &Exit>) -> R) -> Option<R> {
        let result = self.any.task().result.borrow();
        let result = match result.as_ref()? {
            Ok(value) => Ok(value.downcast_ref::<T>()?),
            Err(exit) => Err(exit),
        };
        Some(Runtime::with(|runtime| {
            runtime.without_switch(|| f(result))
        }))
    }

    /// The same handle, but it kills the greenthread when it is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let gt = green::spawn(|| green::sleep(Duration::from_secs(60)));
    /// let any = gt.as_any().clone();
    /// green::yield_now();
    /// drop(gt.kill_on_drop());
    /// green::yield_now();
    /// assert!(any.is_dead());
    /// ```
    pub fn kill_on_drop(self) -> KillOnDrop<T> {
        KillOnDrop::new(self)
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
/// Dropping the handle detaches, as ever: the greenthread runs on. See [`kill_on_drop`](GreenThread::kill_on_drop) for
/// one that ends with the future that awaits it.
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
            Runtime::with(|runtime| runtime.keep_spare(task));
        }
    }
}

impl<T> fmt::Debug for GreenThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}
