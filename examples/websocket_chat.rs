//! cargo run --release -p examples --features servers --example websocket_chat -- 127.0.0.1:8000
//!
//! What one says all others hear. Open the printed address in a browser, twice. A client that reads too slowly misses
//! messages and stops nobody.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use green::net::TcpStream;
use green::server::StreamServer;
use green::signal::{SIGINT, SIGTERM, Signals};
use green::{Queue, Timeout};
use green_ws::{Group, Options, Request, Upgrade, WebSocket};

const PAGE: &str = include_str!("websocket_chat.html");

/// How many messages wait for one who reads slowly.
const BACKLOG: usize = 100;

#[derive(Default)]
struct Room {
    next: Cell<u64>,
    members: RefCell<BTreeMap<u64, Rc<Queue<String>>>>,
}

impl Room {
    fn tell(&self, text: &str) {
        for queue in self.members.borrow().values() {
            let _ = queue.try_put(text.to_owned());
        }
    }
}

/// Leaves the room however its handler ends.
struct Place {
    room: Rc<Room>,
    id: u64,
    queue: Rc<Queue<String>>,
}

impl Place {
    fn take(room: &Rc<Room>) -> Place {
        let id = room.next.get();
        room.next.set(id + 1);
        let queue = Rc::new(Queue::bounded(BACKLOG));
        room.members.borrow_mut().insert(id, Rc::clone(&queue));
        room.tell(&format!("{id} has come"));
        let room = Rc::clone(room);
        Place { room, id, queue }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.members.borrow_mut().remove(&self.id);
        self.queue.shutdown(true);
        self.room.tell(&format!("{} has gone", self.id));
    }
}

fn chat(socket: &WebSocket<TcpStream>, room: &Rc<Room>) -> Result<(), green_ws::Error> {
    let place = Place::take(room);
    let (queue, listener) = (Rc::clone(&place.queue), socket.clone());
    let hears = green::spawn(move || {
        while let Ok(text) = queue.get() {
            if listener.send(text).is_err() {
                break;
            }
        }
    });
    while let Some(message) = socket.receive()? {
        if let Some(text) = message.as_text() {
            room.tell(&format!("{}: {text}", place.id));
        }
    }
    hears.kill();
    Ok(())
}

fn serve(
    mut stream: TcpStream,
    room: &Rc<Room>,
    open: &Group<TcpStream>,
) -> Result<(), Box<dyn Error>> {
    let read = Timeout::new(Duration::from_secs(10)).run(|| Request::read(&stream));
    let (request, ahead) = read??;
    if !request.is_upgrade() {
        let (status, body) = match request.path() {
            "/" => ("200 OK", PAGE),
            _ => ("404 Not Found", "nothing here"),
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        return Ok(());
    }
    match Upgrade::check(request, &Options::new()) {
        Ok(upgrade) => {
            stream.write_all(upgrade.answer().as_bytes())?;
            let socket = upgrade.open(stream, &ahead);
            open.add(&socket);
            chat(&socket, room)?;
            socket.close(1000, "")?;
        }
        Err(refusal) => stream.write_all(refusal.answer().as_bytes())?,
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let (room, open) = (Rc::new(Room::default()), Group::new());
    let members = open.clone();
    let server = StreamServer::new(green::listen(address)?, move |stream, peer| {
        if let Err(error) = serve(stream, &room, &members) {
            eprintln!("{peer}: {error}");
        }
    });
    server.start();
    let address = server.listener().local_addr()?;
    println!("listening on {address}");
    println!("open http://{address}/ in a browser");

    signals.wait()?;
    server.close();
    open.close(1001, "the server goes away");
    server.stop(Duration::from_secs(5));
    Ok(())
}
