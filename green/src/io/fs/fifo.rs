//! Named pipes: to open one is to wait for the other side, for which no system has an event.
//!
//! A thread that waited in the system's `open` could not be called back if its caller is killed. So the pipe is
//! opened without waiting, and looked at from time to time.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hub_core::Direction;

use super::{File, run};

/// Between two looks: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What an open without waiting has come to.
enum Opened {
    Ordinary(fs::File),
    Fifo(fs::File),
    /// No process has the pipe open for reading: the system does not open it for writing then.
    NoReader,
}

fn is_fifo(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// Runs one of std's functions in a thread for files, unless it would have to wait there: `None` is a named pipe.
pub(super) fn unless<T: Send + 'static>(
    path: &Path,
    f: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
) -> io::Result<Option<T>> {
    let path = path.to_owned();
    run(move || match is_fifo(&path) {
        true => Ok(None),
        false => f(path).map(Some),
    })
}

/// In a thread for files. What is a named pipe is opened without waiting for the other side.
fn open(mut options: OpenOptions, path: &Path) -> io::Result<Opened> {
    if !is_fifo(path) {
        return options.open(path).map(Opened::Ordinary);
    }
    match options.custom_flags(libc::O_NONBLOCK).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(Opened::NoReader),
        file => file.map(Opened::Fifo),
    }
}

/// Opens what may be a named pipe for reading only.
pub(super) fn open_reader(options: OpenOptions, path: PathBuf) -> io::Result<File> {
    let file = match run(move || open(options, &path))? {
        Opened::Ordinary(file) => return Ok(File::from(file)),
        Opened::Fifo(file) => file,
        Opened::NoReader => unreachable!("a named pipe is opened for reading at any time"),
    };
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(read) = meet_writer(&file)? {
            return Ok(File::of_fifo(file, read));
        }
        crate::sleep(pause);
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

/// `None` until somebody has opened it for writing. If something was read to find that out, it is the result.
fn meet_writer(mut file: &fs::File) -> io::Result<Option<Vec<u8>>> {
    // Data, or the end of those who have been here.
    if crate::runtime::once::is_ready(file.as_fd(), Direction::Read)? {
        return Ok(Some(Vec::new()));
    }
    // Without a writer this is the end of the file, with a silent one there is nothing yet.
    let mut byte = [0];
    match io::Read::read(&mut file, &mut byte) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(byte.to_vec())),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(Vec::new())),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens what may be a named pipe for writing only.
pub(super) fn open_writer(options: OpenOptions, path: PathBuf) -> io::Result<File> {
    let mut pause = FIRST_PAUSE;
    loop {
        let (options, path) = (options.clone(), path.clone());
        match run(move || open(options, &path))? {
            Opened::Ordinary(file) => return Ok(File::from(file)),
            Opened::Fifo(file) => return Ok(File::of_fifo(file, Vec::new())),
            Opened::NoReader => {}
        }
        crate::sleep(pause);
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}
