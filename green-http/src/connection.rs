//! One connection from its first byte to its last.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use green::future::block_on;
use green::server;
use green::{GreenPool, Timeout};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;

use crate::body::Facts;
use crate::clock::{CoarseClock, Deadlines};
use crate::holder::{Holder, Http1};
use crate::hyper_io::HyperIo;
use crate::rest::Rest;
use crate::server::Config;
use crate::service::{Answering, Service};
use crate::transport::{Peer, Transport};
use crate::upgrade::{TakeOver, Upgraded};
use crate::wire::Wire;

/// A client that was refused may still be sending. So long, and so much of it, is read, for else the system would take
/// back what it was told.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// Kills what works for a connection that is being killed; waits for it otherwise.
struct Workers(GreenPool);

impl Drop for Workers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.kill();
        }
    }
}

/// Serves a connection to its end.
///
/// Its frame is there for as long as the connection is, and so are those of what waits in it: what makes and ends the
/// connection has frames of its own.
pub(crate) fn serve<T: Transport>(
    transport: T,
    peer: Peer,
    config: &Rc<Config>,
    clock: &Rc<CoarseClock>,
    connection: Rc<server::Connection>,
) -> io::Result<()> {
    let (wire, security) = open(transport, config, clock)?;
    let http2 = wire.transport().protocol().as_deref() == Some(b"h2")
        || (cfg!(feature = "http2") && config.http2 && has_preface(&wire, &connection)?);
    let service = answering(&wire, peer, security, http2, config, &connection);
    let facts = Rc::clone(&service.0.facts);
    let workers = Workers(facts.workers.clone());
    let served = match http2 {
        false => serve_http1(&wire, service, &facts, &connection),
        #[cfg(feature = "http2")]
        true => crate::http2::serve(&wire, service, &connection),
        #[cfg(not(feature = "http2"))]
        true => Err(io::Error::new(
            ErrorKind::Unsupported,
            "built without HTTP/2",
        )),
    };
    // A handler that its client has left is not broken off.
    let _ = workers.0.waitall();
    served?;
    match facts.take_over.take() {
        Some(take) => take_over(wire, &connection, take),
        None => end(&wire, &connection),
    }
}

type Security = Option<Rc<dyn Any>>;

/// What comes before HTTP.
#[inline(never)]
fn open<T: Transport>(
    mut transport: T,
    config: &Rc<Config>,
    clock: &Rc<CoarseClock>,
) -> io::Result<(Rc<Wire<T>>, Security)> {
    transport.prepare();
    let timeout = Timeout::new(config.rules.timeouts.head);
    match timeout.run(|| transport.handshake()) {
        Ok(shaken) => shaken?,
        Err(elapsed) => return Err(io::Error::new(ErrorKind::TimedOut, elapsed)),
    }
    let security = transport.security();
    let watched = clock.watch(Deadlines::of_connection());
    let wire = Wire::new(transport, Rc::clone(&config.rules), watched);
    Ok((wire, security))
}

/// Waits until it is known what is spoken: true if it is HTTP/2 with prior knowledge.
#[inline(never)]
fn has_preface<T: Transport>(wire: &Wire<T>, connection: &server::Connection) -> io::Result<bool> {
    block_on(poll_fn(|cx| {
        watch(wire, connection, cx);
        let preface = wire.poll_preface(cx);
        connection.set_idle(wire.is_idle());
        wire.watched.deadlines.rest.set(Rest::Light(0));
        preface
    }))
}

#[inline(never)]
fn answering<T: Transport>(
    wire: &Wire<T>,
    peer: Peer,
    security: Security,
    http2: bool,
    config: &Rc<Config>,
    connection: &Rc<server::Connection>,
) -> Service {
    let facts = Rc::new(Facts {
        peer,
        security,
        notes: Rc::clone(&wire.notes),
        deadlines: Rc::clone(&wire.watched.deadlines),
        leftover: RefCell::default(),
        body_in_use: Cell::new(false),
        take_over: RefCell::default(),
        workers: GreenPool::new(usize::MAX),
        http2,
        requests: Cell::new(0),
    });
    Service(Rc::new(Answering {
        config: Rc::clone(config),
        facts,
        connection: Rc::clone(connection),
        clock: Rc::clone(&wire.watched.clock),
        #[cfg(feature = "http2")]
        stream: RefCell::default(),
    }))
}

