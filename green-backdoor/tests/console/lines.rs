//! How lines end, how long they are, and which are none.

use std::cell::Cell;
use std::rc::Rc;

use green_backdoor::Commands;

use crate::client::{Served, funca};

#[test]
fn telnet_is_understood() {
    let served = Served::commands(funca());
    let mut client = served.client();
    // Offers and asks for options, as telnet does, then a line of its own.
    client.send(b"\xff\xfd\x03\xff\xfb\x18fun\xff\xf1ca\r\n");
    let refused = b"\xff\xfc\x03\xff\xfe\x18";
    assert_eq!(client.bytes(refused.len()), refused);
    assert_eq!(client.until("'\r\n>>> "), "abc\r\n'123");
    // Its Ctrl-C, after which it waits for an answer; and its question whether anybody is there.
    client.send(b"fun\xff\xf4\xff\xfd\x06");
    assert_eq!(client.until(">>> "), "\r\n");
    assert_eq!(client.bytes(3), b"\xff\xfc\x06");
    client.send(b"\xff\xf6");
    assert_eq!(client.until(">>> "), "\r\n[yes]\r\n");
}

#[test]
fn a_client_that_ends_lines_with_a_return_is_answered_so() {
    let served = Served::commands(funca());
    let mut client = served.client();
    client.send("funca\r\nfunca\r\n");
    assert_eq!(client.until("'\r\n>>> "), "abc\n'123'\n>>> abc\r\n'123");
}

#[test]
fn a_web_page_cannot_call_commands() {
    let called = Rc::new(Cell::new(0));
    let counted = Rc::clone(&called);
    let commands = Commands::new().add("danger", "is counted", move |_, _| {
        counted.set(counted.get() + 1);
        Ok(None)
    });
    let served = Served::commands(commands);
    for request in [
        "POST / HTTP/1.1\r\nHost: localhost\r\n\r\ndanger\n",
        "danger / HTTP/1.1\r\n\r\ndanger\n",
        "\r\nGET /danger HTTP/1.0\ndanger\n",
        &format!("GET /{} HTTP/1.1\r\ndanger\n", "x".repeat(100_000)),
    ] {
        let mut client = served.client();
        client.send(request);
        assert!(!client.rest().contains("danger"));
    }
    assert_eq!(called.get(), 0);
    served.client().ask("danger");
    assert_eq!(called.get(), 1);
}

#[test]
fn a_line_has_at_most_64_kib() {
    let commands = Commands::new().add("size", "of its word", |args, _| {
        Ok(Some(args[0].len().to_string()))
    });
    let served = Served::commands(commands);
    let mut client = served.client();
    let most = (64 << 10) - "size ".len() - 1;
    assert_eq!(
        client.ask(&format!("size {}", "x".repeat(most))),
        format!("'{most}'\n")
    );
    client.send("x".repeat(65 << 10));
    client.send("\nsize 1\n");
    let rest = client.rest();
    assert!(!rest.contains("'1'"), "{rest}");
}

#[test]
fn what_is_no_text_is_an_error() {
    let served = Served::commands(funca());
    let mut client = served.client();
    client.send(b"fun\xff\xffca\n");
    assert_eq!(client.until(">>> "), "error: the line is not UTF-8\n");
    assert_eq!(client.ask("funca"), "abc\n'123'\n");
}

#[test]
fn half_a_line_is_no_command() {
    let called = Rc::new(Cell::new(false));
    let noted = Rc::clone(&called);
    let commands = Commands::new().add("danger", "is noted", move |_, _| {
        noted.set(true);
        Ok(None)
    });
    let served = Served::commands(commands);
    let mut client = served.client();
    client.send("danger");
    client.end();
    assert_eq!(client.rest(), "");
    assert!(!called.get());
}
