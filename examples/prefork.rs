//! cargo run --release -p examples --features servers --example prefork -- 127.0.0.1:8000 [N] [HUB]
//!
//! Pre-forked workers: N processes, by default one for each core, that accept from one listener. `/` says
//! which one answers. One that dies is replaced; SIGTERM has all of them drained.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::num::NonZero;
use std::rc::Rc;
use std::thread::available_parallelism;
use std::time::Duration;

use green::hubs::AfterFork;
use green::net::TcpListener;
use green::os;
use green::process::ChildHandle;
use green::signal::{SIGINT, SIGTERM, Signals};
use green_http::{Response, Server};

/// The whole of a child's life. It has had its signals from its parent, so it misses none.
fn serve(listener: TcpListener, signals: Signals) -> io::Result<()> {
    let server = Server::new(|_| Response::new(format!("from process {}\n", std::process::id())));
    let life = server.lifecycle().clone();
    green::spawn_n(move || {
        // A terminal sends Ctrl-C to the children as well: the parent tells them what it means.
        if signals.into_iter().any(|signal| signal == SIGTERM) {
            life.drain(Duration::from_secs(10));
        }
    });
    server.serve(listener)?;
    Ok(())
}

/// The children, by their numbers.
#[derive(Default)]
struct Children {
    running: RefCell<HashMap<u32, ChildHandle>>,
    stopping: Cell<bool>,
}

impl Children {
    fn start(&self, listener: &TcpListener) -> io::Result<()> {
        let (listener, signals) = (listener.try_clone()?, Signals::new([SIGINT, SIGTERM])?);
        let child = green::fork(AfterFork::Discard, || serve(listener, signals))?;
        self.running.borrow_mut().insert(child.id(), child.handle());
        Ok(())
    }

    fn stop(&self) -> io::Result<()> {
        self.stopping.set(true);
        self.running
            .borrow()
            .values()
            .try_for_each(ChildHandle::terminate)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let count = match std::env::args().nth(2) {
        Some(count) => count.parse()?,
        None => available_parallelism().map_or(1, NonZero::get),
    };
    if let Some(hub) = std::env::args().nth(3) {
        green::hubs::use_hub(&hub)?;
    }
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let children = Rc::new(Children::default());
    let to_stop = Rc::clone(&children);
    green::spawn_n(move || {
        while signals.wait().is_ok() {
            if let Err(error) = to_stop.stop() {
                eprintln!("{error}");
            }
        }
    });
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    for _ in 0..count {
        children.start(&listener)?;
    }
    while !children.running.borrow().is_empty() {
        let (child, status) = os::wait()?;
        children.running.borrow_mut().remove(&child);
        if children.stopping.get() {
            continue;
        }
        eprintln!("process {child} has ended ({status}) and is replaced");
        children.start(&listener)?;
        // One that cannot live must not keep this busy.
        green::sleep(Duration::from_millis(100));
    }
    Ok(())
}
