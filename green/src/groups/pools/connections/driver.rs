//! What a pool must know of the connections that it keeps.

use std::error::Error;

/// How connections of one kind, to one server, are made, cleaned up and checked: what a
/// [`ConnectionPool`](super::ConnectionPool) needs of a database's client library.
///
/// Every call may wait, be killed or run out of time in its waits; the pool drops a connection that this happens to. If
/// the library blocks the thread instead of waiting, see [`Threaded`](super::Threaded).
///
/// ```
/// use std::io::{self, Read, Write};
/// use std::net::SocketAddr;
/// use green::net::TcpStream;
/// use green::pools::Driver;
///
/// /// A server that answers PING with PONG, and forgets what was begun at RESET.
/// struct Lines(SocketAddr);
///
/// fn ask(stream: &mut TcpStream, question: &[u8; 5], answer: &[u8; 5]) -> io::Result<()> {
///     stream.write_all(question)?;
///     let mut said = [0; 5];
///     stream.read_exact(&mut said)?;
///     if said == *answer { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
/// }
///
/// impl Driver for Lines {
///     type Connection = TcpStream;
///     type Error = io::Error;
///
///     fn connect(&self) -> io::Result<TcpStream> {
///         TcpStream::connect(self.0)
///     }
///
///     fn reset(&self, stream: &mut TcpStream) -> io::Result<()> {
///         ask(stream, b"RESET", b"RESET")
///     }
///
///     fn check(&self, stream: &mut TcpStream) -> io::Result<()> {
///         ask(stream, b"PING\n", b"PONG\n")
///     }
/// }
///
/// // The pool calls these. A test of a driver may do it as well:
/// let listener = green::net::TcpListener::bind("127.0.0.1:0")?;
/// let driver = Lines(listener.local_addr()?);
/// let mut connection = driver.connect()?;
/// let (mut server, _) = listener.accept()?;
/// server.write_all(b"RESETPONG\n")?; // The answers to come.
/// driver.reset(&mut connection)?;
/// driver.check(&mut connection)?;
/// driver.close(connection);
/// assert_eq!(server.bytes().count(), 10);
/// # Ok::<(), io::Error>(())
/// ```
pub trait Driver: 'static {
    /// What is kept.
    type Connection: 'static;
    /// Why one cannot be had, or is of no use any more.
    type Error: Error + 'static;

    /// Makes a connection.
    ///
    /// # Errors
    /// If the server cannot be reached or says no.
    fn connect(&self) -> Result<Self::Connection, Self::Error>;

    /// Makes a connection that comes back as good as new: rolls back a transaction that its user left open, ends what
    /// else outlives its use.
    ///
    /// Its user may have left it in the middle of an answer: by a panic that the pool has not seen, see
    /// [`PooledConnection::lend`](super::PooledConnection::lend). Where the protocol does not tell whose answer it is,
    /// this asks for something that nobody else has asked for.
    ///
    /// # Errors
    /// If that failed, or the connection is known to be broken: it is closed then.
    fn reset(&self, connection: &mut Self::Connection) -> Result<(), Self::Error>;

    /// Finds out if the other end of a connection that has been idle is still there.
    ///
    /// # Errors
    /// If it is not: the connection is closed then, and another one made in its place.
    fn check(&self, connection: &mut Self::Connection) -> Result<(), Self::Error>;

    /// Ends a connection for good. It runs in a greenthread of its own, so that nobody waits for it; the connection may
    /// be in any state, in the middle of an answer for instance. By default it is dropped.
    fn close(&self, connection: Self::Connection) {
        drop(connection);
    }
}
