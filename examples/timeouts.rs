//! cargo run --release -p examples --example timeouts
//!
//! A deadline around any piece of code, and around a read of a line.

use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

use green::net::UnixStream;
use green::{Timeout, with_timeout};

fn main() -> io::Result<()> {
    let slow = Timeout::new(Duration::from_millis(20)).run(|| {
        green::sleep(Duration::from_secs(60));
    });
    println!("a long sleep: {}", slow.unwrap_err());

    let (near, far) = UnixStream::pair()?;
    let mut lines = BufReader::new(near);
    let mut line = String::new();
    let nothing = Timeout::silent(Duration::from_millis(20), || lines.read_line(&mut line));
    println!("a line from one who says nothing: {nothing:?}");

    (&far).write_all(b"hello\n")?;
    if let Some(read) = Timeout::silent(Duration::from_secs(5), || lines.read_line(&mut line)) {
        println!("{} bytes: {line:?}", read?);
    }

    // The inner one is longer: the outer one elapses, and only the outer one ends.
    let outer = Timeout::new(Duration::from_millis(20)).run(|| {
        let inner =
            Timeout::new(Duration::from_secs(60)).run(|| green::sleep(Duration::from_secs(90)));
        println!("never printed: {inner:?}");
    });
    println!("nested: {}", outer.unwrap_err());

    let value = with_timeout(
        Duration::from_millis(20),
        || {
            green::sleep(Duration::from_secs(60));
            1
        },
        2,
    );
    println!("or else a value: {value}");
    Ok(())
}
