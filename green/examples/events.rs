//! cargo run --release -p green --example events
//!
//! An event hands one value, or one error, to everybody who waits for it or will.

use std::io;
use std::rc::Rc;

use green::Event;

fn main() {
    // One greenthread computes, another waits.
    let event = Rc::new(Event::new());
    let sender = Rc::clone(&event);
    let b = 3;
    green::spawn_n(move || sender.send(b + 1).expect("nobody else sends"));
    println!("got {:?}", event.wait());

    // Many may wait; they go on in the order in which they came.
    let start = Rc::new(Event::new());
    let waiters: Vec<_> = (1..=3)
        .map(|n| {
            let start = Rc::clone(&start);
            green::spawn(move || {
                println!("waiter {n} before");
                println!("waiter {n} after: {:?}", start.wait());
            })
        })
        .collect();
    green::yield_now();
    start.send("go").expect("nobody else sends");
    for waiter in waiters {
        drop(waiter.join());
    }

    // An error reaches them all, too.
    let failed: Event<u32> = Event::new();
    drop(failed.send_exception(io::Error::other("nothing to compute")));
    println!(
        "and again: {:?}",
        failed.wait().map_err(|error| error.to_string())
    );
    println!(
        "and again: {:?}",
        failed.wait().map_err(|error| error.to_string())
    );
}