/// Gives the connection to what its handler has left for it.
#[inline(never)]
fn take_over<T: Transport>(
    wire: Rc<Wire<T>>,
    connection: &server::Connection,
    take: TakeOver,
) -> io::Result<()> {
    block_on(poll_fn(|cx| wire.poll_write_held(cx)))?;
    let ahead = wire.take_input();
    if let Some(transport) = wire.into_transport() {
        connection.set_idle(false);
        take(Upgraded::new(transport, ahead));
    }
    Ok(())
}

/// Has the connection's task woken for what comes from elsewhere, and takes note of a drain.
pub(crate) fn watch<T: Transport>(
    wire: &Wire<T>,
    connection: &server::Connection,
    cx: &Context<'_>,
) {
    wire.watched.deadlines.wake_by(cx.waker());
    connection.wake_on_drain(cx.waker());
    if connection.is_draining() {
        wire.notes.draining.set(true);
    }
}

fn serve_http1<T: Transport>(
    wire: &Rc<Wire<T>>,
    service: Service,
    facts: &Facts,
    connection: &server::Connection,
) -> io::Result<()> {
    #[cfg(feature = "tower")]
    if service.0.config.tower.is_some() {
        return serve_tower(wire, service, facts, connection);
    }
    let make = || {
        let io = HyperIo(Rc::clone(wire));
        let http = service.0.config.http1.serve_connection(io, service.clone());
        Box::new(http)
    };
    drive(make, wire, facts, connection)
}

/// The same for a service that may take the connection over.
#[cfg(feature = "tower")]
#[inline(never)]
fn serve_tower<T: Transport>(
    wire: &Rc<Wire<T>>,
    service: Service,
    facts: &Facts,
    connection: &server::Connection,
) -> io::Result<()> {
    let bridge = RefCell::new(None);
    let make = || {
        let (io, new) = crate::bridge::bridge(wire);
        let former = bridge.replace(Some(new));
        drop(former);
        let http = service.0.config.http1.serve_connection(io, service.clone());
        Box::new(http.with_upgrades())
    };
    drive(make, wire, facts, connection)?;
    let Some(bridge) = bridge.into_inner() else {
        return Ok(());
    };
    // Of what was not taken over, this end of the pipe has ended as well.
    bridge.end_of_http();
    connection.set_idle(false);
    match wire.notes.refused.get() {
        None => bridge.carry(connection),
        Some(_) => Ok(()),
    }
}

/// Drives hyper to its end, one after another: each is let go while the connection is idle.
fn drive<T: Transport, C: Http1>(
    make: impl Fn() -> Box<C>,
    wire: &Wire<T>,
    facts: &Facts,
    connection: &server::Connection,
) -> io::Result<()> {
    let mut told = false;
    let mut holder = Holder::new(wire);
    let served = block_on(poll_fn(|cx| {
        watch(wire, connection, cx);
        loop {
            let http = match &mut holder.http {
                Some(http) => http,
                None => {
                    let passed = wire.poll_passed(cx, |_| ());
                    if passed.is_pending() {
                        connection.set_idle(wire.is_idle());
                        wire.watched.deadlines.rest.set(Rest::Light(0));
                    }
                    match ready!(passed)? {
                        true => holder.hold(&make),
                        false => return Poll::Ready(Ok(())),
                    }
                }
            };
            let polled = Pin::new(&mut *http).poll(cx);
            let is_idle = wire.is_idle();
            connection.set_idle(is_idle);
            if let Poll::Ready(served) = polled {
                return Poll::Ready(served.map_err(io::Error::other));
            }
            // Told before, it would look at no request that has come already. If there is none, the wire ends it.
            if !told && connection.is_draining() && wire.notes.under_way.get() > 0 {
                told = true;
                http.shut_down();
                continue;
            }
            if wire.is_late() {
                facts.workers.kill();
                return Poll::Ready(Err(io::Error::new(
                    ErrorKind::TimedOut,
                    "the request took too long",
                )));
            }
            if drain_leftover(facts, wire.rules.limits.drain, cx) {
                continue;
            }
            if is_idle && wire.lets_hyper_go() {
                holder.let_go()?;
                continue;
            }
            wire.watched.deadlines.rest.set(match is_idle {
                true => Rest::Idle(0),
                false => Rest::Busy,
            });
            return Poll::Pending;
        }
    }));
    match served {
        Err(error) if wire.notes.refused.get().is_none() || wire.notes.broken.get() => Err(error),
        _ => Ok(()),
    }
}

