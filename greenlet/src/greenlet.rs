//! Typed handles.

use std::any::Any;
use std::backtrace::Backtrace;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

use crate::error::{ParentError, SwitchError};
use crate::handle::AnyGreenlet;

/// A stack with a body that runs until it switches away, and goes on from there when somebody switches back.
///
/// `In` is what a switch to it brings, `Out` what its body returns. Clones are handles of the same greenlet. It stays on
/// the thread that made it:
///
/// ```compile_fail
/// let greenlet = greenlet::Greenlet::new(|()| ());
/// std::thread::spawn(move || greenlet.switch(()));
/// ```
///
/// The running greenlet needs no handle. A suspended one whose last handle is dropped is unwound at once, by a
/// [`GreenletExit`](crate::GreenletExit) raised where it is suspended, so that everything on its stack is dropped. The
/// stack is used again once the greenlet is dead *and* its last handle is gone.
///
/// ```
/// use greenlet::{Greenlet, current};
///
/// let main = current();
/// let g = Greenlet::new(move |name: &str| {
///     let next = main.switch::<usize, &str>(name.len()).unwrap();
///     next.to_uppercase()
/// });
/// assert!(!g.is_started() && g.parent() == Some(current()));
/// assert_eq!(g.switch_as::<usize>("first"), Ok(5)); // What its first switch gives back is no `String`.
/// assert!(g.is_started() && g.is_active() && !g.is_current());
/// g.set_parent(&current()).unwrap();
/// assert_eq!(g.switch("second"), Ok("SECOND".to_owned()));
/// assert!(g.is_dead());
///
/// // What reports say of it.
/// println!("{} {} of {}, on {} bytes", g.label(), g.id(), g.spawned_at(), g.stack_size());
/// assert!(g.stack_high_water() > 0 && g.backtrace().is_none(), "it is dead");
/// g.as_any().prefetch(); // Of use before a switch to one that has waited for long,
/// g.trim_stack(); // as this is when the wait begins.
///
/// let once = Greenlet::new(|n: u32| n + 1);
/// assert_eq!(once.switch_into::<u32>(1), Ok(2)); // That was its last handle.
/// ```
pub struct Greenlet<In, Out> {
    any: AnyGreenlet,
    types: PhantomData<fn(In) -> Out>,
}

impl<In: 'static, Out: 'static> Greenlet<In, Out> {
    /// Switches to this greenlet: suspends the running one until somebody switches back to it, with an `Out`.
    ///
    /// The value is what the greenlet's pending switch returns, or its body's argument. A dead greenlet is stood in for
    /// by its nearest living ancestor, which may be the caller itself.
    ///
    /// # Errors
    /// [`SwitchError::Exit`] if the caller was resumed by a child that ended by `GreenletExit`;
    /// [`SwitchError::Unwinding`], without any switch, if the thread is unwinding.
    ///
    /// # Panics
    /// If the greenlet's pending switch does not wait for an `In`: the panic names both types, and the greenlet is not
    /// disturbed. Also raises what is thrown into the running greenlet before it is resumed with a value, such as the
    /// panic of a child.
    #[inline]
    #[track_caller]
    pub fn switch(&self, value: In) -> Result<Out, SwitchError> {
        self.any.switch(value)
    }

    /// Like [`switch`](Self::switch), for a caller that waits for something else than the greenlet's result.
    ///
    /// # Errors
    /// As for [`switch`](Self::switch).
    ///
    /// # Panics
    /// As for [`switch`](Self::switch).
    #[inline]
    #[track_caller]
    pub fn switch_as<R: 'static>(&self, value: In) -> Result<R, SwitchError> {
        self.any.switch(value)
    }

    /// Like [`switch_as`](Self::switch_as), and lets this handle go before the switch, so that the suspended caller keeps
    /// nothing of the greenlet alive.
    ///
    /// # Errors
    /// As for [`switch`](Self::switch).
    ///
    /// # Panics
    /// As for [`switch`](Self::switch).
    #[inline]
    #[track_caller]
    pub fn switch_into<R: 'static>(self, value: In) -> Result<R, SwitchError> {
        self.any.switch_into(value)
    }

    /// Raises `payload` where this greenlet is suspended, as a panic without a message, and waits as
    /// [`switch`](Self::switch) does.
    ///
    /// The body of an unstarted greenlet never runs: the greenlet is dead and the payload goes to its parent. A dead
    /// greenlet raises nothing: the payload is raised in the caller.
    ///
    /// ```
    /// use greenlet::{Greenlet, GreenletExit, SwitchError};
    ///
    /// let g = Greenlet::new(|()| {
    ///     greenlet::main_greenlet().switch::<(), ()>(()).unwrap();
    /// });
    /// g.switch(()).unwrap();
    /// assert_eq!(g.throw(GreenletExit), Err(SwitchError::Exit(GreenletExit)));
    /// assert!(g.is_dead());
    /// ```
    ///
    /// # Errors
    /// [`SwitchError::Exit`] if `payload` is a [`GreenletExit`](crate::GreenletExit) and it ends the greenlet, or the
    /// greenlet is dead; otherwise as for [`switch`](Self::switch).
    #[track_caller]
    pub fn throw<E: Any + Send>(&self, payload: E) -> Result<Out, SwitchError> {
        self.any.throw(payload)
    }

    /// This handle without its types.
    #[inline]
    pub fn as_any(&self) -> &AnyGreenlet {
        &self.any
    }

    #[inline]
    pub(crate) fn from_any(any: AnyGreenlet) -> Greenlet<In, Out> {
        Greenlet {
            any,
            types: PhantomData,
        }
    }
}

