//! What to run, and with what.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};

use super::Child;
use super::child::Unheld;

/// A process to be: `std::process::Command`, whose waits let other greenthreads run.
///
/// The fork and the exec themselves are as short as std's, and block the thread.
///
/// ```
/// use std::io::{Read, Write};
/// use green::process::{Command, Stdio};
///
/// let mut child = Command::new("tr").args(["a-z", "A-Z"])
///     .stdin(Stdio::piped())
///     .stdout(Stdio::piped())
///     .spawn()?;
/// child.stdin.take().unwrap().write_all(b"hello")?;
/// let mut said = String::new();
/// child.stdout.take().unwrap().read_to_string(&mut said)?;
/// assert_eq!(said, "HELLO");
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Command {
    inner: process::Command,
    /// Whether the caller has chosen stdin, stdout, stderr: what is not chosen depends on the call.
    chosen: [bool; 3],
}

impl Command {
    /// A process of this program, which is looked for in `PATH`, with the environment, directory and standard streams
    /// of this process and no arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        Command::from(process::Command::new(program))
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.inner.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        self.inner.args(args);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.inner.env(key, value);
        self
    }

    /// Sets variables of its environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Command {
        self.inner.envs(variables);
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.inner.env_remove(key);
        self
    }

    /// Takes all variables out of its environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.inner.env_clear();
        self
    }

    /// Sets the directory in which it starts.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Command {
        self.inner.current_dir(directory);
        self
    }

    /// Sets its standard input: inherited by default, and empty for [`Command::output`].
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.inner.stdin(stdin);
        self.chosen[0] = true;
        self
    }

    /// Sets its standard output: inherited by default, and captured for [`Command::output`].
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.inner.stdout(stdout);
        self.chosen[1] = true;
        self
    }

    /// Sets its standard error: inherited by default, and captured for [`Command::output`].
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.inner.stderr(stderr);
        self.chosen[2] = true;
        self
    }

    /// Sets its user. As std's `CommandExt`.
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.inner.uid(id);
        self
    }

    /// Sets its group. As std's `CommandExt`.
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.inner.gid(id);
        self
    }

    /// Sets the name by which it calls itself. As std's `CommandExt`.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.inner.arg0(arg);
        self
    }

    /// Sets its process group; 0 makes a new one. As std's `CommandExt`.
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.inner.process_group(group);
        self
    }

    /// std's own command, for whatever else it can be told, such as `pre_exec`. Standard streams are chosen here, not
    /// there.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.inner
    }

    /// The program.
    pub fn get_program(&self) -> &OsStr {
        self.inner.get_program()
    }

    /// The arguments.
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.inner.get_args()
    }

    /// The variables that were set or taken out.
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.inner.get_envs()
    }

    /// The directory, if one was set.
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.inner.get_current_dir()
    }

    /// Starts it.
    ///
    /// # Errors
    /// `NotFound` if there is no such program, and whatever else the system says; the error names the program.
    pub fn spawn(&mut self) -> io::Result<Child> {
        let name = self.name();
        let child = self
            .inner
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("cannot run {name}: {error}")))?;
        Child::new(child, name)
    }

    /// Runs it to its end. A kill or a deadline that ends the wait ends the process as well.
    ///
    /// # Errors
    /// As [`Command::spawn`] and [`Child::wait`].
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        Unheld::new(self.spawn()?).wait()
    }

    /// Runs it to its end and gives what it wrote. A kill or a deadline that ends the wait ends the process as well.
    ///
    /// # Errors
    /// As [`Command::spawn`] and [`Child::wait_with_output`].
    pub fn output(&mut self) -> io::Result<Output> {
        self.captured(Stdio::piped)
    }

    /// Runs it with its output captured, and its errors sent there if nobody has chosen.
    pub(super) fn captured(&mut self, stderr: fn() -> Stdio) -> io::Result<Output> {
        let [stdin_chosen, stdout_chosen, stderr_chosen] = self.chosen;
        if !stdin_chosen {
            self.inner.stdin(Stdio::null());
        }
        if !stdout_chosen {
            self.inner.stdout(Stdio::piped());
        }
        if !stderr_chosen {
            self.inner.stderr(stderr());
        }
        let child = self.spawn();
        // What the next call does with what nobody has chosen is its own affair.
        if !stdin_chosen {
            self.inner.stdin(Stdio::inherit());
        }
        if !stdout_chosen {
            self.inner.stdout(Stdio::inherit());
        }
        if !stderr_chosen {
            self.inner.stderr(Stdio::inherit());
        }
        child?.wait_with_output()
    }

    pub(super) fn name(&self) -> String {
        format!("{:?}", self.get_program())
    }
}

/// The standard streams count as not chosen.
impl From<process::Command> for Command {
    fn from(inner: process::Command) -> Command {
        Command {
            inner,
            chosen: [false; 3],
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
