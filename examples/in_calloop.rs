//! cargo run -p examples --features calloop --example in_calloop
//!
//! Greenthreads in a thread whose loop is calloop's: it waits for green's descriptor beside its own sources, and calls
//! `run_once` before it sleeps. Its callbacks may spawn greenthreads, and greenthreads may use what the callbacks use.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::rc::Rc;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, Mode, PostAction};
use green::net::{TcpListener, TcpStream};

const CLIENTS: usize = 10;

/// Answers each line; plain blocking style.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        green::spawn_n(move || {
            for line in BufReader::new(&stream).lines() {
                let answer = line.and_then(|line| writeln!(&stream, "you said {line}"));
                if answer.is_err() {
                    return;
                }
            }
        });
    }
}

fn talk(address: std::net::SocketAddr, number: usize) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    green::sleep(Duration::from_millis(10)); // A timer of green's.
    writeln!(stream, "{number}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    green::hubs::use_hub("polling")?; // Or epoll: poll and select have no descriptor.
    let mut calloop: EventLoop<'_, ()> = EventLoop::try_new()?;
    let handle = calloop.handle();

    // It only ends calloop's sleep: `run_once` looks for what it was about.
    let descriptor = Generic::new(green::hubs::descriptor()?, Interest::READ, Mode::Level);
    handle
        .insert_source(descriptor, |_, _, ()| Ok(PostAction::Continue))
        .map_err(|error| error.error)?;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    green::spawn_n(move || serve(&listener));

    // A timer of calloop's starts the clients, each as a greenthread.
    let done = Rc::new(Cell::new(0));
    let timer = Timer::from_duration(Duration::from_millis(20));
    let finished = Rc::clone(&done);
    handle
        .insert_source(timer, move |_, (), ()| {
            for number in 0..CLIENTS {
                let finished = Rc::clone(&finished);
                green::spawn_n(move || {
                    let answer = talk(address, number).expect("the server answers");
                    assert_eq!(answer, format!("you said {number}\n"));
                    finished.set(finished.get() + 1);
                });
            }
            TimeoutAction::Drop
        })
        .map_err(|error| error.error)?;

    loop {
        let timeout = green::hubs::run_once();
        if done.get() == CLIENTS {
            break;
        }
        calloop.dispatch(timeout, &mut ())?;
    }
    println!(
        "{CLIENTS} answers in calloop, on {}",
        green::hubs::get_hub()
    );
    Ok(())
}
