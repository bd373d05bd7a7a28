//! An open file, and how to open it.

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::{OpenOptions, run};
use crate::runtime::Runtime;
use crate::semaphore::{Permit, Semaphore};
use crate::tpool::{self, Job, Lane};

/// The most that one call reads or writes: it is copied to and from the thread that does it.
const MOST: usize = 1 << 20;

/// What `read_to_end` reads at once.
const PIECE: usize = 1 << 18;

/// An open file: `std::fs::File`, whose calls run on the thread pool.
///
/// Greenthreads that share one (`&File` reads and writes) take turns, in the order in which they came.
pub struct File {
    file: Arc<fs::File>,
    /// A named pipe in non-blocking mode: the hub knows when it is ready, and no thread is needed.
    is_fifo: bool,
    /// One call at a time.
    turn: Semaphore,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// A call whose caller has left.
    flight: Option<Job<Done>>,
    /// What a read has brought whose caller had left, from `ahead.1` on. The file's cursor is behind it.
    ahead: (Vec<u8>, usize),
    /// Kept for its capacity.
    buffer: Vec<u8>,
}

/// A call that moves the cursor.
enum Call {
    Read(usize),
    /// All that is in the buffer.
    Write,
    Seek(SeekFrom),
}

struct Done {
    buffer: Vec<u8>,
    read: bool,
    result: io::Result<u64>,
}

impl Call {
    /// In a thread of the pool. The cursor goes `back` first.
    fn run(self, mut file: &fs::File, mut buffer: Vec<u8>, back: usize) -> Done {
        let read = matches!(self, Call::Read(_));
        let mut call = || {
            if back > 0 {
                file.seek(SeekFrom::Current(-(back as i64)))?;
            }
            match self {
                Call::Read(wanted) => {
                    buffer.resize(wanted, 0);
                    let count = file.read(&mut buffer)?;
                    buffer.truncate(count);
                    Ok(count as u64)
                }
                Call::Write => file.write_all(&buffer).map(|()| buffer.len() as u64),
                Call::Seek(to) => file.seek(to),
            }
        };
        let result = call();
        Done {
            buffer,
            read,
            result,
        }
    }
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// As std.
    pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().read(true).open(path)
    }

    /// Opens a file for writing, made or emptied.
    ///
    /// # Errors
    /// As std.
    pub fn create(path: impl AsRef<Path>) -> io::Result<File> {
        File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
    }

    /// Opens a file for reading and writing that must not exist before.
    ///
    /// # Errors
    /// As std.
    pub fn create_new(path: impl AsRef<Path>) -> io::Result<File> {
        File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
    }

    /// How to open a file otherwise.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Waits until everything written is on the disk, what the system knows of the file included.
    ///
    /// # Errors
    /// As std.
    pub fn sync_all(&self) -> io::Result<()> {
        self.call(fs::File::sync_all)
    }

    /// Waits until everything written is on the disk.
    ///
    /// # Errors
    /// As std.
    pub fn sync_data(&self) -> io::Result<()> {
        self.call(fs::File::sync_data)
    }

    /// Cuts the file off, or extends it by zeros. The cursor stays.
    ///
    /// # Errors
    /// As std.
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        self.call(move |file| file.set_len(size))
    }

    /// What the system knows of the file.
    ///
    /// # Errors
    /// As std.
    pub fn metadata(&self) -> io::Result<fs::Metadata> {
        self.call(fs::File::metadata)
    }

    /// Changes the permissions.
    ///
    /// # Errors
    /// As std.
    pub fn set_permissions(&self, permissions: fs::Permissions) -> io::Result<()> {
        self.call(move |file| file.set_permissions(permissions))
    }

    /// Changes the times.
    ///
    /// # Errors
    /// As std.
    pub fn set_times(&self, times: fs::FileTimes) -> io::Result<()> {
        self.call(move |file| file.set_times(times))
    }

    /// A named pipe that was opened in non-blocking mode, with what was read of it by the way.
    pub(super) fn of_fifo(file: fs::File, read: Vec<u8>) -> File {
        let mut file = File::from(file);
        file.is_fifo = true;
        file.state.get_mut().ahead = (read, 0);
        file
    }

    /// A second descriptor of the same open file, with the same cursor.
    ///
    /// # Errors
    /// As std.
    pub fn try_clone(&self) -> io::Result<File> {
        if self.ahead() > 0 {
            (&*self).stream_position()?;
        }
        let mut clone = File::from(self.file.try_clone()?);
        clone.is_fifo = self.is_fifo;
        Ok(clone)
    }

    /// Reads from `offset` on; the cursor stays. As std's `FileExt`.
    ///
    /// # Errors
    /// As std.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut buffer = vec![0; buf.len().min(MOST)];
        let buffer = self.call(move |file| {
            let count = file.read_at(&mut buffer, offset)?;
            buffer.truncate(count);
            Ok(buffer)
        })?;
        buf[..buffer.len()].copy_from_slice(&buffer);
        Ok(buffer.len())
    }

    /// Writes at `offset`; the cursor stays. As std's `FileExt`.
    ///
    /// # Errors
    /// As std.
    pub fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let buffer = buf[..buf.len().min(MOST)].to_owned();
        self.call(move |file| file.write_at(&buffer, offset))
    }

    /// How much was read ahead of the cursor that the caller knows.
    fn ahead(&self) -> usize {
        let state = self.state.borrow();
        state.ahead.0.len() - state.ahead.1
    }

    /// A call that has nothing to do with the cursor.
    fn call<T: Send + 'static>(
        &self,
        f: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _turn = self.turn()?;
        self.settle()?;
        let file = Arc::clone(&self.file);
        run(move || f(&file))
    }

    fn turn(&self) -> io::Result<Permit<'_, Semaphore>> {
        match self.turn.try_acquire() {
            Some(turn) => Ok(turn),
            None if Runtime::with(Runtime::cannot_switch) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "cannot wait for another greenthread's use of a file while the thread unwinds",
            )),
            None => Ok(self.turn.acquire()),
        }
    }

    /// Waits for the call whose caller has left, and keeps what it has brought.
    fn settle(&self) -> io::Result<()> {
        let Some(job) = self.state.borrow_mut().flight.take() else {
            return Ok(());
        };
        let done = self.land(job)?;
        let mut state = self.state.borrow_mut();
        match done.result {
            Ok(_) if done.read => state.ahead = (done.buffer, 0),
            Ok(_) => {}
            // A read that nobody knows of may fail again.
            Err(_) if done.read => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Waits for a call. However the wait ends, the call is not forgotten.
    fn land(&self, job: Job<Done>) -> io::Result<Done> {
        struct Flight<'a>(&'a File, Option<Job<Done>>);
        impl Drop for Flight<'_> {
            fn drop(&mut self) {
                self.0.state.borrow_mut().flight = self.1.take();
            }
        }
        let mut flight = Flight(self, Some(job));
        let done = match &mut flight.1 {
            Some(job) => job.join_here(),
            None => unreachable!("taken only here"),
        };
        if !matches!(&done, Err(tpool::JobError::Refused(error)) if error.kind() == io::ErrorKind::WouldBlock)
        {
            flight.1 = None;
        }
        Ok(done?)
    }

    /// A call that moves the cursor.
    fn moving(&self, call: Call, fill: impl FnOnce(&mut Vec<u8>)) -> io::Result<Done> {
        let back = self.ahead();
        let mut buffer = std::mem::take(&mut self.state.borrow_mut().buffer);
        buffer.clear();
        fill(&mut buffer);
        let file = Arc::clone(&self.file);
        if Runtime::with(Runtime::cannot_switch) {
            self.state.borrow_mut().ahead = (Vec::new(), 0);
            return Ok(call.run(&file, buffer, back));
        }
        let job = tpool::submit_in(Lane::Files, move || call.run(&file, buffer, back))?;
        self.state.borrow_mut().ahead = (Vec::new(), 0);
        self.land(job)
    }

    /// Puts a buffer back for the next call.
    fn finish(&self, done: Done) -> io::Result<u64> {
        self.state.borrow_mut().buffer = done.buffer;
        done.result
    }
}

