//! The stream under hyper: the guard on what comes, answers gathered on what goes, deadlines on both.
//!
//! hyper gets one message at a time. So it is known here whether another request has come already: then the answer is
//! held back, and goes out together with the next one. What is held back goes out before anything waits, and at the
//! latest when the connection's greenthread lets others run.

use std::cell::{Cell, RefCell, RefMut};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;

use crate::clock::Watched;
use crate::guard::Refusal;
use crate::input::Input;
use crate::limits::{Limits, Timeouts};
use crate::output::Output;
use crate::rest::Rest;
use crate::transport::Transport;
use http::StatusCode;

/// What is read at a time, into a buffer that all connections of the thread share.
pub(crate) const READ: usize = 64 * 1024;
/// The start of an HTTP/2 connection (RFC 9113, 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

thread_local! {
    pub(crate) static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What all connections of a server share of it.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) keep_raw: bool,
}

/// One connection, shared by hyper and those who serve it.
pub(crate) struct Wire<T> {
    pub(crate) transport: RefCell<T>,
    pub(crate) input: RefCell<Input>,
    pub(crate) output: RefCell<Output>,
    pub(crate) rules: Rc<Rules>,
    pub(crate) watched: Watched,
    pub(crate) notes: Rc<Notes>,
}

/// What the wire and the service tell each other.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) refused: Cell<Option<Refusal>>,
    /// The message at hand has fields whose names have an underscore.
    pub(crate) underscore: Cell<bool>,
    /// Its client waits for a 100 Continue.
    pub(crate) expects: Cell<bool>,
    /// What goes with the next 100 Continue.
    pub(crate) with_continue: RefCell<Option<Vec<u8>>>,
    /// The head of the message at hand, where it is kept.
    pub(crate) raw: RefCell<Option<Rc<[u8]>>>,
    /// Requests that have not been answered to the end.
    pub(crate) under_way: Cell<usize>,
    /// Set once the peer cannot be heard or told anything any more.
    pub(crate) broken: Cell<bool>,
    pub(crate) draining: Cell<bool>,
    /// hyper has asked for more after all else that it had to do.
    pub(crate) asked: Cell<bool>,
    /// Since a drain has begun, nothing was there to be read.
    looked: Cell<bool>,
    /// How much was read of a body that nobody reads.
    pub(crate) drained: Cell<usize>,
    /// The connection has become a WebSocket of somebody else's.
    #[cfg(feature = "tower")]
    pub(crate) web_socket: Cell<bool>,
    /// The client was answered what it was refused with.
    pub(crate) told: Cell<bool>,
}

impl<T: Transport> Wire<T> {
    pub(crate) fn new(transport: T, rules: Rc<Rules>, watched: Watched) -> Rc<Wire<T>> {
        Rc::new(Wire {
            transport: RefCell::new(transport),
            input: RefCell::new(Input::new()),
            output: RefCell::default(),
            rules,
            watched,
            notes: Rc::default(),
        })
    }

