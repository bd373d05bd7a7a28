//! Any descriptor as a stream that is read and written, with Python's modes.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use hub_core::Direction;
use rustix::fs::{FileType, OFlags};

use super::pipe::own;
use crate::error::failed;
use crate::fs::File;
use crate::net::io::Io;
use crate::runtime::Runtime;

/// What is read at once.
const CAPACITY: usize = 64 * 1024;

/// A file, pipe or terminal that is read, written and moved about in: eventlet's `GreenPipe`, Python's `os.fdopen`.
///
/// What it reads is buffered, so that lines are cheap ([`BufRead`]); a read takes what is there and does not wait for
/// a full buffer. What it writes goes out at once; wrap it in a [`BufWriter`](io::BufWriter) to change that. Regular
/// files go through the threads for [files](crate::fs), everything else waits for the hub. Dropping it closes it.
///
/// Bytes are not translated: [`universal_newlines`](crate::process::universal_newlines) does that for text.
///
/// ```
/// use std::io::{BufRead, Write};
/// use green::os::GreenPipe;
///
/// let (reader, writer) = std::io::pipe()?;
/// let mut writer = GreenPipe::fdopen(writer, "w")?;
/// green::spawn_n(move || writeln!(writer, "one\ntwo").unwrap());
/// let lines: Result<Vec<_>, _> = GreenPipe::fdopen(reader, "r")?.lines().collect();
/// assert_eq!(lines?, ["one", "two"]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A file by its name:
///
/// ```
/// use std::io::{Read, Seek, SeekFrom, Write};
/// use green::os::GreenPipe;
///
/// let path = std::env::temp_dir().join(format!("green-doc-pipe-{}", std::process::id()));
/// let mut file = GreenPipe::open(&path, "w+")?;
/// file.write_all(b"hello, file")?;
/// file.seek(SeekFrom::Start(5))?;
/// assert_eq!(file.truncate()?, 5);
/// let mut text = String::new();
/// GreenPipe::open(&path, "r")?.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct GreenPipe {
    stream: Stream,
    /// What was read and not yet taken, from `taken` on.
    buffer: Vec<u8>,
    taken: usize,
}

enum Stream {
    /// A regular file, which has a position.
    File(File),
    Other(Io<fs::File>),
}

/// What a mode of Python's asks for.
#[derive(Clone, Copy)]
struct Mode {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    new: bool,
}

impl Mode {
    fn parse(mode: &str) -> io::Result<Mode> {
        let count = |flags: &str| mode.chars().filter(|c| flags.contains(*c)).count();
        let both = count("+") == 1;
        let kind: String = mode.chars().filter(|c| !"+bt".contains(*c)).collect();
        let known = matches!(&*kind, "r" | "w" | "a" | "x");
        if !known || count("+") > 1 || count("bt") > 1 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{mode:?} is no mode: it is one of r, w, a and x, and + to read and write"),
            ));
        }
        Ok(Mode {
            read: both || kind == "r",
            write: both || kind != "r",
            append: kind == "a",
            truncate: kind == "w",
            new: kind == "x",
        })
    }
}

impl GreenPipe {
    /// Opens a file or a named pipe. The mode is Python's: `r` to read, `w` to write what is made or emptied, `a` to
    /// write at the end, `x` to write what must not exist; with `+` it is read and written. `b` and `t` change
    /// nothing.
    ///
    /// # Errors
    /// `InvalidInput` for another mode; as [`fs::OpenOptions::open`](crate::fs::OpenOptions::open). The error names
    /// the path.
    pub fn open(path: impl AsRef<Path>, mode: &str) -> io::Result<GreenPipe> {
        let (path, how) = (path.as_ref(), Mode::parse(mode)?);
        let mut options = File::options();
        options
            .read(how.read)
            .write(how.write)
            .append(how.append)
            .truncate(how.truncate)
            .create(how.write && (how.truncate || how.append))
            .create_new(how.new);
        let file = options
            .open(path)
            .map_err(|error| failed(format!("cannot open {path:?} as {mode:?}"), error))?;
        Ok(GreenPipe::new(Stream::File(file)))
    }

