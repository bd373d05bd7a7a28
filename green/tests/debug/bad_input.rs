//! Wrong arguments and calls out of turn: each is an error that says so, and changes nothing.

use std::cell::Cell;
use std::collections::HashSet;
use std::error::Error;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use green::dagpool::DagPool;
use green::lock::Lock;
use green::pools::{Pool, TokenPool};
use green::process::Command;
use green::signal::Signals;
use green::tpool::{JobError, ThreadPool};
use green::{
    Barrier, BoundedSemaphore, CappedSemaphore, Event, GreenPile, GreenPool, Permit, Queue, RLock,
    Semaphore, Timeout, WaitGroup,
};

const MS: Duration = Duration::from_millis(1);

/// The text of an error, in lower case as those of this crate are.
fn text(error: impl Error) -> String {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
    text
}

#[test]
fn a_task_that_was_never_given_out_is_not_done() {
    let queue = Queue::unbounded();
    assert!(text(queue.task_done().unwrap_err()).contains("done"));
    queue.put(1).unwrap();
    queue.get().unwrap();
    queue.task_done().unwrap();
    queue.task_done().unwrap_err();
    assert_eq!(queue.unfinished_tasks(), 0);
    assert!(queue.join(), "nothing is outstanding");
    queue.put(2).unwrap();
    assert_eq!(
        queue.unfinished_tasks(),
        1,
        "the counts are as if nobody had tried"
    );
    assert!(!queue.join_timeout(MS));
}

#[test]
fn more_is_not_released_than_was_taken() {
    let bounded = BoundedSemaphore::new(2);
    assert!(text(bounded.release().unwrap_err()).len() > 10);
    assert_eq!(bounded.counter(), 2);
    bounded.acquire().forget();
    bounded.release().unwrap();
    bounded.release().unwrap_err();
    assert_eq!((bounded.counter(), bounded.balance()), (2, 2));
    // A permit that was given back by hand as well.
    let permit = bounded.acquire();
    bounded.release().unwrap();
    drop(permit);
    assert_eq!(bounded.counter(), 2);
}

#[test]
fn a_lock_is_released_by_who_has_it() {
    let lock = Lock::new();
    lock.release().unwrap_err();
    assert!(!lock.is_locked());
    assert!(lock.try_acquire().is_some(), "free as before");
    let lock = Rc::new(RLock::new());
    lock.release().unwrap_err();
    lock.acquire().forget();
    let other = Rc::clone(&lock);
    green::spawn(move || other.release().unwrap_err())
        .join()
        .unwrap();
    assert!(lock.is_owned());
    lock.release().unwrap();
    lock.release().unwrap_err();
}

#[test]
fn a_capped_semaphore_starts_within_its_limit() {
    let refused = CappedSemaphore::new(3, 2).unwrap_err();
    let said = text(refused);
    assert!(said.contains('3') && said.contains('2'), "{said}");
    let full = CappedSemaphore::new(2, 2).unwrap();
    assert!(!full.try_release(), "it waits, or says no");
    assert!(!full.release_timeout(MS));
    assert_eq!((full.counter(), full.balance()), (2, 2));
}

#[test]
fn too_many_permits_stay_as_many_as_can_be_counted() {
    let permits = Semaphore::new(usize::MAX);
    permits.release();
    permits.add_permits(usize::MAX);
    assert_eq!(permits.counter(), usize::MAX);
    assert_eq!(permits.balance(), isize::MAX);
    assert!(permits.try_acquire().is_some());
    // A pool without a bound is not one with no places.
    let pool = GreenPool::new(usize::MAX);
    assert_eq!(pool.free(), isize::MAX);
    assert_eq!(pool.spawn(|| 1).join().unwrap(), 1);
    assert_eq!(TokenPool::new(usize::MAX).free(), isize::MAX);
}

#[test]
fn a_group_does_not_sink_below_zero_nor_rise_above_what_can_be_counted() {
    let group = WaitGroup::new();
    group.dec();
    group.sub(7);
    assert_eq!(group.count(), 0);
    assert!(group.wait());
    group.inc();
    assert_eq!(group.count(), 1);
    group.add(usize::MAX);
    assert_eq!(group.count(), usize::MAX);
}

