//! HTTP/2: each stream a greenthread.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use green::future::block_on;
use green::server::Connection;
use hyper::rt::Executor;
use hyper::server::conn::http2;

use crate::connection::watch;
use crate::hyper_io::HyperIo;
use crate::rest::Rest;
use crate::service::{Answering, Service};
use crate::transport::Transport;
use crate::wire::Wire;

/// Streams of a connection at a time.
const STREAMS: u32 = 200;
/// So many streams may a client have opened and reset before they were answered. More is an attack: the connection ends.
const RESET: usize = 20;

/// Gives each stream a greenthread.
#[derive(Clone)]
struct Streams(Rc<Answering>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let clock = Rc::clone(&self.0.clock);
        // For the stream for which hyper has just called the service.
        let facts = self.0.stream.borrow().clone();
        let deadlines = facts.map(|facts| Rc::clone(&facts.deadlines));
        self.0.facts.workers.spawn_n(move || {
            let watched = clock.watch(deadlines.unwrap_or_default());
            let mut stream = pin!(stream);
            block_on(poll_fn(|cx| {
                watched.deadlines.wake_by(cx.waker());
                // What is not driven to its end is reset.
                match watched.is_late() {
                    true => Poll::Ready(()),
                    false => stream.as_mut().poll(cx),
                }
            }));
        });
    }
}

pub(crate) fn serve<T: Transport>(
    wire: &Rc<Wire<T>>,
    service: Service,
    connection: &Connection,
) -> io::Result<()> {
    wire.set_opaque();
    let limits = &wire.rules.limits;
    let mut builder = http2::Builder::new(Streams(Rc::clone(&service.0)));
    builder
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESET)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX));
    let mut http = builder.serve_connection(HyperIo(Rc::clone(wire)), service);
    let mut told = false;
    block_on(poll_fn(|cx| {
        watch(wire, connection, cx);
        if connection.is_draining() && !told {
            told = true;
            Pin::new(&mut http).graceful_shutdown();
        }
        let polled = Pin::new(&mut http).poll(cx);
        let is_idle = wire.is_idle();
        connection.set_idle(is_idle);
        // hyper remembers too much of such a connection to be let go.
        wire.watched.deadlines.rest.set(match is_idle {
            true => Rest::Light(0),
            false => Rest::Busy,
        });
        polled.map_err(io::Error::other)
    }))
}
