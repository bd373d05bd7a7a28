//! How a greenthread ends, and what others make of that.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use green::future::{block_on, spawn as spawn_future};
use green::{Builder, Exit, Timeout};

use crate::common::primitive::{MS, bounded, settle};

const LONG: Duration = Duration::from_secs(600);

fn killed() -> Exit {
    let gt = green::spawn(|| green::sleep(LONG));
    gt.kill_with(String::from("no longer wanted"));
    gt.join().unwrap_err()
}

#[test]
fn the_question_mark_takes_an_exit_everywhere() {
    fn boxed() -> Result<u32, Box<dyn Error + Send + Sync>> {
        Ok(green::spawn(|| 42).join()?)
    }
    fn anyhow() -> anyhow::Result<u32> {
        let n = green::spawn(|| 42).join()?;
        green::spawn(|| panic!("no answer")).join()?;
        Ok(n)
    }
    fn io() -> io::Result<u32> {
        green::spawn(|| io::Result::Ok(42)).join()?
    }
    bounded(|| {
        assert_eq!(boxed().unwrap(), 42);
        let error = anyhow().unwrap_err();
        assert_eq!(error.to_string(), "the greenthread panicked: no answer");
        assert!(error.downcast_ref::<Exit>().is_some());
        assert_eq!(io().unwrap(), 42);
    });
}

#[test]
fn an_exit_becomes_an_io_error_with_kind_text_and_source() {
    bounded(|| {
        let error = io::Error::from(killed());
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::Other, "the greenthread was killed")
        );
        let exit = error.get_ref().unwrap().downcast_ref::<Exit>().unwrap();
        assert_eq!(exit.reason::<String>().unwrap(), "no longer wanted");
        assert_eq!(
            io::Error::from(Exit::Unwinding).kind(),
            ErrorKind::WouldBlock
        );
        let late = green::spawn(|| {
            let _deadline = Timeout::new(MS).arm();
            green::sleep(LONG);
        });
        let error = io::Error::from(late.join().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(green::is_timeout(&error));
        assert_eq!(error.to_string(), "the greenthread timed out after 1ms");
    });
}

#[test]
fn a_value_that_is_no_clone_is_waited_for_polled_and_looked_at() {
    bounded(|| {
        let mut gt = green::spawn(|| -> io::Result<u32> {
            green::sleep(3 * MS);
            Err(ErrorKind::NotFound.into())
        });
        let seen = Rc::new(Cell::new(None));
        let link = Rc::clone(&seen);
        gt.link(move |gt| {
            let kind = gt.inspect(|result| result.unwrap().as_ref().unwrap_err().kind());
            link.set(kind);
        });
        assert!(gt.try_join().is_none());
        assert!(gt.inspect(|_| ()).is_none());
        assert!(gt.join_timeout(MS).is_none());
        let error = gt.join_timeout(LONG).unwrap().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(seen.get(), Some(ErrorKind::NotFound));
        assert!(
            matches!(gt.try_join(), Some(Err(Exit::Cancelled))),
            "taken before"
        );
        assert!(matches!(gt.join(), Err(Exit::Cancelled)));
    });
}

#[test]
fn a_scoped_value_is_waited_for_with_a_deadline() {
    bounded(|| {
        let text = String::from("text");
        let same = green::scope(|s| {
            let mut child = s.spawn(|| {
                green::sleep(3 * MS);
                text.as_str()
            });
            assert!(child.try_join().is_none());
            assert!(child.join_timeout(MS).is_none());
            child.join_timeout(LONG).unwrap().unwrap()
        });
        assert_eq!(same.unwrap(), "text");
    });
}

