//! Untyped handles.

use std::any::Any;
use std::backtrace::Backtrace;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::thread::panicking;

use crate::block::{Ptr, State};
use crate::call::call_on;
use crate::end::Handle;
use crate::error::{ParentError, SwitchError};
use crate::hint;
use crate::switch;
use crate::thread::thread;
use crate::thread_end::enter;

/// A greenlet of this thread whose types are not known: the current one, the main one, a parent.
///
/// Clones are handles of the same greenlet, and compare equal. What a switch carries is checked when it is made.
///
/// ```
/// use greenlet::{AnyGreenlet, Greenlet};
///
/// let g = AnyGreenlet::from(Greenlet::new(|n: u32| n.to_string()));
/// assert_eq!(g.switch::<u32, String>(5), Ok("5".to_string()));
/// assert!(g.is_dead() && g.parent().is_some_and(|parent| parent.is_current()));
///
/// let g = AnyGreenlet::from(Greenlet::new(|n: u32| n + 1));
/// assert!(!g.is_started() && !g.is_active());
/// println!("{} {} of {}, on {} bytes", g.label(), g.id(), g.spawned_at(), g.stack_size());
/// g.prefetch(); // Of use before a switch to one that has waited for long.
/// assert_eq!(g.typed::<u32, u32>().switch(1), Ok(2));
/// assert!(g.stack_high_water() > 0 && g.backtrace().is_none(), "it is dead");
///
/// let g = AnyGreenlet::from(Greenlet::new(|(): ()| ()));
/// assert_eq!(g.clone().switch_into::<(), ()>(()), Ok(()));
/// assert!(g.throw::<_, ()>(greenlet::GreenletExit).is_err(), "a dead one has exited");
/// assert!(g.into_typed::<(), ()>().is_dead());
/// ```
pub struct AnyGreenlet {
    handle: Handle,
}

impl AnyGreenlet {
    /// One more handle.
    #[inline(always)]
    pub(crate) fn new(ptr: Ptr) -> AnyGreenlet {
        AnyGreenlet {
            handle: Handle::new(ptr),
        }
    }

    /// A handle that has been counted already.
    #[inline(always)]
    pub(crate) fn adopt(ptr: Ptr) -> AnyGreenlet {
        AnyGreenlet {
            handle: Handle::adopt(ptr),
        }
    }

    #[inline(always)]
    pub(crate) fn ptr(&self) -> Ptr {
        self.handle.ptr()
    }

    /// This handle as a pointer that says nothing but which greenlet it is, for those who cannot keep a handle, such as C.
    /// Pointers of the same greenlet are equal. [`from_raw`](Self::from_raw) makes the handle again; without that the
    /// greenlet is kept for good.
    ///
    /// ```
    /// use greenlet::{AnyGreenlet, Greenlet};
    ///
    /// let g = AnyGreenlet::from(Greenlet::new(|n: u32| n + 1));
    /// let raw = g.into_raw();
    /// // SAFETY: it came from `into_raw`, on this thread, and is used once.
    /// let g = unsafe { AnyGreenlet::from_raw(raw) };
    /// assert_eq!(g.switch(1u32), Ok(2u32));
    /// ```
    pub fn into_raw(self) -> *const () {
        ManuallyDrop::new(self).ptr().as_ptr().cast_const().cast()
    }

    /// The handle that a pointer was made of.
    ///
    /// # Safety
    /// The pointer came from [`into_raw`](Self::into_raw) on this thread, and no other handle is made of it.
    ///
    /// ```
    /// use greenlet::{AnyGreenlet, Greenlet};
    ///
    /// let raw = AnyGreenlet::from(Greenlet::new(|n: u32| n + 1)).into_raw();
    /// // SAFETY: it came from `into_raw`, on this thread, and is used once.
    /// let g = unsafe { AnyGreenlet::from_raw(raw) };
    /// assert_eq!(g.switch(1u32), Ok(2u32));
    /// ```
    pub unsafe fn from_raw(raw: *const ()) -> AnyGreenlet {
        // SAFETY: promised by the caller: it is the address of a block, which lives while the handle is counted.
        AnyGreenlet::adopt(unsafe { Ptr::new(NonNull::new_unchecked(raw.cast_mut().cast())) })
    }

