//! The process that runs a hub: the calling program, started again.
//!
//! One process for each sample: what one hub leaves behind does not meet the next, a hub that hangs or dies is one figure
//! that is missing, memory is that of this hub alone, and the thread that is measured is the only one.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use crate::workload::{self, Job, Sample};
use crate::{Candidate, machine};

/// The environment variable that makes a process a worker.
const VARIABLE: &str = "HUB_BENCH_WORKER";

/// What a line of a worker begins with; the program may print others before.
const PREFIX: &str = "hub-bench: ";

/// How often a wait for a worker looks if it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Which call of [`run`](crate::run) in the program it belongs to.
    pub(crate) call: usize,
    pub(crate) hub: String,
    pub(crate) job: Job,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Listening(SocketAddr),
    Samples(Vec<Sample>),
    Failed(String),
}

impl Order {
    /// What this process was told, if it is a worker.
    pub(crate) fn received() -> io::Result<Option<Order>> {
        let Some(text) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let order = serde_json::from_str(&text.to_string_lossy())?;
        Ok(Some(order))
    }

    /// Does it and ends the process.
    pub(crate) fn obey(self, hubs: &[Candidate<'_>]) -> ! {
        let said = match self.work(hubs) {
            Ok(samples) => Said::Samples(samples),
            Err(error) => Said::Failed(error.to_string()),
        };
        // Nobody is left to be told if this fails.
        let _ = say(&said);
        std::process::exit(0)
    }

    fn work(&self, hubs: &[Candidate<'_>]) -> io::Result<Vec<Sample>> {
        die_with_parent()?;
        machine::raise_descriptors();
        if let Some(place) = self.job.places.server {
            machine::pin(&[place])?;
        }
        let Some((_, make)) = hubs.iter().find(|(name, _)| *name == self.hub) else {
            return Err(io::Error::other("this call of run has no hub of this name"));
        };
        workload::work(&self.job, make()?, |address| say(&Said::Listening(address)))
    }
}

fn say(said: &Said) -> io::Result<()> {
    let text = serde_json::to_string(said)?;
    let mut output = io::stdout().lock();
    writeln!(output, "\n{PREFIX}{text}")?;
    output.flush()
}

/// Has the kernel end this process when the one that measures has ended, however that happened.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn die_with_parent() -> io::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Without that a thread waits for the end of the standard input.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn die_with_parent() -> io::Result<()> {
    std::thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0)
    });
    Ok(())
}

/// The calling program, also if its file has been replaced meanwhile, by a build for instance.
fn program() -> io::Result<PathBuf> {
    match cfg!(any(target_os = "linux", target_os = "android")) {
        true => Ok("/proc/self/exe".into()),
        false => std::env::current_exe(),
    }
}

/// A worker, seen from the process that measures. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    output: ChildStdout,
    heard: Vec<u8>,
}

impl Worker {
    /// Starts the calling program once more, with the same arguments.
    pub(crate) fn start(order: &Order) -> io::Result<Worker> {
        let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        let mut child = Command::new(program()?)
            .args(arguments)
            .env(VARIABLE, serde_json::to_string(order)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // What is typed at the terminal is for this process, which then ends the worker.
            .process_group(0)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("starting a worker: {error}")))?;
        let output = child.stdout.take();
        let output = output.ok_or_else(|| io::Error::other("a worker has no output"))?;
        Ok(Worker {
            child,
            output,
            heard: Vec::new(),
        })
    }

    /// Waits for the next thing that it says.
    ///
    /// # Errors
    /// What it says if it fails, what it leaves on its standard error if it dies, `TimedOut`, or `Interrupted` when
    /// `stop` says so.
    pub(crate) fn hear(&mut self, deadline: Instant, stop: &dyn Fn() -> bool) -> io::Result<Said> {
        loop {
            while let Some(end) = self.heard.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                let Some(text) = line.strip_prefix(PREFIX) else {
                    continue;
                };
                return match serde_json::from_str(text)? {
                    Said::Failed(what) => Err(io::Error::other(what)),
                    said => Ok(said),
                };
            }
            if stop() {
                return Err(ErrorKind::Interrupted.into());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let what = "it has not finished by its deadline";
                return Err(io::Error::new(ErrorKind::TimedOut, what));
            }
            if self.wait_readable(left.min(LOOK))? {
                let mut bytes = [0; 65_536];
                match self.output.read(&mut bytes)? {
                    0 => return Err(self.died()),
                    count => self.heard.extend_from_slice(&bytes[..count]),
                }
            }
        }
    }

    fn wait_readable(&self, timeout: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&self.output, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// How it ended, and the end of what it left.
    fn died(&mut self) -> io::Error {
        let mut text = String::new();
        // The one may be missing, the other no text: there is nothing better to say then.
        let status = self.child.wait();
        if let Some(errors) = &mut self.child.stderr {
            let _ = errors.read_to_string(&mut text);
        }
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let lines: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let last = lines[lines.len().saturating_sub(3)..].join(" / ");
        io::Error::other(format!("the worker has ended ({status}) {last}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself: nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
