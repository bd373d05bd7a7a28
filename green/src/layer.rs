//! Waits for a layer that has the calls of others wait here: calls of libc, of another language, of a virtual machine.
//!
//! All of green's own waits unwind when a kill or a deadline arrives. A layer often stands below code that nothing may
//! unwind through. So **nothing in here unwinds**: a wait that is cut short says [`WaitEnd::Interrupted`], and what the
//! layer makes of that is its own affair. What had cut it short stays pending: it is raised at the next wait of green,
//! the scope whose deadline it was reports that it has elapsed, and a greenthread that was killed ends as one.
//!
//! Such a layer is called at any time: on threads that know nothing of green, by green's own system calls, in the middle
//! of a switch, in destructors of thread-locals, in handlers of signals. It asks [`may_park`] first, and unless that
//! says so does whatever it would do without green. All other functions of this module are for calls that
//! it has allowed to wait.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use green::layer::{self, WaitEnd};
//!
//! /// What a language's own `sleep` becomes.
//! fn sleep(duration: Duration) {
//!     if !layer::may_park() {
//!         return std::thread::sleep(duration);
//!     }
//!     let _ended = layer::sleep_until(layer::deadline(duration));
//! }
//!
//! let sleepers: Vec<_> = (0..10).map(|_| green::spawn(|| sleep(Duration::from_millis(5)))).collect();
//! green::joinall(&sleepers);
//! ```

mod descriptors;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use descriptors::{forget, is_ready, register, used_up, wait, wait_fds};
pub use hub_core::{Direction, Interest, NotReady, Token};

use crate::runtime::readiness::Waited;
use crate::runtime::{
    Anywhere, Ended, Here, Interrupt, Reason, RemoteWaiter, Runtime, Wait, Waiting, Why, lock,
};
use crate::threads::tpool::{Lane, submit_in};

/// How a wait has ended that unwinds nothing.
///
/// ```
/// use green::layer::{self, WaitEnd};
///
/// /// The result of a C function.
/// fn result(ended: WaitEnd) -> i32 {
///     match ended {
///         WaitEnd::Ready | WaitEnd::Expired => 0,
///         WaitEnd::Interrupted | WaitEnd::Cannot(_) => -1,
///     }
/// }
/// assert_eq!(result(layer::sleep_until(layer::deadline(std::time::Duration::from_millis(1)))), 0);
/// ```
#[must_use]
#[derive(Debug)]
pub enum WaitEnd {
    /// The wait was ended by an event: what it was for is there, or may be, so try again.
    Ready,
    /// The deadline has passed.
    Expired,
    /// The greenthread is being killed, or a deadline around this call has passed: the call is to end.
    Interrupted,
    /// It could not be waited for.
    Cannot(io::Error),
}

impl From<Waited> for WaitEnd {
    fn from(waited: Waited) -> WaitEnd {
        match waited {
            Waited::Ready => WaitEnd::Ready,
            Waited::Expired => WaitEnd::Expired,
            Waited::Interrupted(interrupt) => cut(interrupt),
            Waited::Unwinding => unwinding(),
            Waited::Refused(error) => WaitEnd::Cannot(error),
        }
    }
}

#[cold]
fn cut(interrupt: Interrupt) -> WaitEnd {
    waiting(|runtime| runtime.cut(interrupt));
    WaitEnd::Interrupted
}

/// A thread that ends unwinds what is still suspended: not what waits here.
#[inline]
fn waiting<R>(wait: impl FnOnce(&Runtime) -> R) -> R {
    greenlet::mask_exit(|| Runtime::with(wait))
}

#[cold]
fn unwinding() -> WaitEnd {
    WaitEnd::Cannot(io::Error::new(
        io::ErrorKind::WouldBlock,
        "nothing can wait while the thread unwinds",
    ))
}

fn served(why: Result<Ended, Interrupt>) -> WaitEnd {
    match why {
        Ok(Ended::Served | Ended::NotServed(Why::Again, ())) => WaitEnd::Ready,
        Ok(Ended::NotServed(Why::Expired, ())) => WaitEnd::Expired,
        Ok(Ended::NotServed(Why::Unwinding, ())) => unwinding(),
        Err(interrupt) => cut(interrupt),
    }
}

