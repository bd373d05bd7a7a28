//! Between hyper and the handlers.
//!
//! A handler of a request without a body runs where hyper asks for the answer: in the connection's greenthread, which
//! has nothing else to do. One with a body runs in a greenthread of its own, since hyper gives it the body only while
//! the connection goes on. A stream of HTTP/2 has a greenthread anyway.

#[cfg(feature = "http2")]
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use green::server::Connection;
use green::{Timeout, resume_if_control};
use http::header::{CONNECTION, SERVER};
use http::{HeaderValue, Request, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::body::{Body, Facts};
use crate::clock::CoarseClock;
use crate::exchange::Exchange;
use crate::outgoing::{Moves, Outgoing, Pull, Sending, Taking, gathered, pieces_of};
use crate::request::drop_underscores;
use crate::response::{Content, Kind, Response};
use crate::server::Config;
use crate::slot::{Giver, Taker, slot};
use crate::writer::Writer;

pub(crate) type HyperAnswer = http::Response<Outgoing>;
type Pieces = Box<dyn Iterator<Item = io::Result<Bytes>>>;

/// What answers the requests of one connection.
#[derive(Clone)]
pub(crate) struct Service(pub(crate) Rc<Answering>);

pub(crate) struct Answering {
    pub(crate) config: Rc<Config>,
    /// Of the connection.
    pub(crate) facts: Rc<Facts>,
    pub(crate) connection: Rc<Connection>,
    pub(crate) clock: Rc<CoarseClock>,
    /// Of the stream that has begun last.
    #[cfg(feature = "http2")]
    pub(crate) stream: RefCell<Option<Rc<Facts>>>,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = HyperAnswer;
    type Error = io::Error;
    type Future = Call;

    fn call(&self, mut request: Request<Incoming>) -> Call {
        let me = &self.0;
        let config = &me.config;
        let facts = me.facts_of_request();
        // Later than the handler is: then what says so is still let out.
        let limit = config.rules.timeouts.request;
        let deadline = limit.and_then(|limit| me.clock.after(Some(limit + me.clock.grace())));
        facts.deadlines.request.set(deadline);
        if facts.notes.underscore.get() && !config.allow_underscores {
            drop_underscores(&mut request);
        }
        let exchange = Exchange::new(&request, me);
        let asked = Asked {
            answering: Rc::clone(me),
            facts,
        };
        #[cfg(feature = "tower")]
        if let Some(tower) = &config.tower {
            request.extensions_mut().insert(asked.facts.peer.clone());
            return Call(State::Foreign(asked, tower(request), Some(exchange)));
        }
        match request.body().is_end_stream() {
            // A stream of HTTP/2 gets its greenthread by the future: see above.
            _ if asked.facts.http2 => Call(State::New(Some(Box::new((asked, request, exchange))))),
            true => Call(State::Answered(Some(asked.answer_here(request, exchange)))),
            false => Call(State::Elsewhere(asked.answer_elsewhere(request, exchange))),
        }
    }
}

impl Answering {
    fn facts_of_request(&self) -> Rc<Facts> {
        #[cfg(feature = "http2")]
        if self.facts.http2 {
            let facts = self.facts.of_stream();
            *self.stream.borrow_mut() = Some(Rc::clone(&facts));
            return facts;
        }
        Rc::clone(&self.facts)
    }
}

/// The answer to one request, as hyper waits for it.
pub(crate) struct Call(State);

#[allow(
    clippy::large_enum_variant,
    reason = "hyper has a box for it, and most are answered already"
)]
enum State {
    New(Option<Box<(Asked, Request<Incoming>, Exchange)>>),
    Answered(Option<HyperAnswer>),
    Elsewhere(Taker<HyperAnswer>),
    #[cfg(feature = "tower")]
    Foreign(Asked, crate::tower::ForeignAnswer, Option<Exchange>),
}

impl Future for Call {
    type Output = io::Result<HyperAnswer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<HyperAnswer>> {
        // Each arm gives its answer itself: what would gather them would move it once more.
        match &mut self.0 {
            State::New(new) => {
                if let Some((asked, request, exchange)) = new.take().map(|new| *new) {
                    return Poll::Ready(Ok(asked.answer_here(request, exchange)));
                }
            }
            State::Answered(answer) => {
                if let Some(answer) = answer.take() {
                    return Poll::Ready(Ok(answer));
                }
            }
            #[cfg(feature = "tower")]
            State::Foreign(asked, answering, exchange) => {
                return asked.poll_foreign(cx, answering, exchange);
            }
            State::Elsewhere(answer) => {
                let answer = std::task::ready!(answer.poll_take(cx));
                return Poll::Ready(answer.ok_or_else(|| {
                    io::Error::new(ErrorKind::Interrupted, "the handler was killed")
                }));
            }
        }
        Poll::Ready(Err(io::Error::other("the answer was given before")))
    }
}

