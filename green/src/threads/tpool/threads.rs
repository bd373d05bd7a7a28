//! The threads of one pool and their queue: how many there are, and the life of one.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::pool::enter;
use crate::runtime::{Anywhere, Origin, WaitList, lock};

/// The idle timeout, unless another is set.
const IDLE: Duration = Duration::from_secs(10);

/// A job in the queue, or at work.
pub(super) struct Work {
    pub(super) run: Box<dyn FnOnce() + Send>,
    /// True once its caller was killed or timed out.
    pub(super) deserted: Arc<AtomicBool>,
}

/// What the threads of a pool share with it.
pub(super) struct Threads {
    name: &'static str,
    pub(super) size: usize,
    /// How many threads there may be beyond that for jobs that were deserted.
    replacements: usize,
    state: Mutex<QueueState>,
    pub(super) work: Condvar,
}

pub(super) struct QueueState {
    /// How long a thread waits for its next job before it ends.
    pub(super) idle_timeout: Duration,
    pub(super) queue: VecDeque<Work>,
    /// Threads that are alive, and those of them that wait for work.
    pub(super) threads: usize,
    pub(super) idle: usize,
    /// Of the jobs at work: see [`Work::deserted`].
    at_work: Vec<Arc<AtomicBool>>,
    pub(super) handles: Vec<JoinHandle<()>>,
    /// No more jobs are taken; threads end when the queue is empty.
    pub(super) closed: bool,
    /// It was said that even the replacements are taken.
    exhausted: bool,
    /// Those that wait for the last thread to end.
    pub(super) leavers: WaitList<(), <Anywhere as Origin>::Waiter>,
}

impl QueueState {
    fn new() -> QueueState {
        QueueState {
            idle_timeout: IDLE,
            queue: VecDeque::new(),
            threads: 0,
            idle: 0,
            at_work: Vec::new(),
            handles: Vec::new(),
            closed: false,
            exhausted: false,
            leavers: WaitList::new(),
        }
    }

    /// How many jobs are at work whose callers have left.
    fn deserted(&self) -> usize {
        let deserted = self.at_work.iter();
        deserted
            .filter(|deserted| deserted.load(Ordering::Relaxed))
            .count()
    }
}

impl Threads {
    pub(super) fn new(name: &'static str, size: usize, replacements: usize) -> Threads {
        Threads {
            name,
            size,
            replacements,
            state: Mutex::new(QueueState::new()),
            work: Condvar::new(),
        }
    }

    /// Nothing that can panic runs under this lock, so poison means nothing.
    pub(super) fn lock(&self) -> MutexGuard<'_, QueueState> {
        lock(&self.state)
    }

    /// How many threads there may be at this moment.
    fn limit(&self, state: &QueueState) -> usize {
        self.size + state.deserted().min(self.replacements)
    }

    /// Starts a thread if a job waits that no idle one will take, and there may be one more.
    ///
    /// # Errors
    /// If the system has none. Others may be at work, and will come to it.
    pub(super) fn grow(self: &Arc<Self>, state: &mut QueueState) -> io::Result<()> {
        if state.queue.len() <= state.idle {
            return Ok(());
        }
        if state.threads >= self.size {
            let (deserted, limit) = (state.deserted(), self.limit(state));
            if self.replacements > 0 && deserted >= limit && !state.exhausted {
                state.exhausted = true;
                log::error!(
                    "{}: all {limit} threads are taken by jobs whose callers have left; \
                     no further job runs until one of them ends",
                    self.name
                );
            }
            if state.threads >= limit {
                return Ok(());
            }
            log::warn!(
                "{}: {deserted} of {} jobs at work go on though their callers have left: one more thread is started",
                self.name,
                state.threads
            );
        }
        let threads = Arc::clone(self);
        let handle = thread::Builder::new()
            .name(self.name.to_owned())
            .spawn(move || threads.work())?;
        state.handles.retain(|handle| !handle.is_finished());
        state.handles.push(handle);
        state.threads += 1;
        Ok(())
    }

    /// The caller of a job has left: somebody may wait for its thread.
    pub(super) fn deserted(self: &Arc<Self>) {
        self.grow_or_log(&mut self.lock());
    }

    pub(super) fn grow_or_log(self: &Arc<Self>, state: &mut QueueState) {
        if let Err(error) = self.grow(state) {
            log::warn!(
                "{} has {} threads and cannot grow: {error}",
                self.name,
                state.threads
            );
        }
    }

    /// The life of one thread.
    fn work(self: &Arc<Self>) {
        enter();
        let mut state = self.lock();
        loop {
            // One that took the place of another, which has come back.
            if state.threads > self.limit(&state) {
                break;
            }
            if let Some(Work { run, deserted }) = state.queue.pop_front() {
                state.at_work.push(Arc::clone(&deserted));
                if deserted.load(Ordering::Relaxed) {
                    // Its caller has left before it ran, when there was nothing to replace yet.
                    self.grow_or_log(&mut state);
                }
                drop(state);
                run();
                state = self.lock();
                state.at_work.retain(|other| !Arc::ptr_eq(other, &deserted));
                state.exhausted = false;
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let idle_timeout = state.idle_timeout;
            let (guard, waited) = self
                .work
                .wait_timeout(state, idle_timeout)
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        let mut leavers = WaitList::new();
        if state.threads == 0 {
            leavers = std::mem::take(&mut state.leavers);
        }
        drop(state);
        leavers.wake_all();
    }
}
