//! Child processes with the names and signatures of [`std::process`].
//!
//! Waiting for a child, and reading from and writing to it, lets other greenthreads run.
//!
//! ```
//! use green::process::Command;
//!
//! let output = Command::new("echo").arg("hello").output()?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What goes beyond std:
//!
//! - [`Child::wait_timeout`] bounds the wait; its error is a [`TimeoutExpired`], of kind `TimedOut`.
//! - [`Child::terminate`], [`Child::send_signal`] and [`Child::kill_group`]; a [`ChildHandle`] for those who do not have
//!   the child. A signal never reaches a process that only has the number of one that has ended.
//! - [`Child::communicate`] writes the whole input while it reads both outputs, so that none of the three can block
//!   the others; after a timeout it is called again and has lost nothing.
//! - [`call`], [`check_call`] and [`check_output`] are Python's; [`Command::timeout`] and [`Command::input`] are its
//!   arguments of these names, [`universal_newlines`] is for what is text.
//! - An error says what could not be done, and keeps the system's number: see [`raw_os_error`](crate::raw_os_error).
//!
//! As with std, dropping a [`Child`] neither ends it nor waits for it. But where nobody would hold one any more,
//! because a kill or a deadline ends [`Command::output`], [`Command::status`] or [`Child::wait_with_output`], the
//! child is killed, and reaped in the background.
//!
//! While the thread unwinds nothing can switch: then waiting blocks the thread for at most 100 ms and fails with
//! `WouldBlock` if the child has not ended by then, which is enough for a child that was just killed.

mod child;
mod command;
mod communicate;
mod streams;

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

pub use child::{Child, ChildHandle};
pub use command::Command;
pub use std::process::{ExitCode, ExitStatus, Output, Stdio, Termination, abort, exit, id};
pub use streams::{ChildStderr, ChildStdin, ChildStdout};

/// Runs a command to its end and gives its status.
///
/// # Errors
/// As [`Command::status`].
///
/// ```
/// use green::process::{Command, call};
///
/// assert_eq!(call(Command::new("sh").args(["-c", "exit 3"]))?.code(), Some(3));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn call(command: &mut Command) -> io::Result<ExitStatus> {
    command.status()
}

/// Runs a command that must succeed.
///
/// # Errors
/// As [`Command::status`]; a [`CalledProcessError`] inside if it ends with a code other than 0 or by a signal.
///
/// ```
/// use green::process::{Command, check_call};
///
/// assert!(check_call(&mut Command::new("true")).is_ok());
/// assert!(check_call(&mut Command::new("false")).is_err());
/// ```
pub fn check_call(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    let output = Output {
        status,
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    check(command, output).map(drop)
}

/// Runs a command that must succeed and gives what it wrote to its standard output. Its standard error goes where
/// the command says, by default where that of this process goes.
///
/// # Errors
/// As [`check_call`].
///
/// ```
/// use green::process::{Command, check_output};
///
/// assert_eq!(check_output(Command::new("echo").arg("hello"))?, b"hello\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn check_output(command: &mut Command) -> io::Result<Vec<u8>> {
    let output = command.captured()?;
    Ok(check(command, output)?.stdout)
}

fn check(command: &Command, output: Output) -> io::Result<Output> {
    if output.status.success() {
        return Ok(output);
    }
    Err(io::Error::other(CalledProcessError {
        command: command.name(),
        output,
    }))
}

/// What a process has written, as text: each of `\r\n` and `\r` becomes `\n`.
///
/// # Errors
/// `InvalidData` if it is no UTF-8.
///
/// ```
/// use green::process::{Command, check_output, universal_newlines};
///
/// let said = check_output(Command::new("printf").arg("a\\r\\nb\\rc\\n"))?;
/// assert_eq!(universal_newlines(&said)?, "a\nb\nc\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn universal_newlines(bytes: &[u8]) -> io::Result<String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// A command that must succeed has not.
///
/// ```
/// use green::process::{CalledProcessError, Command, check_output};
///
/// let error = check_output(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).unwrap_err();
/// let failed = error.get_ref().and_then(|inner| inner.downcast_ref::<CalledProcessError>()).unwrap();
/// println!("{} ended so: {}", failed.command(), failed.output().status);
/// assert_eq!(failed.output().status.code(), Some(3));
/// ```
#[derive(Debug)]
pub struct CalledProcessError {
    command: String,
    output: Output,
}

impl CalledProcessError {
    /// How it ended, and what was captured of what it wrote.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// The program.
    pub fn command(&self) -> &str {
        &self.command
    }
}

impl fmt::Display for CalledProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.command, self.output.status)
    }
}

impl Error for CalledProcessError {}

/// A child process had not ended when the time was up. It runs on, unless the call says otherwise.
///
/// ```
/// use std::time::Duration;
/// use green::process::{Command, TimeoutExpired};
///
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// let error = child.wait_timeout(Duration::from_millis(1)).unwrap_err();
/// let expired = error.get_ref().and_then(|inner| inner.downcast_ref::<TimeoutExpired>()).unwrap();
/// println!("{} has not ended after {:?}", expired.command(), expired.after());
/// assert!(expired.stdout().is_empty() && expired.stderr().is_empty()); // Nothing was piped.
/// child.kill()?;
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TimeoutExpired {
    command: String,
    pid: u32,
    after: Duration,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl TimeoutExpired {
    /// The program.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The bound that was exceeded.
    pub fn after(&self) -> Duration {
        self.after
    }

    /// What was read of its standard output by then, if the call reads that.
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// What was read of its standard error by then, if the call reads that.
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }
}

impl fmt::Debug for TimeoutExpired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutExpired")
            .field("command", &self.command)
            .field("pid", &self.pid)
            .field("after", &self.after)
            .field("stdout", &String::from_utf8_lossy(&self.stdout))
            .field("stderr", &String::from_utf8_lossy(&self.stderr))
            .finish()
    }
}

impl fmt::Display for TimeoutExpired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TimeoutExpired {
            command,
            pid,
            after,
            ..
        } = self;
        write!(f, "{command} (process {pid}) has not ended after {after:?}")
    }
}

impl Error for TimeoutExpired {}

impl From<TimeoutExpired> for io::Error {
    fn from(expired: TimeoutExpired) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, expired)
    }
}