impl Read for &File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let _turn = self.turn()?;
        self.settle()?;
        if self.ahead() > 0 {
            let mut state = self.state.borrow_mut();
            let (bytes, at) = &mut state.ahead;
            let count = buf.len().min(bytes.len() - *at);
            buf[..count].copy_from_slice(&bytes[*at..*at + count]);
            *at += count;
            return Ok(count);
        }
        if buf.is_empty() {
            return Ok(0);
        }
        if self.is_fifo {
            return crate::os::read(&*self.file, buf);
        }
        let done = self.moving(Call::Read(buf.len().min(MOST)), |_| {})?;
        if done.result.is_ok() {
            buf[..done.buffer.len()].copy_from_slice(&done.buffer);
        }
        self.finish(done).map(|count| count as usize)
    }

    /// In large pieces: each is a job.
    fn read_to_end(&mut self, all: &mut Vec<u8>) -> io::Result<usize> {
        let before = all.len();
        let mut piece = vec![0; PIECE];
        loop {
            match self.read(&mut piece) {
                Ok(0) => return Ok(all.len() - before),
                Ok(count) => all.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        let count = self.read_to_end(&mut bytes)?;
        let read = std::str::from_utf8(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        text.push_str(read);
        Ok(count)
    }
}

impl Write for &File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let _turn = self.turn()?;
        self.settle()?;
        if self.is_fifo {
            return crate::os::write(&*self.file, buf);
        }
        let bytes = &buf[..buf.len().min(MOST)];
        let done = self.moving(Call::Write, |buffer| buffer.extend_from_slice(bytes))?;
        self.finish(done).map(|count| count as usize)
    }

    /// Waits for a write whose caller has left, if there is one. Nothing else is kept back.
    fn flush(&mut self) -> io::Result<()> {
        let _turn = self.turn()?;
        self.settle()
    }
}

impl Seek for &File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let _turn = self.turn()?;
        self.settle()?;
        let done = self.moving(Call::Seek(to), |_| {})?;
        self.finish(done)
    }
}

impl Read for File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_to_end(&mut self, all: &mut Vec<u8>) -> io::Result<usize> {
        (&*self).read_to_end(all)
    }

    fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
        (&*self).read_to_string(text)
    }
}

impl Write for File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    /// As for `&File`.
    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&*self).seek(to)
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> File {
        File {
            file: Arc::new(file),
            is_fifo: false,
            turn: Semaphore::new(1),
            state: RefCell::default(),
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}
