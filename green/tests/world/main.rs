//! What the world outside may do to a program: files that never answer, jobs that never end, a terminal that nobody reads.

mod fifo;
mod log;
mod out;
mod pool;
mod time;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use green::Timeout;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

/// Fails a test that hangs.
fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(LONG).run(f).expect("the test hangs")
}

/// A directory that ends with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let place = std::env::temp_dir().join(format!("green-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        Place(place)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a named pipe.
    fn fifo(&self, name: &str) -> PathBuf {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let path = self.at(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const PROBE: &str = "GREEN_TEST_WORLD_PROBE";

/// Runs `test` again in a process of its own. `None` in that process.
fn probe(test: &str, size: usize) -> Option<std::process::Output> {
    if std::env::var_os(PROBE).is_some() {
        return None;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(PROBE, "1")
        .env("GREEN_THREADPOOL_SIZE", size.to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output)
}
