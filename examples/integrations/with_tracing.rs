//! cargo run -p examples --features integrations --example with_tracing
//!
//! tracing's events from greenthreads. An event may be sent anywhere; a span is held over a wait as a value, not entered.

use std::time::Duration;

use tracing::{Level, info, info_span};

fn main() {
    tracing_subscriber::fmt()
        .with_max_level(Level::INFO)
        .with_ansi(false)
        .without_time()
        .with_writer(std::io::stdout)
        .init();
    let jobs: Vec<_> = ["one", "two"]
        .map(|name| {
            green::spawn(move || {
                let span = info_span!("job", name);
                span.in_scope(|| info!("begins")); // nothing in here waits
                green::sleep(Duration::from_millis(5));
                span.in_scope(|| info!("ends"));
            })
        })
        .into();
    green::joinall(&jobs);
}
