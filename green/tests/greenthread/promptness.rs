//! Who is due runs soon, whatever its neighbours do: counted in their turns, not in seconds.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{bounded, tcp_pair};
use green::{GreenThread, Timeout};

const SLICE: Duration = Duration::from_millis(5);

fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {}
}

/// Neighbours that compute between two yields. They note when each of their turns begins.
struct Neighbours {
    turns: Rc<RefCell<Vec<Instant>>>,
    stop: Rc<Cell<bool>>,
    greenthreads: Vec<GreenThread<()>>,
}

impl Neighbours {
    fn new(count: usize, slice: Duration) -> Neighbours {
        let turns = Rc::new(RefCell::new(Vec::new()));
        let stop = Rc::new(Cell::new(false));
        let greenthreads = (0..count)
            .map(|_| {
                let (turns, stop) = (Rc::clone(&turns), Rc::clone(&stop));
                green::spawn(move || {
                    while !stop.get() {
                        turns.borrow_mut().push(Instant::now());
                        compute(slice);
                        green::yield_now();
                    }
                })
            })
            .collect();
        Neighbours {
            turns,
            stop,
            greenthreads,
        }
    }

    /// How many of their turns have begun since.
    fn turns_since(&self, due: Instant) -> usize {
        self.turns_between(due, Instant::now())
    }

    fn turns_between(&self, due: Instant, served: Instant) -> usize {
        let turns = self.turns.borrow();
        let late = turns.iter().filter(|turn| (due..served).contains(turn));
        late.count()
    }

    fn end(self) {
        self.stop.set(true);
        green::joinall(&self.greenthreads);
    }
}

/// Runs `wait` some times beside such neighbours. It gives how many of their turns have begun since that was due which
/// it waited for. One is under way then, and one more may begin; a machine that stops between the two may spoil some of the tries.
fn is_prompt(mut wait: impl FnMut(&Neighbours) -> usize) {
    for count in [1, 2, 10] {
        let neighbours = Neighbours::new(count, SLICE);
        green::yield_now();
        let mut turns: Vec<_> = (0..9).map(|_| wait(&neighbours)).collect();
        turns.sort_unstable();
        assert!(
            turns[4] <= 1,
            "{count} neighbours: {turns:?} turns too late"
        );
        neighbours.end();
    }
}

#[test]
fn a_timer_is_two_slices_late_at_most() {
    bounded(|| {
        is_prompt(|neighbours| {
            let due = Instant::now() + 2 * SLICE;
            green::sleep_until(due);
            neighbours.turns_since(due)
        });
    });
}

#[test]
fn a_timeout_is_two_slices_late_at_most() {
    bounded(|| {
        is_prompt(|neighbours| {
            let due = Instant::now() + 2 * SLICE;
            let late = Timeout::new(2 * SLICE).run(|| green::sleep(Duration::from_secs(60)));
            assert!(late.is_err());
            neighbours.turns_since(due)
        });
    });
}

#[test]
fn a_ready_socket_is_served_in_two_slices() {
    bounded(|| {
        let (mut near, far) = tcp_pair();
        let mut far = std::net::TcpStream::from(far);
        far.set_nonblocking(false).unwrap();
        let (ask, asked) = channel::<()>();
        let sent = Arc::new(Mutex::new(Instant::now()));
        let sender = thread::spawn({
            let sent = Arc::clone(&sent);
            move || {
                while asked.recv().is_ok() {
                    thread::sleep(2 * SLICE);
                    far.write_all(b"x").unwrap();
                    *sent.lock().unwrap() = Instant::now();
                }
            }
        });
        is_prompt(|neighbours| {
            ask.send(()).unwrap();
            near.read_exact(&mut [0]).unwrap();
            let served = Instant::now();
            neighbours.turns_between(*sent.lock().unwrap(), served)
        });
        drop(ask);
        sender.join().unwrap();
    });
}

#[test]
fn a_message_from_another_thread_is_served_in_two_slices() {
    bounded(|| {
        let handle = green::hubs::handle().unwrap();
        let begun = Arc::new(green::sync::Queue::unbounded());
        is_prompt(|neighbours| {
            let handle = handle.clone();
            let begins = Arc::clone(&begun);
            let sender = thread::spawn(move || {
                thread::sleep(2 * SLICE);
                let begin = move || begins.put(Instant::now()).unwrap();
                handle.spawn(begin).unwrap();
                Instant::now()
            });
            let served = begun.get().unwrap();
            neighbours.turns_between(sender.join().unwrap(), served)
        });
    });
}

#[test]
fn a_kill_needs_no_slice_at_all() {
    struct Ends(Rc<Cell<Option<Instant>>>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.set(Some(Instant::now()));
        }
    }
    bounded(|| {
        is_prompt(|neighbours| {
            let end = Rc::new(Cell::new(None));
            let ends = Ends(Rc::clone(&end));
            let victim = green::spawn(move || {
                let _ends = ends;
                green::sleep(Duration::from_secs(60));
            });
            green::yield_now();
            let due = Instant::now();
            victim.kill();
            neighbours.turns_between(due, end.get().unwrap())
        });
    });
}

