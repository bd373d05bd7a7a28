//! cargo run -p examples --features greened --example with_std
//!
//! A client that knows only std, a hundred at once on one thread: after `monkey_patch` what it calls waits on the hub.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use green::GreenPool;

/// Written for threads, and not changed.
fn ask(address: SocketAddr, word: &str) -> io::Result<String> {
    thread::sleep(Duration::from_millis(50));
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(word.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn main() -> Result<(), Box<dyn Error>> {
    green_patch::monkey_patch()?;
    let listener = green::listen("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    green::spawn_n(move || {
        let echo =
            |stream: green::net::TcpStream, _| io::copy(&mut &stream, &mut &stream).map(drop);
        drop(green::serve_forever(&listener, 1000, echo));
    });
    let words = (0..100).map(|n| format!("word {n}"));
    let answers = GreenPool::new(100).imap(move |word: String| ask(address, &word), words);
    let answers: Vec<String> = answers
        .map(|answer| Ok(answer??))
        .collect::<Result<_, Box<dyn Error>>>()?;
    println!("{} answers; the last: {}", answers.len(), answers[99]);
    Ok(())
}