/// What every handle can be asked, typed or not: see [`AnyGreenlet`].
impl<In, Out> Greenlet<In, Out> {
    /// See [`AnyGreenlet::is_dead`].
    #[inline]
    pub fn is_dead(&self) -> bool {
        self.any.is_dead()
    }

    /// See [`AnyGreenlet::is_started`].
    #[inline]
    pub fn is_started(&self) -> bool {
        self.any.is_started()
    }

    /// See [`AnyGreenlet::is_active`].
    #[inline]
    pub fn is_active(&self) -> bool {
        self.any.is_active()
    }

    /// See [`AnyGreenlet::is_current`].
    #[inline]
    pub fn is_current(&self) -> bool {
        self.any.is_current()
    }

    /// See [`AnyGreenlet::parent`].
    pub fn parent(&self) -> Option<AnyGreenlet> {
        self.any.parent()
    }

    /// See [`AnyGreenlet::set_parent`].
    ///
    /// # Errors
    /// As for [`AnyGreenlet::set_parent`].
    #[inline]
    pub fn set_parent(&self, parent: &AnyGreenlet) -> Result<(), ParentError> {
        self.any.set_parent(parent)
    }

    /// See [`AnyGreenlet::id`].
    #[inline]
    pub fn id(&self) -> u64 {
        self.any.id()
    }

    /// See [`AnyGreenlet::label`].
    #[inline]
    pub fn label(&self) -> &'static str {
        self.any.label()
    }

    /// See [`AnyGreenlet::spawned_at`].
    #[inline]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.any.spawned_at()
    }

    /// See [`AnyGreenlet::stack_size`].
    pub fn stack_size(&self) -> usize {
        self.any.stack_size()
    }

    /// See [`AnyGreenlet::trim_stack`].
    pub fn trim_stack(&self) {
        self.any.trim_stack();
    }

    /// See [`AnyGreenlet::stack_high_water`].
    pub fn stack_high_water(&self) -> usize {
        self.any.stack_high_water()
    }

    /// See [`AnyGreenlet::backtrace`].
    pub fn backtrace(&self) -> Option<Backtrace> {
        self.any.backtrace()
    }

    /// See [`AnyGreenlet::prefetch`].
    #[inline]
    pub fn prefetch(&self) {
        self.any.prefetch();
    }
}

/// Typed handles of greenlets whose types are known otherwise.
impl AnyGreenlet {
    /// A typed handle of the same greenlet.
    ///
    /// Nothing is checked here: each switch checks its value against what the greenlet waits for at that time.
    #[inline]
    pub fn typed<In: 'static, Out: 'static>(&self) -> Greenlet<In, Out> {
        self.clone().into_typed()
    }

    /// This handle as a typed one. See [`typed`](Self::typed).
    #[inline]
    pub fn into_typed<In: 'static, Out: 'static>(self) -> Greenlet<In, Out> {
        Greenlet::from_any(self)
    }
}

impl<In, Out> Clone for Greenlet<In, Out> {
    #[inline]
    fn clone(&self) -> Greenlet<In, Out> {
        Greenlet {
            any: self.any.clone(),
            types: PhantomData,
        }
    }
}

impl<In, Out> From<Greenlet<In, Out>> for AnyGreenlet {
    #[inline]
    fn from(greenlet: Greenlet<In, Out>) -> AnyGreenlet {
        greenlet.any
    }
}

impl<In, Out> PartialEq for Greenlet<In, Out> {
    #[inline]
    fn eq(&self, other: &Greenlet<In, Out>) -> bool {
        self.any == other.any
    }
}

impl<In, Out> Eq for Greenlet<In, Out> {}

impl<In, Out> fmt::Debug for Greenlet<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Greenlet").field(&self.any).finish()
    }
}

impl<In, Out> fmt::Display for Greenlet<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}
