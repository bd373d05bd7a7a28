//! cargo run -p examples --example events
//!
//! An event hands one value, or one error, to everybody who waits for it or will.

use std::backtrace::Backtrace;
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use green::Event;

/// An error that knows where it was made, which the one who waits for it does not see otherwise.
#[derive(Debug)]
struct Failure {
    what: &'static str,
    trace: Backtrace,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for Failure {}

/// One greenthread computes, another waits.
fn baz() {
    let event = Rc::new(Event::new());
    let sender = Rc::clone(&event);
    let b = 3;
    green::spawn_n(move || sender.send(b + 1).expect("nobody else sends"));
    println!("got {:?}", event.wait());
}

/// Many may wait; they go on in the order in which they came.
fn waiters() {
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
    green::joinall(&waiters);
}

/// An error without a trace: any error, or any text.
fn failure() {
    let event: Event<u32> = Event::new();
    drop(event.send_exception("nothing to compute"));
    for _ in 0..2 {
        if let Err(error) = event.wait() {
            println!("every wait fails: {error}");
        }
    }
}

/// An error with the trace of the one who sent it.
fn failure_with_trace() {
    let event: Rc<Event<u32>> = Rc::new(Event::new());
    let sender = Rc::clone(&event);
    green::spawn_n(move || compute(&sender));
    if let Err(error) = event.wait()
        && let Some(failure) = error.downcast_ref::<Failure>()
    {
        println!("with a trace: {failure}");
        for line in failure.trace.to_string().lines() {
            if line.contains("events::compute") {
                println!("made in{line}");
            }
        }
    }
}

#[inline(never)]
fn compute(event: &Event<u32>) {
    let what = "nothing to compute here either";
    let trace = Backtrace::force_capture();
    drop(event.send_exception(Failure { what, trace }));
}

fn main() {
    baz();
    waiters();
    failure();
    failure_with_trace();
}
