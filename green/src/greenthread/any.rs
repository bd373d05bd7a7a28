//! Greenthreads without their type.

use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::join::{Joined, join_as_part};
use super::{Exit, GreenThread};
use crate::runtime::{Ended, Here, Place, Reason, Runtime, State, Task, Wait, Waiter, Why};

/// A greenthread of this OS thread, whatever its value: what [`current`] gives.
///
/// ```
/// let (one, other) = (green::spawn(|| 1), green::spawn(|| "two"));
/// let both = [one.as_any().clone(), other.as_any().clone()];
/// assert_eq!(green::joinall(&both).len(), 2);
/// assert!(both.iter().all(|gt| gt.is_dead()));
/// ```
///
/// What can be asked of each:
///
/// ```
/// use std::time::Duration;
///
/// let gt = green::spawn(|| green::sleep(Duration::from_secs(60)));
/// let any = gt.as_any();
/// assert!(!any.is_active() && !any.is_ready()); // It has not started.
/// green::yield_now();
/// assert!(any.is_active());
/// assert!(!any.cancel()); // Now it is too late for that.
/// assert_eq!((any.id(), any.name()), (gt.id(), None));
/// assert_eq!(any.spawned_by(), Some(green::current_id()));
/// println!("it was spawned at {}, and has {} bytes of stack", any.spawned_at(), any.stack_in_memory());
///
/// any.kill_with("no longer wanted");
/// assert_eq!(any.exit().unwrap().reason(), Some(&"no longer wanted"));
/// ```
#[derive(Clone)]
pub struct AnyGreenThread {
    task: Rc<Task>,
}

/// The greenthread that calls.
///
/// ```
/// let main = green::current();
/// assert!(main.is_active());
/// assert_ne!(green::spawn(|| green::current().id()).join().unwrap(), main.id());
/// ```
pub fn current() -> AnyGreenThread {
    AnyGreenThread {
        task: Runtime::with(Runtime::current),
    }
}

impl AnyGreenThread {
    #[inline]
    pub(crate) fn new(task: Rc<Task>) -> AnyGreenThread {
        AnyGreenThread { task }
    }

    #[inline]
    pub(crate) fn task(&self) -> &Rc<Task> {
        &self.task
    }

    /// Kills it: it unwinds from where it waits, its destructors run, and who waits for it gets [`Exit::Killed`].
    ///
    /// The unwinding begins before this returns; the caller goes to the end of the run queue. A greenthread that
    /// has never run is finished at once. One that has ended is left alone. One that kills itself unwinds here. A
    /// kill that the target swallows comes again the next time it waits.
    ///
    /// While the calling thread unwinds, nothing is switched: the target is then the next to run.
    ///
    /// ```
    /// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
    /// green::yield_now();
    /// gt.kill();
    /// assert!(gt.is_dead());
    /// ```
    pub fn kill(&self) {
        Runtime::with(|runtime| runtime.kill(&self.task, None));
    }

    /// As [`AnyGreenThread::kill`], with a reason that the waiters find in [`Exit::Killed`].
    pub fn kill_with(&self, reason: impl Any + Send + Sync) {
        Runtime::with(|runtime| runtime.kill(&self.task, Some(Arc::new(reason))));
    }

    /// Kills it and waits until it has ended, for at most `timeout`. True if it has.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let gt = green::spawn(|| green::sleep(Duration::from_secs(60)));
    /// assert!(gt.kill_wait(Duration::from_secs(1)));
    /// ```
    pub fn kill_wait(&self, timeout: Duration) -> bool {
        let switches = Runtime::with(Runtime::switches);
        self.kill();
        if timeout.is_zero() && Runtime::with(Runtime::switches) != switches {
            // The kill has let the others run.
            return self.is_ended();
        }
        self.wait_end(after(timeout)).is_ok()
    }

    /// True if its result is there, or it is dead without one.
    pub(crate) fn is_ended(&self) -> bool {
        self.task.is_complete() || self.task.is_dead()
    }

    /// Waits until its result is there, or it is dead without one. `Expired` comes only with a deadline.
    #[inline]
    pub(crate) fn wait_end(&self, deadline: Option<Instant>) -> Result<(), Why> {
        match self.is_ended() {
            true => Ok(()),
            false => Runtime::with(|runtime| self.wait_in(runtime, deadline)),
        }
    }

    /// As `wait_end`, for a call that can be made again and again.
    pub(crate) fn wait_again(&self, deadline: Option<Instant>) -> Result<(), Why> {
        Runtime::with(Runtime::spend);
        self.wait_end(deadline)
    }

    fn wait_in(&self, runtime: &Runtime, deadline: Option<Instant>) -> Result<(), Why> {
        while !self.is_ended() {
            let running = || !self.is_ended();
            let ended = runtime.wait::<Here, _, _>(end_of(&self.task, deadline, running));
            if let Ended::NotServed(why @ (Why::Expired | Why::Unwinding), _) = ended {
                return Err(why);
            }
        }
        Ok(())
    }