/// Reads what a handler has left unread. True if hyper can go on because of it.
fn drain_leftover(facts: &Facts, limit: usize, cx: &mut Context<'_>) -> bool {
    let Some(mut body) = facts.leftover.take() else {
        return false;
    };
    match poll_leftover(&mut body, cx) {
        Poll::Ready(Some(len)) => {
            let drained = facts.notes.drained.get() + len;
            facts.notes.drained.set(drained);
            if drained <= limit {
                *facts.leftover.borrow_mut() = Some(body);
            }
            true
        }
        Poll::Ready(None) => {
            facts.notes.drained.set(0);
            true
        }
        Poll::Pending => {
            // What is known to be too long is not begun with.
            let left = body.size_hint().lower();
            if left > limit as u64 {
                return true;
            }
            *facts.leftover.borrow_mut() = Some(body);
            false
        }
    }
}

fn poll_leftover(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<usize>> {
    Pin::new(body).poll_frame(cx).map(|frame| match frame {
        Some(Ok(frame)) => Some(frame.data_ref().map_or(0, bytes::Bytes::len)),
        Some(Err(_)) | None => None,
    })
}

/// Sends the answer to what was refused, if there is one, and ends the connection so that the client can read it.
#[inline(never)]
fn end<T: Transport>(wire: &Wire<T>, connection: &server::Connection) -> io::Result<()> {
    let refused = wire.notes.refused.get();
    if let Some(refusal) = refused.filter(|_| !wire.notes.told.get()) {
        wire.hold(refusal.answer(wire.is_to_head()).as_bytes());
        connection.count_served(Some(refusal.status.as_u16()));
    }
    block_on(poll_fn(|cx| wire.poll_write_held(cx)))?;
    block_on(poll_fn(|cx| {
        Pin::new(&mut *wire.transport()).poll_close(cx)
    }))?;
    if wire.is_at_rest() {
        return Ok(());
    }
    let _ = Timeout::new(LINGER).run(|| linger(wire));
    Ok(())
}

fn linger<T: Transport>(wire: &Wire<T>) {
    let mut buffer = vec![0; 8 * 1024];
    let mut read = 0;
    while read < LINGER_BYTES {
        match block_on(poll_fn(|cx| {
            Pin::new(&mut *wire.transport()).poll_read(cx, &mut buffer)
        })) {
            Ok(0) | Err(_) => break,
            Ok(len) => read += len,
        }
    }
}

/// hyper with what the guard leaves to it.
pub(crate) fn http1_builder(config: &crate::limits::Limits, title_case: bool) -> http1::Builder {
    let mut http1 = http1::Builder::new();
    // A client may shut its half down and wait for the answer. Deadlines and pipelining are the wire's.
    http1
        .half_close(true)
        .header_read_timeout(None)
        .title_case_headers(title_case);
    if config.headers > 100 {
        http1.max_headers(config.headers);
    }
    http1.max_buf_size(config.head.max(64 * 1024) + 8192);
    http1
}
