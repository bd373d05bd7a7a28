//! Events: a value or an error, sent once, that any number of greenthreads wait for.
//!
//! [`Event`] is eventlet's. What eventlet also uses an event for has types of its own: [`Flag`] is on or off, and
//! [`AsyncResult`] can be set again. [`sync::Event`](crate::sync::Event) is an event for all OS threads.
//!
//! Sending never switches. Those who wait are woken in the order in which they came.

mod async_result;
mod flag;

use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::primitives::local_or_shared::{OneThread, Reach, Shared, Sharing, WaiterOf, change};
use crate::runtime::{Ended, Reason, Runtime, Wait, WaitList, Why};

pub use async_result::AsyncResult;
pub use flag::Flag;

/// An event for the greenthreads of one OS thread.
///
/// ```
/// use std::rc::Rc;
/// use green::Event;
///
/// let event = Rc::new(Event::new());
/// let sender = Rc::clone(&event);
/// green::spawn_n(move || sender.send(4).unwrap());
/// assert_eq!(event.wait().unwrap(), 4);
/// ```
pub type Event<T> = OneShot<T, OneThread>;

/// A value or an error that is sent once: [`Event`] or [`sync::Event`](crate::sync::Event).
///
/// ```
/// use green::event::OneShot;
/// use green::sync::Sharing;
///
/// fn is_there<S: Sharing>(event: &OneShot<u32, S>) -> bool {
///     event.ready()
/// }
/// assert!(!is_there(&green::Event::new()) && !is_there(&green::sync::Event::new()));
/// ```
///
/// What can be asked of it:
///
/// ```
/// let event = green::sync::Event::new();
/// assert!(event.poll().is_none());
/// event.send(4).unwrap();
/// assert!(event.has_result() && !event.has_exception());
/// assert_eq!((event.wait().unwrap(), event.poll_result()), (4, Some(4)));
///
/// let event = green::sync::Event::<u32>::new();
/// event.send_exception("no answer").unwrap();
/// assert!(event.has_exception());
/// assert_eq!(event.poll_exception().unwrap().to_string(), "no answer");
/// ```
pub struct OneShot<T, S: Sharing> {
    /// Those who wait keep the round in which they came: a reset does not take their value from them.
    round: S::Cell<S::Ptr<Round<T, S>>>,
}

/// From one reset to the next.
struct Round<T, S: Sharing> {
    sent: S::Once<Result<T, S::Error>>,
    waiters: S::Cell<WaitList<(), WaiterOf<S>>>,
}

impl<T, S: Sharing> Round<T, S> {
    fn new() -> S::Ptr<Round<T, S>> {
        S::ptr(Round {
            sent: S::once(),
            waiters: S::cell(WaitList::new()),
        })
    }

    #[inline]
    fn get(&self) -> Option<&Result<T, S::Error>> {
        S::get(&self.sent)
    }

    fn send(&self, outcome: Result<T, S::Error>) -> Result<(), Result<T, S::Error>> {
        S::set(&self.sent, outcome)?;
        change::<S, _, _>(&self.waiters, |waiters, woken| {
            while let Some((waiter, ())) = waiters.pop() {
                woken.push(waiter);
            }
        });
        Ok(())
    }

    /// Waits until something is sent.
    fn wait(&self, reason: Reason, timeout: Option<Duration>) -> Result<(), Why> {
        Runtime::with(|runtime| {
            runtime.spend();
            if self.get().is_some() {
                return Ok(());
            }
            let deadline = runtime.deadline(timeout);
            loop {
                let ended = runtime.wait::<S::From, _, _>(Wait {
                    reason,
                    deadline,
                    enter: |waiter| {
                        S::with(&self.waiters, |waiters| {
                            // The sender sets first and looks for waiters then.
                            self.get().is_none().then(|| waiters.push(waiter, ()))
                        })
                    },
                    leave: |place| S::with(&self.waiters, |waiters| waiters.leave(place)),
                    pass_on: || (),
                });
                match ended {
                    Ended::Served => return Ok(()),
                    Ended::NotServed(Why::Again, ()) => {}
                    Ended::NotServed(why, ()) => return Err(why),
                }
            }
        })
    }
}

impl<T, S: Sharing> OneShot<T, S> {
    /// An event that waits to be sent.
    pub fn new() -> Self {
        OneShot {
            round: S::cell(Round::<T, S>::new()),
        }
    }

    fn round(&self) -> S::Ptr<Round<T, S>> {
        S::with(&self.round, |round| round.clone())
    }

    /// Sends the value to all who wait and all who will. It never switches.
    ///
    /// # Errors
    /// [`AlreadySent`], with the value, if something was sent since the event was made or [`reset`](Self::reset).
    ///
    /// ```
    /// let event = green::Event::new();
    /// assert!(event.send("first").is_ok());
    /// assert_eq!(event.send("second").unwrap_err().0, "second");
    /// assert_eq!(event.wait().unwrap(), "first");
    /// ```
    pub fn send(&self, value: T) -> Result<(), AlreadySent<T>> {
        match self.round().send(Ok(value)) {
            Err(Ok(value)) => Err(AlreadySent(value)),
            Ok(()) | Err(Err(_)) => Ok(()),
        }
    }

    fn fail(&self, error: S::Error) -> Result<(), AlreadySent<S::Error>> {
        match self.round().send(Err(error)) {
            Err(Err(error)) => Err(AlreadySent(error)),
            Ok(()) | Err(Ok(_)) => Ok(()),
        }
    }

    /// True if a value or an error was sent.
    pub fn ready(&self) -> bool {
        self.round().get().is_some()
    }

