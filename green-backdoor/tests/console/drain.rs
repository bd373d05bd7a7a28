//! The end of a server.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use green::net::TcpStream;
use green_backdoor::{Commands, Server};

use crate::client::{LONG, Served, funca};

#[test]
fn a_drain_cuts_the_idle_and_waits_for_what_runs() {
    let go = Rc::new(green::Flag::new());
    let waits = Rc::clone(&go);
    let commands = funca().add("works", "until it may end", move |_, out| {
        writeln!(out, "begun")?;
        waits.wait();
        Ok(Some("done".to_owned()))
    });
    let served = Served::commands(commands);
    let (mut idle, mut busy) = (served.client(), served.client());
    busy.send("works\n");
    busy.until("begun\n");
    let server = served.server.clone();
    let drain = green::spawn(move || server.lifecycle().drain(LONG).killed);
    assert_eq!(idle.rest(), "\nthe program ends this session\n");
    let refused = TcpStream::connect(served.address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(!drain.is_ready() && !served.serving.is_ready());
    go.set();
    assert!(busy.rest().starts_with("'done'\n"));
    assert_eq!(drain.join().unwrap(), 0);
    let ended = served.serving.wait_timeout(LONG).unwrap().unwrap();
    assert_eq!(ended.unwrap().killed, 0);
}

#[test]
fn a_drain_kills_what_does_not_end() {
    let dropped = Rc::new(Cell::new(0));
    let counts = Rc::clone(&dropped);
    let commands = Commands::new().add("stays", "for ever", move |_, out| {
        struct Dropped(Rc<Cell<u32>>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let _dropped = Dropped(Rc::clone(&counts));
        writeln!(out, "begun")?;
        green::sleep(LONG);
        Ok(None)
    });
    let served = Served::commands(commands);
    let mut clients = [served.client(), served.client()];
    for client in &mut clients {
        client.send("stays\n");
        client.until("begun\n");
    }
    assert_eq!(
        served
            .server
            .lifecycle()
            .drain(Duration::from_millis(2))
            .killed,
        2
    );
    assert_eq!(dropped.get(), 2);
    for client in &mut clients {
        client.rest();
    }
}

#[test]
fn a_command_drains_its_own_server() {
    let server = Rc::new(std::cell::OnceCell::<Server>::new());
    let mine = Rc::clone(&server);
    let commands = Commands::new().add("stop", "ends the consoles", move |_, _| {
        let killed = mine
            .get()
            .map_or(0, |server| server.lifecycle().drain(LONG).killed);
        Ok(Some(killed.to_string()))
    });
    let served = Served::commands(commands);
    let (mut client, mut other) = (served.client(), served.client());
    server.set(served.server.clone()).unwrap();
    client.send("stop\n");
    assert!(client.rest().starts_with("'0'\n"));
    other.rest();
}

#[test]
fn a_server_that_was_drained_serves_no_more() {
    let server = Server::new(Commands::new());
    assert_eq!(server.lifecycle().drain(None).killed, 0);
    let listener = green::listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    server.serve(listener).unwrap();
    assert!(TcpStream::connect(address).is_err());
}