/// True if the caller is a greenthread that can wait here and now: its thread has used green and has not ended, it is in no
/// section of [`no_switch`], the thread does not unwind, no switch is under way, and the process is not the child of a
/// fork whose hub is still the parent's.
///
/// It may be asked at any time, in a handler of signals, too. There it may say so as well, since nothing tells a handler
/// from the code that it has interrupted.
///
/// ```
/// use green::layer;
///
/// assert!(!std::thread::spawn(layer::may_park).join().unwrap(), "it knows nothing of green");
/// assert!(green::spawn(layer::may_park).join().unwrap());
/// ```
#[inline]
pub fn may_park() -> bool {
    Runtime::existing(Runtime::may_park) == Some(true)
}

/// Runs code that must not be left for another greenthread: what would have to wait in it says that it cannot.
///
/// ```
/// use green::layer;
///
/// green::yield_now(); // This thread uses green.
/// assert!(layer::may_park() && !layer::no_switch(layer::may_park));
/// ```
pub fn no_switch<R>(f: impl FnOnce() -> R) -> R {
    match Runtime::existing(|_| ()) {
        None => f(),
        Some(()) => Runtime::with(|runtime| runtime.without_switch(f)),
    }
}

/// A byte that a layer keeps with the current greenthread, zero at its spawn. `None` if it [may not wait](may_park).
///
/// ```
/// use green::layer;
///
/// let mark = green::spawn(|| {
///     layer::set_mark(7);
///     green::yield_now();
///     layer::mark()
/// });
/// assert_eq!(mark.join().unwrap(), Some(7));
/// ```
#[inline]
pub fn mark() -> Option<u8> {
    Runtime::existing(Runtime::layer_mark).flatten()
}

/// Sets what [`mark`] says of the current greenthread, and gives what that was.
///
/// ```
/// use green::layer;
///
/// let mark = green::spawn(|| {
///     layer::set_mark(7);
///     green::yield_now();
///     layer::mark()
/// });
/// assert_eq!(mark.join().unwrap(), Some(7));
/// ```
pub fn set_mark(mark: u8) -> u8 {
    Runtime::with(|runtime| runtime.current().layer.replace(mark))
}

/// The time that lies `timeout` ahead on the clock of this thread's deadlines. `None` lies beyond what it can say.
///
/// ```
/// use std::time::Duration;
///
/// assert!(green::layer::deadline(Duration::from_secs(1)) > green::layer::deadline(Duration::ZERO));
/// assert_eq!(green::layer::deadline(Duration::MAX), None);
/// ```
pub fn deadline(timeout: Duration) -> Option<Instant> {
    Runtime::with(|runtime| runtime.deadline(Some(timeout)))
}

/// Lets the other greenthreads run until `deadline`; `None` never comes. It is never `Ready`.
///
/// ```
/// use green::layer::{self, WaitEnd};
///
/// let soon = layer::deadline(std::time::Duration::from_millis(2));
/// assert!(matches!(layer::sleep_until(soon), WaitEnd::Expired));
/// ```
pub fn sleep_until(deadline: Option<Instant>) -> WaitEnd {
    waiting(|runtime| {
        loop {
            let sleep = Wait {
                reason: Reason::Sleep,
                deadline,
                enter: |_| Some(()),
                leave: Some,
                pass_on: || (),
            };
            match served(runtime.try_wait::<Here, (), ()>(sleep)) {
                WaitEnd::Ready => {}
                end => return end,
            }
        }
    })
}

/// Lets every greenthread that can run have a turn.
///
/// ```
/// let gt = green::spawn(|| ());
/// green::layer::yield_now();
/// assert!(gt.is_dead());
/// ```
pub fn yield_now() {
    waiting(Runtime::let_others_run);
}

/// Notes a call that has succeeded without a wait: who is always served lets the others run from time to time.
///
/// ```
/// let gt = green::spawn(|| ());
/// (0..1000).for_each(|_| green::layer::spend()); // A thousand calls that need not wait.
/// assert!(gt.is_dead());
/// ```
#[inline]
pub fn spend() {
    Runtime::with(Runtime::spend_quietly);
}

/// Ends one park, from any thread.
///
/// ```
/// use std::thread;
/// use green::layer::{self, Unpark};
///
/// let ended = layer::park("another thread", None, |unpark: Unpark| {
///     thread::spawn(move || unpark.wake());
///     true
/// });
/// assert!(ended.is_some());
/// ```
#[derive(Clone)]
pub struct Unpark(Option<RemoteWaiter>);

