//! What other threads send to a runtime, and how they wake it: an inbox and a waker.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};

use hub_core::Waker;

use super::per_process::PerProcess;
use super::remote_wait::ParkName;
use super::{Runtime, ThreadClosed, ThreadHandle, contain, lock};

pub(super) enum Message {
    Spawn(Box<dyn FnOnce() + Send>),
    Unpark(ParkName),
    /// A short piece of code that must not wait.
    Call(Box<dyn FnOnce() + Send>),
    Close,
}

#[derive(Default)]
pub(super) struct Inbox {
    messages: Vec<Message>,
    /// Nothing more is spawned through a handle. Who waits in the thread can still be woken.
    pub(super) closed: bool,
    /// The thread is gone.
    ended: bool,
}

pub(crate) struct Remote {
    inbox: Mutex<Inbox>,
    /// How many `ThreadHandle`s there are.
    pub(super) handles: AtomicUsize,
    /// How many closures were sent that have not begun to run.
    pub(super) pending: AtomicUsize,
    /// How many greenthreads there were at the last turn of the reactor.
    pub(super) greenthreads: AtomicUsize,
    pub(super) waker: Waker,
}

impl Remote {
    /// Nothing that can panic runs under this lock, so poison means nothing.
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    pub(super) fn send(&self, message: Message) -> Result<(), ThreadClosed> {
        {
            let mut inbox = self.inbox();
            let open = !inbox.closed || matches!(message, Message::Unpark(_) | Message::Call(_));
            if inbox.ended || !open {
                return Err(ThreadClosed);
            }
            inbox.messages.push(message);
        }
        self.waker.wake();
        Ok(())
    }

    /// Ends a park of a greenthread of this thread.
    pub(super) fn unpark(&self, park: ParkName) {
        // If the thread has ended, so has the park.
        let _ = self.send(Message::Unpark(park));
    }

    pub(super) fn close(&self) {
        let messages = self.inbox().end();
        contain("the destructor of a closure sent to an ended hub", || {
            drop(messages)
        });
    }

    /// True if another thread may still send something.
    pub(super) fn has_handles(&self) -> bool {
        self.handles.load(Ordering::Acquire) > 0
    }

    /// True if something has been sent and not looked at.
    pub(super) fn has_messages(&self) -> bool {
        !self.inbox().messages.is_empty()
    }

    /// In the child of a fork: refuses what comes through handles that were made before it. If another thread of the
    /// parent was just sending, its lock stays locked in this process, and so does the handle.
    pub(super) fn abandon(&self) {
        let inbox = match self.inbox.try_lock() {
            Ok(inbox) => Some(inbox),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        // What was sent is the parent's to do.
        std::mem::forget(inbox.map(|mut inbox| inbox.end()));
    }
}

impl Inbox {
    /// Takes nothing from now on, and gives what it has.
    fn end(&mut self) -> Vec<Message> {
        self.closed = true;
        self.ended = true;
        std::mem::take(&mut self.messages)
    }
}

/// How other threads reach the main thread, once one can.
static MAIN: PerProcess<Mutex<Weak<Remote>>> = PerProcess::new();

fn main_remote() -> MutexGuard<'static, Weak<Remote>> {
    let main = MAIN.get(Mutex::default);
    lock(main)
}

pub(crate) fn main_handle() -> Option<ThreadHandle> {
    main_remote().upgrade().map(ThreadHandle::new)
}

impl Runtime {
    /// Tells those who look for the thread with the fewest greenthreads how many it has.
    pub(super) fn publish_load(&self) {
        if let Some(remote) = &*self.remote.borrow() {
            let count = self.tasks.borrow().len();
            remote.greenthreads.store(count, Ordering::Relaxed);
        }
    }

    /// Has other threads reach this one, if it can be: see [`main_handle`].
    pub(crate) fn introduce(&self) {
        let _ = self.remote();
    }

    pub(crate) fn handle(&self) -> io::Result<ThreadHandle> {
        self.remote().map(ThreadHandle::new)
    }

    pub(super) fn remote(&self) -> io::Result<Arc<Remote>> {
        let mut slot = self.remote.borrow_mut();
        if let Some(remote) = &*slot {
            return Ok(Arc::clone(remote));
        }
        let waker = self.reactor(|reactor| reactor.waker())?;
        let inbox = Mutex::new(Inbox {
            messages: Vec::new(),
            closed: self.closed.get(),
            ended: self.closed.get(),
        });
        let remote = Arc::new(Remote {
            inbox,
            handles: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            greenthreads: AtomicUsize::new(0),
            waker,
        });
        if greenlet::os::is_main_thread() {
            *main_remote() = Arc::downgrade(&remote);
        }
        Ok(Arc::clone(slot.insert(remote)))
    }

    /// Does what other threads asked for, in the order in which they asked.
    pub(super) fn empty_inbox(&self) {
        let Some(remote) = self.remote.borrow().clone() else {
            return;
        };
        let messages = std::mem::take(&mut remote.inbox().messages);
        for message in messages {
            match message {
                Message::Spawn(f) => self.sent.borrow_mut().push(f),
                Message::Unpark(park) => self.unpark_named(park, Runtime::unpark_due),
                Message::Call(f) => contain("what another thread has asked for", f),
                Message::Close => {
                    self.drop_sent();
                    let tasks = self.tasks();
                    self.kill_all_soon(&tasks[1..]);
                }
            }
        }
        self.spawn_sent();
    }
}
