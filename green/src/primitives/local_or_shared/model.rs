//! Every interleaving of the calls of several threads on one primitive: loom runs them all.
//!
//! What is run is the code of production, made for a sharing whose locks loom knows, and whose waits a thread of the
//! model can kill or let run out of time at any moment.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc as Owned;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use loom::model::Builder;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex, MutexGuard, Notify};
use loom::thread::{self, JoinHandle};

use super::{Reach, Sharing, Unwinding};
use crate::event::OneShot;
use crate::queue::{Fifo, GetError, Ordered, PutError};
use crate::runtime::{Interrupt, Origin, Reason, Runtime, Wait, WaitList, Waiting, Wake};
use crate::semaphore::Counting;

/// For the threads of a model.
enum Modelled {}

impl Sharing for Modelled {
    type Error = Owned<dyn std::error::Error + Send + Sync>;

    fn unwinding() -> Self::Error {
        Owned::new(Unwinding)
    }
}

/// As `OnceLock`: what is set happens before what gets it.
struct Once<T> {
    set: AtomicBool,
    value: OnceLock<T>,
}

/// How a park ended, as who ended it left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Event,
    Interrupt,
    Expired,
}

/// The one greenthread of a thread, as those see it who end its parks: the first does.
struct Actor {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Counts parks.
    ticket: u32,
    cause: Option<Cause>,
    killed: bool,
    late: bool,
}

#[derive(Clone)]
struct Waiter {
    actor: Owned<Actor>,
    ticket: u32,
}

loom::thread_local! {
    static ACTOR: RefCell<Option<Owned<Actor>>> = RefCell::new(None);
}

impl Actor {
    fn new() -> Owned<Actor> {
        Owned::new(Actor {
            state: Mutex::new(State::default()),
            changed: Notify::new(),
        })
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.state.lock().unwrap());
        self.changed.notify();
    }

    /// Sticky, as in production.
    fn kill(&self) {
        self.change(|state| {
            state.killed = true;
            state.cause.get_or_insert(Cause::Interrupt);
        });
    }

    /// The time of a call that has a deadline is up.
    fn expire(&self) {
        self.change(|state| {
            state.late = true;
            state.cause.get_or_insert(Cause::Expired);
        });
    }
}

impl Waiting for Waiter {
    fn is_parked(&self) -> bool {
        true
    }

    fn wake(&self) {
        self.actor.change(|state| {
            if state.ticket == self.ticket {
                state.cause.get_or_insert(Cause::Event);
            }
        });
    }
}

impl Reach for Modelled {
    type Cell<T> = Mutex<T>;
    type Once<T> = Once<T>;
    type Ptr<T> = Arc<T>;
    type From = Modelled;
    type Gate = Mutex<()>;
    type Past<'a> = MutexGuard<'a, ()>;

    fn enter(gate: &Mutex<()>) -> Option<MutexGuard<'_, ()>> {
        Some(gate.lock().unwrap())
    }

    fn cell<T>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn once<T>() -> Once<T> {
        Once {
            set: AtomicBool::new(false),
            value: OnceLock::new(),
        }
    }

    fn set<T>(once: &Once<T>, value: T) -> Result<(), T> {
        once.value.set(value)?;
        once.set.store(true, Ordering::Release);
        Ok(())
    }

    fn get<T>(once: &Once<T>) -> Option<&T> {
        match once.set.load(Ordering::Acquire) {
            true => once.value.get(),
            false => None,
        }
    }

    fn ptr<T>(value: T) -> Arc<T> {
        Arc::new(value)
    }

    fn with<T, R>(cell: &Mutex<T>, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut cell.lock().unwrap())
    }
}

impl Origin for Modelled {
    type Waiter = Waiter;
    type Parking = Waiter;

    fn waiter(_: &Runtime) -> (Waiter, Waiter) {
        let actor = ACTOR.with(|actor| actor.borrow_mut().get_or_insert_with(Actor::new).clone());
        let ticket = actor.state.lock().unwrap().ticket;
        let waiter = Waiter { actor, ticket };
        (waiter.clone(), waiter)
    }

    fn park(_: &Runtime, parking: Waiter, _: Reason, deadline: Option<Instant>) -> Wake {
        loop {
            {
                let mut state = parking.actor.state.lock().unwrap();
                let cause = match state.cause {
                    // A kill beats the event that came with it, an event beats a deadline.
                    _ if state.killed => Some(Cause::Interrupt),
                    Some(Cause::Event) => Some(Cause::Event),
                    _ if state.late && deadline.is_some() => Some(Cause::Expired),
                    _ => None,
                };
                if let Some(cause) = cause {
                    state.ticket += 1;
                    state.cause = None;
                    return match cause {
                        Cause::Event => Wake::Event,
                        Cause::Expired => Wake::Expired,
                        Cause::Interrupt => Wake::Interrupted(Interrupt::of_a_kill()),
                    };
                }
            }
            parking.actor.changed.wait();
        }
    }
}

