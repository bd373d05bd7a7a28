//! Closures that borrow.

mod common;

use std::cell::{Cell, RefCell};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use common::{CASE, this_program};
use greenlet::{AnyGreenlet, Greenlet, GreenletExit, Loan, lend, main_greenlet};

/// Counts itself when it is dropped.
struct Tell<'a>(&'a Cell<u32>);

impl Drop for Tell<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn back() {
    main_greenlet().switch::<(), ()>(()).unwrap();
}

#[test]
fn a_loan_is_given_back_by_a_call_a_panic_and_a_drop() {
    let told = Cell::new(0);
    lend(|lender| {
        let loans: Vec<_> = (0..3)
            .map(|n| {
                let tell = Tell(&told);
                lender.lend(move || {
                    let _tell = tell;
                    assert!(n < 1, "on purpose");
                    n
                })
            })
            .collect();
        assert_eq!((lender.lent(), told.get()), (3, 0));
        let mut loans = loans.into_iter();
        assert_eq!(loans.next().map(Loan::call), Some(0));
        assert_eq!((lender.lent(), told.get()), (2, 1));
        let panics = catch_unwind(AssertUnwindSafe(|| loans.next().map(Loan::call)));
        assert!(panics.is_err());
        assert_eq!((lender.lent(), told.get()), (1, 2));
        drop(loans);
        assert_eq!((lender.lent(), told.get()), (0, 3));
    });
}

#[test]
fn a_loan_is_out_until_all_that_it_owns_is_dropped() {
    struct Looks<'a>(&'a dyn Fn() -> usize, &'a Cell<usize>);
    impl Drop for Looks<'_> {
        fn drop(&mut self) {
            self.1.set((self.0)());
        }
    }
    for call in [true, false] {
        let seen = Cell::new(0);
        lend(|lender| {
            let count: &dyn Fn() -> usize = lender.keep(|| lender.lent());
            let looks = Looks(count, &seen);
            let loan = lender.lend(move || drop(looks));
            if call {
                loan.call();
            } else {
                drop(loan);
            }
        });
        assert_eq!(seen.get(), 1);
    }
}

#[test]
fn greenlets_that_a_panic_lets_go_of_are_unwound_before_the_panic_goes_on() {
    let told = Cell::new(0);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        lend(|lender| {
            let loan = lender.lend(|| {
                let _tell = Tell(&told);
                back();
            });
            let g = Greenlet::new(|()| loan.call());
            g.switch(()).unwrap();
            assert_eq!((told.get(), lender.lent()), (0, 1));
            resume_unwind(Box::new("on purpose"));
        })
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert_eq!(told.get(), 1);
}

#[test]
fn lends_nest_across_greenlets() {
    let log = RefCell::new(Vec::new());
    lend(|outer| {
        let loan = outer.lend(|| {
            let inner_data = String::from("inner");
            lend(|inner| {
                let loan = inner.lend(|| log.borrow_mut().push(inner_data.clone()));
                Greenlet::new(|()| loan.call()).switch(()).unwrap();
            });
            let sibling = outer.lend(|| log.borrow_mut().push("sibling".to_owned()));
            Greenlet::new(|()| sibling.call()).switch(()).unwrap();
        });
        Greenlet::new(|()| loan.call()).switch(()).unwrap();
    });
    assert_eq!(*log.borrow(), ["inner", "sibling"]);
}

