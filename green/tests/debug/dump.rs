//! Dumps, when nobody reads the standard error.

use std::cell::Cell;
use std::io::Read;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use green::debug;
use green::signal::SIGUSR1;

use crate::common::again::{again, alone, is_again};
use crate::common::{bounded, settle};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_dump_that_nobody_reads_does_not_stop_the_thread() {
    if is_again() {
        return bounded(dump_much);
    }
    bounded(|| {
        let test = "a_dump_that_nobody_reads_does_not_stop_the_thread";
        let mut child = again(module_path!(), test)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says so while its standard error is full.
        let mut said = String::new();
        let mut out = child.stdout.take().unwrap();
        let mut byte = [0];
        while !said.contains("still turning") {
            assert_eq!(out.read(&mut byte).unwrap(), 1, "{said}");
            said.push(char::from(byte[0]));
        }
        // Then the whole of it comes.
        let mut dump = String::new();
        let mut err = child.stderr.take().unwrap();
        drop(child.stdin.take());
        err.read_to_string(&mut dump).unwrap();
        assert!(child.wait().unwrap().success(), "{dump}");
        assert_eq!(dump.matches("\ntimers:\n").count(), 2);
        assert!(
            dump.len() > 1 << 17,
            "{} bytes would have fitted",
            dump.len()
        );
    });
}

#[test]
fn a_dump_without_memory_leaves_out_the_stacks() {
    let test = "a_dump_without_memory_leaves_out_the_stacks";
    alone(module_path!(), test, || {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let Ok(pages) = std::fs::read_to_string("/proc/self/statm") else {
            eprintln!("skipped: this system does not tell how much address space is in use");
            return;
        };
        let pages: u64 = pages.split_whitespace().next().unwrap().parse().unwrap();
        let used = pages * rustix::param::page_size() as u64;
        let many: Vec<_> = (0..100)
            .map(|_| green::spawn(|| green::sleep(LONG)))
            .collect();
        settle();
        assert!(debug::dump_all().contains("\ngreenthreads:\n"));
        let few = Rlimit {
            current: Some(used + (16 << 20)),
            maximum: None,
        };
        setrlimit(Resource::As, few).unwrap();
        let dump = debug::dump_all();
        assert!(dump.contains("without their stacks"), "{dump}");
        assert_eq!(dump.matches("waits for the end of a sleep").count(), 100);
        green::killall(&many);
    });
}

fn dump_much() {
    let dumper = debug::dump_on_signal(SIGUSR1).unwrap();
    let many: Vec<_> = (0..500)
        .map(|_| green::spawn(|| green::sleep(LONG)))
        .collect();
    let ticks = Rc::new(Cell::new(0));
    let counter = Rc::clone(&ticks);
    let ticker = green::spawn(move || {
        loop {
            green::sleep(Duration::from_millis(1));
            counter.set(counter.get() + 1);
        }
    });
    settle();
    green::signal::raise(SIGUSR1).unwrap();
    let waits_until = |what: &str| {
        let all = debug::greenthreads();
        let me = all.iter().find(|one| one.id == dumper.id()).unwrap();
        me.waits_for
            .as_deref()
            .is_some_and(|waits| waits.contains(what))
    };
    while !waits_until("writable") {
        green::sleep(Duration::from_millis(1));
    }
    // A second one, while the first has nobody to read it.
    green::signal::raise(SIGUSR1).unwrap();
    let before = ticks.get();
    while ticks.get() < before + 20 {
        green::sleep(Duration::from_millis(1));
    }
    println!("still turning");
    // Until it is read: the parent closes our input when it begins.
    let mut stdin = green::os::stdin().unwrap();
    assert_eq!(stdin.read(&mut [0]).unwrap(), 0);
    // Both dumps are out when it waits for a signal again.
    while !waits_until("readable") {
        green::sleep(Duration::from_millis(1));
    }
    dumper.kill();
    ticker.kill();
    green::killall(&many);
}
