//! cargo run --release -p examples --features greened --example std_vs_green -- 127.0.0.1:0
//!
//! The same source twice, once with `std::net` under the patch and once with `green::net`: a server that echoes, 64 clients,
//! and what a request took.

use std::error::Error;
use std::time::Instant;

const CLIENTS: usize = 64;
const REQUESTS: usize = 2_000;

macro_rules! echo_with {
    ($name:ident, $net:path) => {
        mod $name {
            use std::io::{self, Read, Write};
            use $net as net;

            fn serve(mut stream: net::TcpStream) -> io::Result<()> {
                let mut buffer = [0; 4096];
                loop {
                    match stream.read(&mut buffer)? {
                        0 => return Ok(()),
                        read => stream.write_all(&buffer[..read])?,
                    }
                }
            }

            fn ask(address: std::net::SocketAddr, requests: usize) -> io::Result<()> {
                let mut stream = net::TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                let mut answer = [0; 64];
                for _ in 0..requests {
                    stream.write_all(&[b'x'; 64])?;
                    stream.read_exact(&mut answer)?;
                }
                Ok(())
            }

            pub(crate) fn run(address: &str, clients: usize, requests: usize) -> io::Result<()> {
                let listener = net::TcpListener::bind(address)?;
                let address = listener.local_addr()?;
                green::spawn_n(move || {
                    for _ in 0..clients {
                        match listener.accept() {
                            Ok((stream, _)) => drop(green::spawn(|| serve(stream))),
                            Err(error) => eprintln!("accept: {error}"),
                        }
                    }
                });
                let asking: Vec<_> = (0..clients)
                    .map(|_| green::spawn(move || ask(address, requests)))
                    .collect();
                asking
                    .into_iter()
                    .try_for_each(|one| one.join().map_err(io::Error::other)?)
            }
        }
    };
}

echo_with!(with_std, std::net);
echo_with!(with_green, green::net);

fn main() -> Result<(), Box<dyn Error>> {
    green_patch::monkey_patch()?;
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:0".into());
    type Run = fn(&str, usize, usize) -> std::io::Result<()>;
    let all: [(&str, Run); 2] = [("std::net", with_std::run), ("green::net", with_green::run)];
    for (name, run) in all {
        run(&address, CLIENTS, 50)?;
        let start = Instant::now();
        run(&address, CLIENTS, REQUESTS)?;
        let each = start.elapsed() / (CLIENTS * REQUESTS) as u32;
        println!(
            "{name:<11} {each:?} a request, client and server, on {}",
            green::hubs::get_hub()
        );
    }
    Ok(())
}
