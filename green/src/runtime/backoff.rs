//! Growing pauses between tries, for events that no hub reports.

use std::time::Duration;

/// Pauses that double from the first to the longest.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff {
            first,
            longest,
            next: first,
        }
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = self.longest.min(2 * pause);
        pause
    }

    /// Begins anew with the first pause.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}