    /// Switches to this greenlet. See [`Greenlet::switch`](crate::Greenlet::switch).
    ///
    /// # Errors
    /// As for [`Greenlet::switch`](crate::Greenlet::switch).
    ///
    /// # Panics
    /// If the greenlet does not wait for a `V`; also whatever is thrown into the running greenlet meanwhile.
    #[inline]
    #[track_caller]
    pub fn switch<V: 'static, R: 'static>(&self, value: V) -> Result<R, SwitchError> {
        switch::switch(&self.handle, value)
    }

    /// Like [`switch`](Self::switch), and lets this handle go before the switch.
    ///
    /// # Errors
    /// As for [`Greenlet::switch`](crate::Greenlet::switch).
    ///
    /// # Panics
    /// As for [`switch`](Self::switch).
    #[inline]
    #[track_caller]
    pub fn switch_into<V: 'static, R: 'static>(self, value: V) -> Result<R, SwitchError> {
        switch::switch_into(self.handle, value)
    }

    /// Raises `payload` where this greenlet is suspended. See [`Greenlet::throw`](crate::Greenlet::throw).
    ///
    /// # Errors
    /// As for [`Greenlet::throw`](crate::Greenlet::throw).
    #[track_caller]
    pub fn throw<E: Any + Send, R: 'static>(&self, payload: E) -> Result<R, SwitchError> {
        switch::throw(&self.handle, Box::new(payload))
    }

    /// True once the body has returned or unwound, or will never run.
    #[inline]
    pub fn is_dead(&self) -> bool {
        self.ptr().state.get() == State::Dead
    }

    /// True once the body has been entered.
    #[inline]
    pub fn is_started(&self) -> bool {
        self.ptr().state.get() != State::Unstarted
    }

    /// True while the greenlet is started and not dead.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.ptr().state.get() == State::Active
    }

    /// True for the greenlet that is running.
    #[inline]
    pub fn is_current(&self) -> bool {
        thread().current() == self.ptr()
    }

    /// The greenlet that gets the result or the panic of this one; none for the main greenlet.
    pub fn parent(&self) -> Option<AnyGreenlet> {
        self.ptr().parent.get().map(AnyGreenlet::new)
    }

    /// Makes `parent` the parent of this greenlet, at any time of its life.
    ///
    /// Takes as many steps as `parent` has ancestors.
    ///
    /// ```
    /// use greenlet::{Greenlet, ParentError};
    ///
    /// let (a, b) = (Greenlet::new(|()| ()), Greenlet::new(|()| ()));
    /// assert_eq!(a.set_parent(b.as_any()), Ok(()));
    /// assert_eq!(b.set_parent(a.as_any()), Err(ParentError::Cycle));
    /// ```
    ///
    /// # Errors
    /// [`ParentError::Cycle`] if `parent` is this greenlet or descends from it, [`ParentError::Main`] if this is the main
    /// greenlet. Nothing has changed then.
    pub fn set_parent(&self, parent: &AnyGreenlet) -> Result<(), ParentError> {
        let Some(old) = self.ptr().parent.get() else {
            return Err(ParentError::Main);
        };
        if parent.ptr().descends_from(self.ptr()) {
            return Err(ParentError::Cycle);
        }
        parent.ptr().retain();
        self.ptr().parent.set(Some(parent.ptr()));
        drop(Handle::adopt(old));
        Ok(())
    }

    /// A small number: 0 for the main greenlet, then counted from 1 on each thread, unless the
    /// [builder](crate::Builder::id) said otherwise.
    #[inline]
    pub fn id(&self) -> u64 {
        self.ptr().id
    }

    /// What reports call it: `greenlet` unless the [builder](crate::Builder::label) said otherwise.
    #[inline]
    pub fn label(&self) -> &'static str {
        self.ptr().label
    }

    /// Where the greenlet was made.
    #[inline]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.ptr().location
    }

    /// The bytes of its stack without the guard; 0 for the main greenlet, whose stack is the thread's own.
    pub fn stack_size(&self) -> usize {
        self.ptr().stack.map_or(0, |stack| stack.size())
    }

    /// The bytes of its stack that are backed by memory, counted in whole pages from the top: the deepest it has been.
    ///
    /// A stack that is used again remembers how deep the greenlets before went. 0 for the main greenlet.
    pub fn stack_high_water(&self) -> usize {
        self.ptr().stack.map_or(0, |stack| stack.high_water())
    }

    /// Gives the memory of the stack's pages below the innermost frame back to the system: what calls that have returned
    /// had touched. It is for a suspended greenlet that is likely to stay so for long, and costs a system call; the
    /// pages that the greenlet needs when it goes on come back empty, at the price of a fault each.
    ///
    /// Nothing happens to the running greenlet, to one that is dead, and to the main one.
    ///
    /// ```
    /// use greenlet::{AnyGreenlet, Greenlet, main_greenlet};
    ///
    /// #[inline(never)]
    /// fn touch() {
    ///     std::hint::black_box([1u8; 64 * 1024]);
    /// }
    /// let g = AnyGreenlet::from(Greenlet::new(|()| {
    ///     touch();
    ///     main_greenlet().switch::<(), ()>(()).unwrap();
    ///     "it goes on"
    /// }));
    /// g.switch::<(), ()>(()).unwrap();
    /// g.trim_stack();
    /// assert!(g.stack_high_water() < 64 * 1024);
    /// assert_eq!(g.switch::<(), &str>(()), Ok("it goes on"));
    /// ```
    pub fn trim_stack(&self) {
        let block = self.ptr();
        let (Some(stack), Some(_suspended)) = (block.stack, block.expects.get()) else {
            return;
        };
        if let Some(sp) = NonNull::new(block.sp.get()) {
            // SAFETY: it expects something, so it is suspended, with all that it needs at its stack pointer and above.
            unsafe { stack.trim(sp) };
        }
    }

    /// The frames of the greenlet, innermost first; none if it is unstarted or dead.
    ///
    /// A suspended greenlet is woken to walk its own stack and put back to sleep; this takes about 8 KiB of that stack.
    /// Also none, except for the running greenlet itself, while the thread unwinds.
    pub fn backtrace(&self) -> Option<Backtrace> {
        if !self.is_active() {
            return None;
        }
        if self.is_current() {
            return Some(Backtrace::force_capture());
        }
        if panicking() {
            return None;
        }
        call_on(self.ptr(), Backtrace::force_capture)
    }

    /// Starts to load the cache lines that the next switch to this greenlet touches.
    ///
    /// Helps where there are thousands of suspended greenlets and it is known in advance which one is next.
    #[inline]
    pub fn prefetch(&self) {
        hint::prefetch_block(self.ptr());
    }
}

