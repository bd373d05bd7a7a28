//! Small files of the system that change now and then.

use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often a file is looked at.
const EVERY: Duration = Duration::from_secs(10);

/// What a file says: parsed when it is first wanted, and again when it has changed.
///
/// A file that is missing or cannot be read counts as empty. It is read in the thread itself: these files are local and
/// small, and a thread of the pool would take longer to wake than to read one.
pub(super) struct ParsedFile<T> {
    path: PathBuf,
    parse: Box<dyn Fn(&str) -> T>,
    last: RefCell<Option<Last<T>>>,
}

struct Last<T> {
    looked: Instant,
    stamp: Option<Stamp>,
    value: Rc<T>,
}

/// Differs if a file was changed or replaced.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            inode: metadata.ino(),
            size: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl<T> ParsedFile<T> {
    pub(super) fn new(path: PathBuf, parse: impl Fn(&str) -> T + 'static) -> ParsedFile<T> {
        ParsedFile {
            path,
            parse: Box::new(parse),
            last: RefCell::new(None),
        }
    }

    pub(super) fn get(&self) -> Rc<T> {
        let now = crate::time::now();
        let mut last = self.last.borrow_mut();
        if let Some(last) = last.as_mut() {
            if now.saturating_duration_since(last.looked) < EVERY {
                return Rc::clone(&last.value);
            }
            last.looked = now;
            let found = std::fs::metadata(&self.path);
            if found.ok().map(|metadata| Stamp::of(&metadata)) == last.stamp {
                return Rc::clone(&last.value);
            }
        }
        // The stamp is taken before the text: what changes in between is seen at the next look.
        let (stamp, text) = match self.read() {
            Ok((stamp, text)) => (Some(stamp), text),
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    log::warn!("cannot read {}: {error}", self.path.display());
                }
                (None, String::new())
            }
        };
        let value = Rc::new((self.parse)(&text));
        *last = Some(Last {
            looked: now,
            stamp,
            value: Rc::clone(&value),
        });
        value
    }

    fn read(&self) -> io::Result<(Stamp, String)> {
        let mut file = File::open(&self.path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok((stamp, String::from_utf8_lossy(&text).into_owned()))
    }
}
