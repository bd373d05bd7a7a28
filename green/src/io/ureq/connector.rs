//! Connections for ureq.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use ::ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, ShutdownHandle,
    Transport, TransportAdapter,
};
use ::ureq::{Error, Proxy};

use super::sockets::{SocketKey, shut_down};
use super::socks::{self, Target};
use crate::net::TcpStream;
use crate::net::connecting::connect_first;
use crate::threads::future::block_on::try_block_on;

/// Opens a connection to the origin, or to it through a SOCKS proxy.
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
        let budget = Budget::new(details.timeout);
        let proxy = details.config.proxy();
        let transport = match proxy.filter(|proxy| socks::is_socks(proxy)) {
            Some(proxy) if !proxy.is_no_proxy(details.uri) => {
                through(details, proxy, budget).map_err(|error| of_proxy(proxy, error))?
            }
            _ => open(details, &details.addrs, budget)?,
        };
        Ok(Some(Either::B(transport)))
    }
}

/// What is left of the time for a connection.
#[derive(Clone, Copy)]
struct Budget {
    timeout: NextTimeout,
    end: Option<Instant>,
}

impl Budget {
    fn new(timeout: NextTimeout) -> Budget {
        let limit = timeout.not_zero().map(|limit| *limit);
        Budget {
            timeout,
            end: limit.and_then(|limit| Instant::now().checked_add(limit)),
        }
    }

    fn left(self) -> Result<NextTimeout, Error> {
        let mut timeout = self.timeout;
        if let Some(end) = self.end {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout(timeout.reason));
            }
            timeout.after = left.into();
        }
        Ok(timeout)
    }
}

/// Connects to the first of the addresses that answers.
fn open(
    details: &ConnectionDetails<'_>,
    addresses: &[SocketAddr],
    budget: Budget,
) -> Result<GreenTransport, Error> {
    let timeout = budget.left()?;
    let stop = Arc::new(Stop::default());
    let handle: Weak<dyn ShutdownHandle> = Weak::<Stop>::clone(&Arc::downgrade(&stop));
    (details.register_shutdown)(handle)?;
    let limit = timeout.not_zero().map(|limit| *limit);
    let limit = limit.or_else(crate::net::default_timeout);
    let stream = connect(addresses, limit, &stop).map_err(|error| failed(error, timeout))?;
    let config = details.config;
    stream.set_nodelay(config.no_delay())?;
    let socket = SocketKey::new(stream);
    (details.register_shutdown)(socket.shutdown_handle())?;
    Ok(GreenTransport {
        socket,
        buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
    })
}

fn connect(
    addresses: &[SocketAddr],
    limit: Option<Duration>,
    stop: &Stop,
) -> io::Result<TcpStream> {
    let connected = try_block_on(async {
        let mut connecting = pin!(connect_first(addresses, limit));
        poll_fn(|cx| match stop.poll(cx.waker()) {
            Poll::Ready(()) => Poll::Ready(Err(shut_down())),
            Poll::Pending => connecting.as_mut().poll(cx),
        })
        .await
    });
    connected.unwrap_or_else(|unwinding| {
        let what = format!("cannot wait for a connection: {unwinding}");
        Err(io::Error::new(io::ErrorKind::WouldBlock, what))
    })
}

/// The agent is shut down while a connection is being made, perhaps by another thread.
#[derive(Default)]
struct Stop {
    state: Mutex<(bool, Option<Waker>)>,
}

impl Stop {
    fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, left) = &mut *state;
        match *stopped {
            true => Poll::Ready(()),
            false => {
                *left = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

impl ShutdownHandle for Stop {
    fn shutdown(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        let left = state.1.take();
        drop(state);
        if let Some(waker) = left {
            waker.wake();
        }
    }
}

/// Connects to a SOCKS proxy, and has it connect to the origin.
fn through(
    details: &ConnectionDetails<'_>,
    proxy: &Proxy,
    budget: Budget,
) -> Result<GreenTransport, Error> {
    let target = Target::new(details.uri, &details.addrs, proxy)?;
    let resolver = details.resolver;
    let addresses = resolver.resolve(proxy.uri(), details.config, budget.left()?)?;
    let transport = open(details, &addresses, budget)?;
    let mut adapter = TransportAdapter::new(transport, Arc::clone(&details.current_time));
    adapter.set_timeout(budget.left()?);
    socks::handshake(&mut adapter, proxy, &target)?;
    Ok(adapter.into_inner())
}

/// Says that it is the proxy that could not be used.
fn of_proxy(proxy: &Proxy, error: Error) -> Error {
    let name = format!(
        "{} proxy {}:{}",
        proxy.protocol(),
        proxy.host(),
        proxy.port()
    );
    match error {
        Error::Io(error) => Error::Io(io::Error::new(error.kind(), ProxyError { name, error })),
        Error::HostNotFound => {
            let error = io::Error::new(io::ErrorKind::NotFound, "there is no such host");
            Error::Io(io::Error::new(error.kind(), ProxyError { name, error }))
        }
        other => other,
    }
}

/// Why a proxy could not be used; what it names as its source has the number of the system.
#[derive(Debug)]
struct ProxyError {
    name: String,
    error: io::Error,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.error)
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

fn failed(error: io::Error, timeout: NextTimeout) -> Error {
    let bounded = !timeout.after.is_not_happening() && error.raw_os_error().is_none();
    match error.kind() {
        io::ErrorKind::TimedOut if bounded => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}

pub(super) struct GreenTransport {
    socket: SocketKey,
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
        let output = &self.buffers.output()[..amount];
        let written = self.socket.write_all(output, left(timeout)?);
        written.map_err(|error| failed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let input = self.buffers.input_append_buf();
        let read = self.socket.read(input, left(timeout)?);
        let read = read.map_err(|error| failed(error, timeout))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.socket.is_silent()
    }
}

impl fmt::Debug for GreenTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenTransport")
            .field("peer", &self.socket.peer_addr().ok())
            .finish()
    }
}
