//! The thread pool: jobs in OS threads while the calling greenthread waits.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::again::{again, is_again};
use crate::common::settle;
use green::Timeout;
use green::tpool::{self, JobError, ThreadPool};

const LONG: Duration = Duration::from_secs(60);

/// Fails a test that hangs.
fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(LONG).run(f).expect("the test hangs")
}

/// A job that runs until it is let go, and the means to let it go.
fn gate() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
    let (open, closed) = mpsc::channel::<()>();
    (open, move || {
        let _ = closed.recv();
    })
}

/// Tests of the process' own pool must not run at once: they end it.
static GLOBAL: Mutex<()> = Mutex::new(());

#[test]
fn runs_elsewhere_while_others_run_here() {
    bounded(|| {
        let pool = ThreadPool::new(1);
        let (open, wait) = gate();
        let turns = Rc::new(Cell::new(0));
        let counter = Rc::clone(&turns);
        green::spawn_n(move || {
            for _ in 0..100 {
                counter.set(counter.get() + 1);
                green::yield_now();
            }
            open.send(()).unwrap();
        });
        let here = thread::current().id();
        let there = pool
            .execute(move || {
                wait();
                thread::current().id()
            })
            .unwrap();
        assert_ne!(here, there);
        assert_eq!(turns.get(), 100);
    });
}

#[test]
fn twenty_jobs_run_at_once() {
    bounded(|| {
        let pool = Rc::new(ThreadPool::new(20));
        // Nobody passes before all twenty are in.
        let barrier = Arc::new(Barrier::new(20));
        let jobs: Vec<_> = (0..20)
            .map(|n| {
                let (pool, barrier) = (Rc::clone(&pool), Arc::clone(&barrier));
                green::spawn(move || {
                    pool.execute(move || {
                        barrier.wait();
                        n
                    })
                })
            })
            .collect();
        let values: Vec<_> = jobs
            .into_iter()
            .map(|gt| gt.join().unwrap().unwrap())
            .collect();
        assert_eq!(values, (0..20).collect::<Vec<_>>());
        assert_eq!(pool.threads(), 20);
    });
}