/// However many have only just been spawned.
#[test]
fn who_is_due_does_not_stand_behind_those_that_have_not_begun() {
    bounded(|| {
        let began = Rc::new(Cell::new(0));
        let order = Rc::new(Cell::new(0));
        let sleeper = green::spawn({
            let (began, order) = (Rc::clone(&began), Rc::clone(&order));
            move || {
                green::sleep(Duration::from_millis(1));
                order.set(began.get());
            }
        });
        green::yield_now();
        let all: Vec<_> = (0..1000)
            .map(|_| {
                let began = Rc::clone(&began);
                green::spawn(move || {
                    began.set(began.get() + 1);
                    compute(Duration::from_micros(100));
                })
            })
            .collect();
        sleeper.join().unwrap();
        assert!(order.get() < 900, "it ran after {} others", order.get());
        green::joinall(&all);
        assert_eq!(began.get(), 1000);
    });
}

#[test]
fn who_is_always_served_lets_the_others_run_by_time() {
    bounded(|| {
        let turns = Rc::new(Cell::new(0));
        let stop = Rc::new(Cell::new(false));
        let neighbour = green::spawn({
            let (turns, stop) = (Rc::clone(&turns), Rc::clone(&stop));
            move || {
                while !stop.get() {
                    turns.set(turns.get() + 1);
                    green::yield_now();
                }
            }
        });
        let permits = green::sync::Semaphore::new(1000);
        for _ in 0..300 {
            permits.acquire().forget();
            compute(Duration::from_millis(1));
        }
        // By count alone it would be one turn in 64 calls.
        assert!(turns.get() >= 100, "only {} turns", turns.get());
        stop.set(true);
        neighbour.join().unwrap();
    });
}

#[test]
fn a_burst_from_another_thread_has_few_stacks_at_a_time() {
    bounded(|| {
        const SENT: usize = 100_000;
        let handle = green::hubs::handle().unwrap();
        let ran = Arc::new(green::sync::Semaphore::new(0));
        let sender = thread::spawn({
            let (handle, ran) = (handle.clone(), Arc::clone(&ran));
            move || {
                for _ in 0..SENT {
                    let ran = Arc::clone(&ran);
                    handle.spawn(move || ran.release()).unwrap();
                }
            }
        });
        sender.join().unwrap();
        let mut most = 0;
        while ran.counter() < SENT {
            green::sleep(Duration::from_micros(100));
            most = most.max(green::debug::counters().greenthreads);
        }
        assert!(most < 300, "{most} greenthreads at a time");
        assert_eq!(handle.pending(), 0);
    });
}

#[test]
fn a_limit_bounds_how_many_that_were_sent_run() {
    bounded(|| {
        green::hubs::set_spawn_limit(Some(3));
        let handle = green::hubs::handle().unwrap();
        let running = Arc::new(Mutex::new((0, 0, 0)));
        for _ in 0..20 {
            let running = Arc::clone(&running);
            handle
                .spawn(move || {
                    let mut now = running.lock().unwrap();
                    now.0 += 1;
                    now.1 = now.1.max(now.0);
                    drop(now);
                    green::sleep(Duration::from_millis(1));
                    let mut now = running.lock().unwrap();
                    now.0 -= 1;
                    now.2 += 1;
                })
                .unwrap();
        }
        while running.lock().unwrap().2 < 20 {
            green::sleep(Duration::from_millis(1));
        }
        assert_eq!(running.lock().unwrap().1, 3);
        // One that is killed before it has begun makes room as well.
        let rest = green::debug::counters().greenthreads;
        assert_eq!(rest, 1);
        green::hubs::set_spawn_limit(None);
    });
}

/// How long this thread has been on a processor; since some time, where the system does not say.
fn on_processor() -> Duration {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = said.split(' ').next().and_then(|first| first.parse().ok());
    match nanoseconds {
        Some(nanoseconds) if nanoseconds > 0 => Duration::from_nanos(nanoseconds),
        _ => EPOCH.get_or_init(Instant::now).elapsed(),
    }
}

/// Four times as many take about four times as long: sixteen times would show a search for each.
#[test]
fn many_are_cancelled_and_killed_in_linear_time() {
    bounded(|| {
        let time = |n: usize| {
            let flag = Rc::new(green::Flag::new());
            let all: Vec<_> = (0..n)
                .map(|_| {
                    let flag = Rc::clone(&flag);
                    green::spawn(move || {
                        flag.wait();
                        green::sleep(Duration::from_secs(60));
                    })
                })
                .collect();
            green::yield_now();
            flag.set();
            let fresh: Vec<_> = (0..n).map(|_| green::spawn(|| ())).collect();
            let start = on_processor();
            for gt in fresh.iter().rev() {
                assert!(gt.cancel());
            }
            green::killall(&all);
            assert!(all.iter().all(|gt| gt.is_dead()));
            on_processor() - start
        };
        let least = |n| (0..3).map(|_| time(n)).min().unwrap();
        least(1000);
        let (few, many) = (least(2000), least(8000));
        assert!(
            many < 10 * few,
            "{few:?}, and for four times as many {many:?}"
        );
    });
}
