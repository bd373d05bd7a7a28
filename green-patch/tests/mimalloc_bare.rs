//! mimalloc without the wrapper: the program is told.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Keeps(Mutex<Vec<String>>);

static LOG: Keeps = Keeps(Mutex::new(Vec::new()));

impl Log for Keeps {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn the_wrapper_is_named_in_a_warning() {
    log::set_logger(&LOG).unwrap();
    log::set_max_level(LevelFilter::Warn);
    green_patch::monkey_patch().unwrap();
    let said = LOG.0.lock().unwrap().join("\n");
    assert!(
        said.contains("mimalloc") && said.contains("HostAlloc"),
        "{said}"
    );
}
