//! Workers that were started: who waits for them, and who tells them of signals.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::watch::{Results, RunWorker, WorkersWatch};
use super::{WorkersError, WorkersHandle};
use crate::greenthread::join_as_part;
use crate::runtime::Runtime;
use crate::signal::Signals;
use crate::{Flag, GreenThread};

/// Workers that were started: waits for their ends.
///
/// It belongs to the thread that has started them; [`handle`](Workers::handle) is for all. If it is dropped, the
/// workers are told to stop at once, and nobody waits for them; so they are if the thread ends that has started them.
///
/// ```
/// use green::workers::WorkersBuilder;
///
/// let workers = WorkersBuilder::new().count(2).start(|worker| Ok::<_, ()>(worker.index()));
/// let workers = workers.unwrap();
/// assert_eq!(workers.handle().len(), 2);
/// println!("all of them have ended: {}", workers.is_finished());
/// assert_eq!(workers.join().unwrap(), [0, 1]);
/// ```
#[must_use = "dropping it stops the workers"]
pub struct Workers<T: 'static, E: 'static> {
    handle: WorkersHandle,
    watch: GreenThread<Results<T, E>>,
    all_begun: Rc<Flag>,
}

impl<T, E> Workers<T, E> {
    /// A handle to the workers for every thread, their own included.
    pub fn handle(&self) -> &WorkersHandle {
        &self.handle
    }

    /// Waits until all have begun, or one has ended. If the thread unwinds, nobody waits.
    pub(super) fn wait_begun(&self) {
        let _ = self.all_begun.wait();
    }

    /// True if all of them have ended.
    pub fn is_finished(&self) -> bool {
        self.watch.is_dead()
    }

    /// Waits for all of them, and gives their values in the order of their indexes. A kill or deadline of the caller
    /// stops them at once, and is raised when they have ended.
    ///
    /// # Errors
    /// As [`workers`](crate::workers()).
    pub fn join(self) -> Results<T, E> {
        let watch = self.watch.as_any();
        let running = || (!watch.is_dead()).then(|| Rc::clone(watch.task()));
        join_as_part(running, |_| self.handle.stop(Duration::ZERO));
        if !watch.is_dead() {
            return Err(WorkersError::Unwinding);
        }
        Runtime::with(Runtime::checkpoint);
        match self.watch.take() {
            Ok(results) => results,
            // It has no end but the last of its workers', unless somebody kills all greenthreads of the thread.
            Err(_killed) => Err(WorkersError::Killed { worker: 0 }),
        }
    }
}

impl<T, E> Drop for Workers<T, E> {
    fn drop(&mut self) {
        if !self.watch.is_dead() {
            self.handle.stop(Duration::ZERO);
        }
    }
}

impl<T, E> fmt::Debug for Workers<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("handle", &self.handle)
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

pub(super) fn start<T: Send + 'static, E: Send + 'static>(
    handle: WorkersHandle,
    signals: Option<(Signals, Option<Duration>)>,
    run: Arc<RunWorker<T, E>>,
) -> Result<Workers<T, E>, WorkersError<E>> {
    let mut watch = WorkersWatch::new(handle.clone(), run);
    let refused = (0..handle.len()).find_map(|index| watch.begin(index).err());
    if refused.is_some() {
        handle.stop(Duration::ZERO);
    }
    let signals = signals.map(|(signals, timeout)| {
        let handle = handle.clone();
        crate::spawn(move || stop_on(&signals, timeout, &handle)).kill_on_drop()
    });
    let all_begun = watch.all_begun();
    let watch = crate::spawn(move || {
        let _signals = signals;
        watch.until_all_have_ended()
    });
    let workers = Workers {
        handle,
        watch,
        all_begun,
    };
    match refused {
        None => Ok(workers),
        Some(error) => {
            let _ = workers.join();
            Err(WorkersError::NotStarted(error))
        }
    }
}

/// Stops the workers when a signal comes, and at once with the next.
fn stop_on(signals: &Signals, timeout: Option<Duration>, handle: &WorkersHandle) {
    let mut timeout = timeout;
    while let Ok(signal) = signals.wait() {
        let name = crate::signal::name(signal).unwrap_or("a signal");
        log::info!("{name} stops the workers");
        handle.stop(timeout);
        timeout = Some(Duration::ZERO);
    }
}
