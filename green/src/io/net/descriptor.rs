//! What sockets have in common, written once: `descriptor!` is for all of them, the other macros for some.

/// std's conversions and what can be done with every socket, for `$socket`, whose only field is an `Io<$std>`.
/// `$is_plain` says of one that comes from outside whether it is what it seems to be: see `Io::of_kind`.
macro_rules! descriptor {
    ($socket:ident, $std:ty, $address:ty, $is_plain:expr) => {
        impl $socket {
            /// The address of this end.
            ///
            /// # Errors
            /// If it was closed.
            pub fn local_addr(&self) -> std::io::Result<$address> {
                self.io.source()?.local_addr()
            }

            /// A second handle to the same socket, with a descriptor of its own: closing one leaves the other open,
            /// and the other end of a connection sees its end when both are gone. It starts with the same timeouts.
            ///
            /// # Errors
            /// If the process has no descriptors left.
            pub fn try_clone(&self) -> std::io::Result<$socket> {
                let io = self.io.duplicate(<$std>::try_clone)?;
                Ok($socket { io })
            }

            /// Takes the pending error of the socket (`SO_ERROR`).
            ///
            /// # Errors
            /// If it was closed.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.io.source()?.take_error()
            }

            /// Sets whether calls that would wait fail with `WouldBlock` instead. They never let other greenthreads run
            /// then.
            ///
            /// It is a setting of this value, not of the descriptor, which never blocks.
            ///
            /// # Errors
            /// If it was closed.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.io.set_nonblocking(nonblocking)
            }

            /// Closes it now, whoever else refers to this value. Greenthreads that wait here get an error of kind
            /// `NotConnected`, as does every later call. Clones stay open. Closing twice does nothing. See the
            /// [example](crate::net::TcpStream#closing).
            ///
            /// The descriptor is free at once, unless it was lent by [`as_fd`](std::os::fd::AsFd): then when this value
            /// is dropped.
            pub fn close(&self) {
                self.io.close();
            }

            /// Calls `op` until it says something other than `WouldBlock`, and waits for `direction` in between: the way
            /// to run a system call that this type has no method for, such as one that passes descriptors. See the
            /// [example](crate::net::TcpStream#other-system-calls).
            ///
            /// # Errors
            /// What `op` says. `TimedOut` after the timeout of this direction; `ResourceBusy` if another greenthread
            /// waits for it; `WouldBlock` if it would have to wait while the thread unwinds.
            pub fn retry<R>(
                &self,
                direction: Direction,
                op: impl FnMut(&$std) -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                self.io.retry(direction, op)
            }

            /// As `retry`, for async code: calls `op` once, and if that says `WouldBlock`, has the task woken when it is
            /// worth another try. See the [example](crate::net::TcpStream#other-system-calls), and
            /// [`future`](crate::future) for who turns the hub.
            ///
            /// # Errors
            /// What `op` says. `ResourceBusy` if a greenthread waits for the same direction.
            pub fn poll_retry<R>(
                &self,
                cx: &mut std::task::Context<'_>,
                direction: Direction,
                op: impl FnMut(&$std) -> std::io::Result<R>,
            ) -> std::task::Poll<std::io::Result<R>> {
                self.io.poll_retry(cx, direction, op)
            }
        }

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.io.fmt(f)
            }
        }

        impl crate::net::HasIo for $socket {
            type Source = $std;

            fn io(&self) -> &Io<$std> {
                &self.io
            }
        }

        impl From<$std> for $socket {
            /// Makes the descriptor non-blocking: for all that share it, such as clones.
            fn from(socket: $std) -> $socket {
                // What this refuses is no socket, and every call on it will say so.
                if let Err(error) = socket.set_nonblocking(true) {
                    log::warn!("cannot make {socket:?} non-blocking: {error}");
                }
                let is_plain = $is_plain(&socket);
                $socket {
                    io: Io::of_kind(socket, is_plain),
                }
            }
        }

        impl From<std::os::fd::OwnedFd> for $socket {
            /// Makes the descriptor non-blocking: for all that share it, such as clones.
            fn from(fd: std::os::fd::OwnedFd) -> $socket {
                $socket::from(<$std>::from(fd))
            }
        }

        impl From<$socket> for $std {
            /// The descriptor stays non-blocking, since clones may share it.
            ///
            /// # Panics
            /// If it was closed.
            fn from(socket: $socket) -> $std {
                match socket.io.into_source() {
                    Some(source) => source,
                    None => panic!("cannot convert a socket that was closed"),
                }
            }
        }

        impl From<$socket> for std::os::fd::OwnedFd {
            /// The descriptor stays non-blocking, since clones may share it.
            ///
            /// # Panics
            /// If it was closed.
            fn from(socket: $socket) -> std::os::fd::OwnedFd {
                <$std>::from(socket).into()
            }
        }

        impl TryFrom<$socket> for std::process::Stdio {
            type Error = std::io::Error;

            /// For a child process, which gets it in blocking mode, and so do all that share it, such as clones: they
            /// must not be used here any more, since their calls would block the thread.
            ///
            /// # Errors
            /// If it was closed.
            fn try_from(socket: $socket) -> std::io::Result<std::process::Stdio> {
                let source = socket.io.into_source();
                let source = source.ok_or_else(crate::io::readiness::closed)?;
                source.set_nonblocking(false)?;
                Ok(std::os::fd::OwnedFd::from(source).into())
            }
        }

        impl std::os::fd::AsFd for $socket {
            /// From now on the descriptor stays open for as long as this value lives, even if it is closed before.
            ///
            /// # Panics
            /// If it was closed.
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.io.lend()
            }
        }

        impl std::os::fd::AsRawFd for $socket {
            /// The number of the descriptor, or -1 if it was closed.
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.io.number()
            }
        }

        impl std::os::fd::IntoRawFd for $socket {
            /// # Panics
            /// If it was closed.
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                <$std>::from(self).into_raw_fd()
            }
        }
    };
}

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
            /// Ends reading, writing or both, here and at the other end. Greenthreads and tasks that wait here hear of
            /// it: a read finds the end, a write fails with `BrokenPipe`.
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
            /// Reads what there is. Never waits and lets no other greenthread run.
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

        crate::net::descriptor::reads!($stream);
        crate::net::descriptor::writes!($stream);
    };
}

/// `Read`, on the value and on references to it.
macro_rules! reads {
    ($reader:ident) => {
        crate::net::descriptor::reads!(for &$reader);
        crate::net::descriptor::reads!(for $reader);
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
        crate::net::descriptor::writes!(for &$writer);
        crate::net::descriptor::writes!(for $writer);
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
            /// An error that passes is waited out, with pauses, and logged once: a connection that was aborted before it
            /// was accepted, a lack of descriptors or memory, and all else that `accept(2)` lists as to be tried again.
            /// What it gives as an error is the [timeout](Self::set_accept_timeout), and what ends the listener, such as
            /// its close; after that it is over.
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

pub(crate) use {descriptor, endpoint, listener, reads, shutdown, stream, ttl, writes};
