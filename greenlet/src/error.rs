//! What can go wrong with a switch or a change of parent.

use std::error::Error;
use std::fmt;

/// The payload that ends a greenlet without being an error.
///
/// Thrown into a greenlet it unwinds the body like any other payload. When it leaves the body, the parent's pending
/// switch *returns* it, as [`SwitchError::Exit`], and nothing is raised.
///
/// ```
/// use greenlet::{Greenlet, GreenletExit, SwitchError};
///
/// let g = Greenlet::new(|()| loop {
///     greenlet::main_greenlet().switch::<(), ()>(()).unwrap();
/// });
/// g.switch_as::<()>(()).unwrap();
/// assert_eq!(g.throw(GreenletExit), Err(SwitchError::Exit(GreenletExit)));
/// assert!(g.is_dead());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct GreenletExit;

impl fmt::Display for GreenletExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the greenlet was told to exit")
    }
}

impl Error for GreenletExit {}

/// Why a switch came back without a value.
///
/// ```
/// use greenlet::{Greenlet, GreenletExit, SwitchError};
///
/// let g = Greenlet::new(|()| std::panic::resume_unwind(Box::new(GreenletExit)));
/// match g.switch(()) {
///     Ok(()) => unreachable!("it gives no value"),
///     Err(SwitchError::Exit(_)) => assert!(g.is_dead()),
///     Err(refused) => panic!("{refused}"),
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchError {
    /// A child ended by [`GreenletExit`]: it has no value to give.
    Exit(GreenletExit),
    /// The switch was refused because this thread is unwinding from a panic, and nothing has happened.
    ///
    /// The standard library counts panics per thread: another greenlet that ran now would see `thread::panicking()`
    /// and its first own panic would abort the process.
    Unwinding,
    /// The switch was refused because the process ends from inside the running greenlet: all others are abandoned.
    Ending,
}

impl fmt::Display for SwitchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SwitchError::Exit(_) => f.write_str("the greenlet has exited without a value"),
            SwitchError::Unwinding => f.write_str("cannot switch greenlets while a panic unwinds"),
            SwitchError::Ending => f.write_str("cannot switch greenlets while the process ends"),
        }
    }
}

impl Error for SwitchError {}

/// Why a parent was refused.
///
/// ```
/// use greenlet::{Greenlet, ParentError};
///
/// let (a, b) = (Greenlet::new(|()| ()), Greenlet::new(|()| ()));
/// b.set_parent(a.as_any()).unwrap();
/// assert_eq!(a.set_parent(b.as_any()), Err(ParentError::Cycle));
/// assert_eq!(greenlet::main_greenlet().set_parent(a.as_any()), Err(ParentError::Main));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentError {
    /// The new parent is the greenlet itself or one of its descendants.
    Cycle,
    /// The main greenlet of a thread has no parent and takes none.
    Main,
}

impl fmt::Display for ParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParentError::Cycle => {
                f.write_str("a greenlet cannot become a descendant of its own descendant")
            }
            ParentError::Main => f.write_str("the main greenlet takes no parent"),
        }
    }
}

impl Error for ParentError {}
