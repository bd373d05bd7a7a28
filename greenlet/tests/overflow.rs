//! Stacks that are too small. Each case is a process of its own: this test program, run again with the name of the case
//! in its environment.

// A sanitizer has handlers of its own for faults.
#![cfg(not(any(greenlet_sanitize = "address", greenlet_sanitize = "thread")))]

mod common;

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use common::{CASE, this_program};
use greenlet::{Builder, Greenlet, current, main_greenlet};

/// Needs about a kilobyte of stack for each step.
#[inline(never)]
fn dig(depth: u64) -> u64 {
    let room = black_box([depth; 128]);
    if depth == 0 {
        0
    } else {
        dig(depth - 1) + room[64]
    }
}

fn overflow(greenlet: Greenlet<u64, u64>) {
    println!("{}", greenlet.switch(1 << 30).is_ok());
}

const BUILT_AT: u32 = line!() + 2;
fn build(size: usize) -> Greenlet<u64, u64> {
    Builder::new().stack_size(size).build(dig).unwrap()
}

fn run_case(case: &str) {
    match case {
        "small" => overflow(build(64 * 1024)),
        "default" => overflow(Greenlet::new(dig)),
        "named" => overflow(
            Builder::new()
                .label("greenthread")
                .id(17)
                .stack_size(32 * 1024)
                .build(dig)
                .unwrap(),
        ),
        "own thread-locals" => overflow(
            Builder::new()
                .own_thread_locals(true)
                .stack_size(64 * 1024)
                .build(dig)
                .unwrap(),
        ),
        "big frame" => {
            #[inline(never)]
            fn big() -> u8 {
                black_box([1u8; 1 << 20])[black_box(12)]
            }
            let g = Greenlet::new(|()| big());
            println!("{}", g.switch(()).is_ok());
        }
        "thread" => {
            // Others have stacks too, and other stacks of this thread are suspended.
            let busy = std::thread::spawn(|| {
                let g = build(64 * 1024);
                std::thread::sleep(std::time::Duration::from_secs(60));
                drop(g);
            });
            let others: Vec<_> = (0..100)
                .map(|_| {
                    let g = Greenlet::new(|()| main_greenlet().switch::<(), ()>(()).unwrap());
                    g.switch(()).unwrap();
                    g
                })
                .collect();
            let thread = std::thread::spawn(|| overflow(build(64 * 1024)));
            thread.join().unwrap();
            busy.join().unwrap();
            drop(others);
        }
        "main" => {
            // Not a greenlet's: the handler of the standard library reports it.
            drop(current());
            println!("{}", dig(1 << 30));
        }
        "stray" => {
            // A fault inside a greenlet that has nothing to do with its stack.
            let g = Greenlet::new(|()| {
                // SAFETY: none: this test is about what happens then.
                unsafe { std::ptr::null_mut::<u8>().wrapping_add(8).write_volatile(1) }
            });
            println!("{}", g.switch(()).is_ok());
        }
        "own handler" => {
            extern "C" fn exit_42(_: libc::c_int) {
                // SAFETY: ends the process.
                unsafe { libc::_exit(42) }
            }
            // SAFETY: the handler may run at any time.
            unsafe { libc::signal(libc::SIGSEGV, exit_42 as *const () as libc::sighandler_t) };
            run_case("stray");
        }
        "sent" => {
            // SAFETY: what a signal does to this process is what the test is about.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
            drop(current());
            // SAFETY: as above.
            unsafe { libc::raise(libc::SIGSEGV) };
        }
        "ignored" => {
            // SAFETY: as above.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_IGN) };
            drop(current());
            // SAFETY: as above.
            unsafe { libc::raise(libc::SIGSEGV) };
            std::process::exit(43);
        }
        _ => panic!("no case {case}"),
    }
}

/// Where this test program begins again.
#[test]
fn case() {
    if let Ok(case) = std::env::var(CASE) {
        run_case(&case);
    }
}

fn child(case: &str) -> Output {
    this_program(case).output().unwrap()
}

/// Demands an abort with a report that says `expected`.
fn reports(case: &str, expected: &str) {
    let output = child(case);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("GREENLET_STACK_SIZE"), "{text}");
}

#[test]
fn the_report_names_the_greenlet_and_the_size() {
    reports(
        "small",
        &format!(
            "\ngreenlet 1 (spawned at {}:{BUILT_AT}) has overflowed its 64 KiB stack\n",
            file!()
        ),
    );
}

#[test]
fn the_default_size_is_reported() {
    reports("default", "has overflowed its 256 KiB stack");
}

#[test]
fn the_report_uses_the_given_name_and_number() {
    reports("named", "\ngreenthread 17 (spawned at ");
}

#[cfg(all(feature = "thread-locals", not(feature = "context")))]
#[test]
fn one_with_thread_locals_of_its_own_is_reported_too() {
    reports("own thread-locals", "has overflowed its 64 KiB stack");
}

#[test]
fn a_frame_larger_than_the_stack_is_caught() {
    reports("big frame", "has overflowed its 256 KiB stack");
}

#[test]
fn every_thread_has_a_signal_stack() {
    reports("thread", "has overflowed its 64 KiB stack");
}

#[test]
fn an_overflow_of_the_threads_own_stack_goes_to_the_handler_before() {
    let output = child("main");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(text.contains("has overflowed its stack"), "{text}");
    assert!(!text.contains("GREENLET_STACK_SIZE"), "{text}");
}

#[test]
fn a_fault_elsewhere_goes_to_the_handler_before() {
    let output = child("stray");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{text}");
    assert!(!text.contains("GREENLET_STACK_SIZE"), "{text}");

    assert_eq!(child("own handler").status.code(), Some(42));
}

#[test]
fn a_signal_that_was_sent_does_what_it_did_before() {
    assert_eq!(child("sent").status.signal(), Some(libc::SIGSEGV));
    assert_eq!(child("ignored").status.code(), Some(43));
}
