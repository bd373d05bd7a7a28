//! The face of a runtime towards other threads: an inbox and a waker.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use hub_core::Waker;

use super::per_process::PerProcess;
use super::{Runtime, contain};

enum Message {
    Spawn(Box<dyn FnOnce() + Send>),
    Wake {
        key: usize,
        ticket: Ticket,
    },
    /// As `Wake`, with a place in the registry of greenthreads.
    Unpark {
        key: usize,
        ticket: Ticket,
    },
    Close,
}

/// Greenthread and park: what tells a live remote waiter from one that has left.
type Ticket = (u64, u32);

#[derive(Default)]
struct Inbox {
    messages: Vec<Message>,
    /// Nothing more is spawned through a handle. Who waits in the thread can still be woken.
    closed: bool,
    /// The thread is gone.
    ended: bool,
}

pub(crate) struct Remote {
    inbox: Mutex<Inbox>,
    /// How many `HubHandle`s there are.
    handles: AtomicUsize,
    waker: Waker,
}

impl Remote {
    /// Nothing that can panic runs under this lock, so poison means nothing.
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, message: Message) -> Result<(), HubClosed> {
        {
            let mut inbox = self.inbox();
            let open =
                !inbox.closed || matches!(message, Message::Wake { .. } | Message::Unpark { .. });
            if inbox.ended || !open {
                return Err(HubClosed);
            }
            inbox.messages.push(message);
        }
        self.waker.wake();
        Ok(())
    }

    /// Ends a park of the greenthread with this place and id.
    pub(super) fn unpark(&self, key: usize, id: u64, ticket: u32) {
        let ticket = (id, ticket);
        // If the thread has ended, so has the park.
        let _ = self.send(Message::Unpark { key, ticket });
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

/// The hub of one thread, seen from the others: wakes it, spawns into it, closes it.
///
/// It is `Send`, `Sync` and cheap to clone. While a handle lives outside its thread, that thread never reports a
/// deadlock: somebody may still send it work.
///
/// ```
/// let handle = green::hubs::handle()?;
/// std::thread::spawn(move || {
///     handle.spawn(|| println!("in a greenthread of the first thread")).unwrap();
/// });
/// green::sleep(std::time::Duration::from_millis(20));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct HubHandle {
    remote: Arc<Remote>,
}

impl Clone for HubHandle {
    fn clone(&self) -> HubHandle {
        HubHandle::new(Arc::clone(&self.remote))
    }
}

impl Drop for HubHandle {
    fn drop(&mut self) {
        // Without handles the thread may be deadlocked, and it looks only when it is awake.
        if self.remote.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.remote.waker.wake();
        }
    }
}

impl HubHandle {
    fn new(remote: Arc<Remote>) -> HubHandle {
        remote.handles.fetch_add(1, Ordering::AcqRel);
        HubHandle { remote }
    }

    /// Spawns `f` as a greenthread of the hub's thread. It runs after what that thread has already queued.
    ///
    /// # Errors
    /// [`HubClosed`] if the hub was closed or its thread has ended. `f` is dropped.
    pub fn spawn(&self, f: impl FnOnce() + Send + 'static) -> Result<(), HubClosed> {
        self.remote.send(Message::Spawn(Box::new(f)))
    }

    /// Makes the hub look at its inbox and its timers at once, if it is waiting.
    pub fn wake(&self) {
        self.remote.waker.wake();
    }

    /// Closes the hub: from now on nothing can be spawned into it through a handle, and every greenthread of its
    /// thread but the thread's own (`main`, or the closure of the thread) is killed.
    ///
    /// # Errors
    /// [`HubClosed`] if that has happened before.
    pub fn close(&self) -> Result<(), HubClosed> {
        self.remote.send(Message::Close)?;
        self.remote.inbox().closed = true;
        Ok(())
    }

    /// True if the hub is closed or its thread has ended.
    pub fn is_closed(&self) -> bool {
        self.remote.inbox().closed
    }
}

impl fmt::Debug for HubHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubHandle")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The hub was closed, or its thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubClosed;

