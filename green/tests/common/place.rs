//! A directory for files that end with their test.

use std::fs;
use std::path::PathBuf;
use std::process;

use rustix::fs::{CWD, FileType, Mode, mknodat};

pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Place {
        let place = std::env::temp_dir().join(format!("green-{name}-{}", process::id()));
        fs::create_dir_all(&place).unwrap();
        Place(place)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a named pipe.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.at(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
