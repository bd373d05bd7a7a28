//! An open file, and how to open it.

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::io::{self, Seek};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::cursor::Cursor;
use super::{OpenOptions, run};
use crate::semaphore::Semaphore;

/// The most that one call reads or writes: it is copied to and from the thread that does it.
pub(super) const MOST: usize = 1 << 20;

/// An open file: `std::fs::File`, whose calls run on the thread pool.
///
/// Greenthreads that share one (`&File` reads and writes) take turns, in the order in which they came.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("green-doc-file-{}", std::process::id()));
/// # green::fs::create_dir_all(&dir)?;
/// use std::io::{Read, Seek, SeekFrom, Write};
/// use green::fs::File;
///
/// let mut file = File::create_new(dir.join("file"))?;
/// file.write_all(b"hello, file")?;
/// file.sync_all()?;
/// file.seek(SeekFrom::Start(7))?;
/// let mut text = String::new();
/// file.read_to_string(&mut text)?;
/// assert_eq!((&*text, file.metadata()?.len()), ("file", 11));
///
/// // Where the cursor is does not matter to these.
/// file.write_at(b"H", 0)?;
/// let mut first = [0; 5];
/// file.read_at(&mut first, 0)?;
/// assert_eq!(&first, b"Hello");
/// file.set_len(5)?;
/// assert_eq!(green::fs::read_to_string(dir.join("file"))?, "Hello");
/// # green::fs::remove_dir_all(&dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// What the system knows of it:
///
/// ```
/// # let path = std::env::temp_dir().join(format!("green-doc-times-{}", std::process::id()));
/// use std::fs::FileTimes;
/// use std::io::Write;
/// use std::time::{Duration, SystemTime};
/// use green::fs::File;
///
/// let file = File::create(&path)?;
/// let mut clone = file.try_clone()?; // Another descriptor, the same cursor.
/// clone.write_all(b"hello")?;
/// clone.sync_data()?;
/// let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
/// file.set_times(FileTimes::new().set_modified(long_ago))?;
/// assert_eq!(file.metadata()?.modified()?, long_ago);
///
/// let mut permissions = file.metadata()?.permissions();
/// permissions.set_readonly(true);
/// file.set_permissions(permissions)?;
/// assert!(file.metadata()?.permissions().readonly());
/// # green::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct File {
    pub(super) file: Arc<fs::File>,
    /// A named pipe in non-blocking mode: the hub knows when it is ready, and no thread is needed.
    pub(super) is_fifo: bool,
    /// One call at a time.
    pub(super) turn: Semaphore,
    pub(super) cursor: RefCell<Cursor>,
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
        file.cursor.get_mut().ahead = (read, 0);
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
            cursor: RefCell::default(),
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}