#[test]
fn is_bounded_and_first_come_first_served() {
    bounded(|| {
        let pool = ThreadPool::new(2);
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let (first, wait_first) = gate();
        let (second, wait_second) = gate();
        let blockers = [
            pool.submit(wait_first).unwrap(),
            pool.submit(wait_second).unwrap(),
        ];
        let jobs: Vec<_> = (0..50)
            .map(|n| {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                let order = Arc::clone(&order);
                pool.submit(move || {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    order.lock().unwrap().push(n);
                    running.fetch_sub(1, Ordering::SeqCst);
                })
                .unwrap()
            })
            .collect();
        // One thread only, so that the order of the notes is the order of the starts.
        drop(first);
        for job in jobs {
            job.join().unwrap();
        }
        drop(second);
        for blocker in blockers {
            blocker.join().unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(pool.threads(), 2);
    });
}

#[test]
fn panics_come_back() {
    bounded(|| {
        let pool = ThreadPool::new(1);
        let text = pool.execute(|| panic!("no {}", 1)).unwrap_err();
        assert!(matches!(&text, JobError::Panicked(panic) if panic.message() == "no 1"));
        let payload = pool
            .execute(|| -> () { std::panic::panic_any(7u32) })
            .unwrap_err();
        let raised = catch_unwind(AssertUnwindSafe(|| payload.raise())).unwrap_err();
        assert_eq!(raised.downcast_ref::<u32>(), Some(&7));
        assert_eq!(pool.execute(|| 1).unwrap(), 1);
    });
}

#[test]
fn a_timeout_of_the_job_comes_back() {
    bounded(|| {
        let pool = ThreadPool::new(1);
        let elapsed = pool
            .execute(|| Timeout::new(Duration::from_millis(5)).run(|| green::sleep(LONG)))
            .unwrap();
        assert!(elapsed.is_err());
    });
}

#[test]
fn nested_jobs_run_inline() {
    bounded(|| {
        let pool = Arc::new(ThreadPool::new(1));
        let inner = Arc::clone(&pool);
        let (outer, nested) = pool
            .execute(move || {
                let nested = inner.execute(|| thread::current().id()).unwrap();
                (thread::current().id(), nested)
            })
            .unwrap();
        assert_eq!(outer, nested);
        let inner = Arc::clone(&pool);
        let panicked = pool
            .execute(move || inner.execute(|| panic!("deep")).is_err())
            .unwrap();
        assert!(panicked);
    });
}

#[test]
fn the_caller_leaves_at_the_deadline_and_the_pool_goes_on() {
    bounded(|| {
        let pool = Arc::new(ThreadPool::new(1));
        let (open, wait) = gate();
        let ran = Arc::new(AtomicBool::new(false));
        let dropped = Arc::new(AtomicBool::new(false));
        struct Noisy(Arc<AtomicBool>);
        impl Drop for Noisy {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let start = Instant::now();
        let left = Timeout::new(Duration::from_millis(20)).run({
            let (pool, ran, noisy) = (
                Arc::clone(&pool),
                Arc::clone(&ran),
                Noisy(Arc::clone(&dropped)),
            );
            move || {
                pool.execute(move || {
                    wait();
                    ran.store(true, Ordering::SeqCst);
                    noisy
                })
            }
        });
        assert!(left.is_err());
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(!ran.load(Ordering::SeqCst));
        open.send(()).unwrap();
        assert_eq!(pool.execute(|| 2).unwrap(), 2);
        assert!(ran.load(Ordering::SeqCst), "the job did not run to its end");
        assert!(dropped.load(Ordering::SeqCst), "its result was not dropped");
    });
}

#[test]
fn a_kill_leaves_the_job_and_the_pool_alone() {
    bounded(|| {
        let pool = Rc::new(ThreadPool::new(1));
        let (open, wait) = gate();
        let caller = green::spawn({
            let pool = Rc::clone(&pool);
            move || pool.execute(wait)
        });
        settle();
        caller.kill();
        assert!(matches!(caller.join(), Err(green::Exit::Killed(_))));
        drop(open);
        assert_eq!(pool.execute(|| 3).unwrap(), 3);
    });
}

#[test]
fn a_result_that_is_there_beats_the_deadline() {
    bounded(|| {
        let pool = Rc::new(ThreadPool::new(1));
        let value = Timeout::new(Duration::from_millis(20)).run(|| {
            let job = pool.submit(|| 4).unwrap();
            while !job.is_finished() {
                thread::yield_now();
            }
            // The deadline passes while nobody waits.
            thread::sleep(Duration::from_millis(40));
            job.join().unwrap()
        });
        assert_eq!(value, Ok(4));
    });
}

#[test]
fn while_unwinding_the_job_runs_here() {
    struct Cleanup(Rc<ThreadPool>, Rc<Cell<bool>>);
    impl Drop for Cleanup {
        fn drop(&mut self) {
            let here = thread::current().id();
            let same = self.0.execute(move || thread::current().id() == here);
            self.1.set(same.unwrap());
            assert!(!self.0.killall(None) || self.0.threads() == 0);
        }
    }
    bounded(|| {
        let pool = Rc::new(ThreadPool::new(1));
        let same = Rc::new(Cell::new(false));
        let two: Vec<_> = (0..2)
            .map(|_| {
                let cleanup = Cleanup(Rc::clone(&pool), Rc::clone(&same));
                green::spawn(move || {
                    let _cleanup = cleanup;
                    green::sleep(LONG)
                })
            })
            .collect();
        settle();
        for gt in &two {
            gt.kill();
        }
        assert!(same.get());
        for gt in two {
            assert!(gt.join().is_err());
        }
    });
}

#[test]
fn waiting_for_a_job_while_unwinding_is_refused() {
    struct Cleanup(Option<tpool::Job<()>>, Rc<Cell<Option<io::ErrorKind>>>);
    impl Drop for Cleanup {
        fn drop(&mut self) {
            if let Some(job) = self.0.take()
                && let Err(JobError::Refused(error)) = job.join()
            {
                self.1.set(Some(error.kind()));
            }
        }
    }
    bounded(|| {
        let pool = ThreadPool::new(1);
        let (open, wait) = gate();
        let kind = Rc::new(Cell::new(None));
        let cleanup = Cleanup(Some(pool.submit(wait).unwrap()), Rc::clone(&kind));
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _cleanup = cleanup;
            panic!("unwind");
        }));
        assert!(caught.is_err());
        assert_eq!(kind.get(), Some(io::ErrorKind::WouldBlock));
        drop(open);
        assert!(pool.killall(None));
    });
}

