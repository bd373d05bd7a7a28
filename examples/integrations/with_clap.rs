//! cargo run -p examples --features integrations --example with_clap -- [--hub HUB] [--count N] ADDRESS
//!
//! clap reads the command line before anything waits, and the program then chooses its hub.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;

use clap::Parser;

/// Greets so many clients, then ends
#[derive(Parser)]
struct Options {
    /// Where to listen
    address: SocketAddr,
    /// epoll, poll, select or polling
    #[arg(long)]
    hub: Option<String>,
    /// How many clients
    #[arg(long, default_value_t = 1)]
    count: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match &options.hub {
        Some(hub) => green::hubs::use_hub(hub)?,
        None => green::hubs::use_default_hub()?,
    }
    let listener = green::listen(options.address)?;
    println!(
        "listening on {} ({})",
        listener.local_addr()?,
        green::hubs::get_hub()
    );
    for stream in listener.incoming().take(options.count) {
        writeln!(stream?, "hello")?;
    }
    Ok(())
}
