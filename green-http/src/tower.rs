//! tower's services, such as axum's Router, on any hub.
//!
//! A service is asked and its answer awaited in the connection's greenthread. What it awaits is the reactor's of this
//! thread; a handler that blocks as greenthreads do blocks its own connection alone.
//!
//! What takes a connection over by `hyper::upgrade`, as axum's WebSockets do, runs on tokio, perhaps in another thread.
//! Its bytes go through a pipe between that and the connection's greenthread.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use green::resume_if_control;
use http::header::UPGRADE;
use http::{Request, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::{EnterGuard, Handle, Runtime};
use tower_service::Service;

use crate::exchange::Exchange;
use crate::outgoing::Sending;
use crate::response::{Content, Response};
use crate::server::Server;
use crate::service::{Asked, HyperAnswer, failure};

type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type ForeignAnswer =
    Pin<Box<dyn Future<Output = io::Result<http::Response<ForeignBody>>>>>;
pub(crate) type Serve = Rc<dyn Fn(Request<Incoming>) -> ForeignAnswer>;

/// The body of a service's answer.
pub(crate) struct ForeignBody(Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>);

impl ForeignBody {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(self.0.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// The body of any service, with its error as everybody's.
struct Erased<B>(B);

impl<B> Body for Erased<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Asked {
    /// The answer of a service of somebody else's.
    pub(crate) fn poll_foreign(
        &self,
        cx: &mut Context<'_>,
        answering: &mut crate::tower::ForeignAnswer,
        exchange: &mut Option<Exchange>,
    ) -> Poll<io::Result<HyperAnswer>> {
        let config = &self.answering.config;
        let mut poll = || {
            catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(cx)))
                .map_err(resume_if_control)
        };
        let answer = match poll() {
            Ok(answer) => ready!(answer),
            Err(_payload) => Err(io::Error::other("a panic")),
        };
        let Some(mut exchange) = exchange.take() else {
            return Poll::Ready(Err(io::Error::other("the answer was given before")));
        };
        let (mut response, sending) = match answer {
            Ok(answer) => {
                let (parts, body) = answer.into_parts();
                let head = http::Response::from_parts(parts, Content::from(()));
                (Response::from(head), Sending::Foreign(body))
            }
            Err(error) => {
                log::error!("a service for {} has failed: {error}", self.facts.peer);
                let text = config.debug.then(|| format!("{error}\n"));
                let response = failure(text.clone());
                let text = text.unwrap_or_else(|| "Internal Server Error\n".to_owned());
                (response, Sending::Bytes(text.into()))
            }
        };
        for hook in &config.before {
            hook(&mut response);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let protocol = response.headers().get(UPGRADE);
            let is_one =
                protocol.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"));
            self.facts.notes.web_socket.set(is_one);
        }
        self.add_fields(&mut response, Version::HTTP_11);
        exchange.answered(response.status());
        let (head, _) = response.into_parts();
        Poll::Ready(Ok(self.finish(head, sending, exchange)))
    }
}

impl Server {
    /// A server whose requests are answered by a tower service, as axum's `Router` is one.
    ///
    /// In the extensions of each request is the [`Peer`](crate::Peer). The limits and deadlines are the server's; the
    /// service does not see bodies that are too long to their ends.
    ///
    /// Code of the service that needs tokio's runtime, as axum's WebSockets do, finds the one that the calling thread has
    /// [entered](tokio::runtime::Handle::enter), or else one of this crate with a thread of its own.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use green_http::Server;
    ///
    /// let server = Server::tower(Router::new().route("/", get(|| async { "Hello, World!\n" })));
    /// # let life = server.lifecycle().clone();
    /// # green::spawn_n(move || { life.drain(None); });
    /// server.serve(green::listen("127.0.0.1:0")?)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tower<S, B>(service: S) -> Server
    where
        S: Service<Request<Incoming>, Response = http::Response<B>, Error: Into<BoxError>>
            + Clone
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + 'static,
    {
        let mut server = Server::new(|_| Response::new(()));
        server.tower = Some(Rc::new(move |request| {
            let mut service = service.clone();
            Box::pin(async move {
                let failed = |error: S::Error| io::Error::other(error.into());
                poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
                let answer = service.call(request).await.map_err(failed)?;
                Ok(answer.map(|body| ForeignBody(Box::pin(Erased(body)))))
            })
        }));
        server
    }
}

impl fmt::Debug for ForeignBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignBody")
    }
}

/// Sees to it that services find a runtime of tokio's in this thread.
///
/// # Errors
/// If there is none and none can be made.
pub(crate) fn enter_runtime() -> io::Result<()> {
    static OWN: OnceLock<Runtime> = OnceLock::new();
    thread_local! {
        /// To the end of the thread: guards of several greenthreads would end in the wrong asked.
        static ENTERED: RefCell<Option<EnterGuard<'static>>> = const { RefCell::new(None) };
    }
    if Handle::try_current().is_ok() {
        return Ok(());
    }
    if OWN.get().is_none() {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(1)
            .thread_name("green-http")
            .enable_all()
            .build()?;
        let _ = OWN.set(runtime);
    }
    if let Some(runtime) = OWN.get() {
        ENTERED.set(Some(runtime.enter()));
    }
    Ok(())
}
