//! What threads wait for each other with, between greenthreads and from OS threads.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod barrier;
mod c;
mod c11;
mod forks;
mod handlers;
mod reports;
mod std_types;
mod user;

use std::sync::Once;
use std::time::Duration;

/// Every test of this program has it.
fn patched() {
    static PATCH: Once = Once::new();
    PATCH.call_once(|| green_patch::monkey_patch().unwrap());
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs `f` in a greenthread beside another one that yields all the time, and says whether that one has run meanwhile.
fn beside<T: 'static>(f: impl FnOnce() -> T + 'static) -> (T, u64) {
    use std::cell::Cell;
    use std::rc::Rc;

    patched();
    let (turns, over) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let ticker = green::spawn({
        let (turns, over) = (Rc::clone(&turns), Rc::clone(&over));
        move || {
            while !over.get() {
                turns.set(turns.get() + 1);
                green::sleep(Duration::from_micros(100));
            }
        }
    });
    let result = green::spawn(f).join().unwrap();
    over.set(true);
    ticker.join().unwrap();
    (result, turns.get())
}
