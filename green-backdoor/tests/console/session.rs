//! One client and many, their commands, and how they leave.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use green::net::{TcpListener, TcpStream};
use green_backdoor::{Commands, Server, listen_unix};

use crate::client::{Client, LONG, Served, funca};

fn session<S: io::Read + Write>(mut client: Client<S>) {
    assert_eq!(client.until(">>> "), "hello\n");
    assert_eq!(client.ask("funca"), "abc\n'123'\n");
    #[cfg(feature = "rhai")]
    assert_eq!(client.ask("funca()"), "abc\n'123'\n");
    client.send("exit\n");
    assert_eq!(client.rest(), "");
}

#[test]
fn a_session_on_tcp() {
    let served = Served::commands(funca());
    session(Client::connect(served.address));
}

#[test]
fn a_session_on_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return eprintln!("skipped: this machine has no IPv6");
    };
    let address = listener.local_addr().unwrap();
    let server = Server::new(funca()).banner("hello");
    green::spawn_n(move || drop(server.serve(listener)));
    session(Client::connect(address));
}

#[test]
fn a_session_on_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("green-session-{}", std::process::id()));
    let listener = listen_unix(&path).unwrap();
    let server = Server::new(funca()).banner("hello");
    green::spawn_n(move || drop(server.serve(listener)));
    session(Client::connect_unix(&path));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn what_is_printed_goes_to_that_client_alone() {
    let commands = Commands::new().add("slow", "prints twice", |args, out| {
        writeln!(out, "{} begins", args[0])?;
        green::sleep(Duration::from_millis(5));
        writeln!(out, "{} ends", args[0])?;
        Ok(None)
    });
    let served = Served::commands(commands);
    let (mut one, mut other) = (served.client(), served.client());
    one.send("slow one\n");
    other.send("slow other\n");
    assert_eq!(one.until(">>> "), "one begins\none ends\n");
    assert_eq!(other.until(">>> "), "other begins\nother ends\n");
}

#[test]
fn a_command_shows_what_it_prints_before_it_ends() {
    let commands = Commands::new().add("waits", "for ever", |_, out| {
        writeln!(out, "now I wait")?;
        green::sleep(LONG);
        Ok(None)
    });
    let served = Served::commands(commands);
    let mut client = served.client();
    client.send("waits\n");
    assert_eq!(client.until("now I wait\n"), "");
}

#[test]
fn an_error_and_a_panic_are_texts_and_the_session_goes_on() {
    green::debug::hub_exceptions(false);
    let commands = Commands::new()
        .add("fails", "", |_, _| Err(io::Error::other("it is broken")))
        .add("panics", "", |_, _| panic!("for {}", "good"));
    let served = Served::commands(commands);
    let mut client = served.client();
    assert_eq!(client.ask("fails"), "error: it is broken\n");
    assert_eq!(
        client.ask("panics"),
        "error: the command panicked: for good\n"
    );
    assert!(client.ask("hub").contains("known are"));
    #[cfg(not(feature = "rhai"))]
    assert_eq!(
        client.ask("nonsense"),
        "error: no command 'nonsense': help lists them\n"
    );
}

#[test]
fn a_command_gets_its_words() {
    let commands = Commands::new().add("count", "its words", |args, _| Ok(Some(args.join("|"))));
    let served = Served::commands(commands);
    assert_eq!(served.client().ask("  count  a bc\t3 "), "'a|bc|3'\n");
}

#[test]
fn exit_and_quit_leave_and_can_be_replaced() {
    for name in ["exit", "quit"] {
        let served = Served::commands(Commands::new());
        let mut client = served.client();
        client.send(format!("{name}\n"));
        assert_eq!(client.rest(), "");
        let stays = Commands::new().add(name, "stays", |_, _| Ok(Some("no".to_owned())));
        let served = Served::commands(stays);
        let mut client = served.client();
        assert_eq!(client.ask(name), "'no'\n");
        #[cfg(feature = "rhai")]
        assert_eq!(client.ask(&format!("{name}()")), "'no'\n");
        assert!(client.ask("hub").contains("known are"));
    }
}

#[test]
fn a_quick_disconnect_stops_nothing() {
    let served = Served::commands(funca());
    let mut stays = served.client();
    for text in ["", "fun", "funca\n", "\u{1}"] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(served.address).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
        }
    }
    for _ in 0..10 {
        green::sleep(Duration::from_millis(1));
    }
    assert_eq!(stays.ask("funca"), "abc\n'123'\n");
    assert_eq!(served.client().ask("funca"), "abc\n'123'\n");
    assert!(!served.serving.is_ready());
}

#[test]
fn a_client_that_leaves_in_the_middle_ends_its_command() {
    let ended = Rc::new(Cell::new(false));
    let noted = Rc::clone(&ended);
    let commands = Commands::new().add("talks", "without end", move |_, out| {
        loop {
            if let Err(error) = writeln!(out, "and so on") {
                noted.set(true);
                return Err(error);
            }
            green::yield_now();
        }
    });
    let served = Served::commands(commands);
    let mut client = served.client();
    client.send("talks\n");
    client.until("so on\n");
    drop(client);
    for _ in 0..10_000 {
        if ended.get() {
            break;
        }
        green::sleep(Duration::from_millis(1));
    }
    assert!(ended.get());
    assert!(served.client().ask("hub").contains("known are"));
}

#[test]
fn a_client_that_does_not_read_stops_only_itself() {
    let commands = funca().add("flood", "more than a socket holds", |_, out| {
        for _ in 0..64 {
            out.write_all(&[b'x'; 1 << 20])?;
        }
        Ok(None)
    });
    let served = Served::commands(commands);
    let mut deaf = served.client();
    deaf.send("flood\n");
    for _ in 0..3 {
        assert_eq!(served.client().ask("funca"), "abc\n'123'\n");
    }
    while served.server.lifecycle().counters().open > 1 {
        green::sleep(Duration::from_millis(1));
    }
    assert_eq!(
        served
            .server
            .lifecycle()
            .drain(Duration::from_millis(1))
            .killed,
        1
    );
}

#[test]
fn at_most_so_many_clients_are_served_at_a_time() {
    let served = Served::new(Server::new(funca()).clients(1));
    let mut first = served.client();
    let mut second = Client::connect(served.address);
    assert_eq!(first.ask("funca"), "abc\n'123'\n");
    drop(first);
    assert_eq!(second.until(">>> "), "hello\n");
}

#[test]
fn a_console_on_any_streams() {
    let server = Server::new(funca()).banner("hello");
    let (mut near, far) = green::os::pipe().unwrap();
    server.console(&b"funca\n"[..], far).unwrap();
    let mut text = String::new();
    io::Read::read_to_string(&mut near, &mut text).unwrap();
    assert_eq!(text, "hello\n>>> abc\n'123'\n>>> ");
}
