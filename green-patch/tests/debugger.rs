//! A debugger that looks at a greenthread with thread-locals of its own: gdb, if it is installed and allowed to trace.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::process::Command;
use std::thread;
use std::time::Duration;

const LOOKED_AT: &str = "GREEN_TEST_LOOKED_AT";

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn green_test_stands_here(number: u32) -> u32 {
    std::hint::black_box(number)
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn green_test_in_a_greenthread(number: u32) -> u32 {
    // It has been elsewhere meanwhile, and so has the thread pointer.
    thread::sleep(Duration::from_millis(1));
    green_test_stands_here(number) + 1
}

/// What the debugger runs.
#[test]
fn looked_at() {
    if std::env::var_os(LOOKED_AT).is_none() {
        return;
    }
    green_patch::monkey_patch().unwrap();
    let other = green::spawn(|| thread::sleep(Duration::from_millis(2)));
    let gt = green::spawn(|| green_test_in_a_greenthread(41));
    assert_eq!(gt.join().unwrap(), 42);
    other.join().unwrap();
}

#[test]
fn gdb_walks_up_the_stack_of_a_greenthread_and_lets_it_go_on() {
    let program = std::env::current_exe().unwrap();
    let gdb = Command::new("gdb")
        .args(["-batch", "-nx", "-iex", "set debuginfod enabled off"])
        .args(["-ex", "break green_test_stands_here", "-ex", "run"])
        .args(["-ex", "backtrace", "-ex", "continue", "--args"])
        .arg(program)
        .args(["--exact", "looked_at", "--test-threads=1"])
        .env(LOOKED_AT, "1")
        .output();
    let output = match gdb {
        Ok(output) => output,
        Err(error) => return eprintln!("left out: gdb does not run: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    if !said.contains("hit Breakpoint") && errors.contains("not permitted") {
        return eprintln!("left out: gdb may not trace here: {errors}");
    }
    let inner = said.find("#0  green_test_stands_here");
    let outer = said.find("in green_test_in_a_greenthread");
    assert!(inner.is_some() && inner < outer, "{said}{errors}");
    assert!(said.contains("exited normally"), "{said}{errors}");
}
