//! cargo run --release -p examples --example chat_server -- 127.0.0.1:6001
//!
//! What one client types, all others see. Try it with `nc 127.0.0.1 6001`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use green::lock::Mutex;
use green::net::TcpStream;

#[derive(Default)]
struct Room {
    /// Each with a lock, so that what two say at once does not mix.
    members: RefCell<HashMap<SocketAddr, Rc<Mutex<TcpStream>>>>,
}

impl Room {
    fn say(&self, from: SocketAddr, line: &str) {
        // A copy of the list: while one of them is written to, others come and go.
        let members: Vec<_> = self
            .members
            .borrow()
            .iter()
            .map(|(a, s)| (*a, Rc::clone(s)))
            .collect();
        for (address, stream) in members {
            if address != from
                && let Ok(mut stream) = stream.lock()
                && stream.write_all(line.as_bytes()).is_err()
            {
                // It is gone, or does not read: its own greenthread sees the end and leaves the room.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        // One who does not read must not hold up the others for ever.
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        let lines = BufReader::new(stream.try_clone()?);
        self.members
            .borrow_mut()
            .insert(peer, Rc::new(Mutex::new(stream)));
        self.say(peer, &format!("{peer} has come\n"));
        for line in lines.lines() {
            self.say(peer, &format!("{peer}: {}\n", line?));
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:6001".into());
    let listener = green::listen(address)?;
    println!("chat on {}", listener.local_addr()?);
    let room = Rc::new(Room::default());
    for stream in listener.incoming() {
        let stream = stream?;
        // One that is gone already has no address any more.
        let Ok(peer) = stream.peer_addr() else {
            continue;
        };
        let room = Rc::clone(&room);
        let visit = move || {
            let end = room.serve(stream, peer);
            room.members.borrow_mut().remove(&peer);
            let why = end
                .err()
                .map_or(String::new(), |error| format!(": {error}"));
            room.say(peer, &format!("{peer} has gone{why}\n"));
        };
        if let Err(error) = green::Builder::new().spawn_n(visit) {
            eprintln!("{peer} is given up: {error}");
        }
    }
    Ok(())
}
