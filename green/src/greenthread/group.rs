//! Several greenthreads at once: wait for them, kill them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::any::after;
use super::{AnyGreenThread, Exit};
use crate::runtime::{Hears, OnEnd, Place, Reason, Runtime, Task, WaitList};

/// A wait for several greenthreads.
struct Group {
    /// Those that have ended and were not given out yet, in the order of their ends.
    ended: RefCell<VecDeque<AnyGreenThread>>,
    waiting: RefCell<WaitList>,
}

impl Hears for Group {
    fn hear(&self, task: &Rc<Task>) {
        let ended = AnyGreenThread::new(Rc::clone(task));
        self.ended.borrow_mut().push_back(ended);
        self.waiting.borrow_mut().wake_all();
    }
}

/// Greenthreads in the order in which they end. Those that have ended already come first.
///
/// [`take`](Iterator::take) gives up when some have ended, [`timeout`](EndOrder::timeout) after some time.
///
/// ```
/// use std::time::Duration;
///
/// let gts = [30, 10, 20].map(|n| green::spawn(move || green::sleep(Duration::from_millis(n))));
/// let order: Vec<_> = green::iwait(&gts).map(|gt| gt.id()).collect();
/// assert_eq!(order, [gts[1].id(), gts[2].id(), gts[0].id()]);
/// ```
pub fn iwait<G: AsRef<AnyGreenThread>>(greenthreads: impl IntoIterator<Item = G>) -> EndOrder {
    let group = Rc::new(Group {
        ended: RefCell::new(VecDeque::new()),
        waiting: RefCell::new(WaitList::new()),
    });
    let mut running = Vec::new();
    let mut left = 0;
    for gt in greenthreads {
        left += 1;
        let task = gt.as_ref().task();
        if task.is_complete() || task.is_dead() {
            group.hear(task);
        } else {
            let place = task.on_end(OnEnd::Tell(group.clone()));
            running.push((Rc::clone(task), place));
        }
    }
    EndOrder {
        group,
        running,
        left,
        deadline: None,
    }
}

/// Made by [`iwait`].
///
/// While the thread unwinds nothing is waited for: the iteration ends with those that have ended.
///
/// ```
/// let gts = [green::spawn(|| 1), green::spawn(|| 2)];
/// let mut ends = green::iwait(&gts);
/// assert_eq!(ends.next().unwrap().id(), gts[0].id());
///
/// use std::time::Duration;
/// let slow = green::spawn(|| green::sleep(Duration::from_secs(60)));
/// assert_eq!(green::iwait([&slow]).timeout(Duration::from_millis(1)).count(), 0);
/// ```
#[must_use = "an iterator of greenthreads waits for nothing until it is iterated"]
#[doc(alias = "Iwait")]
pub struct EndOrder {
    group: Rc<Group>,
    /// Those that know of the group, unless they have ended since.
    running: Vec<(Rc<Task>, Place)>,
    left: usize,
    deadline: Option<Instant>,
}

impl EndOrder {
    /// Ends the iteration after `timeout`, counted from now, even if some have not ended.
    pub fn timeout(mut self, timeout: Duration) -> EndOrder {
        self.deadline = after(timeout);
        self
    }
}

impl Iterator for EndOrder {
    type Item = AnyGreenThread;

    fn next(&mut self) -> Option<AnyGreenThread> {
        self.left = self.left.checked_sub(1)?;
        Runtime::with(Runtime::spend);
        loop {
            let ended = self.group.ended.borrow_mut().pop_front();
            if ended.is_some() {
                return ended;
            }
            let reason = Reason::Group(Rc::as_ptr(&self.group).addr());
            let ended = Runtime::with(|runtime| {
                let none = || self.group.ended.borrow().is_empty();
                runtime.wait_while(&self.group.waiting, reason, self.deadline, none)
            });
            if !ended.is_served() {
                self.left = 0;
                return None;
            }
        }
    }
}

impl Drop for EndOrder {
    fn drop(&mut self) {
        for (task, place) in &self.running {
            task.leave_end(*place);
        }
    }
}

