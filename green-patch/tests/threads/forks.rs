//! Waits that go on in the child of a fork.

use std::cell::Cell;
use std::mem;
use std::rc::Rc;
use std::sync::mpsc::channel;

use green::hubs::{AfterFork, after_fork};
use green::spawn;

use super::{ms, patched};

/// Forks, has the child go on with all greenthreads, and ends it: with 0 if `child` says true.
fn forked(child: impl FnOnce() -> bool) -> libc::pid_t {
    // SAFETY: the child waits, allocates and makes system calls; what other threads hold it leaves alone.
    let number = unsafe { libc::fork() };
    if number == 0 {
        let well = after_fork(AfterFork::Keep).is_ok() && child();
        // SAFETY: it ends the process, without what the parent has to do at its end.
        unsafe { libc::_exit(i32::from(!well)) };
    }
    number
}

fn ends_well(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: room for a status.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        "{status}"
    );
}

/// Lets the others run until it is so, for some seconds at most.
fn until(is_so: impl Fn() -> bool) -> bool {
    (0..5000).any(|_| {
        green::sleep(ms(1));
        is_so()
    })
}

/// Its wake-up and the fork come at once: it is neither parked nor running then.
#[test]
fn one_that_was_woken_before_the_fork_is_woken_again_in_the_child() {
    patched();
    let (sender, receiver) = channel::<u32>();
    let sum = Rc::new(Cell::new(0));
    let taker = spawn({
        let sum = Rc::clone(&sum);
        move || {
            receiver
                .iter()
                .for_each(|number| sum.set(sum.get() + number))
        }
    });
    green::sleep(ms(2));
    sender.send(1).unwrap();
    let second = |sender: &std::sync::mpsc::Sender<u32>| {
        until(|| sum.get() == 1) && sender.send(10).is_ok() && until(|| sum.get() == 11)
    };
    let child = forked(|| second(&sender));
    assert!(second(&sender));
    drop(sender);
    taker.join().unwrap();
    ends_well(child);
}

/// A child must not listen where its parent does: either would take what is for the other.
#[test]
fn a_semaphore_is_given_to_in_the_process_that_it_is_in() {
    patched();
    // SAFETY: all zeros is a semaphore without permits, and lives for ever.
    let semaphore = unsafe { Box::leak(Box::new(mem::zeroed())) as *mut libc::sem_t };
    let taken = Rc::new(Cell::new(0));
    let taker = spawn({
        let taken = Rc::clone(&taken);
        move || {
            for _ in 0..2 {
                // SAFETY: a semaphore that lives for ever.
                assert_eq!(unsafe { libc::sem_wait(semaphore) }, 0);
                taken.set(taken.get() + 1);
            }
        }
    });
    green::sleep(ms(2));
    let both_are_taken = || {
        (1..=2).all(|given| {
            // SAFETY: a semaphore that lives for ever. In the child it is another one.
            unsafe { libc::sem_post(semaphore) };
            until(|| taken.get() == given)
        })
    };
    let child = forked(both_are_taken);
    assert!(both_are_taken());
    taker.join().unwrap();
    ends_well(child);
}
