//! TCP streams and listeners.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter::FusedIterator;
use std::net::{self, Shutdown, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use hub_core::Direction;
use socket2::{SockAddr, SockRef, Socket};

use super::connecting::connect;
use super::descriptor::descriptor;
use super::io::Io;
use super::socket::{self, Limit};
use super::{ListenBuilder, ToSocketAddrs};

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
pub struct TcpListener {
    io: Io<net::TcpListener>,
}

descriptor!(TcpStream, net::TcpStream);
descriptor!(TcpListener, net::TcpListener);

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

    /// The address of the other end.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.source()?.peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// If it was closed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.source()?.local_addr()
    }

    /// Ends reading, writing or both. Greenthreads that read here find the end of the stream, those at the other end
    /// too.
    ///
    /// # Errors
    /// `NotConnected` if the other end has ended the connection before.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.source()?.shutdown(how)
    }

    /// A second handle to the same connection, with a descriptor of its own: closing one leaves the other open, and
    /// the peer sees the end when both are gone. It starts with the same timeouts.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        let io = self.io.duplicate(net::TcpStream::try_clone)?;
        Ok(TcpStream { io })
    }

    /// Sets how long a read may wait. `None` is for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero: see [`TcpStream::set_nonblocking`].
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
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Read, timeout)
    }

    /// Sets how long a write may wait. `None` is for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero: see [`TcpStream::set_nonblocking`].
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Write, timeout)
    }

    /// How long a read may wait.
    ///
    /// # Errors
    /// None; std's signature.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.io.timeout(Direction::Read))
    }

    /// How long a write may wait.
    ///
    /// # Errors
    /// None; std's signature.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.io.timeout(Direction::Write))
    }

    /// As a read, but leaves the data where it is.
    ///
    /// # Errors
    /// As a read.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.retry(Direction::Read, |stream| stream.peek(buf))
    }

    /// Whether small writes go out at once instead of being gathered (`TCP_NODELAY`).
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

    /// Sets the time to live (`IP_TTL`) of the packets: the number of hops.
    ///
    /// # Errors
    /// What the system says of the value.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.source()?.set_ttl(ttl)
    }

    /// What [`TcpStream::set_ttl`] has set.
    ///
    /// # Errors
    /// If it was closed.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.source()?.ttl()
    }

    /// Takes the pending error of the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// If it was closed.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.source()?.take_error()
    }

    /// Whether calls that would wait fail with `WouldBlock` instead. They never let other greenthreads run then.
    ///
    /// It is a setting of this value, not of the descriptor, which never blocks.
    ///
    /// # Errors
    /// If it was closed.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.io.set_nonblocking(nonblocking)
    }

    /// Closes the connection now, whoever else refers to this value. Greenthreads that wait here get an error of kind
    /// `NotConnected`, as does every later call. Clones stay open. Closing twice does nothing.
    ///
    /// The descriptor is free at once, unless it was lent by [`as_fd`](std::os::fd::AsFd): then when this value is
    /// dropped.
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
    pub fn close(&self) {
        self.io.close();
    }

    /// Waits until a read may find something, without a buffer: for programs whose thousands of idle connections
    /// share one buffer.
    ///
    /// It is a hint. What follows is [`TcpStream::try_read`], and this again if that says `WouldBlock`.
    ///
    /// # Errors
    /// As a read.
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
    pub fn readable(&self) -> io::Result<()> {
        self.io.wait_ready(Direction::Read)
    }

    /// Waits until a write may be accepted. It is a hint, to be followed by [`TcpStream::try_write`].
    ///
    /// # Errors
    /// As a write.
    pub fn writable(&self) -> io::Result<()> {
        self.io.wait_ready(Direction::Write)
    }

    /// Reads what there is. Never waits and lets no other greenthread run.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .attempt_transfer(Direction::Read, buf.len(), |mut stream| stream.read(buf))
    }

    /// Writes as much as fits into the socket's buffer. Never waits and lets no other greenthread run.
    ///
    /// # Errors
    /// `WouldBlock` if nothing fits.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .attempt_transfer(Direction::Write, buf.len(), |mut stream| stream.write(buf))
    }

    /// Calls `op` until it says something other than `WouldBlock`, and waits for `direction` in between: the way to
    /// run a system call that this type has no method for.
    ///
    /// # Errors
    /// What `op` says; what a read says of waiting.
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
    pub fn retry<R>(
        &self,
        direction: Direction,
        op: impl FnMut(&net::TcpStream) -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.retry(direction, op)
    }

    /// As [`TcpStream::retry`], for async code: calls `op` once, and if that says `WouldBlock`, has the task woken
    /// when it is worth another try. See [`future`](crate::future) for who turns the hub.
    ///
    /// # Errors
    /// What `op` says. `ResourceBusy` if a greenthread waits for the same direction.
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
    pub fn poll_retry<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(&net::TcpStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.io.poll_retry(cx, direction, op)
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
        (&*self).write_all(&buf[..read])?;
        Ok(read)
    }

    fn from_nonblocking(socket: Socket) -> TcpStream {
        TcpStream::from_io(Io::new(socket.into()))
    }

    pub(super) fn from_io(io: Io<net::TcpStream>) -> TcpStream {
        TcpStream { io }
    }
}

