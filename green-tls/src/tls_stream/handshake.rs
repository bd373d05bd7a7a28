//! The handshake: once, by whoever comes first, within its time.

use std::io;
use std::time::{Duration, Instant};

use green::Timeout;

use super::TlsStream;
use crate::Stream;
use crate::error::{interrupted_handshake, late_handshake, unwinding};

impl<S: Stream> TlsStream<S> {
    /// Does the handshake, unless it is done. Other calls do it by themselves; this one is for who wants to know its
    /// outcome, the peer's certificates or the protocol before anything is sent.
    ///
    /// # Errors
    /// `TimedOut` if the peer takes longer than the configuration allows. `InvalidData` with a
    /// [`TlsError`](crate::TlsError) that says what is wrong and what to do. `UnexpectedEof` if the peer hangs up.
    ///
    /// ```
    /// use std::io::{ErrorKind, Write};
    /// use green_tls::{Connector, wrap};
    ///
    /// let (near, mut far) = green::net::UnixStream::pair()?;
    /// far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
    /// let error = wrap(near, (&Connector::new()?, "localhost"))?.handshake().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidData);
    /// assert!(error.to_string().contains("plain HTTP"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn handshake(&self) -> io::Result<()> {
        if self.open.get() {
            return Ok(());
        }
        self.complete_handshake()
    }

    fn complete_handshake(&self) -> io::Result<()> {
        let turn = self.shaking.acquire();
        if !turn.is_held() {
            return Err(unwinding("do a TLS handshake"));
        }
        if self.open.get() {
            return Ok(());
        }
        self.check_failure()?;
        let left = self.handshake_deadline().map(|deadline| {
            let left = deadline.saturating_duration_since(green::time::now());
            left.max(Duration::from_nanos(1))
        });
        match Timeout::new(left).run(|| self.negotiate()) {
            Ok(negotiated) => negotiated?,
            Err(_) => return Err(late_handshake(&self.peer, self.timeout)),
        }
        self.open.set(true);
        Ok(())
    }

    /// The end of the handshake's time, which begins with the first attempt. `None` is beyond the clock.
    pub(crate) fn handshake_deadline(&self) -> Option<Instant> {
        if self.deadline.get().is_none() {
            self.deadline
                .set(green::time::now().checked_add(self.timeout));
        }
        self.deadline.get()
    }

    fn negotiate(&self) -> io::Result<()> {
        loop {
            let sent = self.send();
            if !self.machine.borrow().is_handshaking() {
                // A peer that has closed meanwhile needs no answer, and what it has sent can still be read.
                return Ok(());
            }
            sent?;
            if self.receive()? == 0 {
                return Err(interrupted_handshake(&self.peer));
            }
        }
    }
}
