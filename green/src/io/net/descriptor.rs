//! What every socket has because it is a descriptor: std's conversions.

/// Implements them for `$socket`, whose only field is an `Io<$std>`.
macro_rules! descriptor {
    ($socket:ident, $std:ty) => {
        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.io.fmt(f)
            }
        }

        impl crate::net::poll::Polled for $socket {
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
                $socket {
                    io: Io::new(socket),
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
