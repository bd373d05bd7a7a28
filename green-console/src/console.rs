//! The console and its settings.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use green::Builder;
use green::net::TcpListener;
use green::server::{Drained, Lifecycle};
use green_http::{Body, Request, Response, Server};

use crate::access::{Access, Secret};
use crate::history;
use crate::inside::Inside;
use crate::routes;

/// As many browsers and scrapers at a time.
const CONNECTIONS: usize = 100;

/// Requests have no bodies that matter.
const BODY: u64 = 64 << 10;

/// What is called a long run unless the program says otherwise.
const BLOCKED: Duration = Duration::from_millis(100);

/// Serves a console to the users of this machine: see [`Console::serve`].
///
/// # Errors
/// As [`Console::serve`].
///
/// ```no_run
/// let listener = green::listen("127.0.0.1:8001")?;
/// green::spawn_n(move || {
///     if let Err(error) = green_console::serve(listener) {
///         eprintln!("no console: {error}");
///     }
/// });
/// // What the program is for goes on here.
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve(listener: TcpListener) -> io::Result<Drained> {
    Console::new().serve(listener)
}

/// A console: who may look, what is a warning, and its life.
///
/// Clones are handles of the same console.
///
/// ```
/// use std::io::{Read, Write};
///
/// let console = green_console::Console::new();
/// let listener = green::listen("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let serving = console.clone();
/// let served = green::spawn(move || serving.serve(listener));
///
/// let mut client = green::connect(address)?;
/// write!(client, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
/// let mut metrics = String::new();
/// client.read_to_string(&mut metrics)?;
/// assert!(metrics.contains("\ngreen_switches_total "));
/// console.lifecycle().drain(None);
/// served.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// For a network that is trusted, behind a proxy:
///
/// ```
/// use std::time::Duration;
///
/// let console = green_console::Console::new()
///     .with_token("sixteen-bytes-or-more")
///     .open_to_others()
///     .host("console.example")
///     .read_only()
///     .blocked_after(Duration::from_millis(20))
///     .always();
/// assert_eq!(console.token(), "sixteen-bytes-or-more");
/// ```
#[derive(Clone)]
pub struct Console {
    settings: Settings,
    open: bool,
    life: Lifecycle,
}

/// What each request is answered by.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) token: Secret,
    pub(crate) hosts: Vec<String>,
    pub(crate) read_only: bool,
    pub(crate) blocked: Duration,
    pub(crate) always: bool,
}

impl Console {
    /// A console with a token of its own, drawn from the system's source of random numbers.
    ///
    /// # Panics
    /// If the system has no random numbers.
    pub fn new() -> Console {
        Console {
            settings: Settings {
                token: Secret::random(),
                hosts: Vec::new(),
                read_only: false,
                blocked: BLOCKED,
                always: false,
            },
            open: false,
            life: Lifecycle::new(),
        }
    }

    /// Takes this token instead of one that is drawn: for programs that share one, or keep it over a restart.
    ///
    /// # Panics
    /// If it has fewer than 16 bytes, or others than visible ones of ASCII: it could be guessed, or not be sent.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Console {
        self.settings.token = Secret::new(token);
        self
    }

    /// The token: what a kill needs, and off loopback everything.
    ///
    /// ```
    /// let console = green_console::Console::new();
    /// assert_eq!(console.token().len(), 32);
    /// ```
    pub fn token(&self) -> &str {
        self.settings.token.text()
    }

    /// Serves others than the users of this machine as well. Everything needs the [token](Console::token) then, and it
    /// travels unencrypted: give the listener an address in a network that you trust.
    #[must_use]
    pub fn open_to_others(mut self) -> Console {
        self.open = true;
        self
    }

    /// Lets requests name this host in their `Host` field, beside the address that is listened at: what a browser has in
    /// its address line where a proxy or a tunnel is in between, as `localhost:9000` or `console.example`.
    #[must_use]
    pub fn host(mut self, host: &str) -> Console {
        self.settings.hosts.push(host.to_ascii_lowercase());
        self
    }

    /// Kills nothing, whatever token is sent.
    #[must_use]
    pub fn read_only(mut self) -> Console {
        self.settings.read_only = true;
        self
    }

    /// Warns of greenthreads that keep the others from running for at least so long, by default 100 ms.
    #[must_use]
    pub fn blocked_after(mut self, time: Duration) -> Console {
        self.settings.blocked = time;
        self
    }

    /// Keeps accounts, and an eye on long runs, also while nobody looks: what there was before somebody looked is known
    /// then, and each switch costs some fifty nanoseconds more.
    #[must_use]
    pub fn always(mut self) -> Console {
        self.settings.always = true;
        self
    }

    /// Serves the console to whoever connects to `listener`, until it is [drained](Lifecycle::drain). It shows the
    /// greenthreads of the thread that this is called in.
    ///
    /// # Errors
    /// `PermissionDenied` if others than the users of this machine can connect and [`Console::open_to_others`] was not
    /// said. If nothing can be accepted any more. If the history of the console gets no stack.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Drained> {
        let address = listener.local_addr()?;
        let local = address.ip().to_canonical().is_loopback();
        if !local {
            self.allow(address)?;
        }
        let inside = Rc::new(Inside::new(self.settings.clone(), Some(address)));
        let access = Access::new(address, &self.settings);
        let recorded = Rc::clone(&inside);
        let history = Builder::new().name("history of the console");
        let _history = history
            .spawn(move || history::keep(&recorded))?
            .kill_on_drop();
        let server = Server::new(move |request: Request<Body>| {
            let refusal = access.refuse(&request);
            secured(refusal.unwrap_or_else(|| routes::answer(&inside, &access, &request)))
        });
        let server = server.with_lifecycle(&self.life).connections(CONNECTIONS);
        server.body_limit(BODY).serve(listener)
    }

    fn allow(&self, address: SocketAddr) -> io::Result<()> {
        if self.open {
            log::warn!(
                "at {address} whoever has the token can look into this process; what is sent there is not encrypted"
            );
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "at {address} others than the users of this machine could look into this process: listen on a \
                 loopback address, or say Console::open_to_others"
            ),
        ))
    }

    /// Its life: to drain it, by a signal or at once, and to see what it does.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.life
    }
}

/// Keeps pages of others from using what is answered, and this one from using anything of theirs.
fn secured(answer: Response) -> Response {
    answer
        .with_header(
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        )
        .with_header("x-content-type-options", "nosniff")
        .with_header("x-frame-options", "DENY")
        .with_header("cross-origin-resource-policy", "same-origin")
        .with_header("referrer-policy", "no-referrer")
        .with_header("cache-control", "no-store")
}

impl Default for Console {
    fn default() -> Console {
        Console::new()
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the token.
        f.debug_struct("Console")
            .field("hosts", &self.settings.hosts)
            .field("read_only", &self.settings.read_only)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
