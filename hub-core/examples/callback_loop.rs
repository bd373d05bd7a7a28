//! cargo run -p hub-core --example callback_loop [epoll|poll|select|polling]
//!
//! A loop of callbacks on a hub and nothing else. Its server echoes what one client says.

mod hubs;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;

use hub_core::{Hub, Interest, Token, Trigger};

/// Called when its descriptor is readable; says whether to call it again.
type Callback = Box<dyn FnMut(&mut Loop) -> io::Result<bool>>;

struct Loop {
    hub: Box<dyn Hub>,
    callbacks: HashMap<Token, (Rc<dyn AsFd>, Callback)>,
    next: u64,
}

impl Loop {
    fn watch<T: AsFd + 'static>(
        &mut self,
        source: T,
        mut callback: impl FnMut(&mut Loop, &T) -> io::Result<bool> + 'static,
    ) -> io::Result<()> {
        let (source, token) = (Rc::new(source), Token::from_raw(self.next));
        self.next += 1;
        self.hub.add(source.as_fd(), token, Trigger::Level)?;
        self.hub.arm(source.as_fd(), token, Interest::READ)?;
        let own = source.clone();
        let callback = Box::new(move |events: &mut Loop| callback(events, &own));
        self.callbacks.insert(token, (source, callback));
        Ok(())
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::new();
        while !self.callbacks.is_empty() {
            self.hub.wait(None, &mut events)?;
            for event in events.drain(..) {
                // Taken out while it runs: it may watch others.
                if let Some((source, mut callback)) = self.callbacks.remove(&event.token) {
                    match callback(self)? {
                        true => drop(self.callbacks.insert(event.token, (source, callback))),
                        false => self.hub.remove(source.as_fd(), event.token)?,
                    }
                }
            }
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let mut events = Loop {
        hub: hubs::argument(1, "poll")?,
        callbacks: HashMap::new(),
        next: 0,
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    events.watch(listener, |events, listener| {
        let (stream, _) = listener.accept()?;
        events.watch(stream, |_, mut stream| {
            let mut buffer = [0; 1024];
            let count = stream.read(&mut buffer)?;
            stream.write_all(&buffer[..count])?;
            Ok(count > 0)
        })?;
        Ok(false)
    })?;
    client.write_all(b"a word")?;
    client.shutdown(Shutdown::Write)?;
    events.run()?;
    println!("{}: {}", events.hub.name(), io::read_to_string(client)?);
    Ok(())
}