#[test]
fn size_zero_runs_in_the_calling_thread() {
    bounded(|| {
        let pool = ThreadPool::new(0);
        let here = thread::current().id();
        assert_eq!(pool.execute(|| thread::current().id()).unwrap(), here);
        assert_eq!(pool.threads(), 0);
        assert!(pool.execute(|| panic!("x")).is_err());
        // A deadline that arrives inside belongs to whoever set it.
        let left =
            Timeout::new(Duration::from_millis(1)).run(|| pool.execute(|| green::sleep(LONG)));
        assert!(left.is_err());
    });
}

#[test]
fn killall_delivers_what_is_outstanding() {
    bounded(|| {
        let pool = ThreadPool::new(2);
        let jobs: Vec<_> = (0..20)
            .map(|n| {
                pool.submit(move || {
                    thread::sleep(Duration::from_millis(2));
                    n
                })
                .unwrap()
            })
            .collect();
        assert!(pool.killall(None));
        assert_eq!(pool.threads(), 0);
        let values: Vec<_> = jobs.into_iter().map(|job| job.join().unwrap()).collect();
        assert_eq!(values, (0..20).collect::<Vec<_>>());
        assert!(matches!(pool.execute(|| ()), Err(JobError::Refused(_))));
    });
}

#[test]
fn killall_with_a_deadline_leaves_in_time() {
    bounded(|| {
        let pool = ThreadPool::new(1);
        let (open, wait) = gate();
        let job = pool.submit(wait).unwrap();
        assert!(!pool.killall(Duration::from_millis(10)));
        drop(open);
        job.join().unwrap();
        assert!(pool.killall(None));
    });
}

#[test]
fn killall_from_inside_does_not_wait_for_itself() {
    bounded(|| {
        let pool = Arc::new(ThreadPool::new(1));
        let inner = Arc::clone(&pool);
        assert!(!pool.execute(move || inner.killall(None)).unwrap());
        assert!(pool.killall(None));
    });
}

#[test]
fn a_cancelled_job_never_runs() {
    bounded(|| {
        let pool = ThreadPool::new(1);
        let (open, wait) = gate();
        let first = pool.submit(wait).unwrap();
        let ran = Arc::new(AtomicBool::new(false));
        let second = pool
            .submit({
                let ran = Arc::clone(&ran);
                move || ran.store(true, Ordering::SeqCst)
            })
            .unwrap();
        assert!(second.cancel());
        drop(open);
        first.join().unwrap();
        assert!(pool.killall(None));
        assert!(!ran.load(Ordering::SeqCst));
    });
}

#[test]
fn a_job_is_joined_in_another_thread() {
    let pool = ThreadPool::new(1);
    let job = pool.submit(|| 5).unwrap();
    let value = thread::spawn(move || bounded(|| job.join().unwrap()))
        .join()
        .unwrap();
    assert_eq!(value, 5);
}

