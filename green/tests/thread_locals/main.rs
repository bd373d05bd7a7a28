//! Greenthreads with thread-locals of their own.

#[path = "../common/again.rs"]
#[allow(dead_code, reason = "others need more of it")]
mod again;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use again::{again as run_again, alone, is_again};
use green::{Event, Exit, spawn, yield_now};

/// Every test of this program has it.
fn patched() {
    green::own_thread_locals().unwrap();
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn those_that_there_are_keep_the_threads() {
    thread_local!(static NUMBER: Cell<u32> = const { Cell::new(0) });
    alone(
        module_path!(),
        "those_that_there_are_keep_the_threads",
        || {
            let before = spawn(|| NUMBER.replace(1));
            patched();
            let after = spawn(|| NUMBER.replace(2));
            assert_eq!(before.join().unwrap(), 0);
            assert_eq!(NUMBER.get(), 1);
            assert_eq!(after.join().unwrap(), 0);
            assert_eq!(NUMBER.get(), 1);
        },
    );
}

#[test]
fn two_may_meet_in_an_initialiser_that_waits() {
    thread_local! {
        static NAME: String = {
            green::sleep(ms(if green::current_id().is_multiple_of(2) { 10 } else { 20 }));
            format!("the value of greenthread {}, with some more text", green::current_id())
        };
    }
    patched();
    let user = || {
        NAME.with(|name| {
            let text: &str = name;
            let before = text.to_owned();
            green::sleep(ms(30));
            assert_eq!(text, before);
            assert!(text.contains(&format!(" {},", green::current_id())));
        });
    };
    let users: Vec<_> = (0..4).map(|_| spawn(user)).collect();
    users.into_iter().for_each(|user| user.join().unwrap());
}

#[test]
fn one_that_waits_inside_with_is_unwound_before_its_value_dies() {
    thread_local!(static CACHE: RefCell<Vec<String>> = RefCell::new(vec!["x".repeat(100)]));
    struct Report<'a>(&'a RefCell<Vec<String>>, Arc<AtomicU32>);
    impl Drop for Report<'_> {
        fn drop(&mut self) {
            assert_eq!(self.0.borrow()[0].len(), 100);
            self.1.fetch_add(1, SeqCst);
        }
    }
    patched();
    let reports = Arc::new(AtomicU32::new(0));
    let of_thread = Arc::clone(&reports);
    std::thread::spawn(move || {
        for _ in 0..3 {
            let reports = Arc::clone(&of_thread);
            spawn(move || {
                CACHE.with(|cache| {
                    let _report = Report(cache, reports);
                    green::sleep(Duration::from_secs(60));
                });
            });
        }
        green::sleep(ms(5));
    })
    .join()
    .unwrap();
    assert_eq!(reports.load(SeqCst), 3);
}