    /// Takes a descriptor over, which must be open for what the mode (see [`GreenPipe::open`]) asks for. Nothing is
    /// emptied; `a` has everything written at the end.
    ///
    /// All but regular files get non-blocking mode, for everybody who shares the open file.
    ///
    /// # Errors
    /// `InvalidInput` for another mode, or for a descriptor that is not open for it; what the system says.
    pub fn fdopen(fd: impl Into<OwnedFd>, mode: &str) -> io::Result<GreenPipe> {
        let (fd, how) = (fd.into(), Mode::parse(mode)?);
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        let access = flags & OFlags::ACCMODE;
        let refuses = |only| access != OFlags::RDWR && access != only;
        if (how.read && refuses(OFlags::RDONLY)) || (how.write && refuses(OFlags::WRONLY)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the descriptor is not open for the mode {mode:?}"),
            ));
        }
        let status = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Ok(GreenPipe::new(Stream::Other(own(fd)?)));
        }
        if how.append {
            rustix::fs::fcntl_setfl(&fd, flags | OFlags::APPEND)?;
        }
        Ok(GreenPipe::new(Stream::File(File::from(fs::File::from(fd)))))
    }

    fn new(stream: Stream) -> GreenPipe {
        GreenPipe {
            stream,
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// Cuts the file off at its position, as Python's `truncate`. Gives its size.
    ///
    /// # Errors
    /// If it is no regular file, or not open for writing.
    pub fn truncate(&mut self) -> io::Result<u64> {
        let size = self.stream_position()?;
        self.file()?.set_len(size)?;
        Ok(size)
    }

    fn file(&self) -> io::Result<&File> {
        match &self.stream {
            Stream::File(file) => Ok(file),
            Stream::Other(_) => Err(io::Error::from_raw_os_error(libc::ESPIPE)),
        }
    }

    /// How much was read ahead of the position that the caller knows.
    fn ahead(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Goes back to the position that the caller knows, before something else happens there.
    fn settle(&mut self) -> io::Result<()> {
        let ahead = self.ahead();
        if ahead > 0
            && let Stream::File(file) = &mut self.stream
        {
            file.seek_relative(-(ahead as i64))?;
            self.buffer.clear();
            self.taken = 0;
        }
        Ok(())
    }
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::File(file) => file.read(buffer),
            Stream::Other(io) => {
                let read = |fd: &fs::File| Ok(rustix::io::read(fd, &mut *buffer)?);
                count(Direction::Read, io.retry(Direction::Read, read)?)
            }
        }
    }

    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Stream::File(file) => file.write(buffer),
            Stream::Other(io) => {
                let write = |fd: &fs::File| Ok(rustix::io::write(fd, buffer)?);
                count(Direction::Write, io.retry(Direction::Write, write)?)
            }
        }
    }
}

/// Accounts for what was transferred.
fn count(direction: Direction, done: usize) -> io::Result<usize> {
    Runtime::with(|runtime| runtime.transferred(direction, done));
    Ok(done)
}

impl Read for GreenPipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ahead() == 0 && buf.len() >= CAPACITY {
            return self.stream.read(buf);
        }
        let there = self.fill_buf()?;
        let count = there.len().min(buf.len());
        buf[..count].copy_from_slice(&there[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for GreenPipe {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ahead() == 0 {
            self.taken = 0;
            self.buffer.resize(CAPACITY, 0);
            let read = self.stream.read(&mut self.buffer);
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(&self.buffer[self.taken..])
    }

    fn consume(&mut self, count: usize) {
        self.taken = self.buffer.len().min(self.taken + count);
    }
}

impl Write for GreenPipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.settle()?;
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::File(file) => file.flush(),
            Stream::Other(_) => Ok(()),
        }
    }
}

/// Only of regular files: the others have no position, and the error is the system's.
impl Seek for GreenPipe {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file()?;
        self.settle()?;
        match &mut self.stream {
            Stream::File(file) => file.seek(to),
            Stream::Other(_) => unreachable!("asked for before"),
        }
    }
}

impl AsFd for GreenPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::File(file) => file.as_fd(),
            Stream::Other(io) => io.lend(),
        }
    }
}

impl fmt::Debug for GreenPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("GreenPipe");
        match &self.stream {
            Stream::File(file) => tuple.field(file),
            Stream::Other(io) => tuple.field(io),
        }
        .finish()
    }
}
