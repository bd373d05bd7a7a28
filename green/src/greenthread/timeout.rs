//! Deadlines for any piece of code: [`Timeout`].

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::time::Duration;

pub use crate::runtime::Elapsed;
use crate::runtime::{DeadlineId, PastDeadline, Runtime, Task};

/// Bounds the time that a piece of code may take.
///
/// The code runs in the calling greenthread. When the time is up, it is left from where it waits, by unwinding:
/// its destructors run, and [`Timeout::run`] returns [`Elapsed`]. A deadline arrives only where the code waits; if
/// what it waits for is ready in the same turn, that wins.
///
/// Timeouts nest in both directions: a scope consumes only its own deadline, and a deadline that code below
/// catches comes again at its next wait until its own scope has ended.
///
/// ```
/// use std::time::Duration;
/// use green::Timeout;
///
/// let slow = Timeout::new(Duration::from_millis(1)).run(|| green::sleep(Duration::from_secs(60)));
/// assert!(slow.is_err());
/// let fast = Timeout::new(Duration::from_secs(60)).run(|| 5);
/// assert_eq!(fast, Ok(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a timeout does nothing until something is run under it"]
pub struct Timeout {
    after: Option<Duration>,
}

impl Timeout {
    /// A bound of `after`: a [`Duration`], or an `Option` of one, where `None` never elapses.
    ///
    /// A bound of zero elapses at the first wait.
    pub fn new(after: impl Into<Option<Duration>>) -> Timeout {
        Timeout {
            after: after.into(),
        }
    }

    /// A bound in seconds.
    ///
    /// # Errors
    /// If `seconds` is negative, not a number, or too large for a [`Duration`].
    ///
    /// ```
    /// assert!(green::Timeout::from_secs(0.25).is_ok());
    /// assert!(green::Timeout::from_secs(-1.0).is_err());
    /// ```
    pub fn from_secs(seconds: f64) -> Result<Timeout, std::time::TryFromFloatSecsError> {
        Duration::try_from_secs_f64(seconds).map(Timeout::new)
    }

    /// Runs `f`, and leaves it when the time is up.
    ///
    /// # Errors
    /// [`Elapsed`] if the time was up before `f` returned.
    #[track_caller]
    pub fn run<T>(self, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
        self.run_with(|_| f())
    }

    /// As [`run`](Timeout::run), with a handle by which `f` can move or cancel its deadline.
    ///
    /// # Errors
    /// [`Elapsed`] if the time was up before `f` returned.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::Timeout;
    ///
    /// let patient = Timeout::new(Duration::from_millis(1)).run_with(|deadline| {
    ///     deadline.cancel();
    ///     green::sleep(Duration::from_millis(5));
    ///     "in time"
    /// });
    /// assert_eq!(patient, Ok("in time"));
    /// ```
    #[track_caller]
    pub fn run_with<T>(self, f: impl FnOnce(&Deadline) -> T) -> Result<T, Elapsed> {
        let deadline = Deadline::open(self.after);
        deadline
            .run(|| f(&deadline))
            .ok_or_else(|| Elapsed::new(deadline.after.get()))
    }

    /// Bounds the rest of the calling greenthread, for as long as what this returns lives.
    ///
    /// When the time is up, the greenthread is unwound from where it waits, as by a kill, and those who wait for it get
    /// [`Exit::Elapsed`](crate::Exit::Elapsed). (In the greenthread that is the thread itself that ends the thread.)
    /// Dropping the deadline takes it away. It may end a part of the greenthread only: code that is to go on after the
    /// time is up stands around [`run`](Timeout::run).
    ///
    /// Where the greenthread waits in code that nothing may unwind through (the calls of libc that the crate green-patch
    /// greens), that call is cut short instead, and the greenthread goes on. It has ended by this deadline even so:
    /// those who wait for it get `Exit::Elapsed` when it returns, unless it has called [`Deadline::cancel`] or
    /// [`Deadline::restart`] after that call.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::{Exit, Timeout};
    ///
    /// let slow = green::spawn(|| {
    ///     let _deadline = Timeout::new(Duration::from_millis(1)).arm();
    ///     green::sleep(Duration::from_secs(60));
    /// });
    /// assert!(matches!(slow.join(), Err(Exit::Elapsed(_))));
    ///
    /// let fast = green::spawn(|| {
    ///     let deadline = Timeout::new(Duration::from_millis(1)).arm();
    ///     drop(deadline);
    ///     green::sleep(Duration::from_millis(5));
    /// });
    /// assert!(fast.join().is_ok());
    /// ```
    #[track_caller]
    pub fn arm(self) -> Deadline {
        Deadline::open(self.after)
    }