type Semaphore = Counting<Modelled>;
type Queue = Ordered<u32, Fifo<u32>, Modelled>;
type Event = OneShot<u32, Modelled>;

const SOON: Duration = Duration::from_secs(1);

fn check(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

/// A thread that can be killed, or run out of time, in what it waits for. `None` says that it was killed.
fn act<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> (Owned<Actor>, JoinHandle<Option<T>>) {
    let actor = Actor::new();
    let itself = Owned::clone(&actor);
    let run = move || {
        ACTOR.with(|actor| actor.replace(Some(itself)));
        catch_unwind(AssertUnwindSafe(f)).ok()
    };
    let builder = thread::Builder::new().stack_size(256 * 1024);
    (actor, builder.spawn(run).unwrap())
}

fn acquire(semaphore: &Semaphore) {
    semaphore.acquire().forget();
}

#[test]
fn a_permit_that_a_killed_waiter_was_given_goes_to_the_next() {
    check(2, || {
        let semaphore = Owned::new(Semaphore::new(0));
        let threads = [(); 2].map(|()| {
            let semaphore = Owned::clone(&semaphore);
            act(move || acquire(&semaphore))
        });
        let killer = act({
            let victim = Owned::clone(&threads[0].0);
            move || victim.kill()
        });
        semaphore.release();
        let [first, second] = threads;
        killer.1.join().unwrap();
        // One permit, one killed: if the first has it all the same, the second waits for one more.
        if first.1.join().unwrap().is_some() {
            semaphore.release();
        }
        assert!(second.1.join().unwrap().is_some());
        assert_eq!(semaphore.counter(), 0);
    });
}

#[test]
fn a_permit_is_taken_by_one_who_is_late_or_by_nobody() {
    check(3, || {
        let semaphore = Owned::new(Semaphore::new(0));
        let (actor, waits) = act({
            let semaphore = Owned::clone(&semaphore);
            move || {
                let permit = semaphore.acquire_timeout(SOON);
                permit.map(crate::Permit::forget).is_some()
            }
        });
        let clock = act(move || actor.expire());
        semaphore.release();
        clock.1.join().unwrap();
        let taken = waits.join().unwrap().unwrap();
        assert_eq!(semaphore.counter(), usize::from(!taken));
    });
}

/// A semaphore of which one who is killed keeps what it was given.
#[test]
#[should_panic(expected = "the permit is lost")]
fn a_permit_that_is_not_passed_on_is_found() {
    check(2, || {
        let permits = Owned::new(Mutex::new((0, WaitList::<(), Waiter>::new())));
        let threads = [(); 2].map(|()| {
            let permits = Owned::clone(&permits);
            act(move || {
                let enter = |waiter| {
                    let mut permits = permits.lock().unwrap();
                    match permits.0 {
                        0 => Some(permits.1.push(waiter, ())),
                        _ => {
                            permits.0 -= 1;
                            None
                        }
                    }
                };
                let leave = |place| permits.lock().unwrap().1.leave(place);
                let ended = Runtime::with(|runtime| {
                    runtime.wait::<Modelled, _, _>(Wait {
                        reason: Reason::Nothing,
                        deadline: runtime.deadline(Some(SOON)),
                        enter,
                        leave,
                        pass_on: || (),
                    })
                });
                ended.is_served()
            })
        });
        let [(victim, first), (waits, second)] = threads;
        let killer = act(move || victim.kill());
        let mut locked = permits.lock().unwrap();
        let next = locked.1.pop();
        locked.0 += usize::from(next.is_none());
        drop(locked);
        next.inspect(|(waiter, ())| waiter.wake());
        killer.1.join().unwrap();
        let got = first.join().unwrap();
        waits.expire();
        let served = second.join().unwrap() == Some(true);
        let left = permits.lock().unwrap().0 > 0;
        assert!(got.is_some() || served || left, "the permit is lost");
    });
}

#[test]
fn an_item_that_a_killed_getter_was_promised_goes_to_the_next() {
    check(2, || {
        let queue = Owned::new(Queue::new(None));
        let threads = [(); 2].map(|()| {
            let queue = Owned::clone(&queue);
            act(move || queue.get_for(None))
        });
        let killer = act({
            let victim = Owned::clone(&threads[0].0);
            move || victim.kill()
        });
        queue.put_for(1, None).unwrap();
        let [first, second] = threads;
        killer.1.join().unwrap();
        match first.1.join().unwrap() {
            Some(got) => {
                assert_eq!(got, Ok(1));
                queue.put_for(2, None).unwrap();
                assert_eq!(second.1.join().unwrap(), Some(Ok(2)));
            }
            None => assert_eq!(second.1.join().unwrap(), Some(Ok(1))),
        }
        assert_eq!(queue.len(), 0);
    });
}

#[test]
fn an_item_is_put_or_comes_back() {
    // A queue with room for one, and a rendezvous.
    for capacity in [1, 0] {
        check(2, move || {
            let queue = Owned::new(Queue::new(Some(capacity)));
            (0..capacity).for_each(|_| queue.put_for(0, None).unwrap());
            let (actor, puts) = act({
                let queue = Owned::clone(&queue);
                move || queue.put_for(7, Some(SOON))
            });
            let clock = act(move || actor.expire());
            let gets = act({
                let queue = Owned::clone(&queue);
                move || queue.try_get()
            });
            clock.1.join().unwrap();
            let got = gets.1.join().unwrap().unwrap();
            let put = puts.join().unwrap().unwrap();
            let mut items: Vec<_> = got.into_iter().collect();
            items.extend(std::iter::from_fn(|| queue.try_get().ok()));
            let mut expected = vec![0; capacity];
            match put {
                Ok(()) => expected.push(7),
                Err(back) => assert_eq!(back, PutError::Full(7)),
            }
            assert_eq!(items, expected);
        });
    }
}

#[test]
fn a_rendezvous_hands_over_or_not_at_all() {
    check(2, || {
        let queue = Owned::new(Queue::new(Some(0)));
        let (putter, puts) = act({
            let queue = Owned::clone(&queue);
            move || queue.put_for(7, Some(SOON))
        });
        let (getter, gets) = act({
            let queue = Owned::clone(&queue);
            move || queue.get_for(Some(SOON))
        });
        let clock = act(move || {
            putter.expire();
            getter.expire();
        });
        clock.1.join().unwrap();
        let put = puts.join().unwrap().unwrap();
        let got = gets.join().unwrap().unwrap();
        match put {
            // The getter may be late for an item that was put for it; then it is the next one's.
            Ok(()) => assert_eq!(got.or_else(|_| queue.try_get()), Ok(7)),
            Err(back) => {
                assert_eq!((back, got), (PutError::Full(7), Err(GetError::Empty)));
                assert!(queue.try_get().is_err());
            }
        }
    });
}

#[test]
fn a_shutdown_reaches_all_who_wait() {
    check(2, || {
        let queue = Owned::new(Queue::new(Some(1)));
        let gets = act({
            let queue = Owned::clone(&queue);
            move || (queue.get_for(None), queue.get_for(None))
        });
        let puts = act({
            let queue = Owned::clone(&queue);
            move || {
                (
                    queue.put_for(1, None).is_ok(),
                    queue.put_for(2, None).is_ok(),
                )
            }
        });
        queue.shut_down(false);
        let (first, second) = gets.1.join().unwrap().unwrap();
        let (one, two) = puts.1.join().unwrap().unwrap();
        let got = [first, second].into_iter().flatten().collect::<Vec<_>>();
        let left = std::iter::from_fn(|| queue.try_get().ok());
        let all: Vec<_> = got.into_iter().chain(left).collect();
        let put: Vec<_> = [(one, 1), (two, 2)]
            .into_iter()
            .filter(|(ok, _)| *ok)
            .collect();
        assert_eq!(
            all,
            put.into_iter().map(|(_, item)| item).collect::<Vec<_>>()
        );
    });
}

#[test]
fn an_event_reaches_all_who_wait() {
    check(2, || {
        let event = Owned::new(Event::new());
        let threads = [(); 2].map(|()| {
            let event = Owned::clone(&event);
            act(move || event.wait().ok())
        });
        let sender = act({
            let event = Owned::clone(&event);
            move || event.send(4).is_ok()
        });
        threads[0].0.kill();
        assert_eq!(sender.1.join().unwrap(), Some(true));
        let [first, second] = threads;
        assert!(matches!(first.1.join().unwrap(), None | Some(Some(4))));
        assert_eq!(second.1.join().unwrap(), Some(Some(4)));
    });
}
