//! Records in and out: the state machine is moved between waits, never across one.

use std::cell::Cell;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::thread::panicking;

use rustls::{Reader, Writer};

use super::TlsStream;
use crate::Stream;
use crate::error::{TlsError, truncated, unwinding};

/// How often a stream that is dropped looks for what nobody has read.
const MOST_UNREAD: usize = 16;

/// The first bytes that came: of a peer that does not speak TLS they tell what it speaks.
#[derive(Clone, Copy, Default)]
pub(super) struct Opening {
    bytes: [u8; 8],
    len: u8,
}

impl Opening {
    fn note(&mut self, bytes: &[u8]) {
        let at = usize::from(self.len);
        let more = bytes.len().min(self.bytes.len() - at);
        self.bytes[at..at + more].copy_from_slice(&bytes[..more]);
        self.len += more as u8;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The socket as the state machine reads it. The first bytes are noted.
struct Incoming<'a, F> {
    read: F,
    opening: Option<&'a Cell<Opening>>,
}

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for Incoming<'_, F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = (self.read)(buf)?;
        if let Some(opening) = self.opening {
            let mut noted = opening.get();
            noted.note(&buf[..read]);
            opening.set(noted);
        }
        Ok(read)
    }
}

/// The socket as the state machine writes to it.
struct Outgoing<F>(F);

impl<F: FnMut(&[u8]) -> io::Result<usize>> Write for Outgoing<F> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (self.0)(buf)
    }

    /// Several records go out in one call: copying them costs less than a call each.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match bufs {
            [one] => (self.0)(one),
            many => {
                let gathered: Vec<u8> = many.iter().flat_map(|buf| buf.iter().copied()).collect();
                (self.0)(&gathered)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Marks a stream as cut unless it is told that all went well: by an unwinding too.
struct CutUnlessDone<'a>(&'a Cell<bool>);

