//! A thread's scheduler as other threads see it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::remote::{Message, Remote};

/// One thread's scheduler, seen from other threads: spawns into it, wakes it, closes it.
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
///
/// It ends what runs there:
///
/// ```
/// use std::time::Duration;
///
/// let (send, receive) = std::sync::mpsc::channel();
/// let thread = std::thread::spawn(move || {
///     let serving = green::spawn(|| green::sleep(Duration::from_secs(60)));
///     send.send(green::hubs::handle().unwrap()).unwrap();
///     serving.join().unwrap_err().to_string()
/// });
/// let handle = receive.recv().unwrap();
/// handle.wake(); // The thread looks at its inbox, and waits again.
/// assert_eq!((handle.pending(), handle.is_closed()), (0, false));
/// handle.close().unwrap();
/// assert!(handle.is_closed());
/// assert_eq!(thread.join().unwrap(), "the greenthread was killed");
/// ```
#[doc(alias = "HubHandle")]
pub struct ThreadHandle {
    remote: Arc<Remote>,
}

impl Clone for ThreadHandle {
    fn clone(&self) -> ThreadHandle {
        ThreadHandle::new(Arc::clone(&self.remote))
    }
}

impl Drop for ThreadHandle {
    fn drop(&mut self) {
        // Without handles the thread may be deadlocked, and it looks only when it is awake.
        if self.remote.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.remote.waker.wake();
        }
    }
}

impl ThreadHandle {
    pub(super) fn new(remote: Arc<Remote>) -> ThreadHandle {
        remote.handles.fetch_add(1, Ordering::AcqRel);
        ThreadHandle { remote }
    }

    /// Spawns `f` as a greenthread of that thread.
    ///
    /// It gets a stack when some of those that were sent before it have begun to run: a million that are sent at once cost
    /// the memory of their closures. [`try_spawn`](ThreadHandle::try_spawn) bounds that as well, and
    /// [`set_spawn_limit`](crate::hubs::set_spawn_limit) how many run at a time.
    ///
    /// # Errors
    /// [`ThreadClosed`] if the handle was closed or the thread has ended. `f` is dropped.
    pub fn spawn(&self, f: impl FnOnce() + Send + 'static) -> Result<(), ThreadClosed> {
        self.remote.pending.fetch_add(1, Ordering::Relaxed);
        let sent = self.remote.send(Message::Spawn(Box::new(f)));
        if sent.is_err() {
            self.remote.pending.fetch_sub(1, Ordering::Relaxed);
        }
        sent
    }

    /// As [`spawn`](ThreadHandle::spawn), unless `most` closures have been sent that have not begun to run.
    ///
    /// # Errors
    /// `f`, if there are that many, or as [`spawn`](ThreadHandle::spawn) (see [`is_closed`](ThreadHandle::is_closed)).
    ///
    /// ```
    /// let handle = green::hubs::handle()?;
    /// assert!(handle.try_spawn(1, || ()).is_ok());
    /// assert!(handle.try_spawn(1, || ()).is_err());
    /// green::sleep(std::time::Duration::from_millis(1));
    /// assert_eq!(handle.pending(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_spawn<F: FnOnce() + Send + 'static>(&self, most: usize, f: F) -> Result<(), F> {
        if self.is_closed() || self.pending() >= most {
            return Err(f);
        }
        // One that is closed at this very moment drops it, as it would have a moment later.
        let _ = self.spawn(f);
        Ok(())
    }

    /// How many closures were sent by all handles that have not begun to run.
    pub fn pending(&self) -> usize {
        self.remote.pending.load(Ordering::Relaxed)
    }

    /// Runs `f` in that thread at its next turn, also if it is closed: a short piece of code that must not wait.
    ///
    /// # Errors
    /// [`ThreadClosed`] if the thread has ended. `f` is dropped.
    pub(crate) fn call(&self, f: impl FnOnce() + Send + 'static) -> Result<(), ThreadClosed> {
        self.remote.send(Message::Call(Box::new(f)))
    }

    /// How many greenthreads that thread has: as many as there were at its last turn, and those that were sent since.
    pub(crate) fn load(&self) -> usize {
        self.remote.greenthreads.load(Ordering::Relaxed) + self.pending()
    }

    /// Makes the thread look at its inbox and its timers at once, if it is waiting.
    pub fn wake(&self) {
        self.remote.waker.wake();
    }

    /// Closes it: from now on nothing can be spawned through a handle, and every greenthread of the
    /// thread but the thread's own (`main`, or the closure of the thread) is killed.
    ///
    /// # Errors
    /// [`ThreadClosed`] if that has happened before.
    pub fn close(&self) -> Result<(), ThreadClosed> {
        self.remote.send(Message::Close)?;
        self.remote.inbox().closed = true;
        Ok(())
    }

    /// True if it is closed or the thread has ended.
    pub fn is_closed(&self) -> bool {
        self.remote.inbox().closed
    }
}

impl fmt::Debug for ThreadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadHandle")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The error of a call through the handle of a thread that was closed or has ended.
///
/// ```
/// let handle = std::thread::spawn(|| green::hubs::handle().unwrap()).join().unwrap();
/// let closed: green::hubs::ThreadClosed = handle.spawn(|| ()).unwrap_err();
/// println!("{closed}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "HubClosed")]
pub struct ThreadClosed;

impl fmt::Display for ThreadClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread is closed to other threads, or has ended")
    }
}

impl std::error::Error for ThreadClosed {}