    /// True if a value was sent.
    pub fn has_result(&self) -> bool {
        matches!(self.round().get(), Some(Ok(_)))
    }

    /// True if an error was sent.
    pub fn has_exception(&self) -> bool {
        matches!(self.round().get(), Some(Err(_)))
    }

    /// Makes the event as new, to be sent again. Those whom the last send has woken still get what that has sent, even
    /// if they have not run yet.
    ///
    /// # Errors
    /// [`NotSent`] if nothing was sent: the event is as new already.
    ///
    /// ```
    /// let event = green::Event::new();
    /// assert!(event.reset().is_err());
    /// event.send(1).unwrap();
    /// event.reset().unwrap();
    /// event.send(2).unwrap();
    /// assert_eq!(event.wait().unwrap(), 2);
    /// ```
    pub fn reset(&self) -> Result<(), NotSent> {
        let last = S::with(&self.round, |round| {
            let sent = round.get().is_some();
            sent.then(|| std::mem::replace(round, Round::<T, S>::new()))
        });
        last.map(drop).ok_or(NotSent)
    }

    fn reason(&self) -> Reason {
        Reason::Primitive("an event", std::ptr::from_ref(self).addr())
    }
}

impl<T: Clone, S: Sharing> OneShot<T, S> {
    /// Waits until something is sent, and gives a clone of it: at once if it was sent already.
    ///
    /// # Errors
    /// The error that was sent. Or [`Unwinding`](crate::Unwinding), if nothing was and the thread unwinds, when nothing can wait.
    pub fn wait(&self) -> Result<T, S::Error> {
        let round = self.round();
        match round.wait(self.reason(), None) {
            Ok(()) => round.get().cloned().unwrap_or_else(|| Err(S::unwinding())),
            Err(_) => Err(S::unwinding()),
        }
    }

    /// As [`wait`](Self::wait), for at most `timeout`. `None` says that nothing was sent in that time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let event = green::Event::<()>::new();
    /// assert!(event.wait_timeout(Duration::from_millis(1)).is_none());
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<T, S::Error>> {
        let round = self.round();
        match round.wait(self.reason(), Some(timeout)) {
            Ok(()) => round.get().cloned(),
            Err(Why::Unwinding) => Some(Err(S::unwinding())),
            Err(_) => None,
        }
    }

    /// What was sent, if anything was.
    pub fn poll(&self) -> Option<Result<T, S::Error>> {
        self.round().get().cloned()
    }

    /// The value that was sent, if one was.
    pub fn poll_result(&self) -> Option<T> {
        self.poll()?.ok()
    }

    /// The error that was sent, if one was.
    pub fn poll_exception(&self) -> Option<S::Error> {
        self.poll()?.err()
    }
}

impl<T> OneShot<T, OneThread> {
    /// Sends `outcome` in the place of what was sent before. What this returns holds that: dropping it is code of the user.
    fn replace(&self, outcome: Result<T, Rc<dyn Error>>) -> Rc<Round<T, OneThread>> {
        let next = Round::<T, OneThread>::new();
        let last = OneThread::with(&self.round, |round| match round.get() {
            Some(_) => std::mem::replace(round, next),
            None => Rc::clone(round),
        });
        if self.round().send(outcome).is_err() {
            unreachable!("nothing was sent since the last reset");
        }
        last
    }

    /// Waits until something is sent, and does not look at it. False says that nothing was.
    fn wait_for(&self, timeout: Option<Duration>) -> bool {
        self.round().wait(self.reason(), timeout).is_ok()
    }

    /// Sends an error instead of a value: `wait` returns it, however often it is called.
    ///
    /// # Errors
    /// [`AlreadySent`], with the error, if something was sent before.
    ///
    /// ```
    /// let event = green::Event::<u32>::new();
    /// event.send_exception("no answer").unwrap();
    /// assert_eq!(event.wait().unwrap_err().to_string(), "no answer");
    /// ```
    pub fn send_exception(
        &self,
        error: impl Into<Box<dyn Error>>,
    ) -> Result<(), AlreadySent<Rc<dyn Error>>> {
        self.fail(Rc::from(error.into()))
    }
}

impl<T> OneShot<T, Shared> {
    /// Sends an error instead of a value: `wait` returns it, however often it is called.
    ///
    /// # Errors
    /// [`AlreadySent`], with the error, if something was sent before.
    pub fn send_exception(
        &self,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Result<(), AlreadySent<Arc<dyn Error + Send + Sync>>> {
        self.fail(Arc::from(error.into()))
    }
}

impl<T, S: Sharing> Default for OneShot<T, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, S: Sharing> fmt::Debug for OneShot<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let round = self.round();
        f.debug_struct("Event")
            .field("ready", &round.get().is_some())
            .field(
                "waiting",
                &S::with(&round.waiters, |waiters| waiters.parked()),
            )
            .finish_non_exhaustive()
    }
}

/// Something was sent before. What was to be sent now comes back.
///
/// ```
/// let event = green::Event::new();
/// event.send(1).unwrap();
/// assert_eq!(event.send(2), Err(green::event::AlreadySent(2)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AlreadySent<T>(pub T);

impl<T> fmt::Debug for AlreadySent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlreadySent(..)")
    }
}

impl<T> fmt::Display for AlreadySent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event was sent already; reset it first")
    }
}

impl<T> Error for AlreadySent<T> {}

/// Nothing was sent that a reset could take back.
///
/// ```
/// assert_eq!(green::Event::<u32>::new().reset(), Err(green::event::NotSent));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSent;

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot reset an event that was not sent")
    }
}

impl Error for NotSent {}
