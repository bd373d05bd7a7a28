//! Greenthreads: spawn, wait, kill, link.

mod any;
mod builder;
mod end;
mod group;
mod handle;
mod join;
mod kill_on_drop;
pub(crate) mod leave;
pub(crate) mod local;
mod scope;
pub mod time;
pub(crate) mod timeout;

use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

pub use any::{AnyGreenThread, current};
pub use builder::Builder;
pub use end::LinkId;
pub use group::{
    EndOrder, iwait, joinall, joinall_timeout, killall, killall_wait, try_joinall, wait_any,
};
pub use handle::GreenThread;
pub(crate) use join::join_as_part;
pub use kill_on_drop::KillOnDrop;
pub use leave::exit;
pub use local::{LocalKey, current_id};
pub(crate) use scope::is_lending;
pub use scope::{Scope, ScopedGreenThread, scope};
pub use time::{sleep, sleep_until, yield_now};
pub use timeout::{Deadline, Elapsed, Timeout, is_timeout, with_timeout};

pub use crate::runtime::{Exit, Panic};
use crate::runtime::{Runtime, State, Task};

/// Runs `f` in a new greenthread, which gets its turn when this one next waits.
///
/// Greenthreads start in the order of their spawn. They live and die on the OS thread that spawned them, so `f`
/// need not be `Send`.
///
/// # Panics
/// If no stack can be had (see [`Builder::spawn`] for an error instead), or if the thread is ending.
///
/// ```
/// let gt = green::spawn(|| 6 * 7);
/// assert_eq!(gt.join().unwrap(), 42);
/// ```
#[track_caller]
#[inline]
pub fn spawn<T: 'static>(f: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    expect(Builder::new().spawn(f))
}

/// Runs `f` in a new greenthread whose end nobody can wait for. Cheaper than [`spawn`].
///
/// # Panics
/// As [`spawn`]. A panic of `f` is printed by the panic hook and goes no further.
///
/// ```
/// green::spawn_n(|| println!("hello"));
/// green::yield_now();
/// ```
#[track_caller]
#[inline]
pub fn spawn_n(f: impl FnOnce() + 'static) {
    expect(spawn_detached(Location::caller(), f));
}

/// Runs `f` in a new greenthread that starts after `delay`, even if the caller has ended by then.
///
/// # Panics
/// As [`spawn`].
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let gt = green::spawn_after(Duration::from_millis(5), Instant::now);
/// assert!(gt.join().unwrap() - start >= Duration::from_millis(5));
/// ```
#[track_caller]
pub fn spawn_after<T: 'static>(delay: Duration, f: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    expect(Builder::new().spawn_after(delay, f))
}

/// As [`spawn_after`], but `f` does not run if the caller has ended by then: it is cancelled.
///
/// # Panics
/// As [`spawn`].
///
/// ```
/// use std::time::Duration;
///
/// let inner = green::spawn(|| green::spawn_after_local(Duration::from_millis(1), || 1)).join().unwrap();
/// assert!(matches!(inner.join(), Err(green::Exit::Cancelled)));
/// ```
#[track_caller]
pub fn spawn_after_local<T: 'static>(
    delay: Duration,
    f: impl FnOnce() -> T + 'static,
) -> GreenThread<T> {
    expect(Builder::new().spawn_after_local(delay, f))
}

#[track_caller]
#[inline]
pub(crate) fn expect<T>(spawned: io::Result<T>) -> T {
    match spawned {
        Ok(spawned) => spawned,
        Err(error) => panic!("cannot spawn a greenthread: {error}"),
    }
}

#[inline]
pub(crate) fn spawn_detached(
    spawned_at: &'static Location<'static>,
    f: impl FnOnce() + 'static,
) -> io::Result<Rc<Task>> {
    Runtime::with(|runtime| runtime.spawn_detached(None, spawned_at, State::Fresh, f))
}
