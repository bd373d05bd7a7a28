//! HTTP on several workers.

use green::workers::WorkersServer;
use http::Request;

use crate::body::Body;
use crate::response::Response;
use crate::server::Server;

impl Server {
    /// A server on several [workers](green::workers()), by default one for each core: on each of them `make`
    /// makes a handler, which need not be `Send`.
    ///
    /// What it gives is started and drained as a whole: see [`WorkersServer`]. The limits and deadlines are those of
    /// [`Server::new`], in each worker; [`factory_of`](Server::factory_of) is for others.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::time::Duration;
    /// use green::signal::{SIGINT, SIGTERM};
    /// use green_http::{Response, Server};
    ///
    /// let server = Server::factory(|| {
    ///     let asked = Cell::new(0); // of this worker
    ///     move |_request| {
    ///         asked.set(asked.get() + 1);
    ///         Response::new(format!("request {} of this worker\n", asked.get()))
    ///     }
    /// });
    /// # green::spawn_n(|| {
    /// #     green::sleep(Duration::from_millis(20));
    /// #     green::signal::raise(SIGTERM).unwrap();
    /// # });
    /// let drained = server
    ///     .workers(2)
    ///     .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))
    ///     .serve("127.0.0.1:0")?;
    /// println!("{} connections were killed", drained.killed);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn factory<H, R>(make: impl Fn() -> H + Send + Sync + 'static) -> WorkersServer
    where
        H: Fn(Request<Body>) -> R + 'static,
        R: Into<Response>,
    {
        Server::factory_of(move || Server::new(make()))
    }

    /// As [`factory`](Server::factory), with all settings: `make` makes the server of each worker. Its life is that
    /// of the worker.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green_http::{Response, Server};
    ///
    /// let server = Server::factory_of(|| {
    ///     Server::new(|_| Response::new("hello\n"))
    ///         .connections(5_000)
    ///         .request_timeout(Duration::from_secs(30))
    /// });
    /// let running = server.workers(2).start("127.0.0.1:0")?;
    /// println!("listening on {}", running.local_addr());
    /// running.drain(Duration::from_secs(10))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn factory_of(make: impl Fn() -> Server + Send + Sync + 'static) -> WorkersServer {
        WorkersServer::new(move |_worker, listener, life| {
            make().with_lifecycle(life).serve(listener)
        })
    }
}