fn accepted((socket, peer): (Socket, SockAddr)) -> io::Result<(TcpStream, SocketAddr)> {
    let peer = peer.as_socket().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the peer has no internet address",
        )
    })?;
    Ok((TcpStream::from_nonblocking(socket), peer))
}

impl Read for TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Read for &TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .transfer(Direction::Read, buf.len(), |mut stream| stream.read(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let wanted = super::io::total(bufs);
        self.io.transfer(Direction::Read, wanted, |mut stream| {
            stream.read_vectored(bufs)
        })
    }
}

impl Write for TcpStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &TcpStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .transfer(Direction::Write, buf.len(), |mut stream| stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let wanted = super::io::total(bufs);
        self.io.transfer(Direction::Write, wanted, |mut stream| {
            stream.write_vectored(bufs)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

    /// The address that it listens at.
    ///
    /// # Errors
    /// If it was closed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.source()?.local_addr()
    }

    /// A second handle to the same listener: a connection goes to whichever accepts it first.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        let io = self.io.duplicate(net::TcpListener::try_clone)?;
        Ok(TcpListener { io })
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// `TimedOut` after the [timeout](TcpListener::set_accept_timeout). Most others (the process has no descriptors
    /// left, the connection was aborted) concern one connection, and the next accept may work:
    /// [`serve`](crate::serve) knows which.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        accepted(self.io.retry(Direction::Read, |listener| {
            socket::accept(&SockRef::from(listener))
        })?)
    }

    /// As [`TcpListener::accept`], for async code: takes a connection, or has the task woken when there is one. The
    /// accept timeout does not bound it.
    ///
    /// [`future::accept`](crate::future::accept) is the future of it.
    ///
    /// # Errors
    /// As [`TcpListener::accept`]; `ResourceBusy` if a greenthread waits in there.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accept = self.io.poll_retry(cx, Direction::Read, |listener| {
            socket::accept(&SockRef::from(listener))
        });
        accept.map(|socket| accepted(socket?))
    }

    /// The connections, one after the other. It never ends.
    ///
    /// ```
    /// use green::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let _client = TcpStream::connect(listener.local_addr()?)?;
    /// for stream in listener.incoming().take(1) {
    ///     println!("{:?}", stream?.peer_addr()?);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Sets how long an accept may wait. `None` is for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero: see [`TcpListener::set_nonblocking`].
    pub fn set_accept_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Read, timeout)
    }

    /// How long an accept may wait.
    pub fn accept_timeout(&self) -> Option<Duration> {
        self.io.timeout(Direction::Read)
    }

    /// Sets the time to live (`IP_TTL`) of the packets: the number of hops.
    ///
    /// # Errors
    /// What the system says of the value.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.source()?.set_ttl(ttl)
    }

    /// What [`TcpListener::set_ttl`] has set.
    ///
    /// # Errors
    /// If it was closed.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.source()?.ttl()
    }

    /// Takes the pending error of the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// If it was closed.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.source()?.take_error()
    }

    /// Whether an accept that would wait fails with `WouldBlock` instead.
    ///
    /// # Errors
    /// If it was closed.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.io.set_nonblocking(nonblocking)
    }

    /// Closes the listener now, whoever else refers to this value: see [`TcpStream::close`].
    pub fn close(&self) {
        self.io.close();
    }

    pub(super) fn from_nonblocking(listener: net::TcpListener) -> TcpListener {
        TcpListener {
            io: Io::new(listener),
        }
    }
}

/// The connections of a listener: see [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}