/// A greenlet that lends a closure to another, which is suspended in it, and then suspends itself inside `lend`. The
/// borrower gets the stack of `place`.
fn lender_and_borrower(
    place: Option<Greenlet<(), ()>>,
    told: &Arc<AtomicUsize>,
    look: impl Fn(&[u8]) + 'static,
) -> (Greenlet<(), ()>, Greenlet<(), ()>) {
    struct Both(Arc<AtomicUsize>);
    impl Drop for Both {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let (borrower, told) = (Rc::new(RefCell::new(None)), told.clone());
    let made = borrower.clone();
    let lender = Greenlet::new(move |()| {
        let _told = Both(told.clone());
        let data = vec![7; 1000];
        lend(|lender| {
            let loan = lender.lend(|| {
                let _told = Both(told);
                back();
                look(&data);
                back();
                look(&data);
            });
            drop(place);
            let g = Greenlet::new(|()| loan.call());
            g.set_parent(&main_greenlet()).unwrap();
            g.switch_as::<()>(()).unwrap();
            made.replace(Some(g));
            back();
            assert_eq!(lender.lent(), 0);
        });
    });
    lender.switch(()).unwrap();
    // The borrower has switched to the main greenlet.
    let _: () = AnyGreenlet::from(lender.clone()).switch(()).unwrap();
    let borrower = borrower.take().unwrap();
    (lender, borrower)
}

#[test]
fn a_lender_that_loses_its_last_handle_stays_until_the_loans_are_back() {
    let told = Arc::new(AtomicUsize::new(0));
    let t = told.clone();
    thread::spawn(move || {
        let (lender, borrower) =
            lender_and_borrower(None, &t, |data| assert!(data.iter().all(|&n| n == 7)));
        drop(lender);
        assert_eq!(t.load(SeqCst), 0, "it is still there");
        borrower.switch(()).unwrap();
        borrower.switch(()).unwrap();
        assert!(borrower.is_dead());
        assert_eq!(t.load(SeqCst), 1);
        // Nobody has the lender's handle: it is the thread's end that tells it again.
    })
    .join()
    .unwrap();
    assert_eq!(told.load(SeqCst), 2);
}

#[test]
fn a_lender_obeys_a_second_exit() {
    let told = Arc::new(AtomicUsize::new(0));
    let (lender, borrower) = lender_and_borrower(None, &told, |_| ());
    assert!(lender.throw(GreenletExit).is_err());
    assert!(!lender.is_dead());
    // Whatever else is thrown at it changes nothing.
    assert!(lender.throw("a payload").is_err());
    assert!(!lender.is_dead());
    assert!(borrower.throw(GreenletExit).is_err());
    assert_eq!(told.load(SeqCst), 1);
    assert!(lender.throw(GreenletExit).is_err());
    assert!(lender.is_dead());
    assert_eq!(told.load(SeqCst), 2);
}

#[test]
fn the_end_of_a_thread_unwinds_both_in_either_order() {
    for borrower_first in [true, false] {
        let told = Arc::new(AtomicUsize::new(0));
        let t = told.clone();
        thread::spawn(move || {
            // The end goes by the places of the stacks.
            let place = borrower_first.then(|| Greenlet::new(|()| ()));
            std::mem::forget(lender_and_borrower(place, &t, |_| ()));
        })
        .join()
        .unwrap();
        assert_eq!(told.load(SeqCst), 2);
    }
}

#[test]
fn a_loan_that_lives_on_ends_the_process() {
    for name in ["forgotten", "suspended", "returned", "panic"] {
        let output = this_program(name).output().unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{name}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("closures that borrow were lent at greenlet/tests/lend.rs:"));
        assert!(stderr.contains("1 of them still live"), "{stderr}");
    }
}

/// Run by the test above, in a process of its own.
#[test]
fn case() {
    let Ok(case) = std::env::var(CASE) else {
        return;
    };
    let text = String::from("text");
    let holder = RefCell::new(None);
    match case.as_str() {
        "forgotten" => lend(|lender| std::mem::forget(lender.lend(|| drop(text.clone())))),
        "returned" => drop(lend(|lender| lender.lend(|| drop(text.clone())))),
        "suspended" => lend(|lender| {
            let loan = lender.lend(|| {
                back();
                drop(text.clone());
            });
            let g = Greenlet::new(|()| loan.call());
            g.switch(()).unwrap();
            holder.replace(Some(g));
        }),
        "panic" => lend(|lender| {
            std::mem::forget(lender.lend(|| drop(text.clone())));
            resume_unwind(Box::new(1));
        }),
        _ => unreachable!(),
    }
}
