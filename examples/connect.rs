//! cargo run -p examples --example connect -- [HOST:PORT...]
//!
//! Asks several servers at once for their first page and prints what each has answered, in the order of the names. The
//! names are looked up, the connections made and the answers read side by side. Without names it asks three servers of
//! its own on 127.0.0.1. Ends with a code other than 0 if one gives no answer.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::Shutdown;

use green::GreenPile;

fn geturl(host: &str) -> io::Result<String> {
    let mut connection = green::connect(host)?;
    write!(connection, "GET / HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    connection.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut hosts: Vec<String> = std::env::args().skip(1).collect();
    if hosts.is_empty() {
        for n in 1..=3 {
            let server = site::serve(move |_| Some(format!("the answer of server {n}")))?;
            hosts.push(format!("localhost:{}", server.port()));
        }
    }
    let pile = GreenPile::new(hosts.len());
    for host in hosts.clone() {
        pile.spawn(move || geturl(&host));
    }
    let mut unanswered = 0;
    for (host, answer) in hosts.iter().zip(pile) {
        match answer? {
            Ok(answer) => println!("{host}: {}", answer.lines().last().unwrap_or_default()),
            Err(error) => {
                unanswered += 1;
                println!("{host}: {error}");
            }
        }
    }
    match unanswered {
        0 => Ok(()),
        n => Err(format!("{n} of {} servers did not answer", hosts.len()).into()),
    }
}
