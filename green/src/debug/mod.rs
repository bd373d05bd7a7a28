//! Looking inside: dumps, counters, profiles, a detector of greenthreads that block.
//!
//! | question | answer |
//! |---|---|
//! | what does the program wait for? | [`dump_all`], by hand, or on a signal with [`dump_on_signal`] |
//! | who blocks all others? | [`blocking_detection`] in production, [`assert_switches`] in a test |
//! | where does the time go? | [`accounting`] and [`profile`] |
//! | what runs when? | [`spew`]; [`record`] for a program that draws it |
//! | who keeps the others waiting? | [`long_runs`], [`sample_runs`] |
//! | what follows a greenthread? | [`observe_switches`] |
//! | how much is there of everything? | [`counters`], [`resident_memory`], [`memory_threshold`] |
//! | why is it stuck? | nothing to do: a deadlock is a panic that says who waits for what, and who holds it |
//!
//! Everything here speaks of the calling OS thread and its hub, if nothing else is said.

mod account;
mod blocking;
mod dump;
mod info;
mod memory;
mod observe;
mod one;
mod profile;
mod record;
mod runs;
mod shown;
mod switches;
mod waits;

use std::cell::Cell;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::runtime::{Runtime, ThreadState};

pub use account::{Accounts, keep_accounts};
use blocking::Heartbeat;
pub use blocking::{assert_switches, blocking_detection};
pub use dump::{dump_all, dump_on_signal, format_greenthreads, format_spawn_tree, greenthreads};
pub use info::GreenthreadInfo;
pub use memory::{MemoryWatch, memory_threshold, resident_memory};
use observe::Watch;
pub use one::{describe, greenthread, inspect, living};
pub use profile::{Profile, profile, spew, unspew};
pub use record::{Recorded, RecordedGreenthread, Recording, Step, StepKind, WaitReason, record};
pub use runs::{RunInfo, RunLog, long_runs, sample_runs};
pub use shown::{hub_listener_stacks, hub_timer_stacks};
pub use switches::{SwitchObservation, SwitchObserver, observe_switches};
pub use waits::{
    ListenerInfo, TimerInfo, format_hub_listeners, format_hub_timers, listeners, timers,
};

/// What a thread's scheduler and hub have done, and what they hold: plain numbers.
///
/// ```
/// let before = green::debug::counters();
/// green::spawn(|| ()).join().unwrap();
/// let after = green::debug::counters();
/// assert_eq!((after.spawns - before.spawns, after.greenthreads), (1, 1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Switches from one greenthread to another.
    pub switches: u64,
    /// Greenthreads spawned.
    pub spawns: u64,
    /// Turns of the reactor: each is one wait or poll of the hub.
    pub turns: u64,
    /// Waits of greenthreads that were ended, whatever ended them.
    pub wakeups: u64,
    /// Greenthreads that are not dead, the thread's own included.
    pub greenthreads: usize,
    /// Greenthreads in the run queue.
    pub runnable: usize,
    /// Parked waiters at descriptors, for reading.
    pub readers: usize,
    /// Parked waiters at descriptors, for writing.
    pub writers: usize,
    /// Descriptors registered with the hub.
    pub descriptors: usize,
    /// Timers that run.
    pub timers: usize,
    /// Greenthreads that wait for another thread.
    pub remote_waiters: usize,
    /// Stacks that belong to a greenthread or another greenlet.
    pub stacks: usize,
    /// Stacks that wait for the next greenthread.
    pub free_stacks: usize,
    /// Bytes of address space that all stacks take. Only the pages that were touched cost memory.
    pub stack_bytes: usize,
}

/// The counters of this thread.
///
/// ```
/// let before = green::debug::counters();
/// green::spawn(|| ()).join().unwrap();
/// let after = green::debug::counters();
/// assert_eq!(after.spawns, before.spawns + 1);
/// assert_eq!(after.greenthreads, before.greenthreads);
/// ```
pub fn counters() -> Counters {
    Runtime::with(|runtime| {
        let count = runtime.count();
        let stacks = greenlet::stats();
        let mut counters = Counters {
            switches: count.switches,
            spawns: count.spawns,
            turns: count.turns,
            wakeups: count.wakeups,
            greenthreads: count.greenthreads,
            runnable: count.runnable,
            remote_waiters: count.remote_waiters,
            stacks: stacks.stacks,
            free_stacks: stacks.free_stacks,
            stack_bytes: stacks.mapped_bytes,
            ..Counters::default()
        };
        let _ = runtime.with_reactor(|reactor| {
            counters.readers = reactor.readers();
            counters.writers = reactor.writers();
            counters.descriptors = reactor.descriptors();
            counters.timers = reactor.timer_count();
            Some(())
        });
        counters
    })
}

