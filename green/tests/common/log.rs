//! What was logged. A process has one logger: for tests that run in one of their own.

use std::sync::{Mutex, Once};

use ::log::{LevelFilter, Log, Metadata, Record};

struct Kept(Mutex<Vec<String>>);

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// Keeps what is logged from now on.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ::log::set_logger(&KEPT).unwrap();
        ::log::set_max_level(LevelFilter::Warn);
    });
}

/// How many lines there were with these words.
pub(crate) fn count(words: &str) -> usize {
    let kept = KEPT.0.lock().unwrap();
    kept.iter().filter(|line| line.contains(words)).count()
}
