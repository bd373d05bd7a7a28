//! One connection: what its greenthreads share, borrowed only between waits.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use green::semaphore::{BoundedSemaphore, Permit};
use green::{Builder, Lock};

use crate::message::{Close, Message};
use crate::protocol::{Agreed, Decoder, Encoder, Event, Role};
use crate::{Error, Options, Stream};

/// A buffer above this size is given back once it is empty.
const KEPT: usize = 64 * 1024;

/// What a close frame may carry besides its code.
pub(super) const LONGEST_REASON: usize = 123;

/// See the module.
///
/// What is sent goes through `out`, in whole frames, and leaves it from the front. So a frame that is half out when its
/// sender is cut short is finished before any other, by whoever sends next: the next sender, or a greenthread of our own
/// if there is none.
pub(super) struct Connection<S> {
    pub(super) stream: S,
    pub(super) role: Role,
    pub(super) close_timeout: Duration,
    decoder: RefCell<Decoder>,
    pub(super) receiving: Lock,
    encoder: RefCell<Encoder>,
    out: RefCell<Out>,
    pub(super) sending: Lock,
    pub(super) due: RefCell<Due>,
    /// A greenthread is on its way that sends what nobody else does.
    is_helped: Cell<bool>,
    /// Nothing may follow a close frame.
    close_sent: Cell<bool>,
    /// What the peer has said at its end, with or without a code.
    pub(super) peer_close: RefCell<Option<Option<Close>>>,
    /// The stream is closed, or has failed.
    pub(super) ended: Cell<bool>,
    /// The peer has broken a rule.
    pub(super) is_broken: Cell<bool>,
}

/// Frames on their way out.
#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    at: usize,
}

/// Control frames that go out before the next message.
#[derive(Default)]
pub(super) struct Due {
    /// The answer to the last ping: earlier ones need none any more.
    pong: Option<Vec<u8>>,
    pub(super) close: Option<Option<Close>>,
}

/// The right to send. Whoever gives it back leaves nothing behind that nobody would send.
pub(super) struct Turn<'a, S: Stream + 'static> {
    connection: &'a Rc<Connection<S>>,
    _permit: Permit<'a, BoundedSemaphore>,
}

impl<S: Stream + 'static> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        if self.connection.ended.get() || self.connection.is_all_out() {
            return;
        }
        if self.connection.is_helped.replace(true) {
            return;
        }
        let connection = Rc::clone(self.connection);
        // Without a stack for it the rest goes out with what is sent next.
        let spawned = Builder::new().name("WebSocket sender").spawn(move || {
            let permit = connection.sending.acquire();
            connection.is_helped.set(false);
            if permit.is_held() && connection.flush().is_err() {
                connection.end();
            }
        });
        if spawned.is_err() {
            self.connection.is_helped.set(false);
        }
    }
}

pub(super) fn unwinding(what: &str) -> Error {
    let text = format!("cannot {what} while the thread unwinds: another greenthread is doing it");
    io::Error::new(io::ErrorKind::WouldBlock, text).into()
}

fn without_close() -> Error {
    let text = "the peer ended the connection without a close frame";
    io::Error::new(io::ErrorKind::UnexpectedEof, text).into()
}