#[test]
fn the_value_is_given_once() {
    bounded(|| {
        let pool = ThreadPool::new(1);
        let mut job = pool.submit(|| 6).unwrap();
        assert_eq!(job.join_timeout(LONG).unwrap().unwrap(), 6);
        assert!(matches!(job.poll(), Some(Err(JobError::Refused(_)))));
        assert!(job.join().is_err());
    });
}

#[test]
fn several_threads_use_one_pool() {
    let pool = Arc::new(ThreadPool::new(3));
    let threads: Vec<_> = (0..4)
        .map(|t| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                bounded(|| {
                    let jobs: Vec<_> = (0..50)
                        .map(|n| {
                            let pool = Arc::clone(&pool);
                            green::spawn(move || pool.execute(move || t * 1000 + n).unwrap())
                        })
                        .collect();
                    for (n, gt) in jobs.into_iter().enumerate() {
                        assert_eq!(gt.join().unwrap(), t * 1000 + n);
                    }
                })
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn the_process_pool_is_set_up_ended_and_set_up_again() {
    let _one = GLOBAL.lock();
    bounded(|| {
        tpool::killall(None);
        tpool::set_num_threads(1).unwrap();
        let first = tpool::submit(|| thread::sleep(Duration::from_millis(5))).unwrap();
        let second = tpool::submit(|| 9).unwrap();
        let refused = tpool::set_num_threads(3).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        assert!(tpool::killall(Duration::from_secs(30)));
        first.join().unwrap();
        assert_eq!(second.join().unwrap(), 9);
        tpool::set_num_threads(2).unwrap();
        assert_eq!(tpool::execute(|| 10).unwrap(), 10);
        assert!(tpool::killall(None));
    });
}

/// The environment is the process' own, so this runs the test program again.
#[test]
fn the_environment_gives_the_size() {
    if is_again() {
        let said = match tpool::execute(|| thread::current().id()) {
            Ok(id) if id == thread::current().id() => "inline".to_owned(),
            Ok(_) => tpool::set_num_threads(1).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        println!("said: {said}");
        return;
    }
    let probe = |variables: &[(&str, &str)]| {
        let output = again(module_path!(), "the_environment_gives_the_size")
            .env_remove("GREEN_THREADPOOL_SIZE")
            .env_remove("EVENTLET_THREADPOOL_SIZE")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(probe(&[]).contains("in use with 20;"));
    assert!(probe(&[("GREEN_THREADPOOL_SIZE", "7")]).contains("in use with 7;"));
    assert!(probe(&[("EVENTLET_THREADPOOL_SIZE", "8")]).contains("in use with 8;"));
    assert!(probe(&[("GREEN_THREADPOOL_SIZE", "0")]).contains("said: inline"));
    for nonsense in ["-1", "many", ""] {
        let said = probe(&[("GREEN_THREADPOOL_SIZE", nonsense)]);
        assert!(said.contains("must be a number of threads"), "{said}");
    }
}

#[test]
fn size_zero_is_warned_of() {
    struct Collect;
    static LINES: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    impl log::Log for Collect {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
        fn flush(&self) {}
    }
    log::set_logger(&Collect).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    drop(ThreadPool::new(0));
    let lines = LINES.lock().unwrap();
    assert!(
        lines.iter().any(|line| line.contains("of size 0")),
        "{lines:?}"
    );
}

/// Something whose methods block.
#[derive(Debug)]
struct Cursor {
    thread: Option<thread::ThreadId>,
    calls: u32,
}

impl Cursor {
    fn step(&mut self) -> u32 {
        self.thread = Some(thread::current().id());
        let calls = self.calls;
        thread::sleep(Duration::from_millis(2));
        self.calls = calls + 1;
        self.calls
    }
}

fn cursor() -> Rc<tpool::Proxy<Cursor>> {
    let cursor = Cursor {
        thread: None,
        calls: 0,
    };
    Rc::new(tpool::Proxy::new(cursor))
}

#[test]
fn calls_of_a_proxy_run_elsewhere_and_take_turns() {
    let _one = GLOBAL.lock();
    bounded(|| {
        let proxy = cursor();
        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        let callers: Vec<_> = (0..5)
            .map(|_| {
                let (proxy, order) = (Rc::clone(&proxy), Rc::clone(&order));
                green::spawn(move || {
                    let step = proxy.call(Cursor::step).unwrap();
                    order.borrow_mut().push(step);
                })
            })
            .collect();
        green::joinall(&callers);
        assert_eq!(*order.borrow(), [1, 2, 3, 4, 5]);
        let ran_in = proxy.direct(|cursor| cursor.thread).unwrap();
        assert!(ran_in.is_some_and(|thread| thread != thread::current().id()));
        assert!(format!("{proxy:?}").contains("calls: 5"));
    });
}

#[test]
fn a_call_whose_caller_has_left_goes_on_before_the_next_one() {
    let _one = GLOBAL.lock();
    bounded(|| {
        let proxy = cursor();
        let (open, gate) = gate();
        let (begun, begins) = mpsc::channel();
        let caller = green::spawn({
            let proxy = Rc::clone(&proxy);
            move || {
                proxy.call(move |cursor| {
                    begun.send(()).unwrap();
                    gate();
                    cursor.step()
                })
            }
        });
        while begins.try_recv().is_err() {
            green::sleep(Duration::from_millis(1));
        }
        caller.kill();
        assert!(proxy.direct(|cursor| cursor.calls).is_none());
        drop(open);
        assert_eq!(proxy.call(Cursor::step).unwrap(), 2);
    });
}

#[test]
fn a_panic_of_a_call_comes_back_and_the_object_stays() {
    let _one = GLOBAL.lock();
    bounded(|| {
        let proxy = cursor();
        let panicked = proxy.call(|_| -> u32 { panic!("in a call") });
        assert!(panicked.unwrap_err().to_string().contains("in a call"));
        assert_eq!(proxy.call(Cursor::step).unwrap(), 1);
        assert_eq!(proxy.direct(|cursor| cursor.calls), Some(1));
    });
}

#[test]
fn proxies_of_iterators_and_of_what_calls_give() {
    bounded(|| {
        let pool = std::sync::Arc::new(ThreadPool::new(1));
        let rows = tpool::Proxy::with_pool(&pool, vec![3, 4, 5]);
        let here = thread::current().id();
        let cursor = rows
            .call_wrapped(move |rows| {
                rows.clone().into_iter().map(move |row| {
                    assert_ne!(thread::current().id(), here);
                    row * 2
                })
            })
            .unwrap();
        let doubled: Result<Vec<_>, _> = cursor.collect();
        assert_eq!(doubled.unwrap(), [6, 8, 10]);
        assert_eq!(pool.threads(), 1);
        assert!(pool.killall(None));
        let refused = rows.call(|rows| rows.len()).unwrap_err();
        assert!(matches!(refused, tpool::JobError::Refused(_)));
        let made = tpool::Proxy::make(|| thread::current().id());
        if let Ok(made) = made {
            assert_ne!(made.direct(|&id| id), Some(here));
        }
    });
}

#[test]
fn idle_threads_end_and_come_back() {
    bounded(|| {
        let pool = ThreadPool::new(2);
        pool.set_idle_timeout(Duration::from_millis(5));
        let jobs: Vec<_> = (0..2)
            .map(|_| {
                pool.submit(|| thread::sleep(Duration::from_millis(2)))
                    .unwrap()
            })
            .collect();
        assert_eq!(pool.threads(), 2);
        jobs.into_iter().for_each(|job| job.join().unwrap());
        while pool.threads() > 0 {
            green::sleep(Duration::from_millis(1));
        }
        assert_eq!(pool.execute(|| 3).unwrap(), 3);
        assert!(pool.threads() <= 1);
        assert!(pool.killall(None));
    });
}
