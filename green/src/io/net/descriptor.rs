//! What all sockets have in common, written once.

/// std's conversions and what can be done with every socket, for `$socket`, whose only field is an `Io<$std>`.
/// `$is_plain` says of one that comes from outside if it is what it seems to be: see `Io::of_kind`.
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

            /// With `true`, calls that would wait fail with `WouldBlock` instead, and never let other greenthreads
            /// run.
            ///
            /// It is a setting of this value, not of the descriptor, which never blocks.
            ///
            /// # Errors
            /// If it was closed.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.io.set_nonblocking(nonblocking)
            }

            /// Closes the socket now, also for others that refer to this value. Greenthreads that wait here get an
            /// error of kind `NotConnected`, as does every later call. Clones stay open. Closing twice does nothing.
            /// See the [example](crate::net::TcpStream#closing).
            ///
            /// The descriptor is free at once, unless it was lent by [`as_fd`](std::os::fd::AsFd): then when this
            /// value is dropped.
            pub fn close(&self) {
                self.io.close();
            }

            /// Calls `op` until it says something other than `WouldBlock`, and waits for `direction` in between: the
            /// way to run a system call that this type has no method for, such as one that passes descriptors. See
            /// the [example](crate::net::TcpStream#other-system-calls).
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

            /// As `retry`, for async code: calls `op` once, and if that says `WouldBlock`, has the task woken when it
            /// is worth another try. See the [example](crate::net::TcpStream#other-system-calls), and
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
                let source = source.ok_or_else(crate::runtime::readiness::closed)?;
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

pub(super) use descriptor;
