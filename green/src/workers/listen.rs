//! Listening at one address on several workers.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::drained_socket;
use super::turns::Turns;
use crate::net::{ListenBuilder, SocketAddr, TcpListener, TcpStream};
use crate::server::Listener;

/// A handshake that had begun when a listener began to be closed has ended after this time, on a network that is near.
const HANDSHAKE: Duration = Duration::from_millis(10);

/// How connections are spread over workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Balance {
    /// By the system: a socket for each worker.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(
            dead_code,
            reason = "other systems do not balance such sockets, or were not tried"
        )
    )]
    System,
    /// One socket for all.
    Queue,
}

impl Default for Balance {
    fn default() -> Balance {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Balance::System;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return Balance::Queue;
    }
}

/// The addresses at which some workers listen together.
#[derive(Default)]
pub(super) struct SharedAddresses(Mutex<Vec<Arc<SharedAddress>>>);

impl SharedAddresses {
    /// Those who listen at what was asked for, or are about to.
    pub(super) fn group(
        &self,
        asked: &[SocketAddr],
        balance: Balance,
        workers: usize,
    ) -> Arc<SharedAddress> {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = groups
            .iter()
            .find(|group| group.asked == asked && group.balance == balance);
        if let Some(group) = known {
            return Arc::clone(group);
        }
        let group = Arc::new(SharedAddress::new(asked, balance, workers));
        groups.push(Arc::clone(&group));
        group
    }

    /// A worker has ended, and is not started again: its sockets are closed.
    pub(super) fn leave(&self, worker: usize) {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.iter().for_each(|group| group.close(worker));
    }
}

/// Those who listen at one address.
pub(super) struct SharedAddress {
    asked: Vec<SocketAddr>,
    balance: Balance,
    sockets: Mutex<Sockets>,
    turns: Turns,
}

/// They outlive a worker that panics: who takes its place finds what has come meanwhile.
struct Sockets {
    /// Where they really listen.
    address: Option<SocketAddr>,
    /// One for each worker, or one for all.
    open: Vec<Option<Arc<net::TcpListener>>>,
    /// How many listeners each worker has. With one queue for all the last of them closes it.
    listening: Vec<usize>,
}

impl SharedAddress {
    pub(super) fn new(asked: &[SocketAddr], balance: Balance, workers: usize) -> SharedAddress {
        let sockets = match balance {
            Balance::System => workers,
            Balance::Queue => 1,
        };
        SharedAddress {
            asked: asked.to_vec(),
            balance,
            sockets: Mutex::new(Sockets {
                address: None,
                open: vec![None; sockets],
                listening: vec![0; workers],
            }),
            turns: Turns::new(workers),
        }
    }

    /// No code of the user runs under this lock, so poison means nothing.
    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, worker: usize) -> usize {
        match self.balance {
            Balance::System => worker,
            Balance::Queue => 0,
        }
    }

    /// Makes the sockets of all workers, and gives the address.
    pub(super) fn open_all(&self) -> io::Result<SocketAddr> {
        let mut sockets = self.sockets();
        for place in 0..sockets.open.len() {
            self.socket(&mut sockets, place)?;
        }
        sockets
            .address
            .ok_or_else(|| io::Error::other("no socket has an address"))
    }

    /// One more listener of a worker.
    fn open(&self, worker: usize) -> io::Result<net::TcpListener> {
        let mut sockets = self.sockets();
        let socket = self.socket(&mut sockets, self.place(worker))?.try_clone()?;
        sockets.listening[worker] += 1;
        Ok(socket)
    }

    /// The socket of this place, made if there is none.
    fn socket(&self, sockets: &mut Sockets, place: usize) -> io::Result<Arc<net::TcpListener>> {
        if let Some(socket) = &sockets.open[place] {
            return Ok(Arc::clone(socket));
        }
        let made = self.listen(sockets.address)?;
        sockets.address = Some(made.local_addr()?);
        Ok(Arc::clone(sockets.open[place].insert(Arc::new(made))))
    }

    fn listen(&self, address: Option<SocketAddr>) -> io::Result<net::TcpListener> {
        let builder = ListenBuilder::new();
        let builder = match self.balance {
            Balance::System => builder.reuse_port_from_the_start(),
            Balance::Queue => builder,
        };
        let listener = match address {
            Some(address) => builder.listen(address)?,
            None => builder.listen(&*self.asked)?,
        };
        Ok(listener.into())
    }

    /// A listener of a worker is about to be closed: the socket that will be closed with it, for what is in its
    /// queue. With one queue for all, a worker that leaves it to the others has one listener less from now on.
    fn begin_close(&self, worker: usize) -> Option<Arc<net::TcpListener>> {
        let mut sockets = self.sockets();
        if self.balance == Balance::Queue && sockets.listening.iter().sum::<usize>() > 1 {
            // In the same step, so that of two that close at once one sees that it is the last.
            self.leave_in(&mut sockets, worker, false);
            return None;
        }
        sockets.open[self.place(worker)].clone()
    }

    /// A worker has one listener less. With `keeps` its socket waits for the worker to come again.
    fn leave(&self, worker: usize, keeps: bool) {
        self.leave_in(&mut self.sockets(), worker, keeps);
    }

    fn leave_in(&self, sockets: &mut Sockets, worker: usize, keeps: bool) {
        sockets.listening[worker] = sockets.listening[worker].saturating_sub(1);
        if !keeps {
            self.close_if_unused(sockets, worker);
        }
    }

    /// A worker does not listen any more.
    fn close(&self, worker: usize) {
        let mut sockets = self.sockets();
        sockets.listening[worker] = 0;
        self.close_if_unused(&mut sockets, worker);
    }

    fn close_if_unused(&self, sockets: &mut Sockets, worker: usize) {
        let used = match self.balance {
            Balance::System => sockets.listening[worker],
            Balance::Queue => sockets.listening.iter().sum(),
        };
        if used == 0 {
            sockets.open[self.place(worker)] = None;
        }
        if sockets.listening[worker] == 0 {
            self.turns.leave(worker);
        }
    }
}

