//! Greenthreads: spawn, wait, kill, link.

use std::any::Any;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::runtime::{Alarm, Killed, Reason, Runtime, State, Task, Waited, Wake, contain, message};

/// Why a greenthread ended without a value.
#[derive(Clone)]
#[non_exhaustive]
pub enum Exit {
    /// It was killed, with the reason that [`GreenThread::kill_with`] gave.
    Killed(Option<Rc<dyn Any>>),
    /// It was cancelled before it ran.
    Cancelled,
    /// It panicked.
    Panicked(Panic),
    /// Not its end: the thread of the waiter is unwinding, and so the wait was refused.
    Unwinding,
}

impl Exit {
    /// What ended the current greenthread, or a part of it that does not let this out.
    #[cold]
    pub(crate) fn of(payload: Box<dyn Any + Send>) -> Exit {
        if payload.is::<Killed>() || payload.is::<greenlet::GreenletExit>() {
            Exit::Killed(Runtime::with(|runtime| runtime.current().kill_reason()))
        } else {
            Exit::Panicked(Panic::new(payload))
        }
    }

    /// Raises in the current greenthread what ended the other: its panic, or else a panic that says how it ended.
    pub fn raise(self) -> ! {
        match self {
            Exit::Panicked(panic) => panic.raise(),
            other => panic!("{other}"),
        }
    }

    /// The reason of a kill, if it is of this type.
    ///
    /// ```
    /// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
    /// gt.kill_with("no longer wanted");
    /// assert_eq!(gt.join().unwrap_err().reason::<&str>(), Some(&"no longer wanted"));
    /// ```
    pub fn reason<R: 'static>(&self) -> Option<&R> {
        match self {
            Exit::Killed(Some(reason)) => reason.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Killed(_) => f.write_str("the greenthread was killed"),
            Exit::Cancelled => f.write_str("the greenthread was cancelled before it ran"),
            Exit::Panicked(panic) => write!(f, "the greenthread panicked: {}", panic.message()),
            Exit::Unwinding => f.write_str("cannot wait for a greenthread while unwinding"),
        }
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Killed(reason) => write!(f, "Killed({})", reason.is_some()),
            Exit::Cancelled => f.write_str("Cancelled"),
            Exit::Panicked(panic) => write!(f, "Panicked({:?})", panic.message()),
            Exit::Unwinding => f.write_str("Unwinding"),
        }
    }
}

impl Error for Exit {}

/// What a greenthread panicked with, shared by all who wait for it.
///
/// It may go to another thread: a job of the [thread pool](crate::tpool) ends with one, too.
#[derive(Clone)]
pub struct Panic {
    message: Arc<str>,
    payload: Arc<Mutex<Option<Box<dyn Any + Send>>>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Panic {
        Panic {
            message: Arc::from(message(&*payload)),
            payload: Arc::new(Mutex::new(Some(payload))),
        }
    }

    /// The text of the panic, if it was a text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was panicked with, for the first who asks.
    pub fn take_payload(&self) -> Option<Box<dyn Any + Send>> {
        self.payload
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Panics with the same payload, or with its text if somebody took that. The panic hook does not run again.
    pub fn raise(self) -> ! {
        let payload = self.take_payload();
        panic::resume_unwind(payload.unwrap_or_else(|| Box::new(String::from(self.message()))))
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panic({:?})", self.message())
    }
}

/// Names a link, for [`GreenThread::unlink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId(u64);

/// Who asked to be called at the end of a greenthread, in that order.
#[derive(Default)]
pub(crate) struct Links {
    next: u64,
    queue: VecDeque<(LinkId, Box<dyn FnOnce()>)>,
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
    let creator = Runtime::with(Runtime::current);
    let gt = expect(Builder::new().delayed(f));
    let task = Rc::clone(&gt.any.task);
    start_after(delay, move |runtime| {
        if creator.is_dead() {
            runtime.abandon(&task);
        } else {
            runtime.start(&task);
        }
    });
    gt
}

fn start_after(delay: Duration, start: impl FnOnce(&Runtime) + 'static) {
    Runtime::with(|runtime| match runtime.deadline(Some(delay)) {
        Some(deadline) => {
            let call = Box::new(move || Runtime::with(start));
            runtime.add_timer(deadline, Alarm::Call(call));
        }
        None => {
            log::warn!("a delay of {delay:?} is beyond the clock: the greenthread never starts")
        }
    });
}

#[track_caller]
#[inline]
pub(crate) fn expect<T>(spawned: io::Result<T>) -> T {
    match spawned {
        Ok(spawned) => spawned,
        Err(error) => panic!("cannot spawn a greenthread: {error}"),
    }
}

/// A greenthread's body without a result: nothing gets out of it.
fn detached(f: impl FnOnce() + 'static) -> impl FnOnce() + 'static {
    move || {
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
            contain("the destructor of a panic's payload", || drop(payload));
        }
    }
}

/// Spawns what another thread has sent.
#[track_caller]
pub(crate) fn spawn_boxed(f: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    let task = spawn_detached(Location::caller(), f)?;
    // It works for nobody here: the greenthread that happens to run is not its spawner.
    task.set_member(None);
    Ok(())
}

#[inline]
pub(crate) fn spawn_detached(
    spawned_at: &'static Location<'static>,
    f: impl FnOnce() + 'static,
) -> io::Result<Rc<Task>> {
    Runtime::with(|runtime| runtime.spawn(None, spawned_at, State::Fresh, |_| detached(f)))
}

/// A greenthread to be: its name and the size of its stack.
///
/// ```
/// let gt = green::Builder::new().name("parser").stack_size(1 << 20).spawn(|| 7)?;
/// assert_eq!(gt.name().as_deref(), Some("parser"));
/// assert_eq!(gt.join().unwrap(), 7);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    name: Option<Rc<str>>,
    stack_size: Option<usize>,
}