/// One request on its way through its handler.
pub(crate) struct Asked {
    pub(crate) answering: Rc<Answering>,
    pub(crate) facts: Rc<Facts>,
}

impl Asked {
    fn answer_here(self, request: Request<Incoming>, mut exchange: Exchange) -> HyperAnswer {
        let (head, content) = self.handle(request, &mut exchange);
        let sending = match content.0 {
            Kind::Callback(write) => {
                let (giver, taker) = slot();
                let peer = self.facts.peer.clone();
                self.facts
                    .workers
                    .spawn_n(move || produce(Writer::new(giver), &peer, write));
                Sending::Slot(Taking::new(taker, None))
            }
            kind => self.send(kind),
        };
        self.finish(head, sending, exchange)
    }

    fn answer_elsewhere(
        self,
        request: Request<Incoming>,
        exchange: Exchange,
    ) -> Taker<HyperAnswer> {
        let (giver, taker) = slot();
        let workers = self.facts.workers.clone();
        workers.spawn_n(move || self.answer_to(&giver, request, exchange));
        taker
    }

    /// In the handler's own greenthread, which goes on until all of the answer is out of its hands.
    fn answer_to(
        self,
        answer: &Giver<HyperAnswer>,
        request: Request<Incoming>,
        mut exchange: Exchange,
    ) {
        let (head, content) = self.handle(request, &mut exchange);
        let peer = self.facts.peer.clone();
        let least = self.answering.config.minimum_chunk_size;
        // What is read from the request on the way must not be waited for by the connection, which brings it.
        let (mut pieces, length): (Pieces, _) = match content.0 {
            Kind::Reader(reader, length) if self.facts.body_in_use.get() => {
                (Box::new(pieces_of(reader)), length)
            }
            Kind::Pieces(pieces) if self.facts.body_in_use.get() => (gathered(pieces, least), None),
            Kind::Callback(write) => {
                let (giver, taker) = slot();
                let head = self.finish(head, Sending::Slot(Taking::new(taker, None)), exchange);
                if answer.give(head).is_ok() {
                    produce(Writer::new(giver), &peer, write);
                }
                return;
            }
            kind => {
                let sending = self.send(kind);
                let _ = answer.give(self.finish(head, sending, exchange));
                return;
            }
        };
        let (giver, taker) = slot();
        let head = self.finish(head, Sending::Slot(Taking::new(taker, length)), exchange);
        if answer.give(head).is_ok() {
            produce(Writer::new(giver), &peer, |out| {
                pieces.try_for_each(|piece| out.send(piece?))
            });
        }
    }

    fn send(&self, kind: Kind) -> Sending {
        let deadline = self.facts.deadlines.request.get();
        match kind {
            Kind::Bytes(bytes) => Sending::Bytes(bytes),
            Kind::Reader(reader, length) => {
                let pieces = Box::new(pieces_of(reader));
                Sending::Pull(Box::new(Pull::new(pieces, length, deadline)))
            }
            Kind::Pieces(pieces) => {
                let pieces = gathered(pieces, self.answering.config.minimum_chunk_size);
                Sending::Pull(Box::new(Pull::new(pieces, None, deadline)))
            }
            Kind::TakeOver(take) => {
                *self.facts.take_over.borrow_mut() = Some(take);
                Sending::Bytes(Bytes::new())
            }
            Kind::Callback(_) | Kind::Failed(_) => Sending::Bytes(Bytes::new()),
        }
    }

    pub(crate) fn finish(
        &self,
        head: http::Response<()>,
        sending: Sending,
        exchange: Exchange,
    ) -> HyperAnswer {
        let moves = self.facts.http2.then(|| {
            Box::new(Moves {
                clock: Rc::clone(&self.answering.clock),
                deadlines: Rc::clone(&self.facts.deadlines),
                timeout: self.answering.config.rules.timeouts.write,
            })
        });
        head.map(|()| Outgoing::new(sending, exchange, moves))
    }

