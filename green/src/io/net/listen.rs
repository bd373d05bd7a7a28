//! Listening sockets, with the options that std has fixed.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

use super::addr::each_addr;
use super::socket::{self, BACKLOG};
use super::{TcpListener, ToSocketAddrs, UnixListener};

/// The configuration of a listening socket: its backlog and the options that must be set before it is bound.
///
/// ```
/// use green::net::ListenBuilder;
///
/// let first = ListenBuilder::new().reuse_port(true).listen("127.0.0.1:0")?;
/// let second = ListenBuilder::new().reuse_port(true).listen(first.local_addr()?)?;
/// assert_eq!(first.local_addr()?, second.local_addr()?);
///
/// let path = std::env::temp_dir().join(format!("green-doc-listen-{}", std::process::id()));
/// let _unix = ListenBuilder::new().backlog(16).listen_unix(&path)?;
/// std::fs::remove_file(&path)?;
/// let address = std::os::unix::net::SocketAddr::from_pathname(&path)?;
/// let _another = ListenBuilder::new().reuse_addr(false).listen_unix_addr(&address)?;
/// std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ListenBuilder {
    backlog: u32,
    reuse_addr: bool,
    reuse_port: bool,
    /// The port is for listeners of this program alone.
    shares: bool,
}

impl Default for ListenBuilder {
    fn default() -> ListenBuilder {
        ListenBuilder::new()
    }
}

impl ListenBuilder {
    /// A configuration with a backlog of 1024, `SO_REUSEADDR`, and no `SO_REUSEPORT`.
    pub fn new() -> ListenBuilder {
        ListenBuilder {
            backlog: BACKLOG,
            reuse_addr: true,
            reuse_port: false,
            shares: false,
        }
    }

    /// Sets how many connections may wait to be accepted. The system has a cap of its own (on Linux
    /// `net.core.somaxconn`), to which larger values are cut.
    pub fn backlog(mut self, connections: u32) -> ListenBuilder {
        self.backlog = connections;
        self
    }

    /// With `true`, the address may be taken over from connections of an earlier listener that are not yet forgotten
    /// (`SO_REUSEADDR`).
    pub fn reuse_addr(mut self, reuse: bool) -> ListenBuilder {
        self.reuse_addr = reuse;
        self
    }

    /// With `true`, several listeners that all say so may share the address (`SO_REUSEPORT`). The system spreads the
    /// connections over them, and a program that listens there by mistake steals some.
    ///
    /// With port 0 the system may then choose the port of another such listener: a warning is logged.
    pub fn reuse_port(mut self, reuse: bool) -> ListenBuilder {
        self.reuse_port = reuse;
        self
    }

    /// As `reuse_port(true)`, for the first of several listeners of this program, which may let the system choose its port.
    pub(crate) fn reuse_port_from_the_start(mut self) -> ListenBuilder {
        self.reuse_port = true;
        self.shares = true;
        self
    }

    /// Listens for TCP connections at the first of the addresses that can be bound.
    ///
    /// An option that the system does not have is logged as a warning and left out.
    ///
    /// # Errors
    /// What the system says of the last address.
    pub fn listen(&self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        each_addr(address, |address| self.listen_one(address))
    }

    fn listen_one(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = socket::open(Domain::for_address(address), Type::STREAM)?;
        if self.reuse_addr {
            optional(&socket, "SO_REUSEADDR", |socket| {
                socket.set_reuse_address(true)
            })?;
        }
        if self.reuse_port {
            // Linux, for one, gives a port that somebody has to nobody who asks for any.
            if address.port() == 0 && !self.shares {
                log::warn!(
                    "listening at {address} with SO_REUSEPORT: port 0 may become the port of another listener"
                );
            }
            optional(&socket, "SO_REUSEPORT", |socket| {
                socket.set_reuse_port(true)
            })?;
        }
        self.bind(&socket, &address.into())?;
        Ok(TcpListener::made(socket.into()))
    }

    /// Listens for Unix connections at a path, which must not exist. Of the options only the backlog matters.
    ///
    /// # Errors
    /// What the system says of the path.
    pub fn listen_unix(&self, path: impl AsRef<Path>) -> io::Result<UnixListener> {
        self.listen_unix_addr(&unix::SocketAddr::from_pathname(path)?)
    }

    /// As [`ListenBuilder::listen_unix`], with an address, such as an abstract one.
    ///
    /// # Errors
    /// What the system says of the address.
    pub fn listen_unix_addr(&self, address: &unix::SocketAddr) -> io::Result<UnixListener> {
        UnixListener::listen(self, address)
    }

    pub(super) fn bind(&self, socket: &Socket, address: &SockAddr) -> io::Result<()> {
        socket.bind(address)?;
        socket.listen(i32::try_from(self.backlog).unwrap_or(i32::MAX))
    }
}

/// Sets an option that the system need not have.
fn optional(
    socket: &Socket,
    name: &str,
    set: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<()> {
    match set(socket) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOPROTOOPT)) => {
            log::warn!("this system has no {name}: {error}");
            Ok(())
        }
        set => set,
    }
}
