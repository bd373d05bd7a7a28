//! A burst of waits: served, killed before they start, while they wait and after they were served, and timed out.

use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use green::debug::counters;
use green::{GreenThread, Timeout};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(600);

/// What a thread holds.
#[derive(Debug, PartialEq)]
struct Held {
    greenthreads: usize,
    greenlets: usize,
    stacks: usize,
    runnable: usize,
    timers: usize,
    readers: usize,
    writers: usize,
    descriptors: usize,
    remote_waiters: usize,
}

impl Held {
    fn now() -> Held {
        let (counters, stats) = (counters(), greenlet::stats());
        Held {
            greenthreads: counters.greenthreads,
            greenlets: stats.greenlets,
            stacks: stats.stacks,
            runnable: counters.runnable,
            timers: counters.timers,
            readers: counters.readers,
            writers: counters.writers,
            descriptors: counters.descriptors,
            remote_waiters: counters.remote_waiters,
        }
    }
}

/// What is done to a subject.
pub(crate) struct Burst<S> {
    /// How many wait at once.
    pub(crate) waiters: usize,
    /// Makes those wait who come now.
    pub(crate) hold: fn(&S),
    /// The wait.
    pub(crate) wait: fn(&S),
    /// Serves some of those who wait, or all.
    pub(crate) serve: fn(&S),
    /// When nobody waits any more: takes away what nobody took, and checks what must be there.
    pub(crate) clear: fn(&S),
}

impl<S: Debug + 'static> Burst<S> {
    /// Bursts on what `subject` makes. A round leaves it as the round before did, by its own account: that names its
    /// counters and who waits.
    pub(crate) fn leaves_nothing(&self, subject: impl FnOnce() -> S) {
        // What a thread makes once and keeps: its hub, the channel that wakes it.
        green::sleep(MS);
        let before = Held::now();
        let subject = Rc::new(subject());
        let after: Vec<_> = (0..3)
            .map(|_| {
                self.round(&subject);
                assert_eq!(Rc::strong_count(&subject), 1);
                (Held::now(), format!("{subject:?}"))
            })
            .collect();
        assert_eq!(after[0], after[1]);
        assert_eq!(after[1], after[2]);
        drop(subject);
        settle();
        assert_eq!(Held::now(), before, "without the subject");
    }

    fn round(&self, subject: &Rc<S>) {
        (self.hold)(subject);
        let waiters: Vec<_> = (0..self.waiters).map(|n| self.spawn(subject, n)).collect();
        let kill = |remainder| {
            let victims = waiters.iter().skip(remainder).step_by(8);
            victims.for_each(GreenThread::kill);
        };
        kill(0);
        green::yield_now();
        kill(1);
        green::sleep(3 * MS);
        (self.serve)(subject);
        kill(2);
        settle();
        kill(3);
        (self.serve)(subject);
        settle();
        for waiter in waiters {
            waiter.kill();
            ignore(waiter.join());
        }
        (self.clear)(subject);
        settle();
    }

    fn spawn(&self, subject: &Rc<S>, number: usize) -> GreenThread<()> {
        let (subject, wait) = (Rc::clone(subject), self.wait);
        green::spawn(move || match number % 8 {
            4 => drop(Timeout::silent(MS, || wait(&subject))),
            5 => drop(Timeout::silent(LONG, || {
                Timeout::silent(Duration::ZERO, || wait(&subject))
            })),
            6 => drop(Timeout::silent(LONG, || wait(&subject))),
            _ => wait(&subject),
        })
    }
}

/// Lets everybody else go as far as they get.
fn settle() {
    for _ in 0..20 {
        green::yield_now();
    }
    green::sleep(MS);
}

/// Whatever came of it.
pub(crate) fn ignore<T>(_: T) {}
