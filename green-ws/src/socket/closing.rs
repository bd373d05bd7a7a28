//! How a connection ends: politely, by either side; for a rule that was broken; because nobody uses it any more.

use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::thread::panicking;

use green::Timeout;

use super::connection::{Connection, unwinding};
use crate::message::Close;
use crate::protocol::Role;
use crate::{Error, Stream};

impl<S: Stream + 'static> Connection<S> {
    /// Answers the peer's close frame, and ends the connection.
    pub(super) fn finish(self: &Rc<Self>) {
        if self.ended.get() {
            return;
        }
        let echo = self.peer_close.borrow().clone().flatten();
        let _ = Timeout::new(self.close_timeout).run(|| {
            self.send_close(echo)?;
            self.await_end()
        });
        self.end();
    }

    /// Tells the peer what it has done wrong, lets it read that, and ends the connection.
    pub(super) fn fail(self: &Rc<Self>, close: Close) {
        self.is_broken.set(true);
        let _ = Timeout::new(self.close_timeout).run(|| {
            self.send_close(Some(close))?;
            self.stream.shutdown(Shutdown::Write)?;
            // What is unread when a socket is closed destroys what is on its way to the peer.
            self.drain()
        });
        self.end();
    }

    pub(super) fn close(self: &Rc<Self>, close: Close) -> Result<(), Error> {
        if self.ended.get() {
            return Ok(());
        }
        let closed = Timeout::new(self.close_timeout).run(|| {
            self.send_close(Some(close))?;
            self.await_close()?;
            // If another greenthread has got the answer, the stream may be closed already.
            match self.ended.get() {
                true => Ok(()),
                false => self.await_end(),
            }
        });
        self.end();
        if self.peer_close.borrow().is_some() {
            // Whoever received it may have closed the stream first.
            return Ok(());
        }
        closed.unwrap_or_else(|_| {
            let text = format!(
                "the peer has not answered the close frame in {:?}",
                self.close_timeout
            );
            Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
        })
    }

    /// Sends a close frame, unless one was sent before.
    fn send_close(self: &Rc<Self>, close: Option<Close>) -> Result<(), Error> {
        let _turn = self.turn()?;
        self.due.borrow_mut().close = Some(close);
        Ok(self.flush()?)
    }

    /// Waits for the peer's close frame; messages before it are of no use any more.
    fn await_close(self: &Rc<Self>) -> Result<(), Error> {
        let permit = self.receiving.acquire();
        if !permit.is_held() {
            return Err(unwinding("close a WebSocket"));
        }
        while self.peer_close.borrow().is_none() && !self.ended.get() {
            let event = self.next_event()?;
            self.note(event);
        }
        Ok(())
    }

    /// Waits until a server has closed the connection, which is the server's part.
    fn await_end(&self) -> Result<(), Error> {
        match self.role {
            Role::Server => Ok(()),
            Role::Client => self.drain(),
        }
    }

    /// Reads to the end of the stream.
    fn drain(&self) -> Result<(), Error> {
        let mut scratch = [0; 1024];
        loop {
            self.stream.readable()?;
            match self.stream.try_read(&mut scratch) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It was closed in another way.
                Err(_) => return Ok(()),
            }
        }
    }

    /// Ends a connection whose last handle is gone: tells the peer so, as far as that works without waiting, unless a
    /// panic or a kill has dropped it.
    pub(super) fn abandon(self: &Rc<Self>) {
        if self.ended.get() {
            return;
        }
        if !panicking()
            && let Some(_permit) = self.sending.try_acquire()
        {
            let reason = String::new();
            self.due.borrow_mut().close = Some(Some(Close { code: 1000, reason }));
            let _ = self.push();
        }
        self.end();
    }
}