impl<S: Stream + 'static> Connection<S> {
    pub(super) fn new(
        stream: S,
        role: Role,
        options: &Options,
        deflate: Option<Agreed>,
        ahead: &[u8],
    ) -> Connection<S> {
        stream.send_at_once();
        let mut decoder = Decoder::new(role, options.max_message, deflate);
        decoder.push(ahead);
        Connection {
            stream,
            role,
            close_timeout: options.close_timeout,
            decoder: RefCell::new(decoder),
            receiving: Lock::new(),
            encoder: RefCell::new(Encoder::new(role, deflate)),
            out: RefCell::default(),
            sending: Lock::new(),
            due: RefCell::default(),
            is_helped: Cell::new(false),
            close_sent: Cell::new(false),
            peer_close: RefCell::default(),
            ended: Cell::new(false),
            is_broken: Cell::new(false),
        }
    }

    /// True if nothing can be sent any more.
    pub(super) fn is_closed(&self) -> bool {
        self.ended.get() || self.close_sent.get() || self.peer_close.borrow().is_some()
    }

    pub(super) fn turn(self: &Rc<Self>) -> Result<Turn<'_, S>, Error> {
        let permit = self.sending.acquire();
        match permit.is_held() {
            true => Ok(Turn {
                connection: self,
                _permit: permit,
            }),
            false => Err(unwinding("send on a WebSocket")),
        }
    }

    /// Has `encode` append a frame, and waits until it has gone out. Up to its turn, nothing of it is.
    pub(super) fn send(
        self: &Rc<Self>,
        encode: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) -> Result<(), Error> {
        let _turn = self.turn()?;
        self.flush_open()?;
        if self.is_closed() {
            return Err(Error::Closed);
        }
        encode(
            &mut self.encoder.borrow_mut(),
            &mut self.out.borrow_mut().bytes,
        );
        self.flush_open()
    }

    /// Flushes; an error of a connection that was closed meanwhile says just that.
    fn flush_open(&self) -> Result<(), Error> {
        self.flush().map_err(|error| match self.is_closed() {
            true => Error::Closed,
            false => error.into(),
        })
    }

    fn is_all_out(&self) -> bool {
        let due = self.due.borrow();
        let nothing_due = due.pong.is_none() && due.close.is_none();
        nothing_due && self.out.borrow().bytes.is_empty() && self.stream.is_flushed()
    }

    /// Waits until all has gone out. For who has the turn.
    pub(super) fn flush(&self) -> io::Result<()> {
        while !self.is_all_out() {
            match self.push() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.writable()?
                }
                pushed => pushed?,
            }
            if self.out.borrow().bytes.is_empty() {
                self.stream.flush()?;
            }
        }
        Ok(())
    }

    /// Sends what goes without waiting, what is due last.
    pub(super) fn push(&self) -> io::Result<()> {
        self.encode_due();
        let mut out = self.out.borrow_mut();
        while out.at < out.bytes.len() {
            match self.stream.try_write(&out.bytes[out.at..])? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => out.at += written,
            }
        }
        out.at = 0;
        out.bytes.clear();
        if out.bytes.capacity() > KEPT {
            out.bytes = Vec::new();
        }
        Ok(())
    }

    fn encode_due(&self) {
        let due = self.due.take();
        if self.close_sent.get() {
            return;
        }
        let (encoder, mut out) = (self.encoder.borrow(), self.out.borrow_mut());
        if let Some(payload) = due.pong {
            encoder.pong(&payload, &mut out.bytes);
        }
        if let Some(close) = due.close {
            encoder.close(close.as_ref(), &mut out.bytes);
            self.close_sent.set(true);
        }
    }

    /// Sends what is due as far as that works without waiting: the one who receives must not wait for a peer that does
    /// not. The rest is for who has the turn, or for a greenthread of its own.
    fn answer(self: &Rc<Self>) {
        if let Some(permit) = self.sending.try_acquire() {
            let _turn = Turn {
                connection: self,
                _permit: permit,
            };
            let _ = self.push();
        }
    }

    pub(super) fn receive(self: &Rc<Self>) -> Result<Option<Message>, Error> {
        let permit = self.receiving.acquire();
        if !permit.is_held() {
            return Err(unwinding("receive from a WebSocket"));
        }
        loop {
            if self.peer_close.borrow().is_some() {
                self.finish();
                return Ok(None);
            }
            if self.ended.get() {
                return match self.close_sent.get() && !self.is_broken.get() {
                    true => Ok(None),
                    false => Err(Error::Closed),
                };
            }
            match self.next_event() {
                Ok(Event::Message(message)) => return Ok(Some(message)),
                Ok(event) => self.note(event),
                // The peer need not be polite about an end that we have announced.
                Err(Error::Io(_)) if self.close_sent.get() && self.ended.get() => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn note(self: &Rc<Self>, event: Event) {
        match event {
            Event::Ping(payload) => {
                self.due.borrow_mut().pong = Some(payload);
                self.answer();
            }
            Event::Close(close) => *self.peer_close.borrow_mut() = Some(close),
            Event::Pong | Event::Message(_) => {}
        }
    }

    /// Waits for the next thing that comes whole.
    pub(super) fn next_event(self: &Rc<Self>) -> Result<Event, Error> {
        loop {
            let next = self.decoder.borrow_mut().next();
            match next {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(violation) => {
                    let mut reason = violation.what.clone();
                    reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
                    self.fail(Close {
                        code: violation.code,
                        reason,
                    });
                    return Err(violation.into());
                }
            }
            self.stream.readable()?;
            let filled = self
                .decoder
                .borrow_mut()
                .fill(|room| self.stream.try_read(room));
            match filled {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) => {
                    self.end();
                    return Err(without_close());
                }
                Ok(_) => {}
                Err(error) => {
                    self.end();
                    return Err(error.into());
                }
            }
        }
    }

    pub(super) fn end(&self) {
        self.ended.set(true);
        self.stream.close();
    }
}