impl Drop for CutUnlessDone<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl<S: Stream> TlsStream<S> {
    /// Takes decrypted data. `WouldBlock` says that more has to come first.
    pub(super) fn take_with(
        &self,
        take: impl FnOnce(&mut Reader<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.closed.get() {
            // What had come before is not given: the socket would not give it either.
            return self.socket().try_read(&mut [0]);
        }
        if self.reading_ended.get() {
            return Ok(0);
        }
        let taken = take(&mut self.machine.borrow_mut().reader());
        taken.map_err(|error| match (error.kind(), &*self.failure.borrow()) {
            (io::ErrorKind::WouldBlock, Some(failure)) => failure.clone().into(),
            (io::ErrorKind::UnexpectedEof, _) => truncated(),
            _ => error,
        })
    }

    pub(super) fn take_plaintext(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.take_with(|reader| reader.read(buf))
    }

    /// True if [`take_plaintext`](TlsStream::take_plaintext) would say something other than `WouldBlock`.
    pub(super) fn has_plaintext(&self) -> bool {
        let peeked = self.take_with(|reader| reader.fill_buf().map(<[u8]>::len));
        !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits for bytes from the peer and decrypts them. Gives how many there were.
    pub(super) fn receive(&self) -> io::Result<usize> {
        loop {
            self.socket().readable()?;
            match self.pull() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                pulled => return pulled,
            }
        }
    }

    /// Decrypts what has come. Never waits.
    pub(super) fn pull(&self) -> io::Result<usize> {
        self.pull_with(|buf| self.socket().try_read(buf))
    }

    /// Lets the state machine read and decrypt, and sends what it answers as far as that works without waiting: the
    /// one who reads must not wait for a peer that does not.
    pub(super) fn pull_with(
        &self,
        read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let opening = (!self.open.get()).then_some(&self.opening);
        let processed = {
            let mut machine = self.machine.borrow_mut();
            let read = machine.read_tls(&mut Incoming { read, opening })?;
            machine.process_new_packets().map(|_| read)
        };
        self.push_quietly();
        processed.or_else(|error| {
            let opening = self.opening.get();
            let failure = TlsError::new(&self.peer, opening.bytes(), error);
            *self.failure.borrow_mut() = Some(failure);
            // What was decrypted before it comes first, and this with the next look.
            match self.open.get() {
                true => Ok(1),
                false => self.check_failure().map(|()| 0),
            }
        })
    }

    /// # Errors
    /// If TLS has failed before: it says so again.
    pub(super) fn check_failure(&self) -> io::Result<()> {
        match &*self.failure.borrow() {
            Some(failure) => Err(failure.clone().into()),
            None => Ok(()),
        }
    }

    pub(super) fn has_ciphertext(&self) -> bool {
        self.machine.borrow().wants_write()
    }

    /// Sends what fits of what was encrypted. Never waits.
    pub(super) fn push(&self) -> io::Result<()> {
        self.push_with(|buf| self.socket().try_write(buf))
    }

    pub(super) fn push_with(
        &self,
        write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut machine = self.machine.borrow_mut();
        match machine.write_tls(&mut Outgoing(write))? {
            0 if machine.wants_write() => Err(io::ErrorKind::WriteZero.into()),
            _ => Ok(()),
        }
    }

    /// Sends what fits. What does not stays for the next call, which meets an error again.
    pub(super) fn push_quietly(&self) {
        while self.has_ciphertext() && self.push().is_ok() {}
    }

    /// Waits until all that was encrypted has gone out. For who holds `writing`, or does the handshake.
    pub(super) fn send(&self) -> io::Result<()> {
        while self.has_ciphertext() {
            match self.push() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket().writable()?;
                }
                pushed => pushed?,
            }
        }
        self.socket().flush()
    }

    /// Waits its turn, then until all that was encrypted has gone out.
    pub(super) fn flush_ciphertext(&self) -> io::Result<()> {
        let turn = self.writing.acquire();
        if !turn.is_held() {
            return Err(unwinding("write to a TLS stream"));
        }
        self.send()
    }

    pub(crate) fn flush_all(&self) -> io::Result<()> {
        match self.open.get() {
            true => self.flush_ciphertext(),
            false => Ok(()),
        }
    }

    pub(crate) fn is_flushed_below(&self) -> bool {
        !self.has_ciphertext() && self.socket().is_flushed()
    }

    /// # Errors
    /// If nothing can be written any more.
    pub(super) fn check_writing(&self) -> io::Result<()> {
        self.check_failure()?;
        let why = if self.cut.get() {
            "an earlier write was cut short, so it is not known what the peer has got: open a new connection"
        } else if self.writing_ended.get() {
            "the writing half of this TLS stream was shut down"
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::BrokenPipe, why))
    }

    /// Encrypts what `accept` gives the writer, and waits until it has gone out. Up to the first wait after that,
    /// nothing of it is accepted.
    pub(super) fn write_with(
        &self,
        accept: impl FnOnce(&mut Writer<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.handshake()?;
        let turn = self.writing.acquire();
        if !turn.is_held() {
            return Err(unwinding("write to a TLS stream"));
        }
        self.check_writing()?;
        self.send()?;
        let accepted = accept(&mut self.machine.borrow_mut().writer())?;
        let cut = CutUnlessDone(&self.cut);
        self.send()?;
        std::mem::forget(cut);
        Ok(accepted)
    }

    /// Says that nothing more will come, after all that was written, and waits until that has gone out.
    pub(super) fn end_writing(&self) -> io::Result<()> {
        if !self.open.get() {
            return Ok(());
        }
        let turn = self.writing.acquire();
        if !turn.is_held() {
            return Err(unwinding("shut a TLS stream down"));
        }
        self.encrypt_close_notify();
        self.send()
    }

    pub(super) fn encrypt_close_notify(&self) {
        if !self.cut.get() && !self.writing_ended.replace(true) {
            self.machine.borrow_mut().send_close_notify();
        }
    }

    /// Tells the peer that nothing more will come, as far as that works without waiting: but what a panic or a kill
    /// leaves half done must not look complete.
    pub(super) fn say_goodbye(&self) {
        if !self.open.get() || panicking() {
            return;
        }
        self.push_quietly();
        if !self.has_ciphertext() {
            self.encrypt_close_notify();
            self.push_quietly();
        }
        // What is unread when a socket is closed, as tickets that nobody asked for, would destroy what is on its way.
        for _ in 0..MOST_UNREAD {
            match self.pull() {
                Ok(1..) => {}
                _ => break,
            }
        }
    }

    /// Reads up to the peer's close_notify, byte by byte: what follows it is not ours.
    pub(super) fn await_close_notify(&self) -> io::Result<()> {
        let mut scratch = [0; 512];
        loop {
            match self.take_plaintext(&mut scratch) {
                Ok(0) => return Ok(()),
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            self.socket().readable()?;
            match self.pull_with(|buf| self.socket().try_read(&mut buf[..1])) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }
}
