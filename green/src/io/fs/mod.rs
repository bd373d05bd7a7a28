//! Files with the names and signatures of [`std::fs`], in threads of the pool.
//!
//! No system has readiness for regular files: a read from a slow disk blocks the thread that makes it. So each call
//! is a job of a [thread pool](crate::tpool) for files, and other greenthreads run meanwhile. That costs some
//! microseconds a call: read and write much at once, or through a [`BufReader`](std::io::BufReader) and a
//! [`BufWriter`](std::io::BufWriter) with large buffers.
//!
//! A named pipe (FIFO) that is opened here takes no thread: the open waits for the other side, and reads and writes
//! wait for the hub.
//!
//! ```
//! use std::io::{Read, Seek, Write};
//! use green::fs::File;
//!
//! let path = std::env::temp_dir().join(format!("green-doc-{}", std::process::id()));
//! let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
//! file.write_all(b"hello")?;
//! file.rewind()?;
//! let mut text = String::new();
//! file.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! green::fs::remove_file(&path)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A kill or a deadline that ends a wait does not end the job. Nothing is lost by that: what a read brings is there
//! for the next one, and what a write was given is written before the next call on that file.
//!
//! While the thread unwinds a call runs in the thread itself, and blocks it.

mod cursor;
mod fifo;
mod file;
mod options;
mod watch;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::tpool::{self, Lane};

pub use file::File;
pub use options::OpenOptions;
pub use std::fs::{DirEntry, FileTimes, FileType, Metadata, Permissions};
pub use watch::{Change, PathWatch, watch};

/// Runs one of std's functions in a thread for files.
fn run<T: Send + 'static>(f: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tpool::execute_in(Lane::Files, f)?
}

macro_rules! of_path {
    ($($(#[$doc:meta])* $name:ident -> $result:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// As the function of this name in [`std::fs`].
        pub fn $name(path: impl AsRef<Path>) -> io::Result<$result> {
            let path = path.as_ref().to_owned();
            run(move || std::fs::$name(path))
        }
    )*};
}

of_path! {
    /// Removes a file.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-remove_file-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// let path = dir.join("file");
    /// green::fs::write(&path, "")?;
    /// green::fs::remove_file(&path)?;
    /// assert!(!green::fs::exists(&path)?);
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    remove_file -> ();
    /// What the system knows of a file, after following symbolic links.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-metadata-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// let path = dir.join("file");
    /// green::fs::write(&path, "hello")?;
    /// assert_eq!(green::fs::metadata(&path)?.len(), 5);
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    metadata -> Metadata;
    /// What the system knows of a file, which may be a symbolic link.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-symlink_metadata-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// let link = dir.join("link");
    /// std::os::unix::fs::symlink("nowhere", &link)?;
    /// assert!(green::fs::symlink_metadata(&link)?.is_symlink());
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    symlink_metadata -> Metadata;
    /// The absolute path without symbolic links.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-canonicalize-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// let path = green::fs::canonicalize(dir.join("."))?;
    /// assert!(path.is_absolute() && !path.ends_with("."));
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    canonicalize -> PathBuf;
    /// Where a symbolic link points.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-read_link-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// let link = dir.join("link");
    /// std::os::unix::fs::symlink("nowhere", &link)?;
    /// assert_eq!(green::fs::read_link(&link)?.to_str(), Some("nowhere"));
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    read_link -> PathBuf;
    /// True if something is there; an error if that cannot be said.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-exists-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// assert!(green::fs::exists(&dir)? && !green::fs::exists(dir.join("nothing"))?);
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    exists -> bool;
    /// Makes a directory.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-create_dir-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// green::fs::create_dir(dir.join("new"))?;
    /// assert!(green::fs::create_dir(dir.join("new")).is_err(), "it is there");
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    create_dir -> ();
    /// Makes a directory and those above it that are missing.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-create_dir_all-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// green::fs::create_dir_all(dir.join("a/b/c"))?;
    /// assert!(green::fs::exists(dir.join("a/b"))?);
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    create_dir_all -> ();
    /// Removes an empty directory.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-remove_dir-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// green::fs::create_dir(dir.join("new"))?;
    /// green::fs::remove_dir(dir.join("new"))?;
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    remove_dir -> ();
    /// Removes a directory and all that is in it.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-remove_dir_all-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// green::fs::create_dir_all(dir.join("a/b/c"))?;
    /// green::fs::remove_dir_all(dir.join("a"))?;
    /// assert!(!green::fs::exists(dir.join("a"))?);
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    remove_dir_all -> ();
}

/// Reads a whole file.
///
/// # Errors
/// As [`std::fs::read`].
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("green-doc-read-{}", std::process::id()));
/// # green::fs::create_dir_all(&dir)?;
/// let path = dir.join("file");
/// green::fs::write(&path, [1, 2, 3])?;
/// assert_eq!(green::fs::read(&path)?, [1, 2, 3]);
/// # green::fs::remove_dir_all(&dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let path = path.as_ref();
    if let Some(bytes) = fifo::unless(path, std::fs::read)? {
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a whole file of UTF-8 text.
///
/// # Errors
/// As [`std::fs::read_to_string`].
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("green-doc-read_to_string-{}", std::process::id()));
/// # green::fs::create_dir_all(&dir)?;
/// let path = dir.join("file");
/// green::fs::write(&path, "hello")?;
/// assert_eq!(green::fs::read_to_string(&path)?, "hello");
/// # green::fs::remove_dir_all(&dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let path = path.as_ref();
    if let Some(text) = fifo::unless(path, std::fs::read_to_string)? {
        return Ok(text);
    }
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