impl Unpark {
    /// Ends the park that this was made for. It does nothing to a later one.
    pub fn wake(&self) {
        if let Some(waiter) = &self.0 {
            waiter.wake();
        }
    }
}

impl std::fmt::Debug for Unpark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpark").finish_non_exhaustive()
    }
}

/// Waits for `what`, as reports call it, until [`Unpark::wake`]. `enqueue` leaves that where it will be found, after a last
/// look at what is waited for; if it says false there is nothing to wait for, and so does `None`.
///
/// It may end as `Ready` without cause, so who waits looks again. A thread whose greenthreads wait so is not
/// deadlocked: any other thread may wake them. `enqueue` must not wait.
///
/// ```
/// use std::sync::Mutex;
/// use green::layer::{self, WaitEnd};
///
/// let place = Mutex::new(None);
/// green::scope(|scope| {
///     scope.spawn(|| {
///         let unpark = place.lock().unwrap().take();
///         if let Some(unpark) = unpark {
///             layer::Unpark::wake(&unpark);
///         }
///     });
///     let ended = layer::park("a word", None, |unpark| {
///         *place.lock().unwrap() = Some(unpark);
///         true
///     });
///     assert!(matches!(ended, Some(WaitEnd::Ready)));
/// });
/// ```
pub fn park(
    what: &'static str,
    deadline: Option<Instant>,
    enqueue: impl FnOnce(Unpark) -> bool,
) -> Option<WaitEnd> {
    park_for(Reason::Outside(what), deadline, enqueue)
}

/// As [`park`], for one thing of many: reports call it "`what` at 0x7f..".
///
/// ```
/// use green::layer;
///
/// let word = std::sync::atomic::AtomicU32::new(0);
/// let address = std::ptr::from_ref(&word).addr();
/// let gt = green::spawn(move || {
///     let late = layer::deadline(std::time::Duration::from_secs(60));
///     layer::park_at("a word", address, late, |_unpark| true)
/// });
/// green::yield_now();
/// assert!(green::debug::format_greenthreads(false).contains(&format!("a word at {address:#x}")));
/// # gt.kill();
/// ```
pub fn park_at(
    what: &'static str,
    address: usize,
    deadline: Option<Instant>,
    enqueue: impl FnOnce(Unpark) -> bool,
) -> Option<WaitEnd> {
    park_for(Reason::Primitive(what, address), deadline, enqueue)
}

fn park_for(
    reason: Reason,
    deadline: Option<Instant>,
    enqueue: impl FnOnce(Unpark) -> bool,
) -> Option<WaitEnd> {
    let mut waits = false;
    let enter = |waiter| {
        // A lock in it must not be waited for as greenthreads wait: this park has begun.
        waits = no_switch(|| enqueue(Unpark(waiter)));
        waits.then_some(())
    };
    let ended = waiting(|runtime| {
        runtime.try_wait::<Anywhere, (), ()>(Wait {
            reason,
            deadline,
            enter,
            leave: Some,
            pass_on: || (),
        })
    });
    waits.then(|| served(ended))
}

/// Runs `f` in a thread of the pool that looks up names, and waits for what it gives: for calls that cannot be cut into
/// pieces. `None` if the wait was cut short; `f` runs to its end even so.
///
/// ```
/// let name = green::layer::elsewhere(|| std::thread::current().id());
/// assert_ne!(name, Some(std::thread::current().id()));
/// ```
pub fn elsewhere<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let work = Arc::new(Mutex::new((Some(f), None, None::<Unpark>)));
    let job = {
        let work = Arc::clone(&work);
        move || {
            let f = lock(&work).0.take();
            let value = f.map(|f| f());
            let unpark = {
                let mut work = lock(&work);
                work.1 = value;
                work.2.take()
            };
            if let Some(unpark) = unpark {
                unpark.wake();
            }
        }
    };
    if submit_in(Lane::Names, job).is_err() {
        // No thread is left for it: here, then.
        let f = lock(&work).0.take();
        return f.map(|f| f());
    }
    loop {
        let ended = park("a call in another thread", None, |unpark| {
            let mut work = lock(&work);
            work.2 = Some(unpark);
            work.1.is_none()
        });
        if let Some(value) = lock(&work).1.take() {
            return Some(value);
        }
        if matches!(ended, Some(WaitEnd::Interrupted | WaitEnd::Cannot(_))) {
            return None;
        }
    }
}
