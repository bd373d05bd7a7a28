//! Consoles for whoever connects.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::rc::Rc;

use green::server::{Connection, Drained, Lifecycle};
use green::{Builder, Exit, GreenPool};

use crate::commands::Commands;
use crate::endpoint::Endpoint;
use crate::session::Session;

/// The stack of a session. Only what is touched of it costs memory.
const STACK: usize = 16 << 20;

/// As many clients at a time.
const CLIENTS: usize = 100;

/// How many operations a script may take that is entered at once.
#[cfg(feature = "rhai")]
const OPERATIONS: u64 = 10_000_000;

#[cfg(feature = "rhai")]
type SetUp = dyn Fn(&mut rhai::Engine, &mut rhai::Scope<'static>);

/// What each session is made of.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) commands: Rc<Commands>,
    #[cfg(feature = "rhai")]
    pub(crate) scripts: Vec<Rc<SetUp>>,
    #[cfg(feature = "rhai")]
    pub(crate) operations: u64,
}

/// Serves a console for each client of `listener`: see [`Server::serve`].
///
/// # Errors
/// As [`Server::serve`].
///
/// ```no_run
/// use green_backdoor as backdoor;
///
/// let listener = green::listen("127.0.0.1:3000")?;
/// green::spawn_n(move || {
///     if let Err(error) = backdoor::serve(listener, backdoor::Commands::new()) {
///         eprintln!("no console: {error}");
///     }
/// });
/// // What the program is for goes on here.
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve<L: Endpoint>(listener: L, commands: Commands) -> io::Result<Drained> {
    Server::new(commands).serve(listener)
}

/// Consoles with a banner, limits and a life of their own.
///
/// Clones are handles of the same server.
///
/// ```
/// use std::io::Read;
/// use std::time::Duration;
/// use green_backdoor::{Commands, Server};
///
/// let server = Server::new(Commands::new()).banner("the shop");
/// let listener = green::listen("127.0.0.1:0")?;
/// let mut client = green::connect(listener.local_addr()?)?;
/// let serving = server.clone();
/// let served = green::spawn(move || serving.serve(listener));
/// let mut text = [0; 13];
/// client.read_exact(&mut text)?;
/// assert_eq!(&text, b"the shop\n>>> ");
/// server.lifecycle().drain(Duration::from_secs(1));
/// served.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// For others than the users of this machine, and on streams of the program's own:
///
/// ```
/// use green_backdoor::{Commands, Server};
///
/// let server = Server::new(Commands::new()).clients(10).open_to_others();
/// server.console(&b"help\nquit\n"[..], std::io::sink())?;
/// assert_eq!(server.lifecycle().counters().served, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Server {
    settings: Settings,
    banner: Rc<str>,
    open: bool,
    clients: usize,
    life: Lifecycle,
}

impl Server {
    /// A server for these commands.
    pub fn new(commands: Commands) -> Server {
        Server {
            settings: Settings {
                commands: Rc::new(commands),
                #[cfg(feature = "rhai")]
                scripts: Vec::new(),
                #[cfg(feature = "rhai")]
                operations: OPERATIONS,
            },
            banner: concat!(
                "green ",
                env!("CARGO_PKG_VERSION"),
                "; help lists the commands"
            )
            .into(),
            open: false,
            clients: CLIENTS,
            life: Lifecycle::new(),
        }
    }

    /// Greets each client with this line.
    #[must_use]
    pub fn banner(mut self, banner: &str) -> Server {
        self.banner = banner.into();
        self
    }

    /// Serves others than the users of this machine at a TCP address, and others than the user of this process at a
    /// Unix socket. A warning in the log says so. There is no password: whoever connects can do everything.
    #[must_use]
    pub fn open_to_others(mut self) -> Server {
        self.open = true;
        self
    }

    /// Serves at most this many clients of one listener at a time, at first 100. The others wait.
    #[must_use]
    pub fn clients(mut self, most: usize) -> Server {
        self.clients = most;
        self
    }

