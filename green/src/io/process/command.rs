//! A command: the program to run, its arguments, environment and streams.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::fs::Access;

use super::Child;
use super::child::Unheld;
use crate::error::failed;

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
///
/// Its environment, directory and name:
///
/// ```
/// use green::process::{Command, Stdio};
///
/// let mut command = Command::new("/bin/sh");
/// command.args(["-c", "echo $A$B$C$D; pwd; echo $0 >&2"]).arg0("shell").process_group(0);
/// command.env_clear().env("A", "1").envs([("B", "2"), ("C", "3")]).env_remove("C");
/// command.current_dir("/").as_std_mut().env("D", "4");
/// assert_eq!((command.get_program(), command.get_args().len()), ("/bin/sh".as_ref(), 2));
/// assert_eq!(command.get_envs().count(), 3);
/// assert_eq!(command.get_current_dir(), Some("/".as_ref()));
///
/// let output = command.output()?;
/// assert_eq!(output.stdout, b"124\n/\n");
/// assert_eq!(output.stderr, b"shell\n");
/// assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Another user's (not run: it takes privileges):
///
/// ```no_run
/// use green::process::Command;
///
/// let nobody = 65534;
/// Command::new("whoami").uid(nobody).gid(nobody).status()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Command {
    inner: process::Command,
    /// True if the caller has chosen stdin, stdout, stderr: what is not chosen depends on the call.
    chosen: [bool; 3],
    input: Option<Vec<u8>>,
    timeout: Option<Duration>,
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

    /// Sets what [`Command::status`], [`Command::output`] and the functions of this module write to its standard
    /// input, which is piped for it. [`Command::spawn`] leaves that to the caller.
    ///
    /// ```
    /// use green::process::{Command, check_output};
    ///
    /// assert_eq!(check_output(Command::new("sort").input("b\na\n"))?, b"a\nb\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn input(&mut self, input: impl Into<Vec<u8>>) -> &mut Command {
        self.input = Some(input.into());
        self
    }

    /// Sets how long [`Command::status`], [`Command::output`] and the functions of this module wait. After that the
    /// process is killed, and the error is a [`TimeoutExpired`](super::TimeoutExpired) with what it has written by
    /// then.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::process::{Command, check_call};
    ///
    /// let mut sleep = Command::new("sleep");
    /// let error = check_call(sleep.arg("60").timeout(Duration::from_millis(5))).unwrap_err();
    /// assert!(green::is_timeout(&error));
    /// ```
    pub fn timeout(&mut self, timeout: Duration) -> &mut Command {
        self.timeout = Some(timeout);
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
    /// `NotFound` if there is no such program or directory, and whatever else the system says. The error names what
    /// is missing, and [`raw_os_error`](crate::raw_os_error) gives the system's number.
    pub fn spawn(&mut self) -> io::Result<Child> {
        let name = self.name();
        match self.inner.spawn() {
            Ok(child) => Child::new(child, name),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Says what the system does not say: if it means the program or the directory.
    fn refused(&self, error: io::Error) -> io::Error {
        let name = self.name();
        let directory = self.get_current_dir();
        if let Some(directory) = directory
            && let Err(error) = enter(directory)
        {
            return failed(
                format!("cannot run {name}: cannot enter the directory {directory:?}"),
                error,
            );
        }
        let here = Path::new(self.get_program());
        let there = directory.map(|directory| directory.join(here));
        if error.kind() == io::ErrorKind::NotFound
            && here.components().count() > 1
            && there.as_deref().unwrap_or(here).exists()
        {
            return failed(
                format!("cannot run {name}, which is there, but not the interpreter that it names"),
                error,
            );
        }
        failed(format!("cannot run {name}"), error)
    }

    /// Runs it to its end. A kill or a deadline that ends the wait ends the process as well, and with it the group
    /// that it leads after [`Command::process_group`].
    ///
    /// # Errors
    /// As [`Command::spawn`] and [`Child::communicate`]; a [`TimeoutExpired`](super::TimeoutExpired) if
    /// [`Command::timeout`] was said.
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        let output = self.run([Stdio::inherit; 3])?;
        Ok(output.status)
    }

    /// Runs it to its end and gives what it wrote. Killed and timed out as [`Command::status`].
    ///
    /// # Errors
    /// As [`Command::status`].
    pub fn output(&mut self) -> io::Result<Output> {
        self.run([Stdio::null, Stdio::piped, Stdio::piped])
    }

    /// Runs it with its output captured, and its errors where those of this process go if the caller has not chosen.
    pub(super) fn captured(&mut self) -> io::Result<Output> {
        self.run([Stdio::null, Stdio::piped, Stdio::inherit])
    }

    /// Runs it to its end, with these streams where the caller has not chosen.
    fn run(&mut self, [stdin, stdout, stderr]: [fn() -> Stdio; 3]) -> io::Result<Output> {
        let [stdin_chosen, stdout_chosen, stderr_chosen] = self.chosen;
        if self.input.is_some() {
            self.inner.stdin(Stdio::piped());
        } else if !stdin_chosen {
            self.inner.stdin(stdin());
        }
        if !stdout_chosen {
            self.inner.stdout(stdout());
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
        let input = self.input.as_deref().unwrap_or_default();
        Unheld::new(child?).run(input, self.timeout)
    }

    pub(super) fn name(&self) -> String {
        format!("{:?}", self.get_program())
    }
}

/// Succeeds if a process can be started in a directory.
fn enter(directory: &Path) -> rustix::io::Result<()> {
    // The dot is looked for inside, which only a directory that may be searched allows.
    rustix::fs::access(directory.join("."), Access::EXEC_OK)
}

/// The standard streams count as not chosen.
impl From<process::Command> for Command {
    fn from(inner: process::Command) -> Command {
        Command {
            inner,
            chosen: [false; 3],
            input: None,
            timeout: None,
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