impl fmt::Display for HubClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hub is closed or its thread has ended")
    }
}

impl std::error::Error for HubClosed {}

/// Wakes one park of one greenthread from any thread.
#[derive(Clone)]
pub(crate) struct RemoteWaiter {
    remote: Arc<Remote>,
    key: usize,
    ticket: Ticket,
}

impl RemoteWaiter {
    /// True if both stand for the same park.
    pub(crate) fn is_same(&self, other: &RemoteWaiter) -> bool {
        self.ticket == other.ticket && Arc::ptr_eq(&self.remote, &other.remote)
    }

    /// Ends the park, unless it is over or the thread has ended.
    pub(crate) fn wake(&self) {
        let (key, ticket) = (self.key, self.ticket);
        let here = Runtime::existing(|runtime| {
            let here = matches!(&*runtime.remote.borrow(), Some(remote) if Arc::ptr_eq(remote, &self.remote));
            if here {
                runtime.wake_remote(key, ticket);
            }
            here
        });
        if here != Some(true) {
            let _ = self.remote.send(Message::Wake { key, ticket });
        }
    }
}

/// The hub of the main thread, once others know it.
static MAIN: PerProcess<Mutex<Weak<Remote>>> = PerProcess::new();

fn main_remote() -> MutexGuard<'static, Weak<Remote>> {
    let main = MAIN.get(Mutex::default);
    main.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn main_hub() -> Option<HubHandle> {
    main_remote().upgrade().map(HubHandle::new)
}

impl Runtime {
    pub(crate) fn handle(&self) -> io::Result<HubHandle> {
        self.remote().map(HubHandle::new)
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
            waker,
        });
        if greenlet::is_main_thread() {
            *main_remote() = Arc::downgrade(&remote);
        }
        Ok(Arc::clone(slot.insert(remote)))
    }

    /// Has other threads know this one, if it can be: see [`main_hub`].
    pub(crate) fn introduce(&self) {
        let _ = self.remote();
    }

    /// The current greenthread's next park, to be woken from any thread. After the park the caller gives it back
    /// with [`Runtime::forget`], however the park ended.
    pub(crate) fn remote_waiter(&self) -> io::Result<RemoteWaiter> {
        let remote = self.remote()?;
        let waiter = self.waiter();
        let ticket = (waiter.task.id, waiter.ticket);
        let key = self.remote_waiters.borrow_mut().insert(waiter);
        Ok(RemoteWaiter {
            remote,
            key,
            ticket,
        })
    }

    pub(crate) fn forget(&self, remote: &RemoteWaiter) {
        let mut waiters = self.remote_waiters.borrow_mut();
        if let Some(waiter) = waiters.get(remote.key)
            && (waiter.task.id, waiter.ticket) == remote.ticket
        {
            let left = waiters.remove(remote.key);
            drop(waiters);
            drop(left);
        }
    }

    /// Does what other threads asked for, in the order in which they asked.
    pub(super) fn empty_inbox(&self) {
        let Some(remote) = self.remote.borrow().clone() else {
            return;
        };
        let messages = std::mem::take(&mut remote.inbox().messages);
        for message in messages {
            match message {
                Message::Spawn(f) => {
                    if let Err(error) = crate::greenthread::spawn_boxed(f) {
                        log::error!("a greenthread sent by another thread is lost: {error}");
                    }
                }
                Message::Wake { key, ticket } => self.wake_remote(key, ticket),
                Message::Unpark {
                    key,
                    ticket: (id, ticket),
                } => self.unpark_by_id(key, id, ticket),
                Message::Close => {
                    for task in self.tasks().into_iter().skip(1) {
                        self.kill_soon(&task, None);
                    }
                }
            }
        }
    }

    fn wake_remote(&self, key: usize, ticket: Ticket) {
        let waiter = self.remote_waiters.borrow().get(key).cloned();
        if let Some(waiter) = waiter.filter(|waiter| (waiter.task.id, waiter.ticket) == ticket) {
            waiter.wake();
        }
    }
}
