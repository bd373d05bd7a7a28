//! TCP streams and listeners.

use std::fs::File;
use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use hub_core::Direction;
use socket2::{SockAddr, SockRef, Socket};

use super::connecting::connect;
use super::descriptor::descriptor;
use super::io::Io;
use super::retry::Transfer;
use super::socket::{self, Limit, is_tcp};
use super::verbs::{endpoint, listener, shutdown, stream, ttl};
use super::{Incoming, ListenBuilder, ToSocketAddrs};

/// A TCP connection: [`std::net::TcpStream`], whose waits let other greenthreads run.
///
/// It reads and writes through `&TcpStream` as well, so that one greenthread can read while another writes.
///
/// ```
/// use std::io::{Read, Write};
/// use green::net::{Shutdown, TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut near = TcpStream::connect(listener.local_addr()?)?;
/// let (mut far, _) = listener.accept()?;
/// near.write_all(b"hello")?;
/// near.shutdown(Shutdown::Write)?;
/// let mut text = String::new();
/// far.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Timeouts
///
/// ```
/// use std::io::{ErrorKind, Read};
/// use std::time::Duration;
/// use green::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut stream = TcpStream::connect(listener.local_addr()?)?;
/// stream.set_read_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Closing
///
/// ```
/// use std::{io::Read, rc::Rc};
/// use green::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = Rc::new(TcpStream::connect(listener.local_addr()?)?);
/// let reader = Rc::clone(&stream);
/// let reader = green::spawn(move || (&*reader).read(&mut [0]).unwrap_err().kind());
/// green::yield_now();
/// stream.close();
/// assert_eq!(reader.join().unwrap(), std::io::ErrorKind::NotConnected);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # One buffer for many
///
/// ```
/// use std::io::{self, ErrorKind, Write};
/// use green::net::{TcpListener, TcpStream};
///
/// fn read_into(stream: &TcpStream, shared: &mut [u8]) -> io::Result<usize> {
///     loop {
///         stream.readable()?;
///         match stream.try_read(shared) {
///             Err(error) if error.kind() == ErrorKind::WouldBlock => {}
///             read => return read,
///         }
///     }
/// }
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut near = TcpStream::connect(listener.local_addr()?)?;
/// let (far, _) = listener.accept()?;
/// near.write_all(b"hello")?;
/// let mut shared = [0; 1024];
/// assert_eq!(read_into(&far, &mut shared)?, 5);
/// # Ok::<(), io::Error>(())
/// ```
///
/// # Other system calls
///
/// ```
/// use std::io::Write;
/// use std::mem::MaybeUninit;
/// use green::net::{Direction, TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut near = TcpStream::connect(listener.local_addr()?)?;
/// let (far, _) = listener.accept()?;
/// green::spawn_n(move || near.write_all(b"hello").unwrap());
/// let mut buf = [MaybeUninit::uninit(); 16];
/// let read = far.retry(Direction::Read, |far| {
///     socket2::SockRef::from(far).recv_with_flags(&mut buf, libc::MSG_PEEK)
/// })?;
/// assert_eq!(read, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The same in async code:
///
/// ```
/// use std::future::poll_fn;
/// use std::io::Write;
/// use green::future::block_on;
/// use green::net::{Direction, TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut near = TcpStream::connect(listener.local_addr()?)?;
/// let (far, _) = listener.accept()?;
/// green::spawn_n(move || near.write_all(b"hello").unwrap());
/// let mut buf = [0; 16];
/// let peek = poll_fn(|cx| far.poll_retry(cx, Direction::Read, |far| far.peek(&mut buf)));
/// assert_eq!(block_on(peek)?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Its settings, and calls that do not wait
///
/// ```
/// use std::io::{ErrorKind, Read};
/// use std::time::Duration;
/// use green::net::{Shutdown, TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut near = TcpStream::connect(listener.local_addr()?)?;
/// assert_eq!(near.peer_addr()?, listener.local_addr()?);
/// near.set_nodelay(true)?;
/// near.set_ttl(64)?;
/// assert_eq!((near.nodelay()?, near.ttl()?), (true, 64));
///
/// let minute = Some(Duration::from_secs(60));
/// near.set_write_timeout(minute)?;
/// assert_eq!((near.read_timeout()?, near.write_timeout()?), (None, minute));
/// near.writable()?; // Returns at once: there is room.
/// assert_eq!(near.try_write(b"hello")?, 5);
/// near.set_nonblocking(true)?;
/// assert_eq!(near.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
///
/// near.shutdown_safe(Shutdown::Both)?; // No error, even if the peer has ended the connection.
/// assert!(near.take_error()?.is_none());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream {
    io: Io<net::TcpStream>,
}

/// A listening TCP socket: [`std::net::TcpListener`], whose waits let other greenthreads run.
///
/// ```
/// use green::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (_stream, peer) = listener.accept()?;
/// assert_eq!(peer, client.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// With a timeout, in async code, with another system call, and its close:
///
/// ```
/// use std::{future::poll_fn, io::ErrorKind, time::Duration};
/// use green::future::block_on;
/// use green::net::{Direction, TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// listener.set_ttl(64)?;
/// assert_eq!(listener.ttl()?, 64);
///
/// listener.set_accept_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::TimedOut);
/// listener.set_accept_timeout(None)?;
/// assert_eq!(listener.accept_timeout(), None);
///
/// let _clients = [(); 3].map(|()| TcpStream::connect(listener.local_addr().unwrap()));
/// let (_first, _) = block_on(poll_fn(|cx| listener.poll_accept(cx)))?;
/// let _second = listener.retry(Direction::Read, |listener| listener.accept())?;
/// let accept = poll_fn(|cx| listener.poll_retry(cx, Direction::Read, |std| std.accept()));
/// let _third = block_on(accept)?;
///
/// listener.set_nonblocking(true)?;
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
/// assert!(listener.take_error()?.is_none());
/// listener.close();
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::NotConnected);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpListener {
    io: Io<net::TcpListener>,
}

