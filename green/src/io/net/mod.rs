//! Sockets with the names and signatures of [`std::net`].
//!
//! Every call that would wait parks the calling greenthread and lets the others run. The descriptors are always
//! non-blocking, each call is tried before anything waits, and a descriptor is registered with the hub once in its
//! life.
//!
//! What goes beyond std:
//!
//! - [`TcpStream::close`] and its like close a socket that other greenthreads use: those who wait get an error.
//! - [`TcpStream::readable`], [`TcpStream::try_read`] and their like wait without a buffer and try without waiting.
//! - [`TcpListener::set_accept_timeout`] bounds accept, [`TcpStream::connect_timeout`] takes names too, and
//!   [`set_default_timeout`] is for every socket made after it.
//! - [`ListenBuilder`] chooses what std has fixed: backlog, `SO_REUSEADDR`, `SO_REUSEPORT`.
//! - [`TcpStream::retry`] and its like run any other system call on the socket as these calls are run.
//! - [`Stream`] is what protocols run over: green's streams, and those that other crates put on them.
//!
//! # Who may use a socket
//!
//! A socket belongs to the OS thread that made it. It can be shared by its greenthreads (`Rc<TcpStream>`, whose
//! `&TcpStream` reads and writes), or cloned with `try_clone`. One greenthread may read while another writes. Two that
//! wait for the same direction of one socket are refused: the second gets `ResourceBusy`, which names both. To take
//! a socket to another thread convert it into its std type there and back: the conversion keeps it non-blocking.
//!
//! # Timeouts, kills, deadlines
//!
//! A timeout is an error of kind `TimedOut`. It bounds each wait: `write_all` starts anew after each piece that got
//! through. A kill and the deadline of a [`Timeout`](crate::Timeout) arrive only where a call waits and has
//! transferred nothing, so neither loses data. The socket can be used after both.
//!
//! # While the thread unwinds
//!
//! In a destructor that a panic or a kill runs nothing may wait (the panic would show in other greenthreads). Reads
//! and writes that need not wait work; the others fail with `WouldBlock`.
//!
//! # Python's `makefile`
//!
//! Is a [`BufReader`](std::io::BufReader) over a clone, and independent of the socket in the same way: closing one
//! leaves the other open, and the peer sees the end when both are gone.
//!
//! ```
//! use std::io::{BufRead, BufReader, Write};
//! use green::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("localhost:0")?;
//! let address = listener.local_addr()?;
//! green::spawn_n(move || {
//!     let (mut stream, _) = listener.accept().unwrap();
//!     let lines = BufReader::new(stream.try_clone().unwrap()).lines();
//!     for line in lines.map_while(Result::ok) {
//!         writeln!(stream, "{}", line.to_uppercase()).unwrap();
//!     }
//! });
//! let mut stream = TcpStream::connect(address)?;
//! stream.write_all(b"hello\n")?;
//! let mut answer = String::new();
//! BufReader::new(stream).read_line(&mut answer)?;
//! assert_eq!(answer, "HELLO\n");
//! # Ok::<(), std::io::Error>(())
//! ```

mod accept;
mod addr;
pub(crate) mod connecting;
mod convenience;
mod descriptor;
pub(crate) mod io;
mod listen;
pub(crate) mod retry;
mod socket;
mod stream;
mod tcp;
mod udp;
mod unix;
pub(crate) mod verbs;

use std::time::Duration;

pub use std::net::{
    AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6,
};

pub use accept::{Incoming, UnixIncoming};
pub use addr::ToSocketAddrs;
pub use connecting::ConnectError;
pub use convenience::{connect, connect_from, listen};
pub use hub_core::Direction;
pub(crate) use io::HasIo;
pub use listen::ListenBuilder;
pub use stream::Stream;
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixListener, UnixStream};

/// Sets the timeout that every socket of this OS thread made from now on starts with, for reads, writes, accepts and
/// connects. `None`, as at first, is none.
///
/// # Errors
/// `InvalidInput` for a timeout of zero.
///
/// ```
/// use std::time::Duration;
/// use green::net::{TcpListener, set_default_timeout};
///
/// set_default_timeout(Some(Duration::from_millis(1)))?;
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::TimedOut);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn set_default_timeout(timeout: Option<Duration>) -> std::io::Result<()> {
    if timeout == Some(Duration::ZERO) {
        return Err(io::zero_timeout());
    }
    io::default_of_thread().0.set(timeout);
    Ok(())
}

/// What [`set_default_timeout`] has set.
///
/// ```
/// use std::time::Duration;
/// use green::net::{default_timeout, set_default_timeout};
///
/// set_default_timeout(Some(Duration::from_secs(5)))?;
/// assert_eq!(default_timeout(), Some(Duration::from_secs(5)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn default_timeout() -> Option<Duration> {
    io::default_of_thread().0.get()
}