#[test]
fn a_barrier_for_nobody_holds_nobody() {
    assert!(Barrier::new(0).wait().unwrap().is_leader());
    assert!(Barrier::new(1).wait().unwrap().is_leader());
}

#[test]
fn an_event_is_sent_once_and_not_reset_before() {
    let event = Event::new();
    text(event.reset().unwrap_err());
    event.send(1).unwrap();
    let refused = event.send(2).unwrap_err();
    assert_eq!(refused.0, 2, "what was to be sent comes back");
    text(refused);
    event.send_exception("too late").unwrap_err();
    assert_eq!(event.wait().unwrap(), 1);
    event.reset().unwrap();
    event.reset().unwrap_err();
    event.send_exception("an error").unwrap();
    event.send(3).unwrap_err();
    assert!(event.has_exception());
}

#[test]
fn pools_of_none_are_no_error_and_can_grow() {
    let pool = GreenPool::new(2);
    let member = pool.spawn(|| green::sleep(2 * MS));
    pool.resize(0);
    assert_eq!((pool.size(), pool.free(), pool.running()), (0, -1, 1));
    assert!(pool.try_spawn(|| ()).is_err(), "what was to run comes back");
    assert!(pool.spawn_timeout(MS, || ()).is_err());
    member.join().unwrap();
    assert_eq!((pool.free(), pool.running(), pool.waiting()), (0, 0, 0));
    pool.waitall().unwrap();
    pool.resize(1);
    assert_eq!(pool.spawn(|| 1).join().unwrap(), 1);

    let resources = Pool::builder().max(2).create(|| 1);
    let item = resources.item();
    resources.resize(0);
    assert_eq!(resources.free(), -1);
    drop(item);
    assert_eq!(resources.free(), 0, "the surplus is gone");
    assert!(resources.get_timeout(MS).is_none());
    resources.resize(1);
    assert_eq!(*resources.item(), 1);
    assert!(TokenPool::new(0).item_timeout(MS).is_none());

    let queue = Queue::bounded(2);
    queue.put(1).unwrap();
    queue.resize(Some(0));
    assert!(queue.is_full());
    queue.try_put(2).unwrap_err();
    assert_eq!(queue.get(), Ok(1), "what was in it is not lost");
}

#[test]
fn no_more_resources_are_made_at_first_than_there_may_be() {
    let made = Rc::new(Cell::new(0));
    let counted = Rc::clone(&made);
    let create = move || counted.set(counted.get() + 1);
    let pool = Pool::builder().min(3).max(2).create(create);
    assert_eq!((made.get(), pool.free()), (2, 2));
}

#[test]
fn waitall_from_a_member_is_an_error() {
    let pool = GreenPool::new(1);
    let inside = pool.clone();
    let member = pool.spawn(move || (inside.waitall(), inside.waitall_timeout(MS)));
    let (forever, bounded) = member.join().unwrap();
    text(forever.unwrap_err());
    bounded.unwrap_err();
}

#[test]
fn a_pile_read_elsewhere_gives_each_result_once() {
    let pile = GreenPile::new(4);
    for n in 0..10 {
        pile.spawn(move || n);
    }
    let (mine, theirs) = (pile.results(), pile.results());
    pile.close();
    let other = green::spawn(move || theirs.map(Result::unwrap).collect::<Vec<_>>());
    let mut all: Vec<_> = mine.map(Result::unwrap).collect();
    all.extend(other.join().unwrap());
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
}

#[test]
fn times_that_are_no_times_are_refused() {
    for wrong in [-1.0, f64::NAN, f64::INFINITY, -0.001, 1e300] {
        text(Timeout::from_secs(wrong).unwrap_err());
    }
    assert_eq!(Timeout::from_secs(0.5).unwrap().run(|| 1), Ok(1));
    // Longer than the clock goes: never.
    assert_eq!(Timeout::new(Duration::MAX).run(|| 1), Ok(1));
    let pending = Queue::<u32>::unbounded();
    let waiter = green::spawn(move || pending.get_timeout(Duration::MAX));
    green::sleep(MS);
    assert!(!waiter.is_dead());
    waiter.kill();
    let gone = green::spawn_after(Duration::MAX, || ());
    green::sleep(MS);
    assert!(gone.cancel());
}