descriptor!(TcpStream, net::TcpStream, SocketAddr, is_tcp);
endpoint!(TcpStream, SocketAddr);
shutdown!(TcpStream);
stream!(TcpStream);
ttl!(TcpStream);
descriptor!(TcpListener, net::TcpListener, SocketAddr, is_tcp);
listener!(TcpListener, TcpStream, SocketAddr, Incoming);
ttl!(TcpListener);

impl TcpStream {
    /// Connects to the first of the addresses that answers (happy eyeballs, RFC 8305).
    ///
    /// They are tried in their order, but families take turns. The next is tried when one has failed, or beside it when
    /// it has said nothing for 250 ms. The first that connects wins, and the other attempts are closed.
    ///
    /// The thread's [default timeout](super::set_default_timeout) bounds the whole of it.
    ///
    /// # Errors
    /// What the system says if there is one address. If there are several, a [`ConnectError`](super::ConnectError) that
    /// names them all is inside; the kind is that of the most telling failure: one to which there is no way counts less
    /// than one that has refused. `TimedOut` after the default timeout.
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        connect(None, address, Limit::default())
    }

    /// As [`TcpStream::connect`], within `timeout`: this bounds the look-up of the name and all addresses together. One
    /// that never answers leaves time for the others, which are tried beside it.
    ///
    /// # Errors
    /// As [`TcpStream::connect`]; `TimedOut` after `timeout`, `InvalidInput` if that is zero.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("localhost:0")?;
    /// let address = listener.local_addr()?;
    /// TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    /// TcpStream::connect_timeout(("localhost", address.port()), Duration::from_secs(5))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect_timeout(
        address: impl ToSocketAddrs,
        timeout: Duration,
    ) -> io::Result<TcpStream> {
        connect(None, address, Limit::new(timeout)?)
    }

    /// As a read, but leaves the data where it is.
    ///
    /// # Errors
    /// As a read.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.retry(Direction::Read, |stream| stream.peek(buf))
    }

    /// With `true`, small writes go out at once instead of being gathered (`TCP_NODELAY`).
    ///
    /// # Errors
    /// If it was closed.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.source()?.set_nodelay(nodelay)
    }

    /// What [`TcpStream::set_nodelay`] has set.
    ///
    /// # Errors
    /// If it was closed.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.source()?.nodelay()
    }

    /// Sends `len` bytes of a file from `offset` on, or what there is if that is less. Gives the number of bytes sent.
    ///
    /// On Linux and Android the data does not pass through the program (`sendfile`). The file's own position is
    /// neither used nor changed. Reading a file may block the thread, as always.
    ///
    /// # Errors
    /// As a write, and as reading the file. How much was sent before is not told: the connection is then of no more
    /// use.
    ///
    /// ```
    /// use std::{fs::File, io::Read};
    /// use green::net::{TcpListener, TcpStream};
    ///
    /// let file = File::open(std::env::current_exe()?)?;
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let near = TcpStream::connect(listener.local_addr()?)?;
    /// let (far, _) = listener.accept()?;
    /// assert_eq!(near.send_file(&file, 8, 64)?, 64);
    /// drop(near);
    /// assert_eq!(far.bytes().count(), 64);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_file(&self, file: &File, offset: u64, len: u64) -> io::Result<u64> {
        let mut sent = 0;
        while sent < len {
            match self.send_piece(file, offset.saturating_add(sent), len - sent)? {
                0 => break,
                piece => sent += piece as u64,
            }
        }
        Ok(sent)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn send_piece(&self, file: &File, offset: u64, len: u64) -> io::Result<usize> {
        // The system sends less than 2 GiB in one call.
        let wanted = len.min(1 << 30) as usize;
        let at = usize::try_from(offset)
            .ok()
            .filter(|&at| isize::try_from(at).is_ok())
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "an offset beyond any file")
            })?;
        self.io.retry(Direction::Write, |stream| {
            SockRef::from(stream).sendfile(file, at, std::num::NonZeroUsize::new(wanted))
        })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn send_piece(&self, file: &File, offset: u64, len: u64) -> io::Result<usize> {
        let mut buf = vec![0; len.min(64 * 1024) as usize];
        let read = std::os::unix::fs::FileExt::read_at(file, &mut buf, offset)?;
        io::Write::write_all(&mut &*self, &buf[..read])?;
        Ok(read)
    }

    pub(super) fn from_io(io: Io<net::TcpStream>) -> TcpStream {
        TcpStream { io }
    }
}

impl TcpListener {
    /// Listens at the first of the addresses that can be bound. Port 0 lets the system choose one.
    ///
    /// The address may be taken over from an earlier listener (`SO_REUSEADDR`), and 1024 connections may wait to be
    /// accepted: see [`ListenBuilder`] for other choices.
    ///
    /// # Errors
    /// What the system says of the last address.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        ListenBuilder::new().listen(address)
    }

    /// Takes a listener that is in non-blocking mode.
    pub(super) fn made(listener: net::TcpListener) -> TcpListener {
        TcpListener {
            io: Io::of_kind(listener, true),
        }
    }

    fn accepted(&self, (socket, peer): (Socket, SockAddr)) -> io::Result<(TcpStream, SocketAddr)> {
        let peer = peer.as_socket().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the peer has no internet address",
            )
        })?;
        let io = Io::of_kind(socket.into(), self.io.is_plain());
        Ok((TcpStream { io }, peer))
    }
}