#[test]
fn an_armed_timeout_ends_the_greenthread_that_has_armed_it() {
    struct OnDrop(Rc<Cell<bool>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    bounded(|| {
        let unwound = Rc::new(Cell::new(false));
        let on_drop = OnDrop(Rc::clone(&unwound));
        let gt = green::spawn(move || {
            let _on_drop = on_drop;
            let _deadline = Timeout::new(2 * MS).arm();
            green::sleep(LONG);
        });
        let waiter = {
            let gt = Rc::new(gt);
            let same = Rc::clone(&gt);
            (green::spawn(move || same.wait()), gt)
        };
        let exit = waiter.1.wait().unwrap_err();
        let Exit::Elapsed(elapsed) = &exit else {
            panic!("{exit:?}");
        };
        assert_eq!(elapsed.after(), 2 * MS);
        assert!(matches!(waiter.0.join().unwrap(), Err(Exit::Elapsed(_))));
        assert!(unwound.get());
    });
}

#[test]
fn an_armed_timeout_that_is_dropped_cancelled_or_none_ends_nobody() {
    bounded(|| {
        let gt = green::spawn(|| {
            drop(Timeout::new(MS).arm());
            green::sleep(3 * MS);
            let deadline = Timeout::new(MS).arm();
            deadline.cancel();
            green::sleep(3 * MS);
            assert!(!deadline.is_pending());
            let _never = Timeout::new(None).arm();
            green::sleep(MS);
        });
        gt.join().unwrap();
    });
}

#[test]
fn an_armed_timeout_goes_through_scopes_that_are_not_its_own() {
    bounded(|| {
        let passed = Rc::new(Cell::new(false));
        let through = Rc::clone(&passed);
        let gt = green::spawn(move || {
            let _deadline = Timeout::new(2 * MS).arm();
            let inner = Timeout::new(LONG).run(|| green::sleep(LONG));
            through.set(true);
            inner
        });
        assert!(matches!(gt.join(), Err(Exit::Elapsed(_))));
        assert!(!passed.get());

        let gt = green::spawn(|| {
            let _deadline = Timeout::new(LONG).arm();
            Timeout::new(MS).run(|| green::sleep(LONG)).is_err()
        });
        assert!(gt.join().unwrap());
    });
}

#[test]
fn the_armed_timeout_of_one_that_has_ended_harms_nobody() {
    bounded(|| {
        let gt = green::spawn(|| Rc::new(Timeout::new(2 * MS).arm()));
        let outlives = gt.join().unwrap();
        green::sleep(5 * MS);
        drop(outlives);
        green::sleep(MS);
        // A timeout of zero comes at the first wait, and not before.
        let gt = green::spawn(|| {
            let _deadline = Timeout::new(Duration::ZERO).arm();
            1
        });
        assert_eq!(gt.join().unwrap(), 1);
    });
}

#[test]
fn a_future_and_the_greenthread_that_it_awaits_end_together() {
    bounded(|| {
        let gt = green::spawn(|| green::sleep(LONG));
        let any = gt.as_any().clone();
        let awaiting = spawn_future(gt.kill_on_drop());
        settle();
        assert!(any.is_active());
        awaiting.kill();
        settle();
        assert!(any.is_dead(), "the future was dropped");

        let gt = green::spawn(|| green::sleep(LONG));
        let any = gt.as_any().clone();
        let waits = green::spawn(move || block_on(async { gt.kill_on_drop().await }));
        settle();
        any.kill();
        assert!(matches!(waits.join().unwrap(), Err(Exit::Killed(_))));

        let gt = green::spawn(|| green::sleep(LONG));
        let any = gt.as_any().clone();
        let waits = green::spawn(move || block_on(async { gt.kill_on_drop().await }));
        settle();
        waits.kill();
        settle();
        assert!(any.is_dead(), "who awaits it was killed");

        assert_eq!(block_on(green::spawn(|| 3).kill_on_drop()).unwrap(), 3);
        assert_eq!(green::spawn(|| 4).kill_on_drop().join().unwrap(), 4);
        let kept = green::spawn(|| 5).kill_on_drop().detach();
        assert_eq!(kept.join().unwrap(), 5);
    });
}

#[test]
fn an_interval_beyond_the_clock_never_ticks_again() {
    bounded(|| {
        let mut interval = green::time::interval(Duration::MAX);
        interval.tick();
        assert!(Timeout::silent(2 * MS, || interval.tick()).is_none());
    });
}

#[test]
fn every_spawn_has_a_form_that_returns_an_error() {
    bounded(|| {
        let huge = || Builder::new().stack_size(1 << 60);
        assert!(huge().spawn(|| ()).is_err());
        assert!(huge().spawn_n(|| ()).is_err());
        assert!(huge().spawn_after(MS, || ()).is_err());
        assert!(huge().spawn_after_local(MS, || ()).is_err());
    });
}
