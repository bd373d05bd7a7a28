//! Runs futures of one thread: a queue of those that can go on, and a reactor for the others

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use hub_core::{Hub, Reactor};
use slab::Slab;

pub(crate) struct Executor(Rc<Shared>);

/// What the tasks and their descriptors have in common. The waiters of the reactor are wakers.
pub(crate) struct Shared {
    pub(crate) reactor: RefCell<Reactor<Waker>>,
    /// Those that run are taken out meanwhile.
    tasks: RefCell<Slab<Option<Task>>>,
    runnable: Arc<Runnable>,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The tasks that can go on, in the order they were woken; wakers of any thread reach it.
struct Runnable {
    queue: Mutex<VecDeque<Arc<Wakeable>>>,
    home: ThreadId,
    bell: hub_core::Waker,
}

struct Wakeable {
    /// `None` is the future that `block_on` was given.
    task: Option<usize>,
    is_queued: AtomicBool,
    runnable: Arc<Runnable>,
}

impl Wake for Wakeable {
    fn wake(self: Arc<Self>) {
        let runnable = self.runnable.clone();
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            let queue = runnable.queue.lock();
            queue
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(self);
            if thread::current().id() != runnable.home {
                runnable.bell.wake();
            }
        }
    }
}

impl Executor {
    pub(crate) fn new(hub: Box<dyn Hub>) -> io::Result<Executor> {
        let mut reactor = Reactor::new(hub);
        let runnable = Arc::new(Runnable {
            queue: Mutex::default(),
            home: thread::current().id(),
            bell: reactor.waker()?,
        });
        Ok(Executor(Rc::new(Shared {
            reactor: RefCell::new(reactor),
            tasks: RefCell::default(),
            runnable,
        })))
    }

    pub(crate) fn hub_name(&self) -> &'static str {
        self.0.reactor.borrow().hub_name()
    }

    pub(crate) fn shared(&self) -> Rc<Shared> {
        self.0.clone()
    }

    /// Runs a future beside the others. What comes back is a future of its result; the task goes
    /// on if that is dropped.
    pub(crate) fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> {
        let end = Rc::new(RefCell::new((None, None::<Waker>)));
        let told = end.clone();
        let task = self.0.tasks.borrow_mut().insert(Some(Box::pin(async move {
            let result = future.await;
            let waker = told.replace((Some(result), None)).1;
            waker.into_iter().for_each(Waker::wake);
        })));
        self.0.waker(Some(task)).wake();
        poll_fn(move |context| match end.take().0 {
            Some(result) => Poll::Ready(result),
            None => {
                end.borrow_mut().1 = Some(context.waker().clone());
                Poll::Pending
            }
        })
    }

    /// Runs a future and all tasks until it ends.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        let mut future = pin!(future);
        let (shared, mut woken) = (&*self.0, Vec::new());
        shared.waker(None).wake();
        loop {
            // Who becomes runnable meanwhile comes after a look at the descriptors.
            let count = shared.runnable().len();
            for _ in 0..count {
                let Some(next) = shared.runnable().pop_front() else {
                    break;
                };
                next.is_queued.store(false, Ordering::Release);
                let (task, waker) = (next.task, Waker::from(next));
                let context = &mut Context::from_waker(&waker);
                match task {
                    Some(task) => shared.run(task, context),
                    None => {
                        if let Poll::Ready(result) = future.as_mut().poll(context) {
                            return Ok(result);
                        }
                    }
                }
            }
            let timeout = match shared.runnable().is_empty() {
                true => None,
                false => Some(Duration::ZERO),
            };
            shared.reactor.borrow_mut().turn(timeout, &mut woken)?;
            woken.drain(..).for_each(|wakeup| wakeup.waiter.wake());
        }
    }

    /// Ends at a point in time.
    pub(crate) fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> {
        let mut timer = Timer {
            shared: self.shared(),
            key: None,
        };
        poll_fn(move |context| {
            timer.cancel();
            let mut reactor = timer.shared.reactor.borrow_mut();
            if deadline <= reactor.now() {
                return Poll::Ready(());
            }
            timer.key = Some(reactor.add_timer(deadline, context.waker().clone()));
            Poll::Pending
        })
    }
}

impl Shared {
    fn waker(&self, task: Option<usize>) -> Waker {
        Waker::from(Arc::new(Wakeable {
            task,
            is_queued: AtomicBool::new(false),
            runnable: self.runnable.clone(),
        }))
    }

    fn runnable(&self) -> MutexGuard<'_, VecDeque<Arc<Wakeable>>> {
        let queue = self.runnable.queue.lock();
        queue.unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a task go on. It is nothing if the task has ended: wakers outlive it.
    fn run(&self, number: usize, context: &mut Context<'_>) {
        let task = self
            .tasks
            .borrow_mut()
            .get_mut(number)
            .and_then(Option::take);
        let Some(mut task) = task else { return };
        match task.as_mut().poll(context) {
            Poll::Ready(()) => drop(self.tasks.borrow_mut().remove(number)),
            Poll::Pending => self.tasks.borrow_mut()[number] = Some(task),
        }
    }
}

/// Tasks own descriptors, which own the reactor: who ends the executor ends them.
impl Drop for Executor {
    fn drop(&mut self) {
        drop(self.0.tasks.take());
    }
}

struct Timer {
    shared: Rc<Shared>,
    key: Option<hub_core::TimerKey>,
}

impl Timer {
    fn cancel(&mut self) {
        let key = self.key.take();
        let waker = key.and_then(|key| self.shared.reactor.borrow_mut().cancel_timer(key));
        drop(waker); // Outside the borrow: it may be anybody's.
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}