    /// Waits for its end as if it were a part of the caller: what interrupts the wait kills it, and is raised when it
    /// has ended.
    pub(crate) fn join_as_part(&self) {
        let running = || (!self.is_ended()).then(|| Rc::clone(&self.task));
        let kill = |runtime: &Runtime| {
            runtime.kill_soon(&self.task, None);
        };
        if join_as_part(running, kill) == Joined::Interrupted {
            Runtime::with(Runtime::checkpoint);
        }
    }

    /// See [`GreenThread::cancel`].
    pub fn cancel(&self) -> bool {
        let unstarted = matches!(self.task.state(), State::Fresh | State::Delayed);
        if unstarted {
            Runtime::with(|runtime| runtime.abandon(&self.task));
        }
        unstarted
    }

    /// Gives back to the system what memory its stack has and does not need while it waits: the pages that calls had
    /// touched and that have returned. It is for greenthreads that wait for long, as those of idle connections, costs
    /// a system call for each, and a fault for each page when it goes on.
    ///
    /// Nothing happens to the one that runs, to one that has not started or has ended, and to the thread's own.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// #[inline(never)]
    /// fn touch() {
    ///     std::hint::black_box([1u8; 64 * 1024]);
    /// }
    /// let waits = green::spawn(|| {
    ///     touch(); // from here on it would keep 64 KiB
    ///     green::sleep(Duration::from_millis(5));
    /// });
    /// green::yield_now();
    /// waits.as_any().trim_stack();
    /// assert!(waits.as_any().stack_in_memory() < 64 * 1024);
    /// waits.join().unwrap();
    /// ```
    pub fn trim_stack(&self) {
        self.task.trim_stack();
    }

    /// The bytes of its stack that are in memory, from its end to the lowest page that is: how deep it has gone, or since
    /// it was [trimmed](AnyGreenThread::trim_stack). A stack that is used again remembers how deep those before went.
    ///
    /// 0 for the one that runs, for one that has ended, and for the thread's own.
    ///
    /// ```
    /// let waits = green::spawn(|| green::yield_now());
    /// green::yield_now();
    /// assert!(waits.as_any().stack_in_memory() > 0);
    /// ```
    pub fn stack_in_memory(&self) -> usize {
        self.task.stack_in_memory()
    }

    /// A small number, unique in this OS thread; the thread's own greenthread has 0.
    pub fn id(&self) -> u64 {
        self.task.id
    }

    /// The name it was given.
    pub fn name(&self) -> Option<Rc<str>> {
        self.task.has_extra()?.name.borrow().clone()
    }

    /// Why it ended without a value. `None` if it has a value or runs on, and when somebody has taken the result.
    ///
    /// Always `None` for what [`spawn_n`](crate::spawn_n) has made.
    pub fn exit(&self) -> Option<Exit> {
        match &*self.task.result.borrow() {
            Some(Err(exit)) => Some(exit.clone()),
            _ => None,
        }
    }

    /// True once it has a result: a value, or an [`Exit`] that says why there is none.
    pub fn is_ready(&self) -> bool {
        self.task.is_complete()
    }

    /// True if it has ended.
    pub fn is_dead(&self) -> bool {
        self.task.is_dead()
    }

    /// True if it has started and not ended.
    pub fn is_active(&self) -> bool {
        self.task.is_active()
    }

    /// The [id](AnyGreenThread::id) of the greenthread that spawned it. `None` for the thread's own, and for one that
    /// another thread has sent.
    pub fn spawned_by(&self) -> Option<u64> {
        self.task.spawner()
    }

    /// Where it was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.task.spawned_at
    }
}

impl AsRef<AnyGreenThread> for AnyGreenThread {
    fn as_ref(&self) -> &AnyGreenThread {
        self
    }
}

impl<T: 'static> AsRef<AnyGreenThread> for GreenThread<T> {
    fn as_ref(&self) -> &AnyGreenThread {
        self.as_any()
    }
}

impl PartialEq for AnyGreenThread {
    fn eq(&self, other: &AnyGreenThread) -> bool {
        Rc::ptr_eq(&self.task, &other.task)
    }
}

impl Eq for AnyGreenThread {}

impl fmt::Debug for AnyGreenThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.task.fmt(f)
    }
}

/// A wait for the end of `task`, for others or for the whole of it. `open` says that this is still to come.
pub(super) fn end_of(
    task: &Rc<Task>,
    deadline: Option<Instant>,
    open: impl FnOnce() -> bool,
) -> Wait<impl FnOnce(Waiter) -> Option<Place>, impl FnOnce(Place) -> Option<()>, impl FnOnce()> {
    Wait {
        reason: Reason::Join(task.id),
        deadline,
        enter: move |waiter| open().then(|| task.wake_at_end(waiter)),
        leave: |place| task.leave_end(place),
        pass_on: || (),
    }
}

pub(super) fn after(timeout: Duration) -> Option<Instant> {
    Runtime::with(|runtime| runtime.deadline(Some(timeout)))
}
