//! The stream under hyper: the guard on what comes, answers gathered on what goes, deadlines on both.
//!
//! hyper gets one message at a time. So it is known here whether another request has come already: then the answer is
//! held back, and goes out together with the next one. What is held back goes out before anything waits, and at the
//! latest when the connection's greenthread lets others run.

use std::cell::{Cell, RefCell, RefMut};
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::clock::Watched;
use crate::guard::{Guard, Refusal};
use crate::limits::{Limits, Timeouts};
use crate::transport::Transport;
use http::StatusCode;

/// What is read at a time, into a buffer that all connections of the thread share.
const READ: usize = 64 * 1024;
/// So much is taken from hyper though the client takes nothing: the end of an answer never gets lost with hyper.
const ALWAYS_TAKEN: usize = 16 * 1024;
/// So much is held back at most.
const HELD: usize = 64 * 1024;
/// The start of an HTTP/2 connection (RFC 9113, 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
    transport: RefCell<T>,
    input: RefCell<Input>,
    output: RefCell<Output>,
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
    /// What goes with the next 100 Continue.
    pub(crate) with_continue: RefCell<Option<Vec<u8>>>,
    pub(crate) raw: RefCell<bytes::Bytes>,
    /// Requests that have not been answered to the end.
    pub(crate) under_way: Cell<usize>,
    /// Set once the peer cannot be heard or told anything any more.
    pub(crate) broken: Cell<bool>,
    pub(crate) draining: Cell<bool>,
    /// How much was read of a body that nobody reads.
    pub(crate) drained: Cell<usize>,
    /// The client was answered what it was refused with.
    pub(crate) told: Cell<bool>,
}

struct Input {
    guard: Guard,
    /// What has come and was not handed on, from `start` on.
    bytes: Vec<u8>,
    start: usize,
    /// How much of it the guard lets through.
    passed: usize,
    /// True if it is a head that the guard lets through, none of which was handed on.
    head: bool,
    /// True once the bytes are no messages of HTTP/1.
    opaque: bool,
    ended: bool,
    /// True once there was a request.
    begun: bool,
}

#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    start: usize,
    /// True if somebody will write what is held back.
    flusher: bool,
}

impl Output {
    fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }
}

