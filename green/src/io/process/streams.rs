//! The pipes to and from a child process.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use crate::os::{PipeReader, PipeWriter};

macro_rules! stream {
    ($(#[$doc:meta])* pub struct $name:ident($pipe:ident: $set:ident, $get:ident);) => {
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

stream! {
    /// The pipe to the standard input of a child process.
    ///
    /// ```
    /// use std::io::Write;
    /// use std::time::Duration;
    /// use green::process::{ChildStdin, Command, Stdio};
    ///
    /// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    /// let mut stdin: ChildStdin = child.stdin.take().unwrap();
    /// stdin.set_write_timeout(Some(Duration::from_secs(60)))?;
    /// assert_eq!(stdin.write_timeout(), Some(Duration::from_secs(60)));
    /// stdin.write_all(b"meow")?;
    /// stdin.close(); // As its drop: the child finds the end.
    /// assert!(child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub struct ChildStdin(PipeWriter: set_write_timeout, write_timeout);
}
stream! {
    /// The pipe from the standard output of a child process.
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    /// use green::process::{ChildStdout, Command, Stdio};
    ///
    /// let mut child = Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn()?;
    /// let mut stdout: ChildStdout = child.stdout.take().unwrap();
    /// stdout.set_read_timeout(Some(Duration::from_millis(1)))?;
    /// assert_eq!(stdout.read_timeout(), Some(Duration::from_millis(1)));
    /// assert_eq!(stdout.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
    /// stdout.close();
    /// child.kill()?;
    /// child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub struct ChildStdout(PipeReader: set_read_timeout, read_timeout);
}
stream! {
    /// The pipe from the standard error of a child process.
    ///
    /// ```
    /// use std::io::Read;
    /// use std::time::Duration;
    /// use green::process::{ChildStderr, Command, Stdio};
    ///
    /// let mut child = Command::new("sh").args(["-c", "echo no >&2"]).stderr(Stdio::piped()).spawn()?;
    /// let mut stderr: ChildStderr = child.stderr.take().unwrap();
    /// stderr.set_read_timeout(Some(Duration::from_secs(60)))?;
    /// assert_eq!(stderr.read_timeout(), Some(Duration::from_secs(60)));
    /// let mut text = String::new();
    /// stderr.read_to_string(&mut text)?;
    /// assert_eq!(text, "no\n");
    /// stderr.close();
    /// child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub struct ChildStderr(PipeReader: set_read_timeout, read_timeout);
}
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
