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
    /// Makes this server share the life cycle of another one: one drain ends both.
    #[must_use]
    pub fn with_lifecycle(mut self, life: &Lifecycle) -> Server {
        self.life = life.clone();
        self
    }

    /// Sets how many connections it serves at a time, by default 1024. Further ones wait in the listener's queue.
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

    /// Sets how long the whole head of a request may take from its first byte on, and a TLS handshake: by default 30
    /// seconds, `None` for ever. Beyond that the client is answered with 408.
    #[must_use]
    pub fn head_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.head = timeout.into();
        self
    }

    /// Sets how long each wait for more of a body may take: by default a minute, `None` for ever.
    #[must_use]
    pub fn body_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.body = timeout.into();
        self
    }

    /// Sets how long a connection may be silent between two requests: by default 75 seconds, `None` for ever.
    #[must_use]
    pub fn keep_alive_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.keep_alive = timeout.into();
        self
    }

    /// Sets how long a client may take nothing of an answer: by default a minute, `None` for ever.
    #[must_use]
    pub fn write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.write = timeout.into();
        self
    }

    /// Sets how long a request may take with its answer, by default for ever. A handler that takes longer is left
    /// where it waits, and the client answered with 503; an answer that takes longer is cut off.
    #[must_use]
    pub fn request_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Server {
        self.timeouts.request = timeout.into();
        self
    }

    /// With `true`, as by default, a connection serves one request after the other.
    #[must_use]
    pub fn keep_alive(mut self, keep: bool) -> Server {
        self.keep_alive = keep;
        self
    }

    /// With `true`, each answer says in a `Keep-Alive` field how long the connection is kept.
    #[must_use]
    pub fn announce_keep_alive(mut self, announce: bool) -> Server {
        self.announce = announce;
        self
    }

    /// Sets how many requests a connection serves at most.
    #[must_use]
    pub fn requests_per_connection(mut self, requests: u64) -> Server {
        self.limits.requests = Some(requests.max(1));
        self
    }

    /// Sets how long the head of a request may be, in bytes, by default 64 KiB. More is answered with 431.
    #[must_use]
    pub fn head_limit(mut self, bytes: usize) -> Server {
        self.limits.head = bytes;
        self
    }

    /// Sets how long one header field may be, in bytes, by default 8 KiB. More is answered with 431.
    #[must_use]
    pub fn field_limit(mut self, bytes: usize) -> Server {
        self.limits.header_line = bytes;
        self
    }

    /// Sets how many header fields a request may have, by default 100. More are answered with 431.
    #[must_use]
    pub fn fields_limit(mut self, fields: usize) -> Server {
        self.limits.headers = fields;
        self
    }

    /// Sets how long the target of a request may be, in bytes, by default 8 KiB. More is answered with 414.
    #[must_use]
    pub fn target_limit(mut self, bytes: usize) -> Server {
        self.limits.target = bytes;
        self
    }

    /// Sets how long a body may be, in bytes, by default any length. More is answered with 413.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Server {
        self.limits.body = Some(bytes);
        self
    }

    /// Sets how much of a body that its handler has left unread is read and thrown away so that the connection can go
    /// on, in bytes, by default 256 KiB.
    #[must_use]
    pub fn drain_limit(mut self, bytes: usize) -> Server {
        self.limits.drain = bytes;
        self
    }

    /// With `true`, as by default with the feature `http2`, clients may speak HTTP/2.
    #[must_use]
    pub fn http2(mut self, spoken: bool) -> Server {
        self.http2 = spoken;
        self
    }

    /// Sets the `Server` field of the answers. By default there is none.
    ///
    /// # Panics
    /// If it is no value of a field.
    #[must_use]
    pub fn server_name(mut self, name: &str) -> Server {
        self.server_name = Some(HeaderValue::try_from(name).expect("the value of a Server field"));
        self
    }

    /// With `true`, header fields with a `_` in their names are let through. Some programs cannot tell them from
    /// those with a `-`, so that a client could pretend to be a proxy.
    #[must_use]
    pub fn allow_underscores(mut self, allow: bool) -> Server {
        self.allow_underscores = allow;
        self
    }

    /// With `true`, the head of each request is kept as it came, for
    /// [`RequestExt::raw_head`](crate::RequestExt::raw_head).
    #[must_use]
    pub fn keep_raw_head(mut self, keep: bool) -> Server {
        self.keep_raw = keep;
        self
    }

    /// With `true`, the names of fields are written as `Content-Type` instead of `content-type`, for clients that
    /// take them for different names.
    #[must_use]
    pub fn title_case(mut self, title_case: bool) -> Server {
        self.title_case = title_case;
        self
    }

    /// Gathers the [pieces](crate::Content::pieces) of an answer until they have this many bytes, by default 1, so
    /// that each goes out as it comes.
    #[must_use]
    pub fn minimum_chunk_size(mut self, bytes: usize) -> Server {
        self.minimum_chunk_size = bytes;
        self
    }

    /// With `true`, the client is told what a handler has failed with. It is not for servers that the public can
    /// reach.
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

    /// Calls `hook` when an answer is over, be it complete or cut off.
    #[must_use]
    pub fn after(mut self, hook: impl Fn(&Record) + 'static) -> Server {
        self.after.push(Rc::new(hook));
        self
    }

    /// Calls `log` when an answer is over, for an access log: another name of [`after`](Server::after).
    #[must_use]
    pub fn log(self, log: impl Fn(&Record) + 'static) -> Server {
        self.after(log)
    }

    /// Sets the answer to a request whose handler has panicked, instead of a bare 500.
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
