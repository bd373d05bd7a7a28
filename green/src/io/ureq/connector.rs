//! Connections for ureq.
//!
//! ureq wants a transport to be `Send`, and a green socket belongs to its thread. So the socket stays in a table of
//! its thread, and the transport is the number of its place. On another thread the transport says that it is closed,
//! and ureq opens a new one.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use ::ureq::Error;
use ::ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};
use slab::Slab;

use crate::net::TcpStream;

#[derive(Debug)]
pub(super) struct GreenConnector;

impl<In: Transport> Connector<In> for GreenConnector {
    type Out = Either<In, GreenTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let config = details.config;
        let limit = details.timeout.not_zero().map(|limit| *limit);
        let stream =
            connect(&details.addrs, limit).map_err(|error| failed(error, details.timeout))?;
        stream.set_nodelay(config.no_delay())?;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(GreenTransport {
            place: Place::new(stream),
            buffers,
        })))
    }
}

/// Tries one address after the other; all together may take `limit`.
fn connect(addresses: &[SocketAddr], limit: Option<Duration>) -> io::Result<TcpStream> {
    match limit {
        Some(limit) => crate::Timeout::new(limit)
            .run(|| TcpStream::connect(addresses))
            .unwrap_or_else(|elapsed| Err(elapsed.into())),
        None => TcpStream::connect(addresses),
    }
}

fn failed(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}

thread_local! {
    static STREAMS: RefCell<Slab<Rc<TcpStream>>> = const { RefCell::new(Slab::new()) };
}

/// Places whose transports were dropped on other threads.
static ABANDONED: Mutex<Vec<(ThreadId, usize)>> = Mutex::new(Vec::new());

/// Where a socket stands in the table of its thread.
struct Place {
    thread: ThreadId,
    key: usize,
}

impl Place {
    fn new(stream: TcpStream) -> Place {
        let thread = thread::current().id();
        sweep(thread);
        let key = STREAMS.with_borrow_mut(|streams| streams.insert(Rc::new(stream)));
        Place { thread, key }
    }

    fn stream(&self) -> io::Result<Rc<TcpStream>> {
        if self.thread != thread::current().id() {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the connection belongs to another thread",
            ));
        }
        STREAMS
            .with_borrow(|streams| streams.get(self.key).cloned())
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.thread == thread::current().id() {
            // Fails while the thread ends, when the table has gone already and its sockets with it.
            let stream = STREAMS.try_with(|streams| streams.borrow_mut().try_remove(self.key));
            drop(stream);
        } else {
            let mut abandoned = ABANDONED.lock().unwrap_or_else(PoisonError::into_inner);
            abandoned.push((self.thread, self.key));
        }
    }
}

/// Closes what other threads have dropped of this one's.
fn sweep(thread: ThreadId) {
    let mut mine = Vec::new();
    ABANDONED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|(owner, key)| {
            let other = *owner != thread;
            if !other {
                mine.push(*key);
            }
            other
        });
    for key in mine {
        drop(STREAMS.with_borrow_mut(|streams| streams.try_remove(key)));
    }
}

pub(super) struct GreenTransport {
    place: Place,
    buffers: LazyBuffers,
}

/// How long a call may take: an error if there is no time left.
fn left(timeout: NextTimeout) -> Result<Option<Duration>, Error> {
    if timeout.after.is_zero() {
        return Err(Error::Timeout(timeout.reason));
    }
    Ok(timeout.not_zero().map(|limit| *limit))
}

impl Transport for GreenTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let stream = self.place.stream()?;
        stream.set_write_timeout(left(timeout)?)?;
        let output = &self.buffers.output()[..amount];
        (&*stream)
            .write_all(output)
            .map_err(|error| failed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let stream = self.place.stream()?;
        stream.set_read_timeout(left(timeout)?)?;
        let input = self.buffers.input_append_buf();
        let read = (&*stream)
            .read(input)
            .map_err(|error| failed(error, timeout))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// An idle connection must be silent: bytes nobody asked for, an end or an error make it useless.
    fn is_open(&mut self) -> bool {
        let Ok(stream) = self.place.stream() else {
            return false;
        };
        matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl fmt::Debug for GreenTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.place.stream().and_then(|stream| stream.peer_addr());
        f.debug_struct("GreenTransport")
            .field("peer", &peer.ok())
            .finish()
    }
}
