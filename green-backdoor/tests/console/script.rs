//! Lines that are scripts.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use green_backdoor::{Commands, Server};

use crate::client::{Served, funca};

#[test]
fn the_session_of_the_document() {
    let served = Served::commands(funca());
    let mut client = served.client();
    client.send("funca()\n");
    assert_eq!(client.until("abc\n'123'\n>>> "), "");
}

#[test]
fn values_are_shown_as_the_language_writes_them() {
    let served = Served::commands(Commands::new());
    let mut client = served.client();
    for (line, shown) in [
        ("1 + 2", "3\n"),
        ("\"a\" + 'b'", "'ab'\n"),
        ("[1, \"x\", [true]]", "[1, 'x', [true]]\n"),
        ("#{a: \"x\"}", "#{'a': 'x'}\n"),
        ("()", ""),
        ("let x = 5;", ""),
        ("print(\"out\")", "out\n"),
        ("debug(\"out\")", "1:1 \"out\"\n"),
    ] {
        assert_eq!(client.ask(line), shown, "{line}");
    }
}

#[test]
fn each_client_has_a_scope_and_functions() {
    let served = Served::commands(Commands::new());
    let (mut one, mut other) = (served.client(), served.client());
    one.ask("let x = 20;");
    one.ask("fn double(n) { 2 * n }");
    assert_eq!(one.ask("double(x) + 2"), "42\n");
    assert!(other.ask("x").starts_with("error: Variable not found"));
    assert!(
        other
            .ask("double(1)")
            .starts_with("error: Function not found")
    );
}

#[test]
fn what_is_begun_goes_on_in_the_next_line() {
    let served = Served::commands(Commands::new());
    let mut client = served.client();
    for (begun, last) in [
        (&["fn add(a,", "b) {", "a + b"][..], "}"),
        (&["let sum = 0; for n in", "0..3 {", "sum += n;"], "}"),
        (&["1 +"], "2"),
        (&["[1,", "2"], "]"),
        (&["print(", "1"], ")"),
        (&["if true {", "1", "} else {", "2"], "}"),
        (&["let s = `a"], "b`;"),
        (&["let x ="], "5;"),
    ] {
        for line in begun {
            client.send(format!("{line}\n"));
            assert_eq!(client.until("... "), "", "{line}");
        }
        let answer = client.ask(last);
        assert!(!answer.contains("error"), "{begun:?}: {answer}");
    }
    client.send("fn half() {\n");
    client.until("... ");
    assert!(
        client.ask("").starts_with("error: "),
        "a blank line ends it"
    );
    assert!(
        client.ask("add)").starts_with("error: "),
        "an error at the end"
    );
    assert_eq!(client.ask("add(sum, 1)"), "4\n");
}

#[test]
fn an_interrupt_forgets_what_is_begun() {
    let served = Served::commands(funca());
    let mut client = served.client();
    client.send("fn f() {\n");
    client.until("... ");
    client.send("\u{3}");
    client.until(">>> ");
    assert_eq!(client.ask("funca()"), "abc\n'123'\n");
}

#[test]
fn errors_are_texts() {
    green::debug::hub_exceptions(false);
    let commands = Commands::new().add("panics", "", |_, _| panic!("no"));
    let server = Server::new(commands).script(|engine, _| {
        engine.register_fn("crash", || -> i64 { panic!("really") });
    });
    let served = Served::new(server);
    let mut client = served.client();
    for (line, words) in [
        ("1 +* 2", "error: "),
        ("nothing()", "error: Function not found: nothing"),
        ("throw \"mine\"", "error: Runtime error: mine"),
        ("1 / 0", "error: Division by zero"),
        ("kill(\"x\")", "error: Runtime error: usage: kill ID"),
        ("panics()", "error: Runtime error: the command panicked: no"),
        ("crash()", "error: what was called panicked: really"),
        ("import \"x\" as x;", "error: "),
        ("fn f(n) { f(n + 1) } f(0)", "error: Stack overflow"),
    ] {
        let answer = client.ask(line);
        assert!(answer.starts_with(words), "{line}: {answer}");
    }
    assert_eq!(client.ask("1"), "1\n");
}

