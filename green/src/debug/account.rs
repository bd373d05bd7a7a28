//! What single greenthreads use: time and bytes.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Profile;
use super::observe::Watch;
use crate::runtime::TaskState;

/// How long one greenthread has run and waited, and what it has transferred.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) ran: Cell<Duration>,
    pub(super) waited: Cell<Duration>,
    pub(super) switches: Cell<u64>,
    pub(super) longest: Cell<Duration>,
    pub(super) bytes_read: Cell<u64>,
    pub(super) bytes_written: Cell<u64>,
    /// When it last stopped running, and in which period of accounting that was.
    stopped: Cell<Option<(Instant, u64)>>,
}

impl TaskState for Account {}

impl Account {
    /// Adds this to what others of the same place have used.
    pub(super) fn add_to(&self, profile: &mut Profile) {
        profile.greenthreads += 1;
        profile.switches += self.switches.get();
        profile.ran += self.ran.get();
        profile.waited += self.waited.get();
        profile.bytes_read += self.bytes_read.get();
        profile.bytes_written += self.bytes_written.get();
        profile.longest = profile.longest.max(self.longest.get());
    }

    pub(super) fn runs(&self, now: Instant, period: u64) {
        self.switches.set(self.switches.get() + 1);
        if let Some((stopped, _)) = self.stopped.take().filter(|&(_, when)| when == period) {
            self.waited.set(self.waited.get() + (now - stopped));
        }
    }

    pub(super) fn stops(&self, ran: Duration, now: Instant, period: u64) {
        self.ran.set(self.ran.get() + ran);
        self.longest.set(self.longest.get().max(ran));
        self.stopped.set(Some((now, period)));
    }

    /// When it last stopped running, if that was in this period of accounting.
    pub(super) fn stopped(&self, period: u64) -> Option<Instant> {
        let (stopped, when) = self.stopped.get()?;
        (when == period).then_some(stopped)
    }
}

/// Keeps accounts of the greenthreads of this thread until it is dropped. Made by [`keep_accounts`].
///
/// ```
/// let accounts: green::debug::Accounts = green::debug::keep_accounts();
/// green::yield_now();
/// drop(accounts); // From here on a switch costs what it did.
/// ```
#[must_use = "no accounts are kept any more once this is dropped"]
pub struct Accounts(Rc<Watch>);

/// As [`accounting`](super::accounting), until what it gives is dropped: for a part of a program that is not alone in
/// wanting accounts. They are kept while anybody wants them.
///
/// ```
/// let accounts = green::debug::keep_accounts();
/// let gt = green::spawn(|| {
///     green::yield_now();
///     green::debug::greenthreads().into_iter().find(|info| info.id == green::current_id())
/// });
/// assert_eq!(gt.join().unwrap().unwrap().switches, 2);
/// drop(accounts);
/// ```
pub fn keep_accounts() -> Accounts {
    Watch::with(|runtime, watch| {
        watch.want_accounts(runtime, 1);
        Accounts(Rc::clone(watch))
    })
}

impl Drop for Accounts {
    fn drop(&mut self) {
        Watch::with(|runtime, watch| {
            // One that has outlived its thread's end has a watch that nobody else knows.
            if Rc::ptr_eq(watch, &self.0) {
                watch.want_accounts(runtime, -1);
            }
        });
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}
