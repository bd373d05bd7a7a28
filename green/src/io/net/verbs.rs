//! Methods and traits that several kinds of sockets have, written once.

/// What is sent to and received from: all but listeners.
macro_rules! endpoint {
    ($socket:ident, $address:ty) => {
        impl $socket {
            /// The address of the other end.
            ///
            /// # Errors
            /// `NotConnected` if it is not connected, or not any more.
            pub fn peer_addr(&self) -> std::io::Result<$address> {
                self.io.source()?.peer_addr()
            }

            /// Sets how long a read may wait. `None` is for ever. See the
            /// [example](crate::net::TcpStream#timeouts).
            ///
            /// # Errors
            /// `InvalidInput` for a timeout of zero: see `set_nonblocking`.
            pub fn set_read_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.io.set_timeout(Direction::Read, timeout)
            }

            /// Sets how long a write may wait. `None` is for ever.
            ///
            /// # Errors
            /// `InvalidInput` for a timeout of zero: see `set_nonblocking`.
            pub fn set_write_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.io.set_timeout(Direction::Write, timeout)
            }

            /// How long a read may wait.
            ///
            /// # Errors
            /// None; std's signature.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.io.timeout(Direction::Read))
            }

            /// How long a write may wait.
            ///
            /// # Errors
            /// None; std's signature.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.io.timeout(Direction::Write))
            }

            /// Waits until a read may find something, without a buffer: for programs whose thousands of idle sockets
            /// share one. See the [example](crate::net::TcpStream#one-buffer-for-many).
            ///
            /// It is a hint. What follows is a call that never waits, and this again if that says `WouldBlock`.
            ///
            /// # Errors
            /// As a read.
            pub fn readable(&self) -> std::io::Result<()> {
                self.io.wait_ready(Direction::Read)
            }

            /// Waits until a write may be accepted. It is a hint, as of `readable`.
            ///
            /// # Errors
            /// As a write.
            pub fn writable(&self) -> std::io::Result<()> {
                self.io.wait_ready(Direction::Write)
            }
        }
    };
}

/// What has two halves that can be ended.
macro_rules! shutdown {
    ($socket:ident) => {
        impl $socket {
            /// Ends reading, writing or both, here and at the other end. Greenthreads and tasks that wait here hear
            /// of it: a read finds the end, a write fails with `BrokenPipe`. Those who wait at a clone hear what the
            /// system tells them, which is all but the end of a wait to write to a full Unix socket.
            ///
            /// # Errors
            /// `NotConnected` if the other end has ended the connection before, or this was closed.
            pub fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                let shutdown = self.io.source()?.shutdown(how);
                self.io.woken_by(how);
                shutdown
            }

            /// As `shutdown`, of a connection that may be over already: that it is, or was closed, is no error.
            ///
            /// # Errors
            /// Everything else that the system says.
            pub fn shutdown_safe(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                match self.shutdown(how) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotConnected => Ok(()),
                    shutdown => shutdown,
                }
            }
        }
    };
}

/// A stream of bytes.
macro_rules! stream {
    ($stream:ident) => {
        impl $stream {
            /// Reads what has arrived. Never waits and lets no other greenthread run.
            ///
            /// # Errors
            /// `WouldBlock` if there is nothing.
            pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.io.try_transfer(Transfer::Read(buf))
            }

            /// Writes as much as fits into the socket's buffer. Never waits and lets no other greenthread run.
            ///
            /// # Errors
            /// `WouldBlock` if nothing fits.
            pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.io.try_transfer(Transfer::Write(buf))
            }
        }

        crate::net::verbs::reads!($stream);
        crate::net::verbs::writes!($stream);
    };
}

/// `Read`, on the value and on references to it.
macro_rules! reads {
    ($reader:ident) => {
        crate::net::verbs::reads!(for &$reader);
        crate::net::verbs::reads!(for $reader);
    };
    (for $reader:ty) => {
        impl std::io::Read for $reader {
            #[inline]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.io.transfer(Transfer::Read(buf))
            }

            fn read_vectored(
                &mut self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                self.io.transfer(Transfer::ReadVectored(bufs))
            }
        }
    };
}

