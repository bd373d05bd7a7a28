//! cargo run -p examples --features greened --example with_mysql -- mysql://USER@127.0.0.1:3306/NAME
//!
//! The crate mysql, which blocks, unchanged: after `monkey_patch` ten of its connections wait at once on one thread.

use std::error::Error;

use green::GreenPool;
use mysql::prelude::Queryable;
use mysql::{Conn, Opts};

/// Written for threads, and not changed.
fn double(opts: Opts, n: i32) -> Result<Option<i32>, mysql::Error> {
    let mut connection = Conn::new(opts)?;
    connection.exec_first("SELECT 2 * ? + SLEEP(0.1)", (n,))
}

fn main() -> Result<(), Box<dyn Error>> {
    green_patch::monkey_patch()?;
    let url = std::env::args().nth(1).ok_or("usage: with_mysql URL")?;
    let opts = Opts::from_url(&url)?;
    for doubled in GreenPool::new(10).imap(move |n| double(opts.clone(), n), 1..=10) {
        println!("{}", doubled??.ok_or("no row")?);
    }
    Ok(())
}