    /// Has `set_up` called for each client, to give its scripts the functions and variables of the program.
    ///
    /// ```
    /// use green_backdoor::{Commands, Server};
    ///
    /// let server = Server::new(Commands::new()).script(|engine, scope| {
    ///     engine.register_fn("double", |n: i64| 2 * n);
    ///     scope.push("answer", 42_i64);
    /// });
    /// let mut shown = Vec::new();
    /// # let shown = std::rc::Rc::new(std::cell::RefCell::new(shown));
    /// # struct Shown(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);
    /// # impl std::io::Write for Shown {
    /// #     fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> { self.0.borrow_mut().write(buf) }
    /// #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
    /// # }
    /// # let writer = Shown(shown.clone());
    /// server.console(&b"double(answer)\n"[..], writer)?;
    /// # let shown = shown.borrow();
    /// assert!(shown.ends_with(b">>> 84\n>>> "));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "rhai")]
    #[must_use]
    pub fn script(
        mut self,
        set_up: impl Fn(&mut rhai::Engine, &mut rhai::Scope<'static>) + 'static,
    ) -> Server {
        self.settings.scripts.push(Rc::new(set_up));
        self
    }

    /// Ends a script that has taken this many operations, at first ten million, with an error. While one runs the other
    /// greenthreads run too.
    ///
    /// ```
    /// use green_backdoor::{Commands, Server};
    ///
    /// let server = Server::new(Commands::new()).operations(1_000);
    /// server.console(&b"loop {}\n"[..], std::io::sink())?; // It ends, with an error that is shown.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "rhai")]
    #[must_use]
    pub fn operations(mut self, most: u64) -> Server {
        self.settings.operations = most;
        self
    }

    /// Serves a console for each client of `listener`, until the server is [drained](Lifecycle::drain): a session that
    /// waits for its client ends then, and a command that runs is waited for. Several listeners may be served, each by a
    /// greenthread.
    ///
    /// # Errors
    /// Of kind `PermissionDenied` if others could connect, and the server is not
    /// [open to them](Server::open_to_others); what the system says of the listener's address; what ends the accepting.
    pub fn serve<L: Endpoint>(&self, listener: L) -> io::Result<Drained> {
        listener.restrict(self.open)?;
        let server = self.clone();
        let pool = GreenPool::new(self.clients);
        self.life
            .serve_in(&listener, &pool, 100, move |stream, peer, connection| {
                let (reader, writer) = L::split(stream);
                server.client(connection, &format!("{peer:?}"), reader, writer);
                ControlFlow::Continue(())
            })
    }

    /// A console for one client, on any pair of streams: a connection that was accepted elsewhere, or the terminal. It
    /// returns when the client leaves. A drain of the server ends it, too.
    ///
    /// # Errors
    /// Of the streams.
    pub fn console(&self, reader: impl Read, writer: impl Write + 'static) -> io::Result<()> {
        let connection = self.life.connection();
        let ended = self.run("a console", reader, writer);
        connection.count_served(None);
        ended
    }

    /// The life of its sessions: to drain it, by a signal or at once, and to see what it does.
    ///
    /// A command may drain its own server: its session ends when the command has returned.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.life
    }

    /// Serves one client of a listener, on a stack of its own: nothing that becomes of it is of interest to others.
    fn client(
        &self,
        accepted: Connection,
        peer: &str,
        reader: impl Read,
        writer: impl Write + 'static,
    ) {
        let ended = green::scope(|scope| {
            let session = Builder::new().name(format!("console of {peer}"));
            let session = session.stack_size(STACK).spawn_scoped(scope, move || {
                // From here on the life knows the greenthread that a command runs in.
                let connection = self.life.connection();
                drop(accepted);
                let ended = self.run(peer, reader, writer);
                connection.count_served(None);
                ended
            })?;
            session.join().unwrap_or(Ok(()))
        });
        match ended {
            Ok(Ok(())) | Err(Exit::Killed(_)) => {}
            Ok(Err(error)) => log::debug!("the console of {peer} has ended: {error}"),
            Err(exit) => log::error!("the console of {peer} has ended: {exit}"),
        }
    }

    fn run(&self, peer: &str, reader: impl Read, writer: impl Write + 'static) -> io::Result<()> {
        let session = Session::new(&self.settings, peer.to_owned(), reader, writer);
        session.run(&self.banner, |reader, buf| {
            self.life.idle(|| reader.read(buf))
        })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("commands", &self.settings.commands)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
