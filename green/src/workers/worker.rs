//! A worker, as the closure that runs on it sees it.

use std::fmt;
use std::io;
use std::marker::PhantomData;

use super::listen::{Balance, SharedListener};
use super::told::Told;
use super::{WorkersHandle, listen};
use crate::net::ToSocketAddrs;
use crate::server::Lifecycle;

/// The worker that a closure runs on. It belongs to that thread; clones are the same worker.
///
/// ```
/// let names = green::workers(2, |worker| Ok::<_, ()>(format!("{} of {}", worker.index(), worker.name())));
/// assert_eq!(names.unwrap()[1], "1 of worker-1");
/// ```
///
/// Its part of a server:
///
/// ```
/// use green::server::Lifecycle;
///
/// green::workers(2, |worker| {
///     let listener = worker.listen_shared_queue("127.0.0.1:0")?; // Or `listen_shared`.
///     let life = Lifecycle::new();
///     worker.drain_at_stop(&life);
///     worker.handle().stop(None); // Somebody does that, some day.
///     life.serve(&listener, 1000, |_stream, _peer| ())?;
///     assert!(worker.is_stopping());
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Worker {
    index: usize,
    handle: WorkersHandle,
    /// What it does concerns the calling thread.
    of_thread: PhantomData<*const ()>,
}

impl Worker {
    pub(super) fn new(index: usize, handle: WorkersHandle) -> Worker {
        Worker {
            index,
            handle,
            of_thread: PhantomData,
        }
    }

    /// The index of this worker: the first has 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The name of its thread, as `worker-0`.
    pub fn name(&self) -> &str {
        self.handle.name(self.index)
    }

    /// All workers, this one among them: for other threads, and to stop all.
    pub fn handle(&self) -> &WorkersHandle {
        &self.handle
    }

    /// True once this worker was told to stop.
    pub fn is_stopping(&self) -> bool {
        Told::of_thread().is_stopping()
    }

    /// Waits until the workers are told to stop. False if the thread unwinds and they were not.
    ///
    /// ```
    /// let ended = green::workers(2, |worker| {
    ///     if worker.index() == 1 {
    ///         worker.handle().stop(None);
    ///     }
    ///     assert!(worker.wait_stop());
    /// });
    /// assert!(ended.is_ok());
    /// ```
    pub fn wait_stop(&self) -> bool {
        Told::of_thread().wait()
    }

    /// Has `life` drained when the workers are told to stop, with the deadline of the stop; at once if they have been.
    pub fn drain_at_stop(&self, life: &Lifecycle) {
        Told::of_thread().add(life);
    }

    /// Listens where all workers do that call this with the same address; the system spreads the connections over
    /// them. With port 0 the first that comes lets the system choose the port, and the others listen there as well.
    ///
    /// On Linux and Android each worker has a socket of its own at that address (`SO_REUSEPORT`): a connection
    /// belongs to the worker that the system has chosen by the addresses of both ends, whatever that worker has to
    /// do. Elsewhere this is [`listen_shared_queue`](Worker::listen_shared_queue).
    ///
    /// # Errors
    /// What the system says of the last address.
    pub fn listen_shared(&self, address: impl ToSocketAddrs) -> io::Result<SharedListener> {
        self.listen(address, Balance::default())
    }

    /// As [`listen_shared`](Worker::listen_shared), with one queue for all: who is free takes the next connection.
    /// Those that wait for one take turns; a worker that is ahead of them gives way, for five milliseconds at most.
    ///
    /// It spreads few and long connections more evenly than the system does. Every connection wakes all workers that
    /// are idle, which costs them processor time.
    ///
    /// # Errors
    /// As [`listen_shared`](Worker::listen_shared).
    pub fn listen_shared_queue(&self, address: impl ToSocketAddrs) -> io::Result<SharedListener> {
        self.listen(address, Balance::Queue)
    }

    fn listen(&self, address: impl ToSocketAddrs, balance: Balance) -> io::Result<SharedListener> {
        let asked: Vec<_> = address.to_socket_addrs()?.collect();
        let shared = &self.handle.shared;
        let group = shared.addresses.group(&asked, balance, self.handle.len());
        listen::SharedListener::join(group, self.index)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index)
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
