//! cargo run --release -p examples --features servers --example workers_http -- 127.0.0.1:8000 [N] [HUB]
//!
//! A server of HTTP/1.1 on N workers, by default one for each core: `/` says hello, `/worker` names the worker
//! and counts its requests. SIGTERM drains all of them.

use std::cell::Cell;
use std::error::Error;
use std::time::Duration;

use green::signal::{SIGINT, SIGTERM};
use green::workers::{OnPanic, WorkersBuilder};
use green_http::{Body, Request, Response, Server, StatusCode};

/// The handler of one worker.
fn handler() -> impl Fn(Request<Body>) -> Response {
    let asked = Cell::new(0);
    move |request| {
        asked.set(asked.get() + 1);
        match request.uri().path() {
            "/" => Response::new("Hello, World!"),
            "/worker" => {
                let thread = std::thread::current();
                let name = thread.name().unwrap_or_default();
                Response::new(format!("{name}: request {}\n", asked.get()))
            }
            _ => StatusCode::NOT_FOUND.into(),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let count = std::env::args().nth(2).map(|n| n.parse::<usize>());
    if let Some(hub) = std::env::args().nth(3) {
        green::hubs::use_hub(&hub)?;
    }
    let workers = WorkersBuilder::new()
        .count(count.transpose()?)
        .on_panic(OnPanic::Restart)
        .stop_on([SIGINT, SIGTERM], Duration::from_secs(10));
    let running = Server::factory_of(|| Server::new(handler()).connections(20_000))
        .workers(workers)
        .start(address)?;
    println!("listening on {}", running.local_addr());
    running.join()?;
    Ok(())
}
