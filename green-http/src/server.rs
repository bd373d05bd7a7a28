//! The server and its settings.

use std::any::Any;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;

use green::GreenPool;
use green::server::{Drained, Lifecycle, Listener};
use http::{HeaderValue, Request};
use hyper::server::conn::http1;

use crate::body::Body;
use crate::clock::CoarseClock;
use crate::connection::{self, http1_builder};
use crate::exchange::Hook;
use crate::limits::{Limits, Timeouts};
use crate::response::Response;
use crate::transport::{Peer, Transport};
use crate::wire::Rules;

type Handler = Rc<dyn Fn(Request<Body>) -> Response>;
pub(crate) type Before = Rc<dyn Fn(&mut Response)>;
pub(crate) type Panicked = Rc<dyn Fn(Box<dyn Any + Send>) -> Response>;

/// What the connections of a server need of its settings.
pub(crate) struct Config {
    #[cfg(feature = "tower")]
    pub(crate) tower: Option<crate::tower::Serve>,
    pub(crate) handler: Handler,
    pub(crate) rules: Rc<Rules>,
    pub(crate) http1: http1::Builder,
    pub(crate) http2: bool,
    pub(crate) server_name: Option<HeaderValue>,
    /// What `Keep-Alive` says.
    pub(crate) announced: Option<HeaderValue>,
    pub(crate) no_keep_alive: bool,
    pub(crate) allow_underscores: bool,
    pub(crate) minimum_chunk_size: usize,
    pub(crate) debug: bool,
    pub(crate) before: Vec<Before>,
    pub(crate) after: Rc<[Hook]>,
    pub(crate) panicked: Option<Panicked>,
}

/// An HTTP server: its handler, its limits and deadlines, its [life](Lifecycle).
///
/// ```
/// use std::time::Duration;
/// use green::signal::SIGTERM;
/// use green_http::{Response, Server};
///
/// let server = Server::new(|request| Response::new(format!("you ask for {}\n", request.uri())))
///     .connections(5_000)
///     .body_limit(10 << 20)
///     .request_timeout(Duration::from_secs(30))
///     .log(|record| println!("{}", record.common_log(false)));
/// server.lifecycle().drain_on([SIGTERM], Duration::from_secs(10))?;
/// # green::spawn_n(|| green::signal::raise(SIGTERM).unwrap());
/// let drained = server.serve(green::listen("127.0.0.1:0")?)?;
/// println!("{} connections were killed", drained.killed);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Everything else that can be set:
///
/// ```
/// use std::time::Duration;
/// use green::{GreenPool, server::Lifecycle};
/// use green_http::{Response, Server, StatusCode};
///
/// let server = Server::new(|_| Response::new("hello\n"))
///     .with_lifecycle(&Lifecycle::new())
///     .pool(&GreenPool::new(5_000))
///     .head_timeout(Duration::from_secs(10))
///     .body_timeout(Duration::from_secs(10))
///     .write_timeout(Duration::from_secs(10))
///     .keep_alive(true)
///     .keep_alive_timeout(Duration::from_secs(30))
///     .announce_keep_alive(true)
///     .requests_per_connection(1_000)
///     .head_limit(16 << 10)
///     .field_limit(4 << 10)
///     .fields_limit(50)
///     .target_limit(2 << 10)
///     .drain_limit(64 << 10)
///     .http2(false)
///     .server_name("shop")
///     .allow_underscores(false)
///     .keep_raw_head(false)
///     .title_case(true)
///     .minimum_chunk_size(1024)
///     .debug(true)
///     .before(|response| drop(response.headers_mut().remove("x-internal")))
///     .after(|record| println!("{} took {:?}", record.uri, record.duration))
///     .on_panic(|_| (StatusCode::INTERNAL_SERVER_ERROR, "sorry\n"));
/// # drop(server);
/// ```
#[derive(Clone)]
pub struct Server {
    handler: Handler,
    #[cfg(feature = "tower")]
    pub(crate) tower: Option<crate::tower::Serve>,
    pub(crate) life: Lifecycle,
    pub(crate) connections: usize,
    pub(crate) pool: Option<GreenPool>,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) http2: bool,
    pub(crate) server_name: Option<HeaderValue>,
    pub(crate) announce: bool,
    pub(crate) keep_alive: bool,
    pub(crate) allow_underscores: bool,
    pub(crate) keep_raw: bool,
    pub(crate) title_case: bool,
    pub(crate) minimum_chunk_size: usize,
    pub(crate) debug: bool,
    pub(crate) before: Vec<Before>,
    pub(crate) after: Vec<Hook>,
    pub(crate) panicked: Option<Panicked>,
}

