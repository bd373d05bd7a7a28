//! The calls on a file that move its cursor.
//!
//! Each runs in a thread of the pool. One whose caller has left goes on: the next call on the file waits for it, and what
//! it has read is kept for the next read.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use super::File;
use super::file::MOST;
use crate::runtime::Runtime;
use crate::semaphore::{Permit, Semaphore};
use crate::tpool::{self, Job, Lane};

/// What `read_to_end` reads at once.
const PIECE: usize = 1 << 18;

#[derive(Default)]
pub(super) struct Cursor {
    /// A call whose caller has left.
    flight: Option<Job<Done>>,
    /// What a read has brought whose caller had left, from `ahead.1` on. The file's cursor is behind it.
    pub(super) ahead: (Vec<u8>, usize),
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
    /// How much was read ahead of the cursor that the caller knows.
    pub(super) fn ahead(&self) -> usize {
        let cursor = self.cursor.borrow();
        cursor.ahead.0.len() - cursor.ahead.1
    }

    pub(super) fn turn(&self) -> io::Result<Permit<'_, Semaphore>> {
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
    pub(super) fn settle(&self) -> io::Result<()> {
        let Some(job) = self.cursor.borrow_mut().flight.take() else {
            return Ok(());
        };
        let done = self.land(job)?;
        let mut cursor = self.cursor.borrow_mut();
        match done.result {
            Ok(_) if done.read => cursor.ahead = (done.buffer, 0),
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
                self.0.cursor.borrow_mut().flight = self.1.take();
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
        let mut buffer = std::mem::take(&mut self.cursor.borrow_mut().buffer);
        buffer.clear();
        fill(&mut buffer);
        let file = Arc::clone(&self.file);
        if Runtime::with(Runtime::cannot_switch) {
            self.cursor.borrow_mut().ahead = (Vec::new(), 0);
            return Ok(call.run(&file, buffer, back));
        }
        let job = tpool::submit_in(Lane::Files, move || call.run(&file, buffer, back))?;
        self.cursor.borrow_mut().ahead = (Vec::new(), 0);
        self.land(job)
    }

    /// Puts a buffer back for the next call.
    fn finish(&self, done: Done) -> io::Result<u64> {
        self.cursor.borrow_mut().buffer = done.buffer;
        done.result
    }
}

impl Read for &File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let _turn = self.turn()?;
        self.settle()?;
        if self.ahead() > 0 {
            let mut cursor = self.cursor.borrow_mut();
            let (bytes, at) = &mut cursor.ahead;
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
