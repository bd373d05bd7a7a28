//! green-http as it comes, in a program with a console that nobody looks at, that measures run times all the time, or that
//! records without a break.

use std::io;
use std::net::TcpListener;

use green_console::Console;

use super::on_green;

/// As many steps fit into a recording: more than a second brings.
const STEPS: usize = 2_000_000;

pub fn unseen(listener: TcpListener) -> io::Result<()> {
    beside(Console::new(), listener)
}

pub fn always(listener: TcpListener) -> io::Result<()> {
    beside(Console::new().always(), listener)
}

fn beside(console: Console, listener: TcpListener) -> io::Result<()> {
    let place = green::net::TcpListener::bind("127.0.0.1:0")?;
    green::spawn_n(move || drop(console.serve(place)));
    on_green::serve(listener)
}

pub fn recorded(listener: TcpListener) -> io::Result<()> {
    green::spawn_n(|| {
        loop {
            let recording = green::debug::record(STEPS);
            green::sleep(std::time::Duration::from_secs(1));
            drop(recording);
        }
    });
    on_green::serve(listener)
}
