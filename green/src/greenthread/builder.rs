//! How greenthreads are made.

use std::io;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::time::Duration;

use super::end::End;
use super::{AnyGreenThread, GreenThread, spawn_detached};
use crate::runtime::{Alarm, Runtime, State, Task};

/// The configuration of a greenthread: its name and the size of its stack.
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
    pub(super) name: Option<Rc<str>>,
    pub(super) stack_size: Option<usize>,
}

impl Builder {
    /// A greenthread without a name, with a stack of the default size: 256 KiB of address space, of which only
    /// touched pages cost memory.
    #[inline]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Sets the name for reports and dumps.
    pub fn name(mut self, name: impl Into<Rc<str>>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Sets the size of the stack in bytes, rounded up to whole pages.
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
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let gt = green::Builder::new().spawn_after(Duration::from_millis(1), || 1)?;
    /// assert_eq!(gt.join()?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_after<T: 'static>(
        self,
        delay: Duration,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<GreenThread<T>> {
        let gt = self.make(Location::caller(), State::Delayed, f)?;
        let task = Rc::clone(gt.as_any().task());
        start_after(gt.as_any().task(), delay, move |runtime| {
            runtime.start(&task);
        });
        Ok(gt)
    }

    /// As [`spawn_n`](crate::spawn_n): without a result, and cheaper than [`Builder::spawn`]. What it gives can
    /// cancel and kill the greenthread, and knows whether it has ended.
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    ///
    /// ```
    /// let ticker = green::Builder::new().name("ticker").spawn_n(|| {
    ///     loop {
    ///         green::sleep(std::time::Duration::from_secs(1));
    ///     }
    /// })?;
    /// green::yield_now();
    /// ticker.kill();
    /// assert!(ticker.is_dead());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_n(self, f: impl FnOnce() + 'static) -> io::Result<AnyGreenThread> {
        let task = self.make_detached(Location::caller(), f)?;
        Ok(AnyGreenThread::new(task))
    }

    pub(crate) fn make_detached(
        self,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() + 'static,
    ) -> io::Result<Rc<Task>> {
        let task = Runtime::with(|runtime| {
            runtime.spawn_detached(self.stack_size, spawned_at, State::Fresh, f)
        })?;
        if self.name.is_some() {
            *task.extra().name.borrow_mut() = self.name;
        }
        Ok(task)
    }

    /// Spawns `f`, to start after `delay` unless the caller has ended by then. See
    /// [`spawn_after_local`](crate::spawn_after_local).
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let gt = green::Builder::new().spawn_after_local(Duration::from_millis(1), || 1)?;
    /// assert_eq!(gt.join()?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_after_local<T: 'static>(
        self,
        delay: Duration,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<GreenThread<T>> {
        let gt = self.make(Location::caller(), State::Delayed, f)?;
        let creator = Runtime::with(Runtime::current);
        let task = Rc::clone(gt.as_any().task());
        start_after(gt.as_any().task(), delay, move |runtime| {
            if creator.is_dead() {
                cancel_elsewhere(task);
            } else {
                runtime.start(&task);
            }
        });
        Ok(gt)
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
                // What is named first is dropped first, also if it never runs: what `f` holds before the end is told.
                move || {
                    let result = panic::catch_unwind(AssertUnwindSafe(f));
                    end.deliver(result);
                }
            })
        })?;
        if self.name.is_some() {
            *task.extra().name.borrow_mut() = self.name;
        }
        Ok(GreenThread::new(task))
    }
}

/// Has the hub call `start` after `delay`, unless the task is cancelled before.
fn start_after(task: &Rc<Task>, delay: Duration, start: impl FnOnce(&Runtime) + 'static) {
    Runtime::with(|runtime| match runtime.deadline(Some(delay)) {
        Some(deadline) => {
            let alarm = Alarm::start(Rc::clone(task), move || Runtime::with(start));
            let timer = runtime.add_timer(deadline, alarm);
            task.extra().start.set(Some(timer));
        }
        None => {
            log::warn!("a delay of {delay:?} is beyond the clock: the greenthread never starts")
        }
    });
}

/// Cancels a greenthread on behalf of the hub. Its destructors and links are code of the user, which may wait, and
/// the hub may not: so it is done in a greenthread.
fn cancel_elsewhere(task: Rc<Task>) {
    task.extra().start.set(None);
    let gt = AnyGreenThread::new(task);
    let spawned_at = gt.spawned_at();
    let canceller = move || {
        gt.cancel();
    };
    if let Err(error) = spawn_detached(spawned_at, canceller) {
        log::error!("a greenthread whose creator has ended is not cancelled: {error}");
    }
}
