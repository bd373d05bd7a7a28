//! Hearing of changes to a path, by looking at it at regular times.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::time::{Interval, interval};

/// Watches a path by looking at it every `period`: [`PathWatch::changed`] reports what has changed.
///
/// A change is one of kind, size, owner, permissions, number of names or times, or that the file came or went.
/// Symbolic links are followed. It is libev's `stat` watcher.
///
/// It works on every file system, those of the network included. What changes back between two looks is not seen.
///
/// # Errors
/// If the path cannot be asked for, for another reason than that nothing is there.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use std::time::Duration;
/// use green::fs;
///
/// let path = std::env::temp_dir().join(format!("green-watch-{}", std::process::id()));
/// let mut watch = fs::watch(&path, Duration::from_millis(5))?;
/// fs::write(&path, "new")?;
/// let change = watch.changed()?;
/// assert!(change.before.is_none() && change.after.is_some());
/// fs::remove_file(&path)?;
/// assert!(watch.changed()?.after.is_none());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn watch(path: impl AsRef<Path>, period: Duration) -> io::Result<PathWatch> {
    let mut looks = interval(period);
    // The first tick is at once: this look.
    looks.tick();
    let path = path.as_ref().to_owned();
    let known = look(&path)?;
    Ok(PathWatch { path, known, looks })
}

/// Made by [`watch`].
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("green-doc-watch-{}", std::process::id()));
/// # green::fs::create_dir_all(&dir)?;
/// use std::time::Duration;
///
/// let path = dir.join("settings");
/// let mut watch = green::fs::watch(&path, Duration::from_millis(1))?;
/// let writer = path.clone();
/// green::spawn_n(move || green::fs::write(writer, "new").unwrap());
/// let change = watch.changed()?;
/// assert!(change.before.is_none() && change.after.is_some());
/// # green::fs::remove_dir_all(&dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PathWatch {
    path: PathBuf,
    known: Option<Metadata>,
    looks: Interval,
}

/// A change at a watched path: what the system knew of the file before, and what it knows now.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("green-doc-change-{}", std::process::id()));
/// # green::fs::create_dir_all(&dir)?;
/// use std::time::Duration;
///
/// let path = dir.join("settings");
/// let mut watch = green::fs::watch(&path, Duration::from_millis(1))?;
/// let writer = path.clone();
/// green::spawn_n(move || green::fs::write(writer, "new").unwrap());
/// let change = watch.changed()?;
/// assert!(change.before.is_none() && change.after.is_some());
/// # green::fs::remove_dir_all(&dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Change {
    /// What was there at the last look before the change; `None` if nothing was.
    pub before: Option<Metadata>,
    /// What is there now; `None` if nothing is.
    pub after: Option<Metadata>,
}

impl PathWatch {
    /// Waits for the next change. A deadline is that of a [`Timeout`](crate::Timeout) around it: nothing is lost by
    /// one.
    ///
    /// # Errors
    /// As [`watch`]. It may be called again.
    pub fn changed(&mut self) -> io::Result<Change> {
        loop {
            self.looks.tick();
            let after = look(&self.path)?;
            if is_same(self.known.as_ref(), after.as_ref()) {
                continue;
            }
            let before = std::mem::replace(&mut self.known, after.clone());
            return Ok(Change { before, after });
        }
    }
}

fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match super::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}

/// The time of the last access is no change.
fn is_same(one: Option<&Metadata>, other: Option<&Metadata>) -> bool {
    let facts = |found: &Metadata| {
        (
            (found.dev(), found.ino(), found.mode(), found.nlink()),
            (found.uid(), found.gid(), found.rdev(), found.size()),
            (found.mtime(), found.mtime_nsec()),
            (found.ctime(), found.ctime_nsec()),
        )
    };
    one.map(facts) == other.map(facts)
}
