//! Writing to a child and reading both its outputs at once, in greenthreads of their own.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::process::Output;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Child;
use crate::os::{PipeReader, PipeWriter};
use crate::runtime::Runtime;
use crate::{Builder, Exit, GreenThread, killall};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// What has been said so far. It outlives a call that times out.
pub(super) struct Conversation {
    input: Rc<Input>,
    outputs: [Rc<Captured>; 2],
}

/// What is to be written. Without a pipe it is done.
struct Input {
    pipe: RefCell<Option<Rc<PipeWriter>>>,
    bytes: Vec<u8>,
    written: Cell<usize>,
}

/// What has been read. Without a pipe that is all.
struct Captured {
    pipe: RefCell<Option<Rc<PipeReader>>>,
    bytes: RefCell<Vec<u8>>,
}

impl Input {
    fn write(&self) -> io::Result<()> {
        let Some(pipe) = self.pipe.borrow().clone() else {
            return Ok(());
        };
        while self.written.get() < self.bytes.len() {
            match (&*pipe).write(&self.bytes[self.written.get()..]) {
                Ok(count) => self.written.set(self.written.get() + count),
                // It does not want the rest, which is its own affair.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error),
            }
        }
        self.pipe.take();
        Ok(())
    }
}

impl Captured {
    fn new(pipe: Option<PipeReader>) -> Captured {
        Captured {
            pipe: RefCell::new(pipe.map(Rc::new)),
            bytes: RefCell::default(),
        }
    }

    fn read(&self) -> io::Result<()> {
        let Some(pipe) = self.pipe.borrow().clone() else {
            return Ok(());
        };
        let mut chunk = vec![0; CHUNK];
        loop {
            match (&*pipe).read(&mut chunk)? {
                0 => break,
                count => self.bytes.borrow_mut().extend_from_slice(&chunk[..count]),
            }
        }
        self.pipe.take();
        Ok(())
    }
}

impl Conversation {
    /// Goes on until everything is written and read.
    fn run(&self, deadline: Option<Instant>) -> io::Result<()> {
        let mut workers = Workers::default();
        if self.input.pipe.borrow().is_some() {
            let input = Rc::clone(&self.input);
            workers.add(move || input.write())?;
        }
        for output in &self.outputs {
            if output.pipe.borrow().is_some() {
                let output = Rc::clone(output);
                workers.add(move || output.read())?;
            }
        }
        workers.wait(deadline)
    }
}

/// Greenthreads that end with this.
#[derive(Default)]
struct Workers {
    workers: Vec<GreenThread<()>>,
    failed: Rc<RefCell<Option<io::Error>>>,
}

impl Workers {
    fn add(&mut self, work: impl FnOnce() -> io::Result<()> + 'static) -> io::Result<()> {
        let failed = Rc::clone(&self.failed);
        let worker = Builder::new().name("communicate").spawn(move || {
            if let Err(error) = work() {
                failed.borrow_mut().get_or_insert(error);
            }
        })?;
        self.workers.push(worker);
        Ok(())
    }

    fn wait(&self, deadline: Option<Instant>) -> io::Result<()> {
        for worker in &self.workers {
            let ended = match deadline {
                None => worker.wait(),
                Some(deadline) => {
                    let now = Runtime::with(Runtime::now);
                    let left = deadline.saturating_duration_since(now);
                    worker
                        .wait_timeout(left)
                        .ok_or(io::Error::from(io::ErrorKind::TimedOut))?
                }
            };
            match ended {
                Ok(()) => {}
                Err(Exit::Unwinding) => {
                    return Err(io::Error::new(
                        io::ErrorKind::WouldBlock,
                        "cannot communicate with a child process while the thread unwinds",
                    ));
                }
                Err(exit) => return Err(io::Error::other(exit)),
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        killall(&self.workers);
    }
}

impl Child {
    /// What it has written so far to its standard output and error, as far as [`Child::communicate_timeout`] has read
    /// it.
    pub(super) fn said(&self) -> [Vec<u8>; 2] {
        let said = self.conversation.as_ref();
        let said = said.map(|said| said.outputs.each_ref());
        said.map(|outputs| outputs.map(|output| output.bytes.borrow().clone()))
            .unwrap_or_default()
    }

    /// Writes `input` to the process and closes that pipe, reads both its outputs to their ends, and waits for its
    /// end: all at once, so that much data in one direction does not keep up the others.
    ///
    /// What was not piped is not touched. A process that does not read all of its input is no error.
    ///
    /// # Errors
    /// `InvalidInput` if there is input but no pipe for it, or if this goes on after a timeout: the input is then
    /// known already. As [`Child::wait`].
    ///
    /// ```
    /// use green::process::{Command, Stdio};
    ///
    /// let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let output = sort.communicate(b"b\na\n")?;
    /// assert_eq!(output.stdout, b"a\nb\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn communicate(&mut self, input: &[u8]) -> io::Result<Output> {
        self.communicate_until(input, None)
    }

    /// As [`Child::communicate`], for at most `timeout`. After that the process runs on, the error has what it has
    /// written so far, and a further call with no input goes on where this one has stopped.
    ///
    /// # Errors
    /// As [`Child::communicate`]; a [`TimeoutExpired`](super::TimeoutExpired), of kind `TimedOut`, after `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::process::{Command, Stdio};
    ///
    /// let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let output = cat.communicate_timeout(b"meow", Duration::from_secs(60))?;
    /// assert_eq!(output.stdout, b"meow");
    ///
    /// let mut sleep = Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn()?;
    /// let expired = sleep.communicate_timeout(b"", Duration::from_millis(1));
    /// assert!(green::is_timeout(&expired.unwrap_err()));
    /// sleep.kill()?;
    /// assert!(!sleep.communicate(b"")?.status.success()); // Goes on where it has stopped.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn communicate_timeout(&mut self, input: &[u8], timeout: Duration) -> io::Result<Output> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        let result = self.communicate_until(input, deadline);
        self.name_expiry(result, Some(timeout))
    }

    fn communicate_until(&mut self, input: &[u8], deadline: Option<Instant>) -> io::Result<Output> {
        let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if !input.is_empty() {
            if self.conversation.is_some() {
                return refused("the input was given when the communication began");
            }
            if self.stdin.is_none() {
                return refused("there is no pipe to the standard input of the process");
            }
        }
        let (stdin, stdout, stderr) = (self.stdin.take(), self.stdout.take(), self.stderr.take());
        let conversation = self.conversation.get_or_insert_with(|| Conversation {
            input: Rc::new(Input {
                pipe: RefCell::new(stdin.map(|stream| Rc::new(stream.into()))),
                bytes: input.to_vec(),
                written: Cell::new(0),
            }),
            outputs: [
                Rc::new(Captured::new(stdout.map(Into::into))),
                Rc::new(Captured::new(stderr.map(Into::into))),
            ],
        });
        conversation.run(deadline)?;
        let status = self.wait_until(deadline)?;
        let outputs = self.conversation.take().map(|said| said.outputs);
        let [stdout, stderr] = outputs
            .map(|outputs| outputs.map(|output| output.bytes.take()))
            .unwrap_or_default();
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}
