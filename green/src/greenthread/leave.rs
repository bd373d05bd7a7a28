//! The end of the process, from any greenthread, by way of main's destructors.
//!
//! What unwinds main's greenthread is a payload that ends the process when it is dropped. std's start-up code, below
//! `main`, catches what unwinds `main` and drops it: by then every destructor of `main` has run.

use std::process;
use std::sync::Arc;
use std::thread::panicking;

use crate::runtime::{ExitCode, Killed, Runtime, main_handle};

/// Ends the process with this exit code, after the destructors of `main` and of the caller have run. eventlet's
/// programs do so by `sys.exit` in any green thread.
///
/// The calling greenthread unwinds from here, and main's from where it waits, at once or when it next does. No panic
/// hook runs. Other greenthreads are abandoned, as when `main` returns. [`mask`](crate::mask) holds main's end back,
/// and a [`scope`](crate::scope) of main waits for its greenthreads first, which are killed. The first code counts.
///
/// Code of `main` that catches the unwinding passes it on by [`resume_interrupt`](crate::resume_interrupt). If it
/// drops what it has caught instead, the process ends there and then, with this code.
///
/// From another OS thread, a job of the [thread pool](crate::tpool) for one, main is told if it has a hub that other
/// threads know: as soon as it has waited for one, handed a job to a pool, or called
/// [`hubs::handle`](crate::hubs::handle). The caller unwinds meanwhile, and the process may end before it is done.
/// Without such a hub, and in a destructor while its thread unwinds, this is [`std::process::exit`]: no further
/// destructor runs.
///
/// ```no_run
/// struct Goodbye;
/// impl Drop for Goodbye {
///     fn drop(&mut self) {
///         println!("goodbye");
///     }
/// }
///
/// let _goodbye = Goodbye;
/// green::spawn_n(|| green::exit(3));
/// green::sleep(std::time::Duration::from_secs(60)); // goodbye, and the shell sees 3
/// ```
pub fn exit(code: i32) -> ! {
    if panicking() {
        process::exit(code);
    }
    if greenlet::os::is_main_thread() {
        tell_main(code);
    } else {
        let told = main_handle().is_some_and(|main| main.spawn(move || tell_main(code)).is_ok());
        if !told {
            log::warn!(
                "exit with code {code} from a thread that cannot reach main: its destructors do not run"
            );
            process::exit(code);
        }
    }
    Runtime::with(|runtime| {
        let me = runtime.current();
        runtime.kill_soon(&me, None);
        // Not by way of a wait: a mask would hold that back, and this does not return.
        Killed::raise(&me)
    })
}

fn tell_main(code: i32) {
    Runtime::with(|runtime| {
        let main = runtime.root();
        runtime.kill_soon(&main, Some(Arc::new(ExitCode(code))));
    });
}
