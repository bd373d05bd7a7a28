use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};

/// The lock of a hub. It goes to one thread after another, in the order in which they asked.
///
/// The thread that waits in the system holds it meanwhile. A thread that asks for it then wakes
/// that one, which gives it up, asks again, and goes on waiting when it has it back. No thread is
/// overtaken for ever, since each draws a ticket:
///
/// - A thread that asks draws a ticket (`next`), and only then looks if the holder is `asleep`.
/// - A holder that wants to sleep says so (`asleep`), and only then looks if a ticket behind its
///   own was drawn; if so it must not sleep.
///
/// All four are sequentially consistent, so that at least one of the two sees the other: no holder
/// sleeps while a thread that has not woken it waits for the lock.
#[derive(Debug, Default)]
pub(crate) struct TicketLock {
    next: AtomicUsize,
    serving: AtomicUsize,
    asleep: AtomicBool,
    gate: Mutex<()>,
    moved: Condvar,
}

impl TicketLock {
    /// Waits for a turn. `wake` is called if the one whose turn it is sleeps in the system.
    pub(crate) fn enter(&self, wake: impl FnOnce()) -> Held<'_> {
        let ticket = self.next.fetch_add(1, SeqCst);
        if self.serving.load(SeqCst) != ticket {
            if self.asleep.load(SeqCst) {
                wake();
            }
            self.stand(ticket);
        }
        Held { lock: self, ticket }
    }

    #[cold]
    fn stand(&self, ticket: usize) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        while self.serving.load(SeqCst) != ticket {
            gate = self
                .moved
                .wait(gate)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// True if it is nobody's turn, or the turn of one that sleeps in the system: nothing is half
    /// done. For the child after a fork, where those in line do not exist.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_empty() || self.asleep.load(SeqCst)
    }

    /// True if it is nobody's turn.
    pub(crate) fn is_empty(&self) -> bool {
        self.next.load(SeqCst) == self.serving.load(SeqCst)
    }
}

/// The right to touch what the lock guards, until dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    lock: &'a TicketLock,
    ticket: usize,
}

impl Held<'_> {
    /// Says that this thread is about to sleep in the system: from now on who comes wakes it.
    /// False if someone has come already; then it must not sleep.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.lock.asleep.store(true, SeqCst);
        let alone = self.lock.next.load(SeqCst) == self.ticket.wrapping_add(1);
        if !alone {
            self.wake_up();
        }
        alone
    }

    /// Ends what [`fall_asleep`](Held::fall_asleep) began.
    pub(crate) fn wake_up(&self) {
        self.lock.asleep.store(false, SeqCst);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let after = self.ticket.wrapping_add(1);
        self.lock.serving.store(after, SeqCst);
        if self.lock.next.load(SeqCst) != after {
            // With the gate held, so that nobody stands between looking and waiting.
            drop(
                self.lock
                    .gate
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
            self.lock.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn nobody_sleeps_with_another_in_lock() {
        let lock = Arc::new(TicketLock::default());
        let turn = lock.enter(|| panic!("nobody sleeps"));
        assert!(turn.fall_asleep());
        let (ring, rung) = mpsc::channel();
        let other = thread::spawn({
            let lock = lock.clone();
            move || drop(lock.enter(|| ring.send(()).unwrap()))
        });
        rung.recv_timeout(Duration::from_secs(60))
            .expect("it is woken");
        turn.wake_up();
        assert!(!turn.fall_asleep(), "one is in line");
        assert!(!lock.is_at_rest());
        drop(turn);
        other.join().unwrap();
        assert!(lock.is_empty());
    }

    #[test]
    fn turns_come_in_order_and_one_at_a_time() {
        let lock = Arc::new(TicketLock::default());
        let first = lock.enter(|| ());
        let (done, order) = mpsc::channel();
        let others: Vec<_> = (0..4)
            .map(|number| {
                let (lock, done) = (lock.clone(), done.clone());
                let queued = lock.next.load(SeqCst);
                let other = thread::spawn({
                    let lock = lock.clone();
                    move || {
                        let _turn = lock.enter(|| ());
                        done.send(number).unwrap();
                    }
                });
                while lock.next.load(SeqCst) == queued {
                    thread::yield_now();
                }
                other
            })
            .collect();
        assert!(order.try_recv().is_err(), "the first still has its turn");
        drop(first);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}
