//! cargo run -p hub-core --example callback_loop
//!
//! A loop of callbacks on one hub and nothing else: no reactor, no greenthreads. It serves the
//! lines of two clients and ends with the last of them.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;

use hub_core::{Hub, Interest, Token, Trigger};

/// Called when its descriptor is readable; says whether it wants to be called again.
type Callback = Box<dyn FnMut(&mut Loop) -> io::Result<bool>>;

struct Loop {
    hub: Box<dyn Hub>,
    callbacks: HashMap<Token, (Rc<dyn AsFd>, Callback)>,
    next: u64,
}

impl Loop {
    fn watch(&mut self, source: Rc<dyn AsFd>, callback: Callback) -> io::Result<()> {
        let token = Token::from_raw(self.next);
        self.next += 1;
        self.hub.add(source.as_fd(), token, Trigger::Level)?;
        self.hub.arm(source.as_fd(), token, Interest::READ)?;
        self.callbacks.insert(token, (source, callback));
        Ok(())
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::new();
        while !self.callbacks.is_empty() {
            self.hub.wait(None, &mut events)?;
            for event in events.drain(..) {
                let Some((source, mut callback)) = self.callbacks.remove(&event.token) else {
                    continue;
                };
                match callback(self)? {
                    true => drop(self.callbacks.insert(event.token, (source, callback))),
                    false => self.hub.remove(source.as_fd(), event.token)?,
                }
            }
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let mut events = Loop {
        hub: Box::new(hub_poll::Poll::new()?),
        callbacks: HashMap::new(),
        next: 0,
    };
    let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
    let address = listener.local_addr()?;
    let clients = ["one", "two"].map(|name| std::thread::spawn(move || client(address, name)));
    let mut guests = 0;
    let accept = listener.clone();
    let greet = move |events: &mut Loop| {
        let stream = Rc::new(accept.accept()?.0);
        events.watch(stream.clone(), Box::new(move |_| echo(&stream)))?;
        guests += 1;
        Ok(guests < 2)
    };
    events.watch(listener, Box::new(greet))?;
    events.run()?;
    for client in clients {
        client.join().expect("a client does not panic")?;
    }
    Ok(())
}

/// One read, since the descriptor is reported again as long as there is more.
fn echo(mut stream: &TcpStream) -> io::Result<bool> {
    let mut buffer = [0; 1024];
    let count = stream.read(&mut buffer)?;
    stream.write_all(&buffer[..count])?;
    Ok(count > 0)
}

fn client(address: SocketAddr, name: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    for number in 1..=3 {
        writeln!(stream, "{name} says {number}")?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        print!("{line}");
    }
    Ok(())
}