    /// Runs the handler, whatever becomes of it.
    fn handle(
        &self,
        request: Request<Incoming>,
        exchange: &mut Exchange,
    ) -> (http::Response<()>, Content) {
        let config = &self.answering.config;
        let (parts, incoming) = request.into_parts();
        let version = parts.version;
        let can_upgrade =
            !parts.extensions.is_empty() && parts.extensions.get::<OnUpgrade>().is_some();
        let expects = self.facts.notes.expects.get();
        let name =
            log::log_enabled!(log::Level::Error).then(|| (parts.method.clone(), parts.uri.clone()));
        // HTTP/1 was looked at by the guard.
        let limit = config.rules.limits.body.filter(|_| self.facts.http2);
        let body = Body::new(incoming, expects, limit, &self.facts);
        let mut response = self.call(Request::from_parts(parts, body));
        if let Kind::Failed(error) = &response.content.0 {
            if let Some((method, uri)) = &name {
                log::error!("{method} {uri} of {} has failed: {error}", self.facts.peer);
            }
            let text = config.debug.then(|| format!("{error}\n"));
            response = failure(text);
        }
        if matches!(response.content.0, Kind::TakeOver(_)) && !can_upgrade {
            log::error!(
                "{} was to be upgraded and had not asked for it",
                self.facts.peer
            );
            response = (
                StatusCode::UPGRADE_REQUIRED,
                "this needs an upgrade of the connection\n",
            )
                .into();
        }
        // What broke the request off is told, whatever the handler has made of it.
        if let Some(refusal) = self.facts.notes.refused.get() {
            self.facts.notes.told.set(true);
            response = Response::from((refusal.status, format!("{}\n", refusal.reason)))
                .with_header(CONNECTION, HeaderValue::from_static("close"));
        }
        for hook in &config.before {
            hook(&mut response);
        }
        self.add_fields(&mut response, version);
        exchange.answered(response.status());
        response.into_parts()
    }

    /// The handler itself: its panic and its deadline become answers, a kill goes on.
    fn call(&self, request: Request<Body>) -> Response {
        let config = &self.answering.config;
        // What is not a panic goes on from here: a deadline ends where its scope is.
        let call = || {
            catch_unwind(AssertUnwindSafe(|| (config.handler)(request))).map_err(resume_if_control)
        };
        let called = match config.rules.timeouts.request {
            None => Ok(call()),
            limit => Timeout::new(limit).run(call),
        };
        match called {
            Ok(Ok(response)) => response,
            Ok(Err(payload)) => {
                log::error!("a handler for {} has panicked", self.facts.peer);
                match &config.panicked {
                    Some(answer) => answer(payload),
                    None => failure(None),
                }
            }
            Err(elapsed) => {
                log::warn!("a handler for {} was too late: {elapsed}", self.facts.peer);
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the answer did not come in time\n",
                )
                    .into()
            }
        }
    }

    pub(crate) fn add_fields(&self, response: &mut Response, version: Version) {
        let config = &self.answering.config;
        if let Some(name) = &config.server_name {
            response
                .headers_mut()
                .entry(SERVER)
                .or_insert_with(|| name.clone());
        }
        if self.facts.http2 {
            return;
        }
        let requests = self.facts.requests.get() + 1;
        self.facts.requests.set(requests);
        let last = config
            .rules
            .limits
            .requests
            .is_some_and(|limit| requests >= limit);
        if last || self.answering.connection.is_draining() || config.no_keep_alive {
            let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if !switches {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
        } else if let Some(announced) = &config.announced
            && version >= Version::HTTP_11
        {
            response
                .headers_mut()
                .entry("keep-alive")
                .or_insert_with(|| announced.clone());
        }
    }
}

/// 500, without a word of why unless the program wants it told.
pub(crate) fn failure(text: Option<String>) -> Response {
    let text = text.unwrap_or_else(|| "Internal Server Error\n".to_owned());
    (StatusCode::INTERNAL_SERVER_ERROR, text).into()
}

/// Writes an answer. Only what comes to its end looks complete to the client.
fn produce(mut out: Writer, peer: &crate::Peer, write: impl FnOnce(&mut Writer) -> io::Result<()>) {
    match catch_unwind(AssertUnwindSafe(|| write(&mut out))) {
        Ok(Ok(())) => {
            let _ = out.end();
        }
        Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => {
            log::debug!("{peer} has not taken the whole answer");
        }
        Ok(Err(error)) => log::error!("what writes the answer to {peer} has failed: {error}"),
        Err(payload) => {
            // The answer is cut off before anybody is told of it.
            drop(out);
            drop(resume_if_control(payload));
            log::error!("what writes the answer to {peer} has panicked");
        }
    }
}