impl Builder {
    /// No name, and a stack of the default size: 256 KiB of address space, of which only touched pages cost memory.
    #[inline]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// A name for reports and dumps.
    pub fn name(mut self, name: impl Into<Rc<str>>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// The size of the stack in bytes, rounded up to whole pages.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = Some(bytes);
        self
    }

    /// Spawns `f`. See [`spawn`](crate::spawn).
    ///
    /// # Errors
    /// If no stack of that size can be had, or if the thread is ending.
    #[track_caller]
    #[inline]
    pub fn spawn<T: 'static>(self, f: impl FnOnce() -> T + 'static) -> io::Result<GreenThread<T>> {
        self.make(Location::caller(), State::Fresh, f)
    }

    /// Spawns `f`, to start after `delay`. See [`spawn_after`](crate::spawn_after).
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    #[track_caller]
    pub fn spawn_after<T: 'static>(
        self,
        delay: Duration,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<GreenThread<T>> {
        let gt = self.delayed(f)?;
        let task = Rc::clone(&gt.any.task);
        start_after(delay, move |runtime| {
            runtime.start(&task);
        });
        Ok(gt)
    }

    #[track_caller]
    fn delayed<T: 'static>(self, f: impl FnOnce() -> T + 'static) -> io::Result<GreenThread<T>> {
        self.make(Location::caller(), State::Delayed, f)
    }

    #[inline]
    pub(crate) fn make<T: 'static>(
        self,
        spawned_at: &'static Location<'static>,
        state: State,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<GreenThread<T>> {
        let task = Runtime::with(|runtime| {
            runtime.spawn(self.stack_size, spawned_at, state, |task| {
                let end = End(Rc::clone(task));
                move || end.deliver(panic::catch_unwind(AssertUnwindSafe(f)))
            })
        })?;
        if self.name.is_some() {
            *task.extra().name.borrow_mut() = self.name;
        }
        Ok(GreenThread::new(task))
    }
}

/// Sees to it that every greenthread has a result, also one that never runs.
struct End(Rc<Task>);

impl End {
    #[inline(always)]
    fn deliver<T: 'static>(self, result: Result<T, Box<dyn Any + Send>>) {
        let result = match result {
            Ok(value) => Ok(Box::new(value) as Box<dyn Any>),
            Err(payload) => Err(Exit::of(payload)),
        };
        self.complete(result);
    }

    #[inline(always)]
    fn complete(&self, result: Result<Box<dyn Any>, Exit>) {
        let task = &self.0;
        task.complete(result);
        if task.has_extra().is_some() {
            call_links(task);
        }
        if task.is_detached() {
            drop_result(task);
        }
    }
}

impl Drop for End {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_complete() {
            let exit = match self.0.is_killed() {
                true => Exit::Killed(self.0.kill_reason()),
                false => Exit::Cancelled,
            };
            self.complete(Err(exit));
        }
    }
}

/// Drops a result that nobody can take, here and not wherever the last trace of the greenthread goes: it may be code of
/// the user, and wait.
fn drop_result(task: &Task) {
    let result = task.result.borrow_mut().take();
    if result.is_some() {
        contain("the destructor of a result that nobody took", || {
            drop(result)
        });
    }
}

#[cold]
fn call_links(task: &Task) {
    loop {
        // One at a time: a link may add or take away others.
        let link = task.extra().links.borrow_mut().queue.pop_front();
        match link {
            Some((_, link)) => contain("a link of a greenthread", link),
            None => return,
        }
    }
}

fn after(timeout: Duration) -> Option<Instant> {
    Runtime::with(|runtime| runtime.deadline(Some(timeout)))
}

