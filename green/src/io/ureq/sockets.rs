//! Sockets of a thread, for transports that may go anywhere.
//!
//! ureq wants a transport to be `Send`, and a green socket belongs to its thread. So the socket stays in a table of
//! its thread, and the transport has its key. On another thread, and in the child of a fork, the
//! transport says that it is closed, and ureq opens a new one.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use ::ureq::unversioned::transport::ShutdownHandle;
use greenlet::os::fork_count;
use hub_core::Direction;
use slab::Slab;

use crate::net::TcpStream;
use crate::net::io::Io;
use crate::net::retry::Transfer;
use crate::runtime::per_process::PerProcess;
use crate::runtime::{Runtime, ThreadState};

/// What other threads may do with a socket: end the connection.
pub(super) struct Socket {
    stream: net::TcpStream,
    forks: usize,
    ended: AtomicBool,
}

impl Socket {
    /// Ends the connection at both ends, whatever thread calls. The child of a fork leaves its parent's alone.
    fn end(&self) {
        if self.forks == fork_count() {
            self.ended.store(true, Ordering::Release);
            // It fails if the other end has ended it before.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

impl ShutdownHandle for Socket {
    fn shutdown(&self) {
        self.end();
    }
}

/// A socket as the loop of green's own sees it.
struct Shared(Arc<Socket>);

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.stream.as_fd()
    }
}

impl Read for &Shared {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.0.stream).read(buf)
    }
}

impl Write for &Shared {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&self.0.stream).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.0.stream).flush()
    }
}

/// The sockets of a thread.
#[derive(Default)]
struct Table {
    /// Of the process to which they belong.
    forks: Cell<usize>,
    sockets: RefCell<Slab<Rc<Io<Shared>>>>,
}

impl Table {
    fn here() -> Rc<Table> {
        Runtime::with(Runtime::state)
    }

    /// Closes what is the parent's, if this process is the child of a fork.
    fn leave_parent(&self) {
        if self.forks.replace(fork_count()) != fork_count() {
            drop(self.sockets.take());
        }
    }

    fn remove(&self, key: usize) {
        let socket = self.sockets.borrow_mut().try_remove(key);
        drop(socket);
    }
}

impl ThreadState for Table {
    fn at_end(&self) {
        drop(self.sockets.take());
    }

    fn after_fork(&self, _alone: bool) {
        self.leave_parent();
    }
}

/// Keys whose transports were dropped on other threads.
static ABANDONED: PerProcess<Mutex<Vec<(ThreadId, usize)>>> = PerProcess::new();

/// What a transport has: the place of its socket in the table of the thread.
pub(super) struct SocketKey {
    thread: ThreadId,
    key: usize,
    socket: Weak<Socket>,
    forks: usize,
}

impl SocketKey {
    pub(super) fn new(stream: TcpStream) -> SocketKey {
        let table = Table::here();
        sweep(&table);
        let forks = fork_count();
        let socket = Arc::new(Socket {
            stream: stream.into(),
            forks,
            ended: AtomicBool::new(false),
        });
        let io = Rc::new(Io::of_kind(Shared(Arc::clone(&socket)), true));
        SocketKey {
            thread: thread::current().id(),
            key: table.sockets.borrow_mut().insert(io),
            socket: Arc::downgrade(&socket),
            forks,
        }
    }

    pub(super) fn shutdown_handle(&self) -> Weak<dyn ShutdownHandle> {
        Weak::<Socket>::clone(&self.socket)
    }

    fn io(&self) -> io::Result<Rc<Io<Shared>>> {
        let refuse = |what| Err(io::Error::new(io::ErrorKind::NotConnected, what));
        if self.forks != fork_count() {
            return refuse("the connection belongs to the parent of this process");
        }
        if self.thread != thread::current().id() {
            return refuse("the connection belongs to another thread");
        }
        let found = Table::here().sockets.borrow().get(self.key).cloned();
        found.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io()?.source()?.0.stream.peer_addr()
    }

    /// Reads, for at most `limit`. The end of the connection is an error if this process has ended it.
    pub(super) fn read(&self, buf: &mut [u8], limit: Option<Duration>) -> io::Result<usize> {
        let io = self.io()?;
        io.set_timeout(Direction::Read, limit)?;
        let read = io.transfer(Transfer::Read(buf))?;
        if read == 0 && io.source()?.0.ended.load(Ordering::Acquire) {
            return Err(shut_down());
        }
        Ok(read)
    }

    /// Writes all of it. Each wait takes at most `limit`.
    pub(super) fn write_all(&self, buf: &[u8], limit: Option<Duration>) -> io::Result<()> {
        let io = self.io()?;
        io.set_timeout(Direction::Write, limit)?;
        let mut left = buf;
        while !left.is_empty() {
            match io.transfer(Transfer::Write(left)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => left = &left[written..],
                Err(_) if io.source()?.0.ended.load(Ordering::Acquire) => return Err(shut_down()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// An idle connection must be silent: bytes nobody asked for, an end or an error make it useless.
    pub(super) fn is_silent(&self) -> bool {
        let Ok(io) = self.io() else {
            return false;
        };
        let read = io.attempt(Direction::Read, |socket| (&socket.0.stream).read(&mut [0]));
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

pub(super) fn shut_down() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the agent was shut down")
}

impl Drop for SocketKey {
    fn drop(&mut self) {
        if self.thread == thread::current().id() {
            // While the thread ends the table may have gone already, and its sockets with it.
            let table = Runtime::existing(Runtime::existing_state::<Table>).flatten();
            if let Some(table) = table.filter(|table| table.forks.get() == self.forks) {
                table.remove(self.key);
            }
        } else if let Some(socket) = self.socket.upgrade() {
            // The other end is told at once; the number is free when the owner comes by.
            socket.end();
            if self.forks == fork_count() {
                let mut abandoned = abandoned().lock().unwrap_or_else(PoisonError::into_inner);
                abandoned.push((self.thread, self.key));
            }
        }
    }
}

fn abandoned() -> &'static Mutex<Vec<(ThreadId, usize)>> {
    ABANDONED.get(Mutex::default)
}

/// Closes what others have dropped of this thread's, and what is the parent's.
fn sweep(table: &Table) {
    table.leave_parent();
    let thread = thread::current().id();
    let mut abandoned = abandoned().lock().unwrap_or_else(PoisonError::into_inner);
    let mine: Vec<_> = abandoned
        .extract_if(.., |(owner, _)| *owner == thread)
        .collect();
    drop(abandoned);
    for (_, key) in mine {
        table.remove(key);
    }
}
