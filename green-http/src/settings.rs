//! The settings of a server.

use std::any::Any;
use std::rc::Rc;
use std::time::Duration;

use green::GreenPool;
use green::server::Lifecycle;
use http::HeaderValue;

use crate::exchange::Record;
use crate::response::Response;
use crate::server::Server;

impl Server {
    /// Makes it share the life of another server: one drain for both.
    #[must_use]
    pub fn with_lifecycle(mut self, life: &Lifecycle) -> Server {
        self.life = life.clone();
        self
    }

    /// How many connections it has at a time: 1024 unless it is told. What comes beyond that waits in the listener's
    /// queue.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Server {
        self.connections = connections;
        self
    }

    /// Runs the connections in `pool`, which limits their number. Other servers may share it.
    #[must_use]
    pub fn pool(mut self, pool: &GreenPool) -> Server {
        self.pool = Some(pool.clone());
        self
    }

    /// How long the whole head of a request may take from its first byte on, and a TLS handshake: 30 seconds unless it
    /// is told, `None` for ever. The client is answered with 408.
    #[must_use]
    pub fn head_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.head = timeout.into();
        self
    }

    /// How long each wait for more of a body may take: a minute unless it is told, `None` for ever.
    #[must_use]
    pub fn body_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.body = timeout.into();
        self
    }

    /// How long a connection may be silent between two requests: 75 seconds unless it is told, `None` for ever.
    #[must_use]
    pub fn keep_alive_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.keep_alive = timeout.into();
        self
    }

    /// How long a client may take nothing of an answer: a minute unless it is told, `None` for ever.
    #[must_use]
    pub fn write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.write = timeout.into();
        self
    }

    /// How long a request may take with its answer: for ever unless it is told. A handler that takes longer is left
    /// where it waits, and the client answered with 503; an answer that takes longer is cut off.
    #[must_use]
    pub fn request_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.request = timeout.into();
        self
    }

    /// Whether a connection serves more than one request: it does unless it is told.
    #[must_use]
    pub fn keep_alive(mut self, keep: bool) -> Server {
        self.keep_alive = keep;
        self
    }

    /// Whether each answer says in a `Keep-Alive` field how long the connection is kept.
    #[must_use]
    pub fn announce_keep_alive(mut self, announce: bool) -> Server {
        self.announce = announce;
        self
    }

    /// How many requests a connection serves at most.
    #[must_use]
    pub fn requests_per_connection(mut self, requests: u64) -> Server {
        self.limits.requests = Some(requests.max(1));
        self
    }

    /// How long a head may be, in bytes: 64 KiB unless it is told. More is answered with 431.
    #[must_use]
    pub fn head_limit(mut self, bytes: usize) -> Server {
        self.limits.head = bytes;
        self
    }

    /// How long one header field may be, in bytes: 8 KiB unless it is told. More is answered with 431.
    #[must_use]
    pub fn field_limit(mut self, bytes: usize) -> Server {
        self.limits.header_line = bytes;
        self
    }

    /// How many header fields there may be: 100 unless it is told. More are answered with 431.
    #[must_use]
    pub fn fields_limit(mut self, fields: usize) -> Server {
        self.limits.headers = fields;
        self
    }

    /// How long the target of a request may be, in bytes: 8 KiB unless it is told. More is answered with 414.
    #[must_use]
    pub fn target_limit(mut self, bytes: usize) -> Server {
        self.limits.target = bytes;
        self
    }

    /// How long a body may be, in bytes: any length unless it is told. More is answered with 413.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Server {
        self.limits.body = Some(bytes);
        self
    }

    /// How much of a body that its handler has left unread is read and thrown away so that the connection can go on:
    /// 256 KiB unless it is told.
    #[must_use]
    pub fn drain_limit(mut self, bytes: usize) -> Server {
        self.limits.drain = bytes;
        self
    }

    /// Whether HTTP/2 is spoken: it is unless it is told, with the feature `http2`.
    #[must_use]
    pub fn http2(mut self, spoken: bool) -> Server {
        self.http2 = spoken;
        self
    }

    /// What the `Server` field of the answers says. There is none unless it is told.
    ///
    /// # Panics
    /// If it is no value of a field.
    #[must_use]
    pub fn server_name(mut self, name: &str) -> Server {
        self.server_name = Some(HeaderValue::try_from(name).expect("the value of a Server field"));
        self
    }

    /// Whether header fields with a `_` in their names are let through. Some programs cannot tell them from those with a
    /// `-`, by which a client could speak for a proxy.
    #[must_use]
    pub fn allow_underscores(mut self, allow: bool) -> Server {
        self.allow_underscores = allow;
        self
    }

    /// Whether the head of each request is kept as it came, for [`RequestExt::raw_head`](crate::RequestExt::raw_head).
    #[must_use]
    pub fn keep_raw_head(mut self, keep: bool) -> Server {
        self.keep_raw = keep;
        self
    }

    /// Whether the names of fields are written as `Content-Type` instead of `content-type`, for clients that take them
    /// for different names.
    #[must_use]
    pub fn title_case(mut self, title_case: bool) -> Server {
        self.title_case = title_case;
        self
    }

    /// Gathers the [pieces](crate::Content::pieces) of an answer until they make as many bytes: 1 unless it is told, so
    /// that each goes out as it comes.
    #[must_use]
    pub fn minimum_chunk_size(mut self, bytes: usize) -> Server {
        self.minimum_chunk_size = bytes;
        self
    }

    /// Whether the client is told what a handler has failed with. Never for the public.
    #[must_use]
    pub fn debug(mut self, debug: bool) -> Server {
        self.debug = debug;
        self
    }

    /// Calls `hook` with each answer before it goes out, after the hooks that were given before.
    #[must_use]
    pub fn before(mut self, hook: impl Fn(&mut Response) + 'static) -> Server {
        self.before.push(Rc::new(hook));
        self
    }

    /// Calls `hook` when an answer is over, whether it has got out or was cut off.
    #[must_use]
    pub fn after(mut self, hook: impl Fn(&Record) + 'static) -> Server {
        self.after.push(Rc::new(hook));
        self
    }

    /// As [`after`](Server::after), by its other name: what an access log is made of.
    #[must_use]
    pub fn log(self, log: impl Fn(&Record) + 'static) -> Server {
        self.after(log)
    }

    /// What a client is answered whose handler has panicked, instead of a bare 500.
    #[must_use]
    pub fn on_panic<R: Into<Response>>(
        mut self,
        answer: impl Fn(Box<dyn Any + Send>) -> R + 'static,
    ) -> Server {
        self.panicked = Some(Rc::new(move |payload| {
            answer(payload)
                .into()
                .with_status(http::StatusCode::INTERNAL_SERVER_ERROR)
        }));
        self
    }
}