impl Clone for AnyGreenlet {
    #[inline]
    fn clone(&self) -> AnyGreenlet {
        AnyGreenlet::new(self.ptr())
    }
}

impl PartialEq for AnyGreenlet {
    #[inline]
    fn eq(&self, other: &AnyGreenlet) -> bool {
        self.ptr() == other.ptr()
    }
}

impl Eq for AnyGreenlet {}

// A handle shows the same greenlet in the same state on either side of an unwinding.
impl UnwindSafe for AnyGreenlet {}
impl RefUnwindSafe for AnyGreenlet {}

impl fmt::Debug for AnyGreenlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyGreenlet")
            .field("id", &self.id())
            .field("state", &self.ptr().state.get())
            .field("spawned_at", &format_args!("{}", self.spawned_at()))
            .finish()
    }
}

/// "greenlet 3 (spawned at src/main.rs:4:20)"
impl fmt::Display for AnyGreenlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ptr().fmt(f)
    }
}

/// The running greenlet: the main one of the thread, unless the caller runs inside another.
///
/// ```
/// use greenlet::{Greenlet, current, main_greenlet};
///
/// assert_eq!(current(), main_greenlet());
/// let inside = Greenlet::new(|()| current() == main_greenlet());
/// assert_eq!(inside.switch(()), Ok(false));
/// ```
#[inline]
pub fn current() -> AnyGreenlet {
    AnyGreenlet::new(enter().current())
}

/// The main greenlet of this thread: the one that runs on the thread's own stack. It is never dead.
///
/// ```
/// use greenlet::{Greenlet, main_greenlet};
///
/// assert!(main_greenlet().is_current());
/// let g = Greenlet::new(|()| main_greenlet().is_current());
/// assert_eq!(g.switch(()), Ok(false));
/// ```
#[inline]
pub fn main_greenlet() -> AnyGreenlet {
    AnyGreenlet::new(enter().main())
}
