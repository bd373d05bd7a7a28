//! Where clients come from, and who can be one.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net as unix;
use std::path::Path;
use std::rc::Rc;

use green::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use green::server::Listener;
use socket2::{Domain, SockAddr, Socket, Type};

/// As many may wait to be accepted.
const BACKLOG: i32 = 16;

/// The owner alone may connect.
const OWNER: u32 = 0o600;

/// A listener that consoles can be served on: green's TCP and Unix listeners.
///
/// ```
/// use green_backdoor::{Commands, Endpoint, Server};
///
/// fn serve_beside<L: Endpoint>(server: &Server, listener: L) {
///     let server = server.clone();
///     green::spawn_n(move || drop(server.serve(listener)));
/// }
/// let server = Server::new(Commands::new());
/// serve_beside(&server, green::listen("127.0.0.1:0")?);
/// server.lifecycle().drain(None);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Endpoint: Listener + private::Sealed + 'static {}

impl Endpoint for TcpListener {}
impl Endpoint for UnixListener {}

pub(crate) mod private {
    use super::*;

    pub trait Sealed: Listener {
        /// Sees to it that nobody but those can connect who may: others only if it is `open`.
        fn restrict(&self, open: bool) -> io::Result<()>;

        /// The two directions of a connection.
        fn split(stream: Self::Stream) -> (impl Read + 'static, impl Write + 'static);
    }
}

impl private::Sealed for TcpListener {
    fn restrict(&self, open: bool) -> io::Result<()> {
        let address = self.local_addr()?;
        if address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        allow(open, &format!("at {address} whoever reaches this machine"))
    }

    fn split(stream: TcpStream) -> (impl Read + 'static, impl Write + 'static) {
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!("a console will answer slowly: {error}");
        }
        let stream = Rc::new(stream);
        (Half(Rc::clone(&stream)), Half(stream))
    }
}

impl private::Sealed for UnixListener {
    fn restrict(&self, open: bool) -> io::Result<()> {
        let address = self.local_addr()?;
        match address.as_pathname() {
            Some(path) if open => allow(open, &format!("whoever may write {}", path.display())),
            Some(path) => only_the_owner(path),
            None => allow(open, &format!("at {address:?} every user of this machine")),
        }
    }

    fn split(stream: UnixStream) -> (impl Read + 'static, impl Write + 'static) {
        let stream = Rc::new(stream);
        (Half(Rc::clone(&stream)), Half(stream))
    }
}

fn allow(open: bool, who: &str) -> io::Result<()> {
    if open {
        log::warn!("{who} can do everything that the console of this process can");
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "{who} could do everything that the console can: listen on a loopback address or at a path, or say \
             Server::open_to_others"
        ),
    ))
}

fn only_the_owner(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(OWNER)).map_err(|error| {
        let text = format!(
            "cannot keep others from the console at {}: {error}",
            path.display()
        );
        io::Error::new(error.kind(), text)
    })
}

/// Listens at a path, which must not exist, for connections of this user alone: the mode of the socket is 0600 before
/// anybody can connect. The path is not removed when the listener is closed.
///
/// # Errors
/// What the system says of the path.
///
/// ```
/// use std::os::unix::fs::PermissionsExt;
///
/// let path = std::env::temp_dir().join(format!("console-{}.sock", std::process::id()));
/// let listener = green_backdoor::listen_unix(&path)?;
/// assert_eq!(path.metadata()?.permissions().mode() & 0o777, 0o600);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn listen_unix(path: impl AsRef<Path>) -> io::Result<UnixListener> {
    let path = path.as_ref();
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    only_the_owner(path)?;
    socket.listen(BACKLOG)?;
    Ok(unix::UnixListener::from(std::os::fd::OwnedFd::from(socket)).into())
}

/// One direction of a connection, which is closed when both are gone.
struct Half<S>(Rc<S>);

impl<S> Read for Half<S>
where
    for<'a> &'a S: Read,
{
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buf)
    }
}

impl<S> Write for Half<S>
where
    for<'a> &'a S: Write,
{
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self.0).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}
