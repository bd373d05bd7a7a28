//! The standard streams.
//!
//! Their open files are shared with other processes (the shell, a parent, the next command in a pipeline), and so is
//! the non-blocking mode, which therefore is left alone. Pipes and terminals are opened once more, in that mode, for
//! this process only; for what cannot be, the system is asked before every call.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use hub_core::Direction;
use rustix::fs::{FileType, Mode, OFlags};

use super::pipe::own;
use crate::net::io::Io;
use crate::net::retry::Transfer;
use crate::runtime::{Runtime, ThreadState};

/// The size of the buffer of `Stdin`.
const CAPACITY: usize = 8192;

enum Stream {
    /// Opened for us alone.
    Own(Io<File>),
    /// Another number for what others use as well.
    Shared(OwnedFd),
}

impl Stream {
    fn open(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<Stream> {
        let fd = fd.try_clone_to_owned()?;
        match reopen(fd.as_fd(), direction) {
            Some(own) => Ok(Stream::Own(own)),
            None => Ok(Stream::Shared(fd)),
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Own(io) => io.transfer(Transfer::Read(buffer)),
            Stream::Shared(fd) => super::read(fd, buffer),
        }
    }

    fn write(&self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Own(io) => io.transfer(Transfer::Write(buffer)),
            Stream::Shared(fd) => super::write(fd, buffer),
        }
    }
}

/// A second open file for the same pipe or terminal, if there can be one.
fn reopen(fd: BorrowedFd<'_>, direction: Direction) -> Option<Io<File>> {
    let flags = OFlags::NONBLOCK
        | OFlags::CLOEXEC
        | OFlags::NOCTTY
        | match direction {
            Direction::Read => OFlags::RDONLY,
            Direction::Write => OFlags::WRONLY,
        };
    let open = |path: &[u8]| rustix::fs::open(path, flags, Mode::empty()).ok();
    let mode = rustix::fs::fstat(fd).ok()?.st_mode;
    let opened = match FileType::from_raw_mode(mode) {
        FileType::CharacterDevice if rustix::termios::isatty(fd) => {
            let name = rustix::termios::ttyname(fd, Vec::new()).ok()?;
            open(name.as_bytes())
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        FileType::Fifo => {
            use std::os::fd::AsRawFd;
            open(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_bytes())
        }
        _ => None,
    };
    own(opened?).ok()
}

/// This thread's handle to the standard input, whose waits let other greenthreads run. Made by [`stdin`].
///
/// All handles of a thread share one buffer. It is not std's: use one or the other.
///
/// ```no_run
/// let stdin: green::os::Stdin = green::os::stdin()?;
/// let mut line = String::new();
/// stdin.read_line(&mut line)?;
/// for line in stdin.lines().take(1) {
///     println!("{}", line?); // Other greenthreads run while it waits.
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Stdin(Rc<Input>);

struct Input {
    stream: Stream,
    unread: RefCell<Unread>,
}

/// What was read and not yet taken.
#[derive(Default)]
struct Unread {
    bytes: Vec<u8>,
    /// How many of them at the front were taken.
    taken: usize,
    /// How many behind those hold no newline.
    searched: usize,
}

impl Unread {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// How long the first line is, with its newline, if it is there as a whole. Looks at no byte twice.
    fn line(&mut self) -> Option<usize> {
        let found = self.rest()[self.searched..]
            .iter()
            .position(|&byte| byte == b'\n');
        match found {
            Some(at) => Some(self.searched + at + 1),
            None => {
                self.searched = self.rest().len();
                None
            }
        }
    }

    fn take(&mut self, count: usize) {
        self.taken += count;
        self.searched = 0;
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        // Moved at most once: half of the buffer is free then.
        if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }
}

/// A stream that a thread has opened, once for all who ask.
struct Opened<S>(RefCell<Option<S>>);

impl<S> Default for Opened<S> {
    fn default() -> Opened<S> {
        Opened(RefCell::default())
    }
}

impl<S: Clone + 'static> ThreadState for Opened<S> {
    fn at_end(&self) {
        drop(self.0.take());
    }
}

fn opened<S: Clone + 'static>(open: impl FnOnce() -> io::Result<S>) -> io::Result<S> {
    let opened = Runtime::with(Runtime::state::<Opened<S>>);
    let known = opened.0.borrow().clone();
    if let Some(stream) = known {
        return Ok(stream);
    }
    let stream = open()?;
    opened.0.replace(Some(stream.clone()));
    Ok(stream)
}

/// The standard input of the process.
///
/// # Errors
/// If it is closed, or no descriptor is left.
///
/// ```no_run
/// for line in green::os::stdin()?.lines() {
///     println!("{}", line?.to_uppercase());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stdin() -> io::Result<Stdin> {
    opened(|| {
        Ok(Stdin(Rc::new(Input {
            stream: Stream::open(rustix::stdio::stdin(), Direction::Read)?,
            unread: RefCell::default(),
        })))
    })
}

