//! How to open a file.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{File, fifo, run};
use crate::runtime::Runtime;

/// How to open a file: `std::fs::OpenOptions`, whose `open` runs on the thread pool.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("green-doc-options-{}", std::process::id()));
/// # green::fs::create_dir_all(&dir)?;
/// use std::io::Write;
/// use green::fs::OpenOptions;
///
/// let path = dir.join("log");
/// for line in ["first", "second"] {
///     let mut log = OpenOptions::new().append(true).create(true).open(&path)?;
///     writeln!(log, "{line}")?;
/// }
/// assert_eq!(green::fs::read_to_string(&path)?, "first\nsecond\n");
///
/// use std::os::unix::fs::PermissionsExt;
/// let secret = dir.join("secret");
/// let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&secret)?;
/// assert_eq!(made.metadata()?.permissions().mode() & 0o777, 0o600);
/// let emptied = OpenOptions::new().read(true).write(true).truncate(true).open(&secret)?;
/// assert_eq!(emptied.metadata()?.len(), 0);
/// assert!(OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(&secret).is_err());
/// # green::fs::remove_dir_all(&dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    options: fs::OpenOptions,
    read: bool,
    write: bool,
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, $name: $type) -> &mut OpenOptions {
            self.options.$name($name);
            self
        }
    )*};
}

impl OpenOptions {
    /// Options of which none is set.
    #[expect(
        clippy::new_without_default,
        reason = "std has none: what opens nothing is no default"
    )]
    pub fn new() -> OpenOptions {
        OpenOptions {
            options: fs::OpenOptions::new(),
            read: false,
            write: false,
        }
    }

    /// With `true`, opens the file for reading.
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        self.options.read(read);
        self.read = read;
        self
    }

    /// With `true`, opens the file for writing.
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        self.options.write(write);
        self.write = write;
        self
    }

    options! {
        /// With `true`, opens the file for writing at its end.
        append: bool;
        /// With `true`, empties the file.
        truncate: bool;
        /// With `true`, makes the file if it does not exist.
        create: bool;
        /// With `true`, makes the file, and fails if it exists.
        create_new: bool;
        /// Sets the permissions of a file that is made, as std's `OpenOptionsExt` does.
        mode: u32;
        /// Sets further flags of the system, as std's `OpenOptionsExt` does.
        custom_flags: i32;
    }

    /// Opens the file. A named pipe is opened when it is open for the other direction.
    ///
    /// # Errors
    /// As std.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (options, path) = (self.options.clone(), path.as_ref().to_owned());
        if Runtime::with(Runtime::cannot_switch) {
            return options.open(path).map(File::from);
        }
        match self.read {
            true if self.write => run(move || options.open(path)).map(File::from),
            true => fifo::open_reader(options, path),
            false => fifo::open_writer(options, path),
        }
    }
}
