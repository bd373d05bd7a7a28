//! cargo run --release -p examples --features servers --example dispatcher_client -- http://127.0.0.1:9010/ FEED...
//!
//! Asks the example `dispatcher` for the titles of some feeds, and prints them.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dispatcher = args
        .next()
        .ok_or("the address of the dispatcher is missing")?;
    let feeds: Vec<String> = args.collect();
    let mut answer = green::ureq::agent()
        .post(&dispatcher)
        .send(feeds.join("\n"))?;
    print!("{}", answer.body_mut().read_to_string()?);
    Ok(())
}