impl<T: 'static> GreenThread<T> {
    #[inline]
    fn new(task: Rc<Task>) -> GreenThread<T> {
        GreenThread {
            any: AnyGreenThread { task },
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
            Waited::Unwinding => Err(Exit::Unwinding),
            _ => self.take(),
        }
    }

    /// The result, if it is there and was not taken before.
    #[inline]
    pub(crate) fn take(&self) -> Result<T, Exit> {
        let result = self.any.task.result.borrow_mut().take();
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
            Waited::Unwinding => Err(Exit::Unwinding),
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
            Waited::Woken => Some(self.peek()),
            Waited::Expired => None,
            Waited::Unwinding => Some(Err(Exit::Unwinding)),
        }
    }

    /// True if its result is there, whatever it is.
    pub fn is_ready(&self) -> bool {
        self.any.task.is_complete()
    }

    /// The result, if it has ended: never waits.
    pub fn poll(&self) -> Option<Result<T, Exit>>
    where
        T: Clone,
    {
        match &*self.any.task.result.borrow() {
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
        matches!(&*self.any.task.result.borrow(), Some(Ok(_)))
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
        let task = &self.any.task;
        let mut links = task.extra().links.borrow_mut();
        let id = LinkId(links.next);
        links.next += 1;
        if task.is_complete() {
            drop(links);
            contain("a link of a greenthread", || f(self));
        } else {
            let task = Rc::downgrade(task);
            let link = move || {
                if let Some(task) = task.upgrade() {
                    let mut gt = GreenThread::new(task);
                    gt.owner = false;
                    f(&gt);
                }
            };
            links.queue.push_back((id, Box::new(link)));
        }
        id
    }

    /// Takes a link back. True if it had not been called or taken back before.
    pub fn unlink(&self, id: LinkId) -> bool {
        let mut links = self.any.task.extra().links.borrow_mut();
        let Some(at) = links.queue.iter().position(|(other, _)| *other == id) else {
            return false;
        };
        let link = links.queue.remove(at);
        drop(links);
        drop(link);
        true
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
    pub fn kill_with(&self, reason: impl Any) {
        self.any.kill_with(reason);
    }

    /// See [`AnyGreenThread::kill_wait`].
    pub fn kill_wait(&self, timeout: Duration) -> bool {
        self.any.kill_wait(timeout)
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

    /// See [`AnyGreenThread::spawned_at`].
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.any.spawned_at()
    }
}

impl<T> Drop for GreenThread<T> {
    #[inline]
    fn drop(&mut self) {
        if self.owner && self.any.task.detach() {
            drop_result(&self.any.task);
        }
    }
}

impl<T> fmt::Debug for GreenThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}

/// A greenthread of this OS thread, whatever its value: what [`current`] gives.
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
    pub(crate) fn new(task: Rc<Task>) -> AnyGreenThread {
        AnyGreenThread { task }
    }

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
    pub fn kill_with(&self, reason: impl Any) {
        Runtime::with(|runtime| runtime.kill(&self.task, Some(Rc::new(reason))));
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
        self.kill();
        self.wait_end(after(timeout)) == Waited::Woken
    }

    /// Waits until its result is there, or it is dead without one: `Woken`. `Expired` comes only with a deadline.
    pub(crate) fn wait_end(&self, deadline: Option<Instant>) -> Waited {
        if self.task.is_complete() || self.task.is_dead() {
            return Waited::Woken;
        }
        Runtime::with(|runtime| {
            while !self.task.is_complete() && !self.task.is_dead() {
                let reason = Reason::Join(self.task.id);
                let waited = runtime.wait_in(&self.task.joiners, reason, deadline);
                if waited != Waited::Woken {
                    return waited;
                }
            }
            Waited::Woken
        })
    }

    /// Waits for its end as if it were a part of the caller: what interrupts the wait kills it, and is raised when it
    /// has ended.
    pub(crate) fn attend(&self) {
        Runtime::with(|runtime| {
            while !self.task.is_complete() && !self.task.is_dead() {
                let waiter = runtime.waiter();
                let place = self.task.joiners.borrow_mut().push(waiter, ());
                let wake = runtime.park(Reason::Join(self.task.id), None);
                if !matches!(wake, Wake::Event) {
                    self.task.joiners.borrow_mut().leave(place);
                }
                match wake {
                    Wake::Event | Wake::Expired => {}
                    Wake::Unwinding => return,
                    Wake::Interrupted(interrupt) => {
                        runtime.kill_soon(&self.task, None);
                        runtime.mask(|| self.attend());
                        interrupt.raise();
                    }
                }
            }
        });
    }

    /// See [`GreenThread::cancel`].
    pub fn cancel(&self) -> bool {
        let unstarted = matches!(self.task.state(), State::Fresh | State::Delayed);
        if unstarted {
            Runtime::with(|runtime| runtime.abandon(&self.task));
        }
        unstarted
    }

    /// A small number, unique in this OS thread; the thread's own greenthread has 0.
    pub fn id(&self) -> u64 {
        self.task.id
    }

    /// The name it was given.
    pub fn name(&self) -> Option<Rc<str>> {
        self.task.has_extra()?.name.borrow().clone()
    }

    /// True if it has ended.
    pub fn is_dead(&self) -> bool {
        self.task.is_dead()
    }

    /// True if it has started and not ended.
    pub fn is_active(&self) -> bool {
        self.task.is_active()
    }

    /// Where it was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.task.spawned_at
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