#[test]
fn a_loop_without_end_is_ended_and_the_others_go_on() {
    let ticks = Rc::new(Cell::new(0));
    let counted = Rc::clone(&ticks);
    let ticker = green::spawn(move || {
        loop {
            counted.set(counted.get() + 1);
            green::yield_now();
        }
    });
    let served = Served::new(Server::new(Commands::new()).operations(100_000));
    let mut client = served.client();
    let before = ticks.get();
    let answer = client.ask("loop { }");
    assert!(answer.starts_with("error: Too many operations"), "{answer}");
    assert!(ticks.get() - before >= 50);
    assert_eq!(client.ask("1"), "1\n");
    ticker.kill();
}

#[test]
fn another_client_is_served_during_a_loop_without_end() {
    let served = Served::new(Server::new(funca()).operations(u64::MAX));
    let (mut one, mut other) = (served.client(), served.client());
    one.send("print(\"begun\"); loop { }\n");
    one.until("begun\n");
    assert_eq!(other.ask("funca()"), "abc\n'123'\n");
    // It leaves by itself, however little time there is in the end.
    drop(other);
    let life = served.server.lifecycle();
    for _ in 0..10_000 {
        if life.counters().open == 1 {
            break;
        }
        green::sleep(Duration::from_millis(1));
    }
    assert_eq!(life.drain(Duration::from_millis(2)).killed, 1);
    one.rest();
}

#[test]
fn a_script_ends_when_its_client_is_gone() {
    let served = Served::new(Server::new(Commands::new()).operations(u64::MAX));
    let mut client = served.client();
    client.send("loop { print(1); }\n");
    client.until("1\n1\n");
    drop(client);
    let mut other = served.client();
    for _ in 0..10_000 {
        let all = other.ask("greenthreads");
        if all.matches("\"console of").count() == 1 {
            return;
        }
        green::sleep(Duration::from_millis(1));
    }
    panic!("it runs on");
}

#[test]
fn a_sleep_lets_the_others_run() {
    let served = Served::commands(funca());
    let (mut one, mut other) = (served.client(), served.client());
    one.send("sleep(60)\n");
    other.ask("sleep(0.001)");
    other.ask("sleep(-1)");
    assert_eq!(other.ask("funca()"), "abc\n'123'\n");
}

#[test]
fn the_program_gives_functions_and_variables() {
    let server = Server::new(Commands::new()).script(|engine, scope| {
        engine.register_fn("double", |n: i64| 2 * n);
        scope.push("answer", 42_i64);
    });
    let served = Served::new(server);
    assert_eq!(served.client().ask("double(answer)"), "84\n");
}

#[test]
fn commands_are_functions_and_words() {
    let commands = Commands::new().add("join", "its arguments", |args, _| Ok(Some(args.join("-"))));
    let served = Served::commands(commands);
    let mut client = served.client();
    assert_eq!(client.ask("join(1, \"a b\", true)"), "'1-a b-true'\n");
    assert_eq!(client.ask("join 1 a"), "'1-a'\n");
    assert_eq!(client.ask("let x = join(1); x + \"!\""), "'1!'\n");
    assert!(client.ask("greenthreads()").contains("greenthread"));
    client.ask("let join = 7;");
    assert_eq!(client.ask("join"), "7\n");
    client.send("fn leave() { exit() }\nleave()\n");
    assert_eq!(client.rest(), ">>> ");
}

#[test]
fn what_is_deep_or_large_is_an_error() {
    let served = Served::commands(Commands::new());
    let mut client = served.client();
    for (line, words) in [
        ("let a = []; loop { a = [a]; }".to_owned(), "error: "),
        ("let m = #{}; loop { m = #{m: m}; }".to_owned(), "error: "),
        (
            "let s = \"x\"; loop { s += s; }".to_owned(),
            "error: Length of string too large",
        ),
        (
            format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)),
            "error: ",
        ),
        (format!("{}1", "-".repeat(10_000)), "error: "),
        (
            format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
            "error: ",
        ),
    ] {
        let answer = client.ask(&line);
        assert!(answer.starts_with(words), "{}: {answer}", &line[..20]);
    }
    client.ask("let d = 1; for n in 0..998 { d = #{m: [d]}; }");
    assert!(client.ask("d").contains("..."));
    client.ask("print(d)");
    assert_eq!(client.ask("d == d"), "true\n");
    assert_eq!(client.ask("1"), "1\n");
}