/// The part of one worker in an address at which several listen: see
/// [`Worker::listen_shared`](super::Worker::listen_shared).
///
/// [`Lifecycle::serve`](crate::server::Lifecycle::serve) and all other servers take it as they take a
/// [`TcpListener`].
///
/// # What is left in its queue
///
/// A drain leaves no connection behind. Before the listener is closed, it refuses handshakes (on Linux and Android,
/// by a filter in the kernel: a client that comes at that moment tries again a second later, and finds another
/// worker, or is refused), lets those go on that have begun, and gives what has come to the server. One whose
/// handshake takes longer than ten milliseconds, from far away, may come too late; Linux hands such connections to
/// the sockets of the other workers if the administrator has set `net.ipv4.tcp_migrate_req`. With one queue for all
/// there is nothing to lose until the last worker closes it.
///
/// If a worker is started again after a panic, it finds its socket, and what has come meanwhile, when it listens
/// again at the address. Otherwise [`close`](SharedListener::close), the drop of it and the end of the worker close
/// it, and reset what is in its queue, as with every listener.
///
/// ```
/// green::workers(2, |worker| {
///     let listener: green::workers::SharedListener = worker.listen_shared("127.0.0.1:0")?;
///     println!("{} listens at {}", worker.name(), listener.local_addr()?);
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// By hand:
///
/// ```
/// green::workers(1, |worker| {
///     let listener = worker.listen_shared("127.0.0.1:0")?;
///     println!("a queue of its own: {}", listener.is_own());
///     let client = green::connect(listener.local_addr()?)?;
///     let (_stream, peer) = listener.accept()?;
///     assert_eq!(peer, client.local_addr()?);
///     listener.close();
///     assert!(listener.accept().is_err());
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedListener {
    group: Arc<SharedAddress>,
    worker: usize,
    listener: TcpListener,
    /// Set once the address has no part of this one any more.
    closed: Cell<bool>,
    /// True once a drain has asked for what is in the queue.
    asked: Cell<bool>,
    /// What is closed with it then.
    last: RefCell<Option<Arc<net::TcpListener>>>,
}

impl SharedListener {
    pub(super) fn join(group: Arc<SharedAddress>, worker: usize) -> io::Result<SharedListener> {
        Ok(SharedListener {
            listener: group.open(worker)?.into(),
            group,
            worker,
            closed: Cell::new(false),
            asked: Cell::new(false),
            last: RefCell::default(),
        })
    }

    /// Waits for the next connection of this worker.
    ///
    /// # Errors
    /// As [`TcpListener::accept`].
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self.group.balance {
            Balance::System => self.listener.accept(),
            Balance::Queue => self
                .group
                .turns
                .take(self.worker, || self.listener.accept()),
        }
    }

    /// The address, the same for all workers.
    ///
    /// # Errors
    /// If it was closed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// True if the system has given this worker a socket of its own; false if all workers take from one queue.
    pub fn is_own(&self) -> bool {
        self.group.balance == Balance::System
    }

    /// Ends it for this worker: who waits in `accept`, or comes later, gets an error of kind `NotConnected`.
    pub fn close(&self) {
        if !self.closed.replace(true) {
            self.group.leave(self.worker, false);
        }
        drop(self.last.take());
        self.listener.close();
    }
}

impl Drop for SharedListener {
    fn drop(&mut self) {
        if !self.closed.get() {
            self.group.leave(self.worker, std::thread::panicking());
        }
    }
}

impl Listener for SharedListener {
    type Stream = TcpStream;
    type Addr = SocketAddr;

    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        SharedListener::accept(self)
    }

    fn accept_queued(&self) -> Option<(TcpStream, SocketAddr)> {
        if !self.asked.replace(true) && !self.closed.get() {
            let last = self.group.begin_close(self.worker);
            self.closed.set(last.is_none());
            self.last.replace(last);
        }
        let socket = self.last.borrow().clone()?;
        let next = || {
            let (stream, peer) = socket.accept().ok()?;
            Some((stream.into(), peer))
        };
        drained_socket::refuse_handshakes(&socket);
        next().or_else(|| {
            crate::sleep(HANDSHAKE);
            next()
        })
    }

    fn close(&self) {
        SharedListener::close(self);
    }
}

impl fmt::Debug for SharedListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedListener")
            .field("worker", &self.worker)
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}