/// Starts or stops counting how long each greenthread of this thread runs and waits, and how many bytes it reads and
/// writes: see [`GreenthreadInfo`].
///
/// While it is on, a switch costs two looks at the clock.
///
/// ```
/// green::debug::accounting(true);
/// green::yield_now();
/// let here = green::debug::greenthreads().remove(0);
/// println!("ran {:?}, waited {:?}", here.ran, here.waited);
/// green::debug::accounting(false);
/// ```
pub fn accounting(on: bool) {
    Watch::with(|runtime, watch| watch.set_accounting(runtime, on));
}

/// With `true`, several greenthreads of this thread may wait for one direction of one descriptor: they are served in
/// the order of their arrival. With `false`, as at first, the second one gets an error of kind `ResourceBusy`.
///
/// Almost always two readers of one socket are a mistake: which of them gets which bytes is chance.
///
/// ```
/// use std::rc::Rc;
/// use green::net::{TcpListener, TcpStream};
///
/// green::debug::allow_multiple_waiters(true);
/// let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
/// let address = listener.local_addr()?;
/// let acceptors: Vec<_> = (0..2)
///     .map(|_| {
///         let listener = Rc::clone(&listener);
///         green::spawn(move || listener.accept().map(|(_, peer)| peer))
///     })
///     .collect();
/// let clients = [TcpStream::connect(address)?, TcpStream::connect(address)?];
/// let mut peers = acceptors.into_iter().map(|gt| gt.join().unwrap()).collect::<Result<Vec<_>, _>>()?;
/// peers.sort();
/// let mut expected = clients.map(|client| client.local_addr().unwrap());
/// expected.sort();
/// assert_eq!(peers, expected);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "hub_prevent_multiple_readers")]
pub fn allow_multiple_waiters(allow: bool) {
    Runtime::with(|runtime| runtime.set_allow_many(allow));
}

/// True while panics of a thread's greenthreads are not printed.
#[derive(Default)]
struct Silent(Cell<bool>);

impl ThreadState for Silent {}

/// True if a panic of the current greenthread is not printed.
fn is_silent() -> bool {
    let silent = Runtime::existing(|runtime| {
        let silent = runtime.existing_state::<Silent>();
        silent.is_some_and(|silent| silent.0.get()) && runtime.current().id != 0
    });
    silent == Some(true)
}

/// Of the jobs of all thread pools.
static SILENT_JOBS: AtomicBool = AtomicBool::new(false);

/// With `false`, panics of this thread's greenthreads are not printed; a `join` still returns them. The panics of
/// the thread's own greenthread (`main`) are always printed.
///
/// The first call puts a panic hook in front of the one that is set.
///
/// ```
/// green::debug::hub_exceptions(false);
/// assert!(green::spawn(|| panic!("nobody reads this")).join().is_err());
/// ```
pub fn hub_exceptions(print: bool) {
    Runtime::with(|runtime| runtime.state::<Silent>().0.set(!print));
    hook();
}

/// With `false`, panics of jobs in [thread pools](crate::tpool) are not printed; the wait for the job still returns
/// them. For all threads of the process.
///
/// The first call puts a panic hook in front of the one that is set.
///
/// ```
/// green::debug::tpool_exceptions(false);
/// assert!(green::tpool::submit(|| panic!("nobody reads this"))?.join().is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn tpool_exceptions(print: bool) {
    SILENT_JOBS.store(!print, Ordering::Relaxed);
    hook();
}

fn hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let silent =
                is_silent() || (SILENT_JOBS.load(Ordering::Relaxed) && crate::tpool::is_job());
            if !silent {
                next(info);
            }
        }));
    });
}