impl Stdin {
    /// Appends the next line to `line`, with its newline if it has one. 0 says that there is no more.
    ///
    /// # Errors
    /// What the system says. `InvalidData` if the line is no UTF-8; it is passed over.
    pub fn read_line(&self, line: &mut String) -> io::Result<usize> {
        loop {
            let whole = self.0.unread.borrow_mut().line();
            if let Some(count) = whole {
                return self.take(count, line);
            }
            if self.fill()? == 0 {
                let rest = self.0.unread.borrow().rest().len();
                return self.take(rest, line);
            }
        }
    }

    /// The lines, without their newlines.
    pub fn lines(self) -> impl Iterator<Item = io::Result<String>> {
        std::iter::from_fn(move || {
            let mut line = String::new();
            match self.read_line(&mut line) {
                Ok(0) => None,
                Ok(_) => {
                    if line.ends_with('\n') {
                        line.pop();
                        if line.ends_with('\r') {
                            line.pop();
                        }
                    }
                    Some(Ok(line))
                }
                Err(error) => Some(Err(error)),
            }
        })
    }

    /// Moves `count` bytes of the buffer to `line`.
    fn take(&self, count: usize, line: &mut String) -> io::Result<usize> {
        let mut unread = self.0.unread.borrow_mut();
        let text = std::str::from_utf8(&unread.rest()[..count]);
        let text = text.map(|text| line.push_str(text));
        unread.take(count);
        text.map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "a line of the standard input is no valid UTF-8",
            )
        })?;
        Ok(count)
    }

    /// Reads more into the buffer.
    fn fill(&self) -> io::Result<usize> {
        let mut chunk = vec![0; CAPACITY];
        let count = self.0.stream.read(&mut chunk)?;
        self.0.unread.borrow_mut().append(&chunk[..count]);
        Ok(count)
    }
}

impl Read for Stdin {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Read for &Stdin {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0.unread.borrow().rest().is_empty() {
            return self.0.stream.read(buf);
        }
        let mut unread = self.0.unread.borrow_mut();
        let count = unread.rest().len().min(buf.len());
        buf[..count].copy_from_slice(&unread.rest()[..count]);
        unread.take(count);
        Ok(count)
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").finish_non_exhaustive()
    }
}

macro_rules! output {
    ($name:ident, $make:ident, $what:literal) => {
        #[doc = concat!("This thread's handle to ", $what, ", whose waits let other greenthreads run. Made by [`",
            stringify!($make), "`].")]
        ///
        /// It has no buffer: wrap it in a [`BufWriter`](std::io::BufWriter) or a
        /// [`LineWriter`](std::io::LineWriter). `println!` is std's, and may block the thread.
        #[derive(Clone)]
        pub struct $name(Rc<Stream>);

        #[doc = concat!("The stream ", $what, " of the process.")]
        ///
        /// # Errors
        /// If it is closed, or no descriptor is left.
        ///
        /// ```
        /// use std::io::Write;
        ///
        #[doc = concat!("writeln!(green::os::", stringify!($make), "()?, \"hello\")?;")]
        /// # Ok::<(), std::io::Error>(())
        /// ```
        pub fn $make() -> io::Result<$name> {
            opened(|| {
                let stream = Stream::open(rustix::stdio::$make(), Direction::Write)?;
                Ok($name(Rc::new(stream)))
            })
        }

        impl Write for $name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0.write(buf)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Write for &$name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0.write(buf)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

output!(Stdout, stdout, "standard output");
output!(Stderr, stderr, "standard error");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_searched_once_and_moved_seldom() {
        let mut unread = Unread::default();
        for round in 1..=100 {
            unread.append(&[b'a'; 1000]);
            assert_eq!(unread.searched, (round - 1) * 1000, "searched again");
            assert_eq!(unread.line(), None);
        }
        unread.append(b"\nb\nc");
        assert_eq!(unread.line(), Some(100_001));
        unread.take(100_001);
        assert_eq!(unread.line(), Some(2));
        unread.take(2);
        assert_eq!((unread.line(), unread.rest()), (None, &b"c"[..]));
        // What was taken is let go of.
        unread.append(b"d\n");
        assert_eq!(unread.bytes.len(), 3);
        assert_eq!(unread.line(), Some(3));
        unread.take(3);
        assert!(unread.bytes.is_empty());
    }

    #[test]
    fn many_short_lines_are_not_moved_each() {
        let mut unread = Unread::default();
        unread.append(&b"a\n".repeat(1000));
        for taken in 0..1000 {
            assert_eq!(unread.taken, 2 * taken, "moved");
            assert_eq!(unread.line(), Some(2));
            unread.take(2);
        }
        assert_eq!(unread.line(), None);
    }
}