/// `Write`, on the value and on references to it.
macro_rules! writes {
    ($writer:ident) => {
        crate::net::verbs::writes!(for &$writer);
        crate::net::verbs::writes!(for $writer);
    };
    (for $writer:ty) => {
        impl std::io::Write for $writer {
            #[inline]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                self.io.transfer(Transfer::Write(buf))
            }

            fn write_vectored(
                &mut self,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                self.io.transfer(Transfer::WriteVectored(bufs))
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

/// What accepts connections. `accepted` makes what it gives of what the system gives.
macro_rules! listener {
    ($listener:ident, $stream:ident, $address:ty, $incoming:ident) => {
        impl $listener {
            /// Waits for the next connection.
            ///
            /// # Errors
            /// `TimedOut` after the [timeout](Self::set_accept_timeout). Most others (the process has no descriptors
            /// left, the connection was aborted) concern one connection, and the next accept may work:
            /// [`incoming`](Self::incoming) and [`serve`](crate::serve) know which.
            pub fn accept(&self) -> std::io::Result<($stream, $address)> {
                let accepted = self.io.retry(Direction::Read, |listener| {
                    socket::accept(&SockRef::from(listener))
                });
                self.accepted(accepted?)
            }

            /// As `accept`, for async code: takes a connection, or has the task woken when there is one. The accept
            /// timeout does not bound it.
            ///
            /// [`future::accept`](crate::future::accept) is the future of it.
            ///
            /// # Errors
            /// As `accept`; `ResourceBusy` if a greenthread waits in there.
            pub fn poll_accept(
                &self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<($stream, $address)>> {
                let accept = self.io.poll_retry(cx, Direction::Read, |listener| {
                    socket::accept(&SockRef::from(listener))
                });
                accept.map(|socket| self.accepted(socket?))
            }

            /// The connections, one after the other, for as long as there is a listener.
            ///
            /// An error that passes is waited out, with pauses, and logged once: a connection that was aborted before
            /// it was accepted, a lack of descriptors or memory, and all else that `accept(2)` lists as to be tried
            /// again. What it gives as an error is the [timeout](Self::set_accept_timeout), and what ends the
            /// listener, such as its close; after that it is over.
            ///
            /// ```
            /// use green::net::{TcpListener, TcpStream};
            ///
            /// let listener = TcpListener::bind("127.0.0.1:0")?;
            /// let _client = TcpStream::connect(listener.local_addr()?)?;
            /// for stream in listener.incoming().take(1) {
            ///     println!("{:?}", stream?.peer_addr()?);
            /// }
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn incoming(&self) -> $incoming<'_> {
                $incoming::new(self)
            }

            /// Sets how long an accept may wait. `None` is for ever.
            ///
            /// # Errors
            /// `InvalidInput` for a timeout of zero: see `set_nonblocking`.
            pub fn set_accept_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.io.set_timeout(Direction::Read, timeout)
            }

            /// How long an accept may wait.
            pub fn accept_timeout(&self) -> Option<std::time::Duration> {
                self.io.timeout(Direction::Read)
            }
        }
    };
}

/// What sends packets of the Internet protocols.
macro_rules! ttl {
    ($socket:ident) => {
        impl $socket {
            /// Sets the time to live (`IP_TTL`) of what it sends: the number of hops.
            ///
            /// # Errors
            /// What the system says of the value.
            pub fn set_ttl(&self, ttl: u32) -> std::io::Result<()> {
                self.io.source()?.set_ttl(ttl)
            }

            /// What [`set_ttl`](Self::set_ttl) has set.
            ///
            /// # Errors
            /// If it was closed.
            pub fn ttl(&self) -> std::io::Result<u32> {
                self.io.source()?.ttl()
            }
        }
    };
}

pub(crate) use {endpoint, listener, reads, shutdown, stream, ttl, writes};
