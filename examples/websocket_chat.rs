//! cargo run --release -p examples --features servers --example websocket_chat -- 127.0.0.1:8000
//!
//! What one says all others hear. Open the printed address in a browser, twice. A client that reads too slowly misses
//! messages and stops nobody.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use green::Queue;
use green::net::TcpStream;
use green::signal::{SIGINT, SIGTERM};
use green_http::{Response, Server, StatusCode};
use green_ws::{Options, WebSocket, http};

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

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let room = Rc::new(Room::default());
    let server = Server::new(move |request| match request.uri().path() {
        "/" => Response::new(PAGE).with_header("content-type", "text/html; charset=utf-8"),
        "/chat" => {
            let room = Rc::clone(&room);
            http::upgrade(&request, &Options::new(), move |socket| chat(socket, &room))
        }
        _ => (StatusCode::NOT_FOUND, "nothing here\n").into(),
    });
    let life = server.lifecycle();
    life.drain_on([SIGINT, SIGTERM], Duration::from_secs(5))?;
    let listener = green::listen(address)?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    println!("open http://{address}/ in a browser");
    server.serve(listener)?;
    Ok(())
}
