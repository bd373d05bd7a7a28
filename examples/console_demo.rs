//! cargo run -p examples --features console --example console_demo -- 127.0.0.1:8001
//!
//! A program to look into: open `http://127.0.0.1:8001` in a browser. It has a server with clients, greenthreads that compute,
//! wait for each other and sleep, and one that keeps the others from running every ten seconds. The second line that it
//! prints is the token that a kill needs. A hub may follow the address. SIGTERM drains it.

use std::error::Error;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::lock::Mutex;
use green::net::TcpStream;
use green::signal::{SIGINT, SIGTERM};
use green::{Builder, GreenPool, Queue, time};
use green_console::Console;
use green_http::{Response, Server};

/// Uses the processor for so long.
fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::black_box(0);
    }
}

/// Computes in small pieces, and lets the others run between them.
fn busy() {
    loop {
        compute(Duration::from_micros(200));
        green::sleep(Duration::from_millis(4));
    }
}

/// Computes for long, every ten seconds.
fn selfish() {
    loop {
        green::sleep(Duration::from_secs(10));
        compute(Duration::from_millis(250));
    }
}

/// Takes jobs out of a queue, with two hands.
fn jobs(queue: &Rc<Queue<u32>>) {
    let pool = GreenPool::new(2);
    while let Ok(job) = queue.get() {
        pool.spawn_n(move || green::sleep(Duration::from_millis(u64::from(job % 50))));
    }
}

/// Two that want the same thing: one holds it and sleeps.
fn locked(mutex: &Mutex<u32>) {
    loop {
        if let Ok(mut held) = mutex.lock() {
            *held += 1;
            green::sleep(Duration::from_secs(3));
        }
        green::yield_now();
    }
}

/// Asks a server twenty times a second.
fn client(server: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server)?;
    let mut buf = [0; 4096];
    loop {
        stream.write_all(b"GET /work HTTP/1.1\r\nHost: demo\r\n\r\n")?;
        if stream.read(&mut buf)? == 0 {
            return Ok(());
        }
        green::sleep(Duration::from_millis(50));
    }
}

/// All that there is to be seen.
fn begin() -> Result<(), Box<dyn Error>> {
    let named = |name: &str| Builder::new().name(name);
    named("busy").spawn_n(busy)?;
    named("selfish").spawn_n(selfish)?;
    let queue = Rc::new(Queue::bounded(10));
    let taken = Rc::clone(&queue);
    named("jobs").spawn_n(move || jobs(&taken))?;
    named("giver of jobs").spawn_n(move || {
        let mut interval = time::interval(Duration::from_millis(20));
        for job in 0.. {
            interval.tick();
            if queue.put(job).is_err() {
                return;
            }
        }
    })?;
    let mutex = Rc::new(Mutex::new(0));
    for name in ["left hand", "right hand"] {
        let mutex = Rc::clone(&mutex);
        named(name).spawn_n(move || locked(&mutex))?;
    }
    let sleeper = named("sleeper").spawn(|| green::sleep(Duration::from_secs(3600)))?;
    named("waits for the sleeper").spawn_n(move || drop(sleeper.join()))?;
    for _ in 0..40 {
        green::spawn_n(|| green::sleep(Duration::from_secs(3600)));
    }

    let listener = green::listen("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = Server::new(|_| {
        green::sleep(Duration::from_millis(5));
        Response::new("done\n")
    });
    named("server").spawn_n(move || drop(server.serve(listener)))?;
    for n in 0..10 {
        let name = format!("client {n}");
        named(&name).spawn_n(move || drop(client(address)))?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or("127.0.0.1:8001".into());
    if let Some(hub) = args.next() {
        green::hubs::use_hub(&hub)?;
    }
    begin()?;
    let console = Console::new();
    console
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    println!("token: {}", console.token());
    console.serve(listener)?;
    Ok(())
}