    /// Runs `f`, and gives `error` if the time is up first.
    ///
    /// # Errors
    /// `error`, or what `f` returns as one.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let result: Result<(), &str> = green::Timeout::new(Duration::ZERO)
    ///     .run_or(|| Ok(green::yield_now()), "too slow");
    /// assert_eq!(result, Err("too slow"));
    /// ```
    #[track_caller]
    pub fn run_or<T, E>(self, f: impl FnOnce() -> Result<T, E>, error: E) -> Result<T, E> {
        self.run(f).unwrap_or(Err(error))
    }

    /// Runs `f`; `None` says that the time was up first.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// assert_eq!(green::Timeout::silent(Duration::ZERO, green::yield_now), None);
    /// ```
    #[track_caller]
    pub fn silent<T>(after: impl Into<Option<Duration>>, f: impl FnOnce() -> T) -> Option<T> {
        Timeout::new(after).run(f).ok()
    }
}

/// Runs `f` for at most `after`, and gives `otherwise` if the time is up first.
///
/// ```
/// use std::time::Duration;
///
/// let value = green::with_timeout(Duration::ZERO, || { green::yield_now(); 1 }, 2);
/// assert_eq!(value, 2);
/// ```
#[track_caller]
pub fn with_timeout<T>(
    after: impl Into<Option<Duration>>,
    f: impl FnOnce() -> T,
    otherwise: T,
) -> T {
    Timeout::new(after).run(f).unwrap_or(otherwise)
}

/// The deadline of the code that [`Timeout::run_with`] runs, or that [`Timeout::arm`] has set.
///
/// ```
/// use std::time::Duration;
///
/// let deadline = green::Timeout::new(Duration::from_secs(60)).arm();
/// assert!(deadline.is_pending());
/// deadline.restart(Duration::from_secs(5));
/// deadline.cancel();
/// assert!(!deadline.is_pending());
/// ```
#[must_use = "a deadline that is not kept is taken away at once"]
pub struct Deadline {
    task: Rc<Task>,
    id: DeadlineId,
    after: Cell<Option<Duration>>,
}

impl Deadline {
    #[inline]
    #[track_caller]
    fn open(after: Option<Duration>) -> Deadline {
        let place = Location::caller();
        let (task, id) = Runtime::with(|runtime| runtime.open_deadline(after, place));
        let after = Cell::new(after);
        Deadline { task, id, after }
    }

    fn is_named_by(&self, payload: &PastDeadline) -> bool {
        (payload.task, payload.deadline) == (self.task.id, self.id)
    }

    /// Takes the deadline away, also if it has passed and has not arrived yet.
    pub fn cancel(&self) {
        self.restart(None);
    }

    /// Sets the deadline anew: `after` from now, whether the former one has passed or not. `None` cancels it.
    pub fn restart(&self, after: impl Into<Option<Duration>>) {
        self.after.set(after.into());
        Runtime::with(|runtime| runtime.rearm_deadline(&self.task, self.id, self.after.get()));
    }

    /// True if there is a deadline and it has not passed.
    pub fn is_pending(&self) -> bool {
        self.task.is_pending(self.id)
    }

    /// `None` says that the deadline came first.
    fn run<T>(&self, f: impl FnOnce() -> T) -> Option<T> {
        let ended = panic::catch_unwind(AssertUnwindSafe(f));
        let cut = self.task.take_cut(self.id);
        match ended {
            // What a call has returned that the deadline has cut short is not what it was for.
            Ok(_) if cut => None,
            Ok(value) => Some(value),
            Err(payload) => match payload.downcast::<PastDeadline>() {
                Ok(elapsed) if self.is_named_by(&elapsed) => None,
                Ok(other) => panic::resume_unwind(other),
                Err(payload) => panic::resume_unwind(payload),
            },
        }
    }
}

/// Runs `f` until it returns, or until somebody ends the time of what `f` was given: `None`.
#[track_caller]
pub(crate) fn stoppable<T>(f: impl FnOnce(Stop) -> T) -> Option<T> {
    let deadline = Deadline::open(None);
    let stop = Stop {
        task: Rc::clone(&deadline.task),
        deadline: deadline.id,
    };
    deadline.run(|| f(stop))
}

/// Ends the time of a piece of code, from any greenthread of the thread.
#[derive(Clone)]
pub(crate) struct Stop {
    task: Rc<Task>,
    deadline: DeadlineId,
}

impl Stop {
    /// The code is left from where it waits. False if it has ended before.
    pub(crate) fn stop(&self) -> bool {
        Runtime::with(|runtime| runtime.elapse(&self.task, self.deadline))
    }
}

impl Drop for Deadline {
    #[inline]
    fn drop(&mut self) {
        Runtime::with(|runtime| runtime.close_deadline(&self.task, self.id));
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline")
            .field("after", &self.after.get())
            .field("pending", &self.is_pending())
            .finish()
    }
}

/// True if `error`, or what caused it, is a timeout: an [`Elapsed`], or the timeout of a socket.
///
/// ```
/// let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
/// assert!(green::is_timeout(&error));
/// ```
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let timed_out = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
        if timed_out || error.is::<Elapsed>() {
            return true;
        }
        next = error.source();
    }
    false
}
