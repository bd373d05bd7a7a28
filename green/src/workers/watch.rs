//! The greenthread that starts the threads of workers, hears of their ends, and starts them again.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::builder::OnPanic;
use super::thread::work;
use super::{Worker, WorkersError, WorkersHandle};
use crate::Flag;
use crate::sync::Queue;

/// What runs on each worker.
pub(super) type RunWorker<T, E> = dyn Fn(Worker) -> Result<T, E> + Send + Sync;

pub(super) type Results<T, E> = Result<Vec<T>, WorkersError<E>>;

/// What the greenthread hears that watches over the workers.
pub(super) enum News<T, E> {
    Begun,
    Ended(usize, Result<T, WorkersError<E>>),
    /// It is time to start it again, after this.
    Again(usize, WorkersError<E>),
}

/// How long a worker that has just been started and panicked waits before it is started again: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What that greenthread knows.
pub(super) struct WorkersWatch<T, E> {
    handle: WorkersHandle,
    run: Arc<RunWorker<T, E>>,
    news: Arc<Queue<News<T, E>>>,
    /// One for each worker that was started.
    lives: Vec<OfWorker>,
    values: Vec<Option<T>>,
    error: Option<WorkersError<E>>,
    begun: usize,
    /// Set when all have begun, or one has ended.
    all_begun: Rc<Flag>,
    /// How many have not ended for good.
    open: usize,
}

struct OfWorker {
    thread: Option<JoinHandle<()>>,
    started: Instant,
    pause: Duration,
}

impl<T: Send + 'static, E: Send + 'static> WorkersWatch<T, E> {
    pub(super) fn new(handle: WorkersHandle, run: Arc<RunWorker<T, E>>) -> WorkersWatch<T, E> {
        WorkersWatch {
            run,
            news: Arc::new(Queue::unbounded()),
            lives: Vec::new(),
            values: (0..handle.len()).map(|_| None).collect(),
            error: None,
            begun: 0,
            all_begun: Rc::default(),
            open: 0,
            handle,
        }
    }

    /// Set when all have begun, or when one has ended.
    pub(super) fn all_begun(&self) -> Rc<Flag> {
        Rc::clone(&self.all_begun)
    }

    /// Starts a worker for the first time.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(super) fn begin(&mut self, worker: usize) -> io::Result<()> {
        let thread = self.spawn(worker)?;
        self.lives.push(OfWorker {
            thread: Some(thread),
            started: Instant::now(),
            pause: FIRST_PAUSE,
        });
        self.open += 1;
        Ok(())
    }

    fn spawn(&self, worker: usize) -> io::Result<JoinHandle<()>> {
        let builder = thread::Builder::new().name(self.handle.name(worker).to_owned());
        let (handle, run) = (self.handle.clone(), Arc::clone(&self.run));
        let news = Arc::clone(&self.news);
        builder
            .spawn(move || work(handle, worker, run, &news))
            .map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("no thread for worker {worker}: {error}"),
                )
            })
    }

    pub(super) fn until_all_have_ended(mut self) -> Results<T, E> {
        while self.open > 0 {
            match self.news.get() {
                Ok(News::Begun) => {
                    self.begun += 1;
                    if self.begun == self.lives.len() {
                        self.all_begun.set();
                    }
                }
                Ok(News::Ended(worker, result)) => self.ended(worker, result),
                Ok(News::Again(worker, why)) => self.again(worker, why),
                Err(_) => return Err(WorkersError::Unwinding),
            }
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(self.values.drain(..).flatten().collect()),
        }
    }

    fn ended(&mut self, worker: usize, result: Result<T, WorkersError<E>>) {
        self.all_begun.set();
        let known = &mut self.lives[worker];
        if let Some(thread) = known.thread.take() {
            // It has nothing left to do. What it panics with by now is nobody's.
            let _ = thread.join();
        }
        match result {
            Ok(value) => {
                self.values[worker] = Some(value);
                self.open -= 1;
                self.handle.shared.addresses.leave(worker);
            }
            Err(why) if self.may_begin_again(worker, &why) => self.pause(worker, why),
            Err(why) => self.failed(worker, why),
        }
    }

    /// True if it has panicked and should go on, or could not be started after that.
    fn may_begin_again(&self, worker: usize, why: &WorkersError<E>) -> bool {
        let restarts = self.handle.shared.on_panic == OnPanic::Restart;
        let may = match why {
            WorkersError::Panicked { .. } => true,
            WorkersError::NotStarted(_) => self.lives[worker].pause > FIRST_PAUSE,
            _ => false,
        };
        restarts && may && !self.handle.is_stopping()
    }

    /// Starts it again in a while.
    fn pause(&mut self, worker: usize, why: WorkersError<E>) {
        let known = &mut self.lives[worker];
        let mut wait = known.pause;
        if known.started.elapsed() >= LONGEST_PAUSE {
            (wait, known.pause) = (Duration::ZERO, FIRST_PAUSE);
        }
        known.pause = LONGEST_PAUSE.min(2 * known.pause);
        match &why {
            WorkersError::Panicked { panic, .. } => log::error!(
                "worker {worker} panicked, and is started again: {}",
                panic.message()
            ),
            WorkersError::NotStarted(error) => {
                log::error!(
                    "worker {worker} cannot be started again, and will be tried later: {error}"
                );
            }
            _ => {}
        }
        let news = Arc::clone(&self.news);
        crate::spawn_after(wait, move || {
            // The queue has no bound and is never shut down.
            let _ = news.try_put(News::Again(worker, why));
        });
    }

    fn again(&mut self, worker: usize, why: WorkersError<E>) {
        if self.handle.is_stopping() {
            return self.failed(worker, why);
        }
        match self.spawn(worker) {
            Ok(thread) => {
                self.handle.count_restart();
                let known = &mut self.lives[worker];
                known.thread = Some(thread);
                known.started = Instant::now();
            }
            Err(error) => self.pause(worker, WorkersError::NotStarted(error)),
        }
    }

    /// It has ended for good: so do all.
    fn failed(&mut self, worker: usize, why: WorkersError<E>) {
        self.open -= 1;
        self.handle.shared.addresses.leave(worker);
        // One that was killed is the consequence of a stop.
        match (&self.error, &why) {
            (None, _) => self.error = Some(why),
            (Some(WorkersError::Killed { .. }), WorkersError::Killed { .. }) => {}
            (Some(WorkersError::Killed { .. }), _) => self.error = Some(why),
            (Some(_), _) => log(&why),
        }
        if !self.handle.is_stopping() {
            self.handle.stop(self.handle.shared.grace);
        }
    }
}

/// For one that nobody is told of, since another came first.
fn log<E>(why: &WorkersError<E>) {
    match why {
        WorkersError::Failed { worker, .. } => log::error!("worker {worker} has failed as well"),
        WorkersError::Panicked { worker, panic } => {
            log::error!("worker {worker} has panicked as well: {}", panic.message());
        }
        _ => {}
    }
}

impl<T, E> Drop for WorkersWatch<T, E> {
    /// It may be killed: when its thread ends, for one.
    fn drop(&mut self) {
        if self.open > 0 {
            self.handle.stop(Duration::ZERO);
        }
    }
}
