//! cargo run --release -p examples --example echo_server -- 127.0.0.1:6000 [epoll|poll|select|polling]
//!
//! One greenthread a connection. A connection that waits holds no buffer: it waits until there is something to read,
//! and only then borrows one, most likely the one that was last given back and is still in the processor's cache.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io::{self, Write};
use std::rc::Rc;

use green::net::{TcpListener, TcpStream};
use green::signal::{SIGINT, SIGTERM, Signals};

const BUFFER: usize = 32 * 1024;

#[derive(Default)]
struct Server {
    buffers: RefCell<Vec<Vec<u8>>>,
    connections: Cell<u64>,
    messages: Cell<u64>,
    bytes: Cell<u64>,
}

impl Server {
    // A function of its own, so that its frame is not one of the greenthreads'.
    #[inline(never)]
    fn accept(self: &Rc<Server>, listener: &TcpListener) {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => {
                    self.connections.set(self.connections.get() + 1);
                    let server = Rc::clone(self);
                    // A client that breaks off is its own affair.
                    let echo = move || drop(server.echo(stream));
                    if let Err(error) = green::Builder::new().spawn_n(echo) {
                        eprintln!("a connection is given up: {error}");
                    }
                }
                Err(error) => eprintln!("accept: {error}"),
            }
        }
    }

    fn echo(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        loop {
            stream.readable()?;
            let free = self.buffers.borrow_mut().pop();
            let mut buffer = free.unwrap_or_else(|| vec![0; BUFFER]);
            let result = match stream.try_read(&mut buffer) {
                Ok(read) => stream.write_all(&buffer[..read]).map(|()| read),
                Err(error) => Err(error),
            };
            self.buffers.borrow_mut().push(buffer);
            match result {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    self.messages.set(self.messages.get() + 1);
                    self.bytes.set(self.bytes.get() + read as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:6000".into());
    if let Some(hub) = arguments.next() {
        green::hubs::use_hub(&hub)?;
    }
    let listener = green::listen(address)?;
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let server = Rc::new(Server::default());
    println!(
        "listening on {} ({})",
        listener.local_addr()?,
        green::hubs::get_hub()
    );

    let accepting = Rc::clone(&server);
    green::spawn_n(move || accepting.accept(&listener));

    signals.wait()?;
    println!(
        "{} connections, {} messages, {} bytes",
        server.connections.get(),
        server.messages.get(),
        server.bytes.get()
    );
    Ok(())
}
