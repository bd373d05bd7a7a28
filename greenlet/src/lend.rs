//! Closures that borrow, for those who take only what is `'static`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::process;
use std::ptr::NonNull;
use std::rc::Rc;
use std::thread::panicking;

use crate::contain::drop_payload;
use crate::end::end_postponed;
use crate::error::GreenletExit;
use crate::switch::suspend;
use crate::thread_end::enter;

/// Runs `f`, which may lend closures that borrow to those who take only what is `'static`, such as another greenlet.
///
/// A [`Loan`] is given back when its closure has returned or unwound, or is dropped. All of them must be when `f` ends,
/// whether it returns or unwinds: this function ends the process rather than let go of what a living closure borrows.
/// So `f` waits for them, however it ends. (std's [`thread::scope`](std::thread::scope) waits by itself; only the caller
/// knows how to wait for a greenlet.)
///
/// ```
/// use greenlet::{Greenlet, lend};
///
/// let mut words = vec!["one"];
/// let length = lend(|lender| {
///     let loan = lender.lend(|| words.push("two"));
///     Greenlet::new(|()| loan.call()).switch(()).unwrap();
///     3
/// });
/// assert_eq!((words.len(), length), (2, 3));
/// ```
///
/// What is borrowed must outlive the call, and nothing that is borrowed leaves it:
///
/// ```compile_fail,E0373
/// greenlet::lend(|lender| {
///     let inside = String::from("too short");
///     lender.lend(|| println!("{inside}")).call();
/// });
/// ```
///
/// ```compile_fail,E0521
/// let mut kept = None;
/// greenlet::lend(|lender| kept = Some(lender));
/// ```
///
/// A loan stays on its thread:
///
/// ```compile_fail,E0277
/// greenlet::lend(|lender| {
///     let loan = lender.lend(|| ());
///     std::thread::spawn(|| loan.call());
/// });
/// ```
///
/// # A greenlet that is told to exit
///
/// A greenlet may be told to exit ([`GreenletExit`]) inside `f`, by the end of its last handle or of its thread. If
/// loans are out when that has unwound `f`, it refuses, as if `f` had caught the exit and suspended itself again, and
/// what they borrow stays where it is. Told once more, when they are back, it obeys.
///
/// # Aborts
/// If `f` ends in any other way while a closure that it has lent lives.
#[track_caller]
pub fn lend<'env, R>(f: impl for<'scope> FnOnce(&'scope Lender<'scope, 'env>) -> R) -> R {
    let lender = Lender {
        lent: Rc::new(Cell::new(0)),
        kept: Kept(RefCell::new(Vec::new())),
        scope: PhantomData,
        env: PhantomData,
    };
    // Whatever way leads out of here, it leads through this one's destructor.
    let check = Check {
        lent: Rc::clone(&lender.lent),
        location: Location::caller(),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| f(&lender)));
    if check.lent.get() > 0 {
        if !panicking() {
            // Greenlets that lost their last handle while `f` unwound are still there.
            end_postponed(enter());
        }
        if matches!(&outcome, Err(payload) if payload.is::<GreenletExit>()) {
            check.wait();
        }
    }
    drop(check);
    outcome.unwrap_or_else(|payload| resume_unwind(payload))
}

/// Lends closures that borrow: see [`lend`].
///
/// `'scope` is the time from here to the end of `lend`, in which the closures may run; `'env` is that of what surrounds
/// it, from which they may borrow.
///
/// ```
/// let mut words = vec!["this", "is", "lent"];
/// let loaned = greenlet::lend(|lender| {
///     let loan = lender.lend(|| words.push("and back"));
///     assert_eq!(lender.lent(), 1);
///     loan.call();
///     lender.lent()
/// });
/// assert_eq!((loaned, words.len()), (0, 4));
/// ```
pub struct Lender<'scope, 'env: 'scope> {
    lent: Rc<Cell<usize>>,
    kept: Kept,
    /// Invariant: a shorter `'scope` would let closures borrow from inside `f`.
    scope: PhantomData<&'scope mut &'scope ()>,
    /// Only says that `'env` outlives `'scope`, and so may be any longer one.
    env: PhantomData<fn(&'env ())>,
}

