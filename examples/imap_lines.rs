//! cargo run -p examples --example imap_lines -- [FILE]
//!
//! Works on the lines of a file, at most three at a time. The file is read as the work goes on, a few lines ahead, so it
//! may be of any size; the results come in the order of the lines. Without a name it reads its own source.

use std::io::{self, BufRead, BufReader};
use std::time::Duration;

use green::GreenPool;
use green::fs::File;

/// Something that takes longer for some lines than for others.
fn worker(line: io::Result<String>) -> io::Result<String> {
    let line = line?;
    green::sleep(Duration::from_millis(line.len() as u64 % 4));
    Ok(format!("{:3} {line}", line.len()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/imap_lines.rs");
    let name = std::env::args().nth(1).unwrap_or(source.to_owned());
    let file = File::open(&name).map_err(|error| format!("{name}: {error}"))?;
    let pool = GreenPool::new(3);
    for line in pool.imap(worker, BufReader::new(file).lines()) {
        println!("{}", line??);
    }
    Ok(())
}
