//! cargo run -p examples --features greened --example with_postgres -- postgres://USER@127.0.0.1:5432/NAME
//!
//! The crate postgres, which blocks, unchanged: after `monkey_patch` ten of its clients wait at once on one thread.

use std::error::Error;

use green::GreenPool;
use postgres::{Client, NoTls};

/// Written for threads, and not changed.
fn double(url: &str, n: i32) -> Result<i32, postgres::Error> {
    let mut client = Client::connect(url, NoTls)?;
    let row = client.query_one("SELECT 2 * $1::int FROM pg_sleep(0.1)", &[&n])?;
    row.try_get(0)
}

fn main() -> Result<(), Box<dyn Error>> {
    green_patch::monkey_patch()?;
    let url = std::env::args().nth(1).ok_or("usage: with_postgres URL")?;
    for doubled in GreenPool::new(10).imap(move |n| double(&url, n), 1..=10) {
        println!("{}", doubled??);
    }
    Ok(())
}
