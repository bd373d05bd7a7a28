//! What threads wait for each other with: those who wait are greenthreads, whoever ends the wait may be a thread.

use std::error::Error;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::{self, sleep};

use super::{OPERATION, Operation};

/// The operation of that name, if it is one of these.
pub(crate) fn operation(name: &str) -> Option<Operation> {
    let operation: fn() -> Result<(), Box<dyn Error>> = match name {
        "channels" => || {
            let (sender, receiver) = mpsc::channel();
            green::spawn(move || after_a_while(|| sender.send("hello")));
            assert_eq!(receiver.recv()?, "hello");
            Ok(())
        },
        "channels-threads" => || {
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || after_a_while(|| sender.send("hello")));
            assert_eq!(receiver.recv()?, "hello");
            Ok(())
        },
        "crossbeam" => || {
            let (sender, receiver) = crossbeam_channel::bounded(0);
            green::spawn(move || after_a_while(|| sender.send("hello")));
            assert_eq!(receiver.recv()?, "hello");
            Ok(())
        },
        "mutex" => mutex,
        "parking_lot" => parking_lot,
        "condvar" => condvar,
        "park" => park,
        _ => return None,
    };
    Some(Rc::new(operation))
}

fn after_a_while<T>(f: impl FnOnce() -> T) -> T {
    sleep(OPERATION);
    f()
}

/// A lock that a thread holds.
fn mutex() -> Result<(), Box<dyn Error>> {
    let number = Arc::new(Mutex::new(0));
    let (held, is_held) = mpsc::channel();
    let theirs = Arc::clone(&number);
    thread::spawn(move || {
        let mut number = theirs.lock().unwrap();
        held.send(()).unwrap();
        after_a_while(|| *number += 1);
    });
    is_held.recv()?;
    assert_eq!(*number.lock().unwrap(), 1);
    Ok(())
}

/// A lock that another greenthread holds.
fn parking_lot() -> Result<(), Box<dyn Error>> {
    let number = Arc::new(parking_lot::Mutex::new(0));
    let (held, is_held) = mpsc::channel();
    let theirs = Arc::clone(&number);
    green::spawn(move || {
        let mut number = theirs.lock();
        held.send(()).unwrap();
        after_a_while(|| *number += 1);
    });
    is_held.recv()?;
    assert_eq!(*number.lock(), 1);
    Ok(())
}

fn condvar() -> Result<(), Box<dyn Error>> {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let theirs = Arc::clone(&shared);
    green::spawn(move || {
        after_a_while(|| *theirs.0.lock().unwrap() = true);
        theirs.1.notify_one();
    });
    let (done, changed) = &*shared;
    let done = changed.wait_while(done.lock().unwrap(), |done| !*done);
    assert!(*done.unwrap());
    Ok(())
}

fn park() -> Result<(), Box<dyn Error>> {
    let done = Arc::new(AtomicBool::new(false));
    let (me, theirs) = (thread::current(), Arc::clone(&done));
    green::spawn(move || {
        after_a_while(|| theirs.store(true, Ordering::Release));
        me.unpark();
    });
    while !done.load(Ordering::Acquire) {
        thread::park();
    }
    Ok(())
}