/// Calls its function when it is dropped.
struct AtEnd(Cell<Option<Box<dyn FnOnce()>>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

thread_local!(static AT_END: AtEnd = const { AtEnd(Cell::new(None)) });

/// Has `f` called by the destructor of a thread-local.
fn at_end(f: impl FnOnce() + 'static) {
    AT_END.with(|at_end| at_end.0.set(Some(Box::new(f))));
}

#[test]
fn a_destructor_may_wait_and_nobody_waits_for_it() {
    patched();
    let (go, done) = (Rc::new(Event::<()>::new()), Rc::new(Cell::new(false)));
    let gt = spawn({
        let (go, done) = (Rc::clone(&go), Rc::clone(&done));
        move || {
            at_end(move || {
                go.wait().unwrap();
                green::sleep(ms(1));
                done.set(true);
            });
            5
        }
    });
    let any = gt.as_any().clone();
    assert_eq!(gt.join().unwrap(), 5);
    assert!(!done.get() && !any.is_dead());
    go.send(()).unwrap();
    while !any.is_dead() {
        green::sleep(ms(1));
    }
    assert!(done.get());
}

#[test]
fn kills_and_deadlines_wait_for_a_destructor() {
    patched();
    let (go, done) = (Rc::new(Event::<()>::new()), Rc::new(Cell::new(0)));
    let gts: Vec<_> = (0..3)
        .map(|_| {
            let (go, done) = (Rc::clone(&go), Rc::clone(&done));
            spawn(move || {
                at_end(move || {
                    go.wait().unwrap();
                    done.set(done.get() + 1);
                });
            })
        })
        .collect();
    yield_now();
    gts.iter().for_each(|gt| gt.kill());
    yield_now();
    assert!(gts.iter().all(|gt| !gt.is_dead()));
    go.send(()).unwrap();
    while !gts.iter().all(|gt| gt.is_dead()) {
        green::sleep(ms(1));
    }
    assert_eq!(done.get(), 3);
}

#[test]
fn one_that_is_killed_destroys_them() {
    patched();
    let done = Rc::new(Cell::new(false));
    let gt = spawn({
        let done = Rc::clone(&done);
        move || {
            at_end(move || done.set(true));
            green::sleep(Duration::from_secs(60));
        }
    });
    yield_now();
    gt.kill();
    assert!(matches!(gt.join(), Err(Exit::Killed(_))) && done.get());
}

#[test]
fn a_thread_ends_though_a_destructor_waits_for_ever() {
    patched();
    let start = Instant::now();
    std::thread::spawn(|| {
        spawn(|| at_end(|| green::sleep(Duration::from_secs(3600))))
            .join()
            .unwrap();
    })
    .join()
    .unwrap();
    assert!(start.elapsed() < Duration::from_secs(3600));
}

#[test]
fn a_panic_is_that_of_its_greenthread() {
    if !is_again() {
        let output = run_again(module_path!(), "a_panic_is_that_of_its_greenthread")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("of its own"),
            "{said}"
        );
        return;
    }
    patched();
    let gt = spawn(|| panic!("of its own"));
    let other = spawn(std::thread::panicking);
    assert!(matches!(gt.join(), Err(Exit::Panicked(_))));
    assert!(!other.join().unwrap() && !std::thread::panicking());
}

#[test]
fn sockets_and_pools_of_threads_work_as_ever() {
    use std::io::{Read, Write};

    patched();
    let listener = green::listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = spawn(move || {
        for _ in 0..10 {
            let (mut socket, _) = listener.accept().unwrap();
            spawn(move || {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                let doubled = green::tpool::execute(move || byte[0] * 2).unwrap();
                socket.write_all(&[doubled]).unwrap();
            });
        }
    });
    let clients: Vec<_> = (0..10u8)
        .map(|i| {
            spawn(move || {
                let mut socket = green::connect(address).unwrap();
                socket.write_all(&[i]).unwrap();
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                byte[0]
            })
        })
        .collect();
    for (client, i) in clients.into_iter().zip(0..) {
        assert_eq!(client.join().unwrap(), i * 2);
    }
    server.join().unwrap();
}

#[test]
fn greenlets_of_a_greenthread_wait_for_it() {
    patched();
    let gt = spawn(|| {
        let numbers = greenlet::Generator::new(|yielder| {
            for n in 0..5 {
                green::sleep(ms(1));
                yielder.give(n);
            }
        });
        numbers.sum::<i32>()
    });
    let beside = spawn(|| (0..5).for_each(|_| yield_now()));
    assert_eq!(gt.join().unwrap(), 10);
    beside.join().unwrap();
}

#[test]
fn many_come_and_go() {
    thread_local!(static WORDS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) });
    patched();
    for round in 0..20 {
        let gts: Vec<_> = (0..200)
            .map(|i| {
                spawn(move || {
                    for n in 0..3 {
                        WORDS.with_borrow_mut(|words| words.push(i + n));
                        yield_now();
                    }
                    WORDS.take()
                })
            })
            .collect();
        for (i, gt) in gts.into_iter().enumerate() {
            if (i + round) % 7 == 0 {
                gt.kill();
            } else {
                assert_eq!(gt.join().unwrap(), [i, i + 1, i + 2]);
            }
        }
    }
}
