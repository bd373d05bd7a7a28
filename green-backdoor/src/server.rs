//! Consoles for whoever connects.

use std::fmt;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use green::signal::Signals;
use green::{Builder, Exit};

use crate::commands::Commands;
use crate::endpoint::Endpoint;
use crate::life::{self, Life};
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

/// Serves a console for each client of `listener`, until the program ends or the listener does.
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
pub fn serve<L: Endpoint + 'static>(listener: L, commands: Commands) -> io::Result<()> {
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
/// server.drain(Duration::from_secs(1));
/// served.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Server {
    settings: Settings,
    banner: Rc<str>,
    open: bool,
    clients: usize,
    life: Rc<Life>,
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
            life: Rc::new(Life::new()),
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
    #[cfg(feature = "rhai")]
    #[must_use]
    pub fn operations(mut self, most: u64) -> Server {
        self.settings.operations = most;
        self
    }

    /// Serves a console for each client of `listener`, until it has been [drained](Server::drain). Several listeners
    /// may be served at once.
    ///
    /// # Errors
    /// Of kind `PermissionDenied` if others could connect, and not [`open_to_others`](Server::open_to_others); what the
    /// system says of the listener's address; what ends the accepting.
    pub fn serve<L: Endpoint + 'static>(&self, listener: L) -> io::Result<()> {
        listener.restrict(self.open)?;
        let listener = Rc::new(listener);
        if self.life.is_draining() {
            return Ok(());
        }
        let closed = Rc::clone(&listener);
        self.life.on_drain(Rc::new(move || closed.close()));
        let server = self.clone();
        let served = green::serve(&*listener, self.clients, move |stream, peer| {
            let (reader, writer) = L::split(stream);
            server.client(format!("{peer:?}"), reader, writer);
        });
        if self.life.is_draining() {
            self.life.wait();
            return Ok(());
        }
        Ok(served?)
    }

    /// A console for one client, on any pair of streams: a connection that was accepted elsewhere, or the terminal. It
    /// returns when the client leaves. A drain of the server ends it, too.
    ///
    /// # Errors
    /// Of the streams.
    pub fn console(
        &self,
        reader: impl Read + 'static,
        writer: impl Write + 'static,
    ) -> io::Result<()> {
        self.run(&self.life.session(), "a console".to_owned(), reader, writer)
    }

    /// Serves one client of a listener: nothing that becomes of it is of interest to others.
    fn client(&self, peer: String, reader: impl Read, writer: impl Write + 'static) {
        let ended = green::scope(|scope| {
            let session = Builder::new()
                .name(format!("console of {peer}"))
                .stack_size(STACK);
            let peer = peer.clone();
            let session = session.spawn_scoped(scope, move || {
                self.run(&self.life.session(), peer, reader, writer)
            })?;
            session.join().unwrap_or(Ok(()))
        });
        match ended {
            Ok(Ok(())) | Err(Exit::Killed(_)) => {}
            Ok(Err(error)) => log::debug!("the console of {peer} has ended: {error}"),
            Err(exit) => log::error!("the console of {peer} has ended: {exit}"),
        }
    }

    fn run(
        &self,
        life: &life::Session,
        peer: String,
        reader: impl Read,
        writer: impl Write + 'static,
    ) -> io::Result<()> {
        let session = Session::new(&self.settings, peer, reader, writer);
        session.run(&self.banner, |reader, buf| life.idle(|| reader.read(buf)))
    }

    /// Ends it: closes the listeners, ends the sessions that wait for their clients, waits for what runs, and after
    /// `timeout` kills that (`None` waits for ever). Gives how many it has killed.
    ///
    /// A command may call it: its own session ends when the command has returned.
    pub fn drain(&self, timeout: impl Into<Option<Duration>>) -> usize {
        self.life.drain(timeout.into())
    }

    /// Drains it when one of `signals` arrives. The next of them kills what is left at once.
    ///
    /// # Errors
    /// As [`Signals::new`].
    pub fn drain_on(
        &self,
        signals: impl IntoIterator<Item = i32>,
        timeout: impl Into<Option<Duration>>,
    ) -> io::Result<()> {
        let (signals, mut timeout) = (Signals::new(signals)?, timeout.into());
        let server = self.clone();
        green::spawn_n(move || {
            while signals.wait().is_ok() {
                let (draining, within) = (server.clone(), timeout.replace(Duration::ZERO));
                green::spawn_n(move || {
                    draining.drain(within);
                });
            }
        });
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("commands", &self.settings.commands)
            .field("sessions", &self.life.sessions())
            .finish_non_exhaustive()
    }
}