#[test]
fn a_key_of_a_graph_is_taken_once() {
    let graph = DagPool::<&str, u32>::new();
    graph.post("a", 1).unwrap();
    let refused = graph.post("a", 2).unwrap_err();
    assert!(text(refused).contains('a'));
    text(graph.spawn("a", [], |_, _| Ok(3)).unwrap_err());
    graph
        .spawn("b", ["never"], |_, inputs| Ok(inputs.count() as u32))
        .unwrap();
    green::yield_now();
    graph.spawn("b", [], |_, _| Ok(3)).unwrap_err();
    graph.post("b", 3).unwrap_err();
    assert_eq!(graph.wait_for(&"a").unwrap(), 1, "as it was");
    assert_eq!(graph.waiting_for(&"b"), HashSet::from(["never"]));
    assert!(!graph.kill(&"nobody"));
    assert!(graph.kill(&"b"));
}

#[test]
fn a_command_that_is_not_there_and_one_that_is_no_command() {
    let missing = Command::new("/no/such/command").spawn().unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(
        missing.to_string().contains("/no/such/command"),
        "{missing}"
    );
    let directory = Command::new("/").output().unwrap_err();
    assert_eq!(directory.kind(), ErrorKind::PermissionDenied);
    let nul = Command::new("a\0b").status().unwrap_err();
    assert_eq!(nul.kind(), ErrorKind::InvalidInput);
    let nowhere = Command::new("true").current_dir("/no/such/place").status();
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_no_signal_is_refused() {
    for wrong in [-1, 0, 4096, libc::SIGKILL, libc::SIGSTOP] {
        let refused = Signals::new([wrong]).unwrap_err();
        assert_eq!(
            refused.kind(),
            ErrorKind::InvalidInput,
            "{wrong}: {refused}"
        );
    }
    green::signal::raise(4096).unwrap_err();
}

#[test]
fn a_hub_that_is_not_known_changes_nothing() {
    let before = green::hubs::get_hub();
    for wrong in ["", "no such hub", "EPOLL", "epoll "] {
        let refused = green::hubs::use_hub(wrong).unwrap_err();
        assert!(refused.is_unknown());
        assert!(text(refused).contains("epoll"));
    }
    assert_eq!(green::hubs::get_hub(), before);
    green::sleep(MS);
}

#[test]
fn a_pool_that_was_ended_takes_no_more_jobs() {
    let pool = ThreadPool::new(1);
    assert!(pool.killall(None));
    let refused = pool.execute(|| 1).unwrap_err();
    assert!(matches!(refused, JobError::Refused(_)));
    assert!(text(refused).contains("killall"));
}

#[test]
fn links_that_are_not_there_cannot_be_taken_back() {
    let gt = green::spawn(|| 1);
    let link = gt.link(|_| ());
    assert!(gt.unlink(link));
    assert!(!gt.unlink(link), "once");
    let other = green::spawn(|| 2);
    let link = other.link(|_| ());
    gt.join().unwrap();
    other.wait().unwrap();
    assert!(!other.unlink(link), "it was called");
    assert!(!other.cancel(), "it has ended");
    other.kill();
    assert_eq!(other.join().unwrap(), 2);
}

#[test]
fn a_stack_of_any_size_is_large_enough_or_an_error() {
    for size in [0, 1, 4096] {
        match green::Builder::new().stack_size(size).spawn(|| 1) {
            Ok(gt) => assert_eq!(gt.join().unwrap(), 1),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput),
        }
    }
    let refused = green::Builder::new().stack_size(usize::MAX).spawn(|| ());
    assert!(refused.is_err(), "no such stack");
    assert_eq!(green::spawn(|| 1).join().unwrap(), 1);
}

#[test]
fn a_permit_of_nothing_gives_nothing_back() {
    let permits = Semaphore::new(1);
    let first = permits.acquire();
    let waits = catch_unwind(AssertUnwindSafe(|| {
        Timeout::new(MS).run(|| permits.acquire().is_held())
    }));
    assert!(waits.unwrap().is_err());
    drop(first);
    assert_eq!(permits.counter(), 1);
    Permit::forget(permits.acquire());
    assert_eq!(permits.counter(), 0, "until it is released by hand");
}