impl<T: Transport> Wire<T> {
    pub(crate) fn new(transport: T, rules: Rc<Rules>, watched: Watched) -> Rc<Wire<T>> {
        Rc::new(Wire {
            transport: RefCell::new(transport),
            input: RefCell::new(Input {
                guard: Guard::new(),
                bytes: Vec::new(),
                start: 0,
                passed: 0,
                head: false,
                opaque: false,
                ended: false,
                begun: false,
            }),
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

    /// Waits until it is known what is spoken: true if it is HTTP/2 with prior knowledge.
    pub(crate) fn poll_preface(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            {
                let input = self.input.borrow();
                let here = &input.bytes[input.start..];
                let compared = here.len().min(PREFACE.len());
                if compared == PREFACE.len()
                    || here[..compared] != PREFACE[..compared]
                    || input.ended
                    || (here.is_empty() && self.notes.draining.get())
                {
                    return Poll::Ready(Ok(here.starts_with(PREFACE)));
                }
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    /// From now on the bytes are not HTTP/1's.
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

    fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            {
                let input = &mut *self.input.borrow_mut();
                if input.hand_on(buf, &self.rules, &self.notes) {
                    self.watched.deadlines.read.set(None);
                    return Poll::Ready(Ok(()));
                }
                if self.notes.draining.get() && input.is_idle() && !input.opaque {
                    return Poll::Ready(Ok(()));
                }
                if input.ended || self.notes.refused.get().is_some() {
                    let in_body = input.guard.is_in_body();
                    return Poll::Ready(match self.notes.refused.get() {
                        Some(refusal) if in_body => {
                            Err(io::Error::new(ErrorKind::InvalidData, refusal))
                        }
                        _ => Ok(()),
                    });
                }
                match input.check(&self.rules) {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(refusal) => {
                        log::debug!("refused a request: {refusal}");
                        self.notes.refused.set(Some(refusal));
                        continue;
                    }
                }
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    /// Reads more. What is held back goes out first.
    fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client may be waiting for it. If it cannot be written, that is for the writer to see.
        let _ = self.poll_write_held(cx)?;
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

    /// Writes what is held back. `Pending` leaves some of it.
    pub(crate) fn poll_write_held(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let output = &mut *self.output.borrow_mut();
        while !output.is_empty() {
            let held = &output.bytes[output.start..];
            let written = Pin::new(&mut *self.transport.borrow_mut()).poll_write(cx, held);
            output.start += ready!(self.written(written))?;
        }
        if !output.bytes.is_empty() {
            output.start = 0;
            output.bytes.clear();
            output.bytes.shrink_to(4096);
        }
        Poll::Ready(Ok(()))
    }

    /// Sets the deadline of a write that waits, or finds that it has passed.
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let (clock, deadlines) = (&self.watched.clock, &self.watched.deadlines);
        match written {
            Poll::Ready(Ok(0)) => {
                self.notes.broken.set(true);
                Poll::Ready(Err(ErrorKind::WriteZero.into()))
            }
            Poll::Ready(Ok(len)) => {
                deadlines.write.set(None);
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => {
                self.notes.broken.set(true);
                Poll::Ready(Err(error))
            }
            Poll::Pending => match deadlines.write.get() {
                Some(deadline) if clock.now() >= deadline => {
                    self.notes.broken.set(true);
                    Poll::Ready(Err(io::Error::new(
                        ErrorKind::TimedOut,
                        "the client takes nothing of the answer",
                    )))
                }
                Some(_) => Poll::Pending,
                None => {
                    deadlines.write.set(clock.after(self.rules.timeouts.write));
                    Poll::Pending
                }
            },
        }
    }

    fn poll_write_slices(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        if self.notes.with_continue.borrow().is_some() && self.extend_continue(bufs) {
            let _ = self.poll_write_held(cx)?;
            return Poll::Ready(Ok(CONTINUE.len()));
        }
        if total <= HELD && self.next_is_here() {
            let output = &mut *self.output.borrow_mut();
            if output.bytes.len() + total <= HELD {
                output.take(bufs);
                self.flush_later(output);
                return Poll::Ready(Ok(total));
            }
        }
        let mut output = self.output.borrow_mut();
        if !output.is_empty() {
            // In one write with what is held back.
            if output.bytes.len() - output.start + total <= HELD {
                output.take(bufs);
                drop(output);
                let _ = self.poll_write_held(cx)?;
                return Poll::Ready(Ok(total));
            }
            drop(output);
            ready!(self.poll_write_held(cx))?;
        } else {
            drop(output);
        }
        let written = Pin::new(&mut *self.transport.borrow_mut()).poll_write_vectored(cx, bufs);
        if written.is_pending() && total <= ALWAYS_TAKEN {
            self.output.borrow_mut().take(bufs);
            let _ = self.poll_write_held(cx)?;
            return Poll::Ready(Ok(total));
        }
        self.written(written)
    }

    /// Writes a 100 Continue with the fields that the handler wants there, in the place of hyper's.
    fn extend_continue(&self, bufs: &[IoSlice<'_>]) -> bool {
        let starts = bufs
            .first()
            .is_some_and(|first| first.starts_with(CONTINUE));
        let Some(fields) = starts.then(|| self.notes.with_continue.take()).flatten() else {
            return false;
        };
        let output = &mut *self.output.borrow_mut();
        output
            .bytes
            .extend_from_slice(&CONTINUE[..CONTINUE.len() - 2]);
        output.bytes.extend_from_slice(&fields);
        output.bytes.extend_from_slice(b"\r\n");
        true
    }

    /// True if the head of another request has come.
    fn next_is_here(&self) -> bool {
        let input = &mut *self.input.borrow_mut();
        if input.opaque || input.bytes.len() == input.start {
            return false;
        }
        if input.passed == 0 && !input.guard.is_in_body() && self.notes.refused.get().is_none() {
            // A refusal is found again when hyper asks for the request.
            let _ = input.check(&self.rules);
        }
        input.head
    }

    /// Has what is held back written when this greenthread lets others run.
    fn flush_later(self: &Rc<Self>, output: &mut Output) {
        if !std::mem::replace(&mut output.flusher, true) {
            let wire = Rc::downgrade(self);
            green::spawn_n(move || {
                if let Some(wire) = wire.upgrade() {
                    wire.output.borrow_mut().flusher = false;
                    // What does not go out now goes out when hyper next writes or reads.
                    let _ = wire.poll_write_held(&mut Context::from_waker(Waker::noop()));
                }
            });
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

    /// Puts bytes behind what is held back.
    pub(crate) fn hold(&self, bytes: &[u8]) {
        self.output.borrow_mut().take(&[IoSlice::new(bytes)]);
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

impl Output {
    fn take(&mut self, bufs: &[IoSlice<'_>]) {
        for buf in bufs {
            self.bytes.extend_from_slice(buf);
        }
    }
}

impl Input {
    fn push(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            // An idle connection keeps next to nothing.
            self.bytes.shrink_to(1024);
        } else if self.start > READ {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
        if self.opaque {
            self.passed = self.bytes.len() - self.start;
        }
    }

    fn is_idle(&self) -> bool {
        self.start == self.bytes.len()
            && self.passed == 0
            && (self.opaque || self.guard.is_between())
    }

    /// Hands on what the guard has let through. False if that is nothing.
    fn hand_on(&mut self, buf: &mut ReadBufCursor<'_>, rules: &Rules, notes: &Notes) -> bool {
        if self.passed == 0 {
            return false;
        }
        let bytes = &self.bytes[self.start..self.start + self.passed];
        self.begun = true;
        if std::mem::take(&mut self.head) {
            notes.underscore.set(self.guard.head.underscore);
            if rules.keep_raw {
                *notes.raw.borrow_mut() = bytes::Bytes::copy_from_slice(bytes);
            }
        }
        let len = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..len]);
        self.start += len;
        self.passed -= len;
        true
    }

    /// Asks the guard. True if it has got further.
    fn check(&mut self, rules: &Rules) -> Result<bool, Refusal> {
        let here = &self.bytes[self.start..];
        if here.is_empty() {
            return Ok(false);
        }
        let passed = self.guard.check(here, &rules.limits)?;
        self.start += passed.skip;
        self.passed = passed.pass;
        self.head = passed.head;
        Ok(passed.skip + passed.pass > 0)
    }
}

/// What hyper reads from and writes to.
pub(crate) struct HyperIo<T>(pub(crate) Rc<Wire<T>>);

impl<T: Transport> Read for HyperIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_into(cx, &mut buf)
    }
}

impl<T: Transport> Write for HyperIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_slices(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_slices(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.next_is_here() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.0.poll_write_held(cx))?;
        Pin::new(&mut *self.0.transport.borrow_mut()).poll_flush(cx)
    }

    /// hyper is done. The connection is ended by those who own it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_held(cx)
    }
}
