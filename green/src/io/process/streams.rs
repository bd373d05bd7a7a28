//! The pipes to and from a child process.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use crate::os::{PipeReader, PipeWriter};

macro_rules! stream {
    ($(#[$doc:meta])* $name:ident, $pipe:ident, $set:ident, $get:ident) => {
        $(#[$doc])*
        pub struct $name {
            pipe: $pipe,
        }

        impl $name {
            /// Bounds the wait of each call; `None`, as at first, does not.
            ///
            /// # Errors
            /// `InvalidInput` for a timeout of zero.
            pub fn $set(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.pipe.$set(timeout)
            }

            /// The bound of each call.
            pub fn $get(&self) -> Option<Duration> {
                self.pipe.$get()
            }

            /// Closes the pipe now, also for greenthreads that use it at this moment: they get an error.
            pub fn close(&self) {
                self.pipe.close();
            }
        }

        impl $name {
            pub(super) fn over(pipe: Option<impl Into<OwnedFd>>) -> io::Result<Option<$name>> {
                let pipe = pipe.map(|pipe| $pipe::try_from(pipe.into()));
                Ok(pipe.transpose()?.map(|pipe| $name { pipe }))
            }
        }

        /// For another child process, which gets it in blocking mode.
        impl TryFrom<$name> for Stdio {
            type Error = io::Error;

            fn try_from(stream: $name) -> io::Result<Stdio> {
                stream.pipe.try_into()
            }
        }

        impl From<$name> for $pipe {
            fn from(stream: $name) -> $pipe {
                stream.pipe
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.pipe).finish()
            }
        }
    };
}

macro_rules! reads {
    ($($reader:ty),*) => {$(
        impl Read for $reader {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                (&self.pipe).read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&self.pipe).read_vectored(bufs)
            }
        }
    )*};
}

stream!(
    /// The pipe to the standard input of a child process.
    ChildStdin, PipeWriter, set_write_timeout, write_timeout
);
stream!(
    /// The pipe from the standard output of a child process.
    ChildStdout, PipeReader, set_read_timeout, read_timeout
);
stream!(
    /// The pipe from the standard error of a child process.
    ChildStderr, PipeReader, set_read_timeout, read_timeout
);
reads!(ChildStdout, &ChildStdout, ChildStderr, &ChildStderr);

macro_rules! writes {
    ($($writer:ty),*) => {$(
        impl Write for $writer {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                (&self.pipe).write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                (&self.pipe).write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )*};
}

writes!(ChildStdin, &ChildStdin);
