//! What this process has warned of.

use std::sync::{Mutex, Once};

struct Log;

static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LOGGED.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// From now on it is kept.
pub(crate) fn keep_log() {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&Log).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
    });
}

/// How many lines have `text`.
pub(crate) fn logged(text: &str) -> usize {
    let logged = LOGGED.lock().unwrap();
    logged.iter().filter(|line| line.contains(text)).count()
}
