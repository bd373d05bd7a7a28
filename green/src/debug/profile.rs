//! Where the time goes: greenthreads by the place of their spawn, and a line for every switch.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::observe::Watch;

/// What the greenthreads that were spawned at one place have used while [`accounting`](super::accounting) was on, those
/// that have ended included. Made by [`profile`].
///
/// ```
/// green::debug::accounting(true);
/// for _ in 0..3 {
///     green::spawn(green::yield_now).join().unwrap();
/// }
/// for place in green::debug::profile() {
///     println!("{}: {} of them ran {:?}", place.spawned_at, place.greenthreads, place.ran);
/// }
/// green::debug::accounting(false);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// Where they were spawned.
    pub spawned_at: &'static Location<'static>,
    /// How many there were.
    pub greenthreads: u64,
    /// How often one of them was switched to.
    pub switches: u64,
    /// How long they ran.
    pub ran: Duration,
    /// How long they waited, to be woken and then for their turn.
    pub waited: Duration,
    /// The longest time for which one of them kept the others from running.
    pub longest: Duration,
    /// How many bytes they read from streams, pipes and with [`os::read`](crate::os::read).
    pub bytes_read: u64,
    /// How many bytes they wrote there.
    pub bytes_written: u64,
}

impl Profile {
    pub(super) fn new(spawned_at: &'static Location<'static>) -> Profile {
        Profile {
            spawned_at,
            greenthreads: 0,
            switches: 0,
            ran: Duration::ZERO,
            waited: Duration::ZERO,
            longest: Duration::ZERO,
            bytes_read: 0,
            bytes_written: 0,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ran {:?} (at most {:?} at once), waited {:?} in {} turns, read {} and wrote {} bytes: {} greenthreads \
             spawned at {}",
            self.ran,
            self.longest,
            self.waited,
            self.switches,
            self.bytes_read,
            self.bytes_written,
            self.greenthreads,
            self.spawned_at
        )
    }
}

/// The use of time by place of spawn, what ran longest first. The thread's own greenthread is the one whose place lies in
/// green itself.
///
/// ```
/// green::debug::accounting(true);
/// for _ in 0..3 {
///     green::spawn(|| green::yield_now()).join().unwrap();
/// }
/// let profile = green::debug::profile();
/// green::debug::accounting(false);
/// assert!(profile.iter().any(|place| place.greenthreads == 3));
/// ```
pub fn profile() -> Vec<Profile> {
    let mut profile = Watch::with(|runtime, watch| watch.profile(runtime));
    profile.sort_by_key(|place| std::cmp::Reverse(place.ran));
    profile
}

/// Prints a line to the standard error for every switch to another greenthread of this thread: which one stops, how long
/// it ran and what it waits for, and which one runs. It is slow, and for finding mistakes only: it blocks the thread
/// while the standard error is not read.
///
/// ```
/// green::debug::spew();
/// green::spawn(|| ()).join().unwrap();
/// green::debug::unspew();
/// ```
pub fn spew() {
    Watch::with(|runtime, watch| watch.set_spew(runtime, true));
}

/// Ends what [`spew`] has begun.
///
/// ```
/// green::debug::spew();
/// green::yield_now();
/// green::debug::unspew();
/// ```
pub fn unspew() {
    Watch::with(|runtime, watch| watch.set_spew(runtime, false));
}