macro_rules! of_paths {
    ($($(#[$doc:meta])* $name:ident -> $result:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// As the function of this name in [`std::fs`].
        pub fn $name(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<$result> {
            let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
            run(move || std::fs::$name(from, to))
        }
    )*};
}

of_paths! {
    /// Copies a file and its permissions, and gives the number of bytes.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-copy-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// let (from, to) = (dir.join("from"), dir.join("to"));
    /// green::fs::write(&from, "hello")?;
    /// assert_eq!(green::fs::copy(&from, &to)?, 5);
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    copy -> u64;
    /// Renames a file or directory; what has the new name is replaced.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-rename-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// let (from, to) = (dir.join("from"), dir.join("to"));
    /// green::fs::write(&from, "hello")?;
    /// green::fs::rename(&from, &to)?;
    /// assert!(green::fs::exists(&to)? && !green::fs::exists(&from)?);
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    rename -> ();
    /// Makes a second name for a file.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("green-doc-hard_link-{}", std::process::id()));
    /// # green::fs::create_dir_all(&dir)?;
    /// let (one, other) = (dir.join("one"), dir.join("other"));
    /// green::fs::write(&one, "hello")?;
    /// green::fs::hard_link(&one, &other)?;
    /// assert_eq!(green::fs::read(&other)?, b"hello");
    /// # green::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    hard_link -> ();
}

/// Writes a whole file, which is made or replaced.
///
/// # Errors
/// As [`std::fs::write`].
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("green-doc-write-{}", std::process::id()));
/// # green::fs::create_dir_all(&dir)?;
/// let path = dir.join("file");
/// green::fs::write(&path, "a long text")?;
/// green::fs::write(&path, "a text")?;
/// assert_eq!(green::fs::read_to_string(&path)?, "a text");
/// # green::fs::remove_dir_all(&dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let (path, contents) = (path.as_ref(), contents.as_ref());
    let copy = contents.to_owned();
    match fifo::unless(path, |path| std::fs::write(path, copy))? {
        Some(()) => Ok(()),
        None => File::create(path)?.write_all(contents),
    }
}

/// Changes the permissions of a file.
///
/// # Errors
/// As [`std::fs::set_permissions`].
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("green-doc-set_permissions-{}", std::process::id()));
/// # green::fs::create_dir_all(&dir)?;
/// let path = dir.join("file");
/// green::fs::write(&path, "")?;
/// let mut permissions = green::fs::metadata(&path)?.permissions();
/// permissions.set_readonly(true);
/// green::fs::set_permissions(&path, permissions)?;
/// assert!(green::fs::metadata(&path)?.permissions().readonly());
/// # green::fs::remove_dir_all(&dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    run(move || std::fs::set_permissions(path, permissions))
}

/// What is in a directory: all of it is read before this returns.
///
/// # Errors
/// As [`std::fs::read_dir`]; an entry that cannot be read is an error in its place.
///
/// ```
/// for entry in green::fs::read_dir("/")? {
///     println!("{}", entry?.path().display());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    let entries = run(move || Ok(std::fs::read_dir(path)?.collect::<Vec<_>>()))?;
    Ok(ReadDir(entries.into_iter()))
}

/// Made by [`read_dir`].
///
/// ```
/// let entries: green::fs::ReadDir = green::fs::read_dir("/")?;
/// let names = entries.map(|entry| Ok(entry?.file_name()));
/// println!("{:?}", names.collect::<std::io::Result<Vec<_>>>()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ReadDir(std::vec::IntoIter<io::Result<DirEntry>>);

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        self.0.next()
    }
}
