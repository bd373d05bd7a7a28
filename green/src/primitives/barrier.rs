//! A place where greenthreads wait for each other.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use crate::Unwinding;
use crate::runtime::{Here, Reason, Runtime, Wait, WaitList, Why};

/// Holds greenthreads until a number of them has come, then lets them all go and begins anew.
///
/// One that is killed or runs out of time while it waits no longer counts.
///
/// ```
/// use std::rc::Rc;
/// use green::Barrier;
///
/// let barrier = Rc::new(Barrier::new(3));
/// let others: Vec<_> = (0..2)
///     .map(|_| {
///         let barrier = Rc::clone(&barrier);
///         green::spawn(move || barrier.wait().unwrap().is_leader())
///     })
///     .collect();
/// green::yield_now();
/// assert!(barrier.wait().unwrap().is_leader()); // the last to come
/// assert!(others.into_iter().all(|other| !other.join().unwrap()));
///
/// // Alone, and not for long:
/// assert!(barrier.wait_timeout(std::time::Duration::from_millis(1)).is_none());
/// assert_eq!(barrier.waiting(), 0);
/// ```
pub struct Barrier {
    parties: usize,
    waiters: RefCell<WaitList>,
}

impl Barrier {
    /// A barrier for `parties` greenthreads. Zero is as one: nobody waits.
    pub fn new(parties: usize) -> Barrier {
        Barrier {
            parties,
            waiters: RefCell::new(WaitList::new()),
        }
    }

    /// Waits until all have come.
    ///
    /// # Errors
    /// If somebody is missing and the thread unwinds: nothing can wait then, and the caller does not count.
    pub fn wait(&self) -> Result<BarrierWaitResult, Unwinding> {
        self.wait_for(None).ok_or(Unwinding)
    }

    /// As [`wait`](Barrier::wait), for at most `timeout`. `None` says that the time was up first, or that the thread
    /// unwinds; the caller does not count then.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<BarrierWaitResult> {
        self.wait_for(Some(timeout))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiters.borrow().len()
    }

    fn wait_for(&self, timeout: Option<Duration>) -> Option<BarrierWaitResult> {
        let reason = Reason::Primitive("a barrier", std::ptr::from_ref(self).addr());
        Runtime::with(|runtime| {
            runtime.spend();
            let mut leader = self.is_last();
            let deadline = runtime.deadline(timeout);
            while !leader {
                let ended = runtime.wait::<Here, _, _>(Wait {
                    reason,
                    deadline,
                    enter: |waiter| {
                        leader = self.is_last();
                        (!leader).then(|| self.waiters.borrow_mut().push(waiter, ()))
                    },
                    leave: |place| self.waiters.borrow_mut().leave(place),
                    pass_on: || (),
                });
                match ended.served() {
                    Ok(()) if leader => {}
                    Ok(()) => return Some(BarrierWaitResult { leader: false }),
                    Err(Why::Again) => leader = self.is_last(),
                    Err(Why::Expired | Why::Unwinding) => return None,
                }
            }
            self.open();
            Some(BarrierWaitResult { leader: true })
        })
    }

    /// True if nobody is missing but the caller.
    fn is_last(&self) -> bool {
        self.waiting() + 1 >= self.parties
    }

    fn open(&self) {
        let mut waiters = self.waiters.borrow_mut();
        // Also one whose time is just up: it is still here.
        while let Some((waiter, ())) = waiters.pop_any() {
            waiter.wake();
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// How a [`Barrier`] was passed.
///
/// ```
/// assert!(green::Barrier::new(1).wait().unwrap().is_leader());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leader: bool,
}

impl BarrierWaitResult {
    /// True for the last that came, and so for exactly one.
    pub fn is_leader(&self) -> bool {
        self.leader
    }
}