impl<'scope, 'env> Lender<'scope, 'env> {
    /// Lends `f` to somebody who takes only what is `'static`.
    ///
    /// The closure may use the lender, and so lend in its turn:
    ///
    /// ```
    /// let n = std::cell::Cell::new(0);
    /// greenlet::lend(|lender| {
    ///     lender.lend(|| lender.lend(|| n.set(n.get() + 1)).call()).call();
    /// });
    /// assert_eq!(n.get(), 1);
    /// ```
    pub fn lend<T: 'static>(&'scope self, f: impl FnOnce() -> T + 'scope) -> Loan<T> {
        let f: Box<dyn FnOnce() -> T + 'scope> = Box::new(f);
        // SAFETY: only the lifetime changes. All that `f` borrows lives for `'scope`, through which `self` is borrowed,
        // so at least until `lend` lets go of its lender. That it does only when the count is back at zero, and the
        // count of this loan is given back after the closure and all that it owns: see the order in `Loan`. Nothing
        // borrowed stays behind, as `T` and the payload of a panic are `'static`. Other threads never see it: `dyn
        // FnOnce` is not `Send`.
        let f: Box<dyn FnOnce() -> T> = unsafe {
            std::mem::transmute::<Box<dyn FnOnce() -> T + 'scope>, Box<dyn FnOnce() -> T>>(f)
        };
        self.lent.set(self.lent.get() + 1);
        let lent = Lent(Rc::clone(&self.lent));
        Loan { f, lent }
    }

    /// Keeps a value until all loans are back, so that lent closures may borrow it. Its type must have no destructor.
    ///
    /// ```
    /// greenlet::lend(|lender| {
    ///     let limit: &i32 = lender.keep(5);
    ///     assert!(lender.lend(|| *limit < 6).call());
    /// });
    /// ```
    ///
    /// ```compile_fail,E0080
    /// greenlet::lend(|lender| drop(lender.keep(String::new())));
    /// ```
    pub fn keep<T: 'scope>(&'scope self, value: T) -> &'scope T {
        // A destructor could look at another value that was kept and is gone.
        const { assert!(!needs_drop::<T>(), "a type with a destructor") };
        /// # Safety
        /// `value` came out of a `Box<T>`, and nobody uses it any more.
        unsafe fn free<T>(value: NonNull<()>) {
            // SAFETY: as promised by the caller.
            drop(unsafe { Box::from_raw(value.cast::<T>().as_ptr()) });
        }
        let value = NonNull::from(Box::leak(Box::new(value)));
        self.kept.0.borrow_mut().push((value.cast(), free::<T>));
        // SAFETY: it is freed with the lender, which outlives `'scope`, and not moved until then.
        unsafe { value.as_ref() }
    }

    /// How many closures are lent and not given back.
    pub fn lent(&self) -> usize {
        self.lent.get()
    }
}

impl fmt::Debug for Lender<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lender")
            .field("lent", &self.lent())
            .finish_non_exhaustive()
    }
}

/// A closure that borrows and does not show it: see [`Lender::lend`]. Dropped, it is given back without a call.
///
/// One that is forgotten is never given back.
///
/// ```
/// let n = std::cell::Cell::new(1);
/// greenlet::lend(|lender| {
///     drop(lender.lend(|| n.set(10))); // Given back, and not called.
///     lender.lend(|| n.set(n.get() + 1)).call();
/// });
/// assert_eq!(n.get(), 2);
/// ```
#[must_use = "a loan that is dropped is never called"]
pub struct Loan<T: 'static> {
    // In this order they are dropped.
    f: Box<dyn FnOnce() -> T>,
    lent: Lent,
}

impl<T> Loan<T> {
    /// Calls the closure, and gives it back, also if it unwinds.
    pub fn call(self) -> T {
        let Loan { f, lent } = self;
        let value = f();
        drop(lent);
        value
    }
}

impl<T> fmt::Debug for Loan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").finish_non_exhaustive()
    }
}

/// Counts a loan until it is dropped.
struct Lent(Rc<Cell<usize>>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Values that are freed with the lender, and how.
struct Kept(RefCell<Vec<(NonNull<()>, Free)>>);

type Free = unsafe fn(NonNull<()>);

impl Drop for Kept {
    fn drop(&mut self) {
        for (value, free) in self.0.get_mut().drain(..) {
            // SAFETY: they were pushed as a pair, and the lender goes when `'scope` is over.
            unsafe { free(value) };
        }
    }
}

/// Ends the process if it is dropped while loans are out.
struct Check {
    lent: Rc<Cell<usize>>,
    location: &'static Location<'static>,
}

impl Check {
    /// The running greenlet was told to exit, and stays while loans are out.
    #[cold]
    fn wait(&self) {
        while self.lent.get() > 0 {
            match catch_unwind(suspend) {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                // Told again, or something thrown by one who took it for any other greenlet.
                Err(payload) => drop_payload(payload),
            }
        }
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        let lent = self.lent.get();
        if lent > 0 {
            // Neither a panic nor a destructor may come between.
            let _ = writeln!(
                io::stderr(),
                "greenlet: closures that borrow were lent at {}, and {lent} of them still live when what they borrow goes: \
                 the process is aborted",
                self.location
            );
            process::abort();
        }
    }
}
