//! cargo run -p examples --features console --example backdoor_demo -- 127.0.0.1:3000
//!
//! A program with a console inside: try `telnet 127.0.0.1 3000`, and then `funca()`, `jobs`, `help`. An address that begins
//! with `/` is a Unix socket: `nc -U /tmp/demo.sock`. SIGTERM drains it.

use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use green::signal::{SIGINT, SIGTERM};
use green_backdoor::{Commands, Server, listen_unix};

/// What the program is for: one job a second.
fn work(jobs: &Cell<i64>) {
    loop {
        green::sleep(Duration::from_secs(1));
        jobs.set(jobs.get() + 1);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".into());
    let jobs = Rc::new(Cell::new(0));
    let done = Rc::clone(&jobs);
    green::spawn_n(move || work(&done));

    let counted = Rc::clone(&jobs);
    let commands = Commands::new()
        .add("funca", "prints abc, gives 123", |_args, out| {
            writeln!(out, "abc")?;
            Ok(Some("123".to_owned()))
        })
        .add("jobs", "how many jobs are done", move |_args, out| {
            writeln!(out, "{} jobs are done", counted.get())?;
            Ok(None)
        });
    let server = Server::new(commands).script(move |engine, scope| {
        let jobs = Rc::clone(&jobs);
        engine.register_fn("set_jobs", move |count: i64| jobs.set(count));
        scope.push("hub_of_the_program", green::hubs::get_hub());
    });
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    if address.starts_with('/') {
        let listener = listen_unix(&address)?;
        println!("listening on {address}");
        server.serve(listener)?;
        fs::remove_file(address)?;
    } else {
        let listener = green::listen(address)?;
        println!("listening on {}", listener.local_addr()?);
        server.serve(listener)?;
    }
    Ok(())
}