/// Serves HTTP with `handler`, until the server is drained: see [`Server::serve`].
///
/// ```no_run
/// use green_http::Response;
///
/// green_http::serve(green::listen("127.0.0.1:8000")?, |request| Response::new("Hello, World!\n"))?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// If nothing can be accepted any more.
pub fn serve<L, H, R>(listener: L, handler: H) -> io::Result<Drained>
where
    L: Listener<Stream: Transport, Addr: Into<Peer>>,
    H: Fn(Request<Body>) -> R + 'static,
    R: Into<Response>,
{
    Server::new(handler).serve(listener)
}

impl Server {
    /// A server that answers each request with what `handler` makes of it.
    ///
    /// The handler may wait as every greenthread does. If it panics, its client is answered with 500, as for an error.
    pub fn new<H, R>(handler: H) -> Server
    where
        H: Fn(Request<Body>) -> R + 'static,
        R: Into<Response>,
    {
        Server {
            handler: Rc::new(move |request| handler(request).into()),
            #[cfg(feature = "tower")]
            tower: None,
            life: Lifecycle::new(),
            connections: 1024,
            pool: None,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            http2: true,
            server_name: None,
            announce: false,
            keep_alive: true,
            allow_underscores: false,
            keep_raw: false,
            title_case: false,
            minimum_chunk_size: 1,
            debug: false,
            before: Vec::new(),
            after: Vec::new(),
            panicked: None,
        }
    }

    /// Serves what comes to `listener` until the server is [drained](Lifecycle::drain). Several listeners may be
    /// served, each by a greenthread.
    ///
    /// # Errors
    /// If nothing can be accepted any more. The connections go on.
    pub fn serve<L>(&self, listener: L) -> io::Result<Drained>
    where
        L: Listener<Stream: Transport, Addr: Into<Peer>>,
    {
        let config = self.config();
        let clock = CoarseClock::new(&self.timeouts);
        let own;
        let pool = match &self.pool {
            Some(pool) => pool,
            None => {
                own = GreenPool::new(self.connections);
                &own
            }
        };
        #[cfg(feature = "tower")]
        if self.tower.is_some() {
            crate::tower::enter_runtime()?;
        }
        self.life
            .serve_in(&listener, pool, 100, move |stream, addr, connection| {
                let peer: Peer = addr.into();
                let served =
                    connection::serve(stream, peer.clone(), &config, &clock, Rc::new(connection));
                if let Err(error) = served {
                    log::debug!("the connection from {peer} has ended: {error}");
                }
                ControlFlow::Continue(())
            })
    }

    pub(crate) fn config(&self) -> Rc<Config> {
        let announced = self
            .timeouts
            .keep_alive
            .filter(|_| self.announce && self.keep_alive);
        Rc::new(Config {
            #[cfg(feature = "tower")]
            tower: self.tower.clone(),
            handler: Rc::clone(&self.handler),
            rules: Rc::new(Rules {
                limits: self.limits.clone(),
                timeouts: self.timeouts.clone(),
                keep_raw: self.keep_raw,
            }),
            http1: http1_builder(&self.limits, self.title_case),
            http2: self.http2,
            server_name: self.server_name.clone(),
            announced: announced.and_then(|timeout| {
                HeaderValue::try_from(format!("timeout={}", timeout.as_secs())).ok()
            }),
            no_keep_alive: !self.keep_alive,
            allow_underscores: self.allow_underscores,
            minimum_chunk_size: self.minimum_chunk_size,
            debug: self.debug,
            before: self.before.clone(),
            after: self.after.clone().into(),
            panicked: self.panicked.clone(),
        })
    }

    /// Its life cycle: to drain it, by a signal or at once, and to see what it does.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.life
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("life", &self.life)
            .field("limits", &self.limits)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}