impl fmt::Debug for EndOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndOrder")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Waits until all of these greenthreads have ended, and gives them in the order in which they did.
///
/// To wait for some of them only, see [`iwait`].
///
/// ```
/// let gts: Vec<_> = (0..3).map(|n| green::spawn(move || n)).collect();
/// assert_eq!(green::joinall(&gts).len(), 3);
/// assert!(gts.iter().all(|gt| gt.is_successful()));
/// ```
pub fn joinall<G: AsRef<AnyGreenThread>>(
    greenthreads: impl IntoIterator<Item = G>,
) -> Vec<AnyGreenThread> {
    iwait(greenthreads).collect()
}

/// As [`joinall`], for at most `timeout`. Gives those that have ended by then.
///
/// ```
/// use std::time::Duration;
///
/// let slow = green::spawn(|| green::sleep(Duration::from_secs(60)));
/// let fast = green::spawn(|| ());
/// assert_eq!(green::joinall_timeout([&slow, &fast], Duration::from_millis(5)).len(), 1);
/// ```
pub fn joinall_timeout<G: AsRef<AnyGreenThread>>(
    greenthreads: impl IntoIterator<Item = G>,
    timeout: Duration,
) -> Vec<AnyGreenThread> {
    iwait(greenthreads).timeout(timeout).collect()
}

/// As [`joinall`], until the first that ends without a value. Lend the handles: one that is dropped takes with it how
/// its greenthread ended.
///
/// # Errors
/// How that one ended. The others go on.
///
/// ```
/// use std::time::Duration;
///
/// let slow = green::spawn(|| green::sleep(Duration::from_secs(60)));
/// let bad = green::spawn(|| panic!("no"));
/// assert_eq!(green::try_joinall(&[slow, bad]).unwrap_err().to_string(), "the greenthread panicked: no");
/// ```
pub fn try_joinall<G: AsRef<AnyGreenThread>>(
    greenthreads: impl IntoIterator<Item = G>,
) -> Result<Vec<AnyGreenThread>, Exit> {
    let ended = iwait(greenthreads).map(|gt| match gt.exit() {
        Some(exit) => Err(exit),
        None => Ok(gt),
    });
    ended.collect()
}

/// Waits until one of these greenthreads has ended, and gives it. `None` if there are none, or the thread unwinds.
///
/// ```
/// use std::time::Duration;
///
/// let slow = green::spawn(|| green::sleep(Duration::from_secs(60)));
/// let fast = green::spawn(|| ());
/// assert_eq!(green::wait_any([&slow, &fast]).unwrap().id(), fast.id());
/// ```
pub fn wait_any<G: AsRef<AnyGreenThread>>(
    greenthreads: impl IntoIterator<Item = G>,
) -> Option<AnyGreenThread> {
    iwait(greenthreads).next()
}

/// Kills all, as [`AnyGreenThread::kill`] does one: when this returns, all unwind. The caller is the last if it is among
/// them.
///
/// ```
/// use std::time::Duration;
///
/// let gts: Vec<_> = (0..3).map(|_| green::spawn(|| green::sleep(Duration::from_secs(60)))).collect();
/// green::killall(&gts);
/// assert!(gts.iter().all(|gt| gt.is_dead()));
/// ```
pub fn killall<G: AsRef<AnyGreenThread>>(greenthreads: impl IntoIterator<Item = G>) {
    let tasks: Vec<_> = greenthreads
        .into_iter()
        .map(|gt| Rc::clone(gt.as_ref().task()))
        .collect();
    Runtime::with(|runtime| runtime.kill_all(&tasks));
}

/// Kills all and waits until they have ended, for at most `timeout`. True if they have.
///
/// ```
/// use std::time::Duration;
///
/// let gts = [1, 2].map(|_| green::spawn(|| green::sleep(Duration::from_secs(60))));
/// assert!(green::killall_wait(&gts, Duration::from_secs(60)));
/// ```
pub fn killall_wait<G: AsRef<AnyGreenThread>>(
    greenthreads: impl IntoIterator<Item = G>,
    timeout: Duration,
) -> bool {
    let gts: Vec<_> = greenthreads
        .into_iter()
        .map(|gt| gt.as_ref().clone())
        .collect();
    killall(&gts);
    joinall_timeout(&gts, timeout).len() == gts.len()
}