    pub(crate) fn transport(&self) -> RefMut<'_, T> {
        self.transport.borrow_mut()
    }

    /// True if nothing of a request is here, none is under way, and no answer waits for its client.
    pub(crate) fn is_idle(&self) -> bool {
        self.notes.under_way.get() == 0
            && self.watched.deadlines.write.get().is_none()
            && self.output.borrow().is_empty()
            && self.input.borrow().is_idle()
    }

    /// True if hyper has nothing to do and nothing to remember, and is to be let go.
    pub(crate) fn lets_hyper_go(&self) -> bool {
        let clock = &self.watched.clock;
        let wanted = self.watched.deadlines.rest.get() == Rest::Told || clock.held.are_many();
        wanted && self.notes.asked.get() && self.is_idle()
    }

    /// Ready once it is known what is spoken: true if it is HTTP/2 with prior knowledge.
    pub(crate) fn poll_preface(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let cut = {
                let input = self.input.borrow();
                let here = &input.bytes[input.start..];
                let compared = here.len().min(PREFACE.len());
                if compared == PREFACE.len()
                    || here[..compared] != PREFACE[..compared]
                    || input.ended
                {
                    return Poll::Ready(Ok(here.starts_with(PREFACE)));
                }
                here.is_empty() && self.notes.draining.get()
            };
            match self.poll_fill(cx)? {
                Poll::Pending if cut && self.has_looked_twice(cx) => {
                    return Poll::Ready(Ok(false));
                }
                filled => ready!(filled),
            }
        }
    }

    /// From now on the bytes are not HTTP/1's.
    #[cfg(feature = "http2")]
    pub(crate) fn set_opaque(&self) {
        let mut input = self.input.borrow_mut();
        input.opaque = true;
        input.passed = input.bytes.len() - input.start;
    }

    /// What has come and was handed to nobody.
    pub(crate) fn take_input(&self) -> Vec<u8> {
        let mut input = self.input.borrow_mut();
        let start = input.start;
        input.start = 0;
        input.passed = 0;
        let mut bytes = std::mem::take(&mut input.bytes);
        bytes.drain(..start);
        bytes
    }

    /// Gives the transport away. Nobody else may use the wire any more.
    pub(crate) fn into_transport(self: Rc<Self>) -> Option<T> {
        Rc::into_inner(self).map(|wire| wire.transport.into_inner())
    }

    /// Ready once the guard lets something through, with true and after `take`; or once nothing more is to be read.
    pub(crate) fn poll_passed(
        &self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut Input),
    ) -> Poll<io::Result<bool>> {
        loop {
            let cut = {
                let input = &mut *self.input.borrow_mut();
                if !input.ended
                    && self.notes.refused.get().is_none()
                    && let Err(refusal) = input.check(&self.rules)
                {
                    log::debug!("refused a request: {refusal}");
                    self.notes.refused.set(Some(refusal));
                }
                if input.passed > 0 {
                    take(input);
                    return Poll::Ready(Ok(true));
                }
                if input.ended || self.notes.refused.get().is_some() {
                    let in_body = input.guard.is_in_body();
                    return Poll::Ready(match self.notes.refused.get() {
                        Some(refusal) if in_body => {
                            Err(io::Error::new(ErrorKind::InvalidData, refusal))
                        }
                        _ => Ok(false),
                    });
                }
                self.notes.draining.get() && input.is_idle() && !input.opaque
            };
            match self.poll_fill(cx)? {
                // A request that had come before the drain is served.
                Poll::Pending if cut && self.has_looked_twice(cx) => return Poll::Ready(Ok(false)),
                filled => ready!(filled),
            }
        }
    }

    pub(crate) fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let passed = self.poll_passed(cx, |input| {
            input.hand_on(buf, &self.rules, &self.notes);
            self.watched.deadlines.read.set(None);
        });
        self.notes.asked.set(passed.is_pending());
        passed.map_ok(|_| ())
    }

    /// True if nothing has come. The first time may only say that others have to run: then this looks again.
    fn has_looked_twice(&self, cx: &Context<'_>) -> bool {
        let looked = self.notes.looked.replace(true);
        if !looked {
            cx.waker().wake_by_ref();
        }
        looked
    }

    /// Reads more. What is held back goes out first.
    fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client may be waiting for it. If it cannot be written, that is for the writer to see.
        if !self.output.borrow().is_empty() {
            let _ = self.poll_write_held(cx)?;
        }
        let read = SCRATCH.with(|scratch| {
            let scratch = &mut *scratch.borrow_mut();
            scratch.resize(READ, 0);
            let read = Pin::new(&mut *self.transport.borrow_mut()).poll_read(cx, scratch);
            if let Poll::Ready(Ok(len)) = read {
                self.input.borrow_mut().push(&scratch[..len]);
            }
            read
        });
        let deadlines = &self.watched.deadlines;
        match read {
            Poll::Ready(Ok(len)) => {
                let input = &mut *self.input.borrow_mut();
                if len == 0 {
                    input.ended = true;
                }
                // Only a head must be whole in time: a body and silence begin anew with each byte.
                if input.opaque || input.guard.is_in_body() || input.guard.is_between() {
                    deadlines.read.set(None);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.notes.broken.set(true);
                Poll::Ready(Err(error))
            }
            Poll::Pending => self.wait_to_read(),
        }
    }

    /// Sets the deadline of what is waited for, or finds that it has passed.
    fn wait_to_read(&self) -> Poll<io::Result<()>> {
        let (clock, deadlines) = (&self.watched.clock, &self.watched.deadlines);
        let input = &mut *self.input.borrow_mut();
        let timeouts = &self.rules.timeouts;
        let Some(deadline) = deadlines.read.get() else {
            let timeout = match () {
                () if input.guard.is_in_body() => timeouts.body,
                () if !input.is_idle() || !input.begun => timeouts.head,
                () if self.notes.under_way.get() > 0 => None,
                () => timeouts.keep_alive,
            };
            deadlines.read.set(clock.after(timeout));
            return Poll::Pending;
        };
        if clock.now() < deadline || (input.opaque && self.notes.under_way.get() > 0) {
            return Poll::Pending;
        }
        deadlines.read.set(None);
        if input.is_idle() {
            input.ended = true;
            return Poll::Ready(Ok(()));
        }
        let refusal = Refusal::of(
            StatusCode::REQUEST_TIMEOUT,
            "the request did not come in time",
        );
        self.notes.refused.set(Some(refusal));
        input.ended = true;
        match input.guard.is_in_body() {
            true => Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, refusal))),
            false => Poll::Ready(Ok(())),
        }
    }

    /// True if the request at hand was not answered to the end in time.
    pub(crate) fn is_late(&self) -> bool {
        let deadline = &self.watched.deadlines.request;
        if self.notes.under_way.get() == 0 {
            deadline.set(None);
        }
        deadline
            .get()
            .is_some_and(|deadline| deadline <= self.watched.clock.now())
    }

    /// True if the last request was a HEAD.
    pub(crate) fn is_to_head(&self) -> bool {
        self.input.borrow().guard.head.to_head
    }

    /// True if nothing more is to be expected of the client, as far as it is known.
    pub(crate) fn is_at_rest(&self) -> bool {
        let input = self.input.borrow();
        input.ended || (self.notes.refused.get().is_none() && input.is_idle())
    }
}
