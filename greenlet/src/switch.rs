//! The switch: what happens on either side of it.

use std::any::Any;
use std::cell::Cell;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::ptr;
use std::thread::panicking;

use crate::arch;
use crate::block::{Ptr, State};
use crate::death;
use crate::error::{GreenletExit, SwitchError};
use crate::handle::AnyGreenlet;
use crate::local;
use crate::message::{Content, Message, Notice, Sign, Type, drop_at};
use crate::thread::{Thread, thread};
use crate::trace::{self, TraceEvent};

/// Suspends the running greenlet and resumes `target`, which must be suspended or unstarted.
///
/// # Safety
/// What `message` points to is what `target` expects and stays where it is until this returns.
#[inline(always)]
pub(crate) unsafe fn pass(
    thread: &Thread,
    me: Ptr,
    target: Ptr,
    expects: &'static Type,
    message: Message,
) -> Message {
    debug_assert!(target.expects.get().is_some() && target != me);
    me.expects.set(Some(expects));
    target.expects.set(None);
    thread.set_current(target);
    // SAFETY: a greenlet that expects something is suspended or fresh, so its `sp` is good for one switch. The block
    // of `me` outlives its suspension.
    unsafe { arch::switch(sp_of(&me), target.sp.get(), message) }
}

/// The cell as something that does not borrow from a `Ptr` on the stack.
#[inline(always)]
fn sp_of(block: &Ptr) -> &Cell<*mut u8> {
    &block.sp
}

/// The short way: the target is suspended and waits for a `V`, and nothing asks for attention.
#[inline(always)]
fn can_pass<V: 'static>(thread: &Thread, me: Ptr, target: Ptr) -> bool {
    let waits = matches!(target.expects.get(), Some(expected) if expected.is(Type::of::<V>()));
    waits & (thread.attention.get() == 0) & (me.refs.get() != 0) && !panicking()
}

/// Switches and keeps the handle.
#[inline]
#[track_caller]
pub(crate) fn switch<V: 'static, R: 'static>(
    target: &AnyGreenlet,
    value: V,
) -> Result<R, SwitchError> {
    let thread = thread();
    let (me, to) = (thread.current(), target.ptr());
    if !can_pass::<V>(thread, me, to) {
        return switch_with_care(target.clone(), value);
    }
    // SAFETY: just checked.
    unsafe { pass_value(thread, me, to, value) }
}

/// Switches and drops the handle before that.
#[inline]
#[track_caller]
pub(crate) fn switch_into<V: 'static, R: 'static>(
    target: AnyGreenlet,
    value: V,
) -> Result<R, SwitchError> {
    let thread = thread();
    let (me, to) = (thread.current(), target.ptr());
    if !can_pass::<V>(thread, me, to) {
        return switch_with_care(target, value);
    }
    // Nothing is to be done if this was the last: the running greenlet needs no handle.
    to.release();
    std::mem::forget(target);
    // SAFETY: just checked.
    unsafe { pass_value(thread, me, to, value) }
}

/// # Safety
/// `target` waits for a `V`.
#[inline(always)]
unsafe fn pass_value<V: 'static, R: 'static>(
    thread: &Thread,
    me: Ptr,
    target: Ptr,
    value: V,
) -> Result<R, SwitchError> {
    let mut value = ManuallyDrop::new(value);
    let message = Message::value(&raw mut value);
    // SAFETY: the value is of the type that the target waits for, and stays on this stack, which is suspended.
    unsafe { receive(pass(thread, me, target, Type::of::<R>(), message)) }
}

/// Everything that the short way leaves out.
#[cold]
#[inline(never)]
#[track_caller]
fn switch_with_care<V: 'static, R: 'static>(
    target: AnyGreenlet,
    value: V,
) -> Result<R, SwitchError> {
    if panicking() {
        return Err(SwitchError::Unwinding);
    }
    let thread = thread();
    death::visit_graves(thread);
    let target = target.into_living();
    let (me, to) = (thread.current(), target.ptr());
    if to == me {
        return Ok(to_oneself(me, value));
    }
    let found = Type::of::<V>();
    let Some(expected) = to.expects.get() else {
        unreachable!("{to} is neither running nor suspended nor dead");
    };
    let mut value = ManuallyDrop::new(value);
    let data = (&raw mut value).cast();
    if expected.is(found) {
        // SAFETY: the type was checked.
        return unsafe { hand_over(thread, me, target, Message::value_from(data, me)) };
    }
    if to.reaping.get() == Some(me) {
        // What a greenlet gives that outlives its exit is dropped.
        let drop = drop_at::<V>;
        // SAFETY: the value is left for the receiver to drop.
        return unsafe { notify(thread, me, target, data, Content::Foreign { found, drop }) };
    }
    drop(ManuallyDrop::into_inner(value));
    match to.reaping.get() {
        Some(child) => panic!("cannot switch to {to}: it waits for the end of {child}"),
        None => panic!(
            "cannot switch to {to} with a value of type `{}`: it waits for `{}`",
            found.name(),
            expected.name()
        ),
    }
}

/// Whoever switches to itself has its value back at once.
#[track_caller]
fn to_oneself<V: 'static, R: 'static>(me: Ptr, value: V) -> R {
    let mut value = Some(value);
    match (&mut value as &mut dyn Any).downcast_mut::<Option<R>>() {
        Some(value) => value.take().expect("the value that was put in"),
        None => panic!(
            "cannot switch to {me}, which is running, with a value of type `{}`: this switch waits for `{}`",
            std::any::type_name::<V>(),
            std::any::type_name::<R>()
        ),
    }
}

/// Switches to `target` and lets its handle go.
///
/// # Safety
/// As for [`pass`]; the message is one for `target`.
unsafe fn hand_over<R: 'static>(
    thread: &Thread,
    me: Ptr,
    target: AnyGreenlet,
    message: Message,
) -> Result<R, SwitchError> {
    let to = target.ptr();
    // Nothing is to be done if this was the last: the running greenlet needs no handle.
    to.release();
    std::mem::forget(target);
    // SAFETY: passed on.
    unsafe { receive(pass(thread, me, to, Type::of::<R>(), message)) }
}

/// Hands over something that is not just a value.
///
/// # Safety
/// `target` can be switched to, and `data` is what the content says.
unsafe fn notify<R: 'static>(
    thread: &Thread,
    me: Ptr,
    target: AnyGreenlet,
    data: *mut (),
    content: Content,
) -> Result<R, SwitchError> {
    let mut notice = ManuallyDrop::new(Notice {
        origin: me,
        content,
    });
    // SAFETY: the notice stays on this stack, which is suspended; the receiver moves it out.
    unsafe { hand_over(thread, me, target, Message::notice(data, &raw mut notice)) }
}

/// Raises `payload` where `target` is suspended.
#[track_caller]
pub(crate) fn throw<R: 'static>(
    target: &AnyGreenlet,
    payload: Box<dyn Any + Send>,
) -> Result<R, SwitchError> {
    if panicking() {
        return Err(SwitchError::Unwinding);
    }
    let thread = thread();
    death::visit_graves(thread);
    let (me, to) = (thread.current(), target.ptr());
    if to.state.get() == State::Dead && payload.is::<GreenletExit>() {
        return Err(SwitchError::Exit(GreenletExit));
    }
    if to == me || to.state.get() == State::Dead {
        resume_unwind(payload);
    }
    // SAFETY: neither running nor dead, so it can be switched to, and a throw needs no data.
    unsafe {
        notify(
            thread,
            me,
            target.clone(),
            ptr::null_mut(),
            Content::Throw(payload),
        )
    }
}

/// Suspends the running greenlet, which was told to exit and cannot yet: its nearest living ancestor goes on as if it had.
/// True when it is resumed; false if it could not be suspended, as it is the main one or the thread unwinds.
pub(crate) fn linger() -> bool {
    let thread = thread();
    let me = thread.current();
    if panicking() || me.parent.get().is_none() {
        return false;
    }
    let heir = AnyGreenlet::new(death::living_ancestor(me));
    // SAFETY: an ancestor of the running greenlet is suspended or unstarted, and an exit needs no data.
    let _ = unsafe { notify::<()>(thread, me, heir, ptr::null_mut(), Content::Exit) };
    true
}

/// Runs `errand` on the stack of a suspended greenlet, which stays suspended. The errand must neither switch nor unwind.
pub(crate) fn run_there<T>(target: Ptr, errand: fn() -> T) -> Option<T> {
    struct Errand;

    /// What `data` points to.
    struct Task<T> {
        errand: fn() -> T,
        result: Option<T>,
    }

    unsafe fn run<T>(data: *mut ()) {
        // SAFETY: the sender's task, which waits for us.
        let task = unsafe { &mut *data.cast::<Task<T>>() };
        task.result = Some((task.errand)());
    }

    let thread = thread();
    let me = thread.current();
    let mut task = Task {
        errand,
        result: None,
    };
    let mut notice = ManuallyDrop::new(Notice {
        origin: me,
        content: Content::Errand(run::<T>),
    });
    let message = Message::notice((&raw mut task).cast(), &raw mut notice);
    // SAFETY: the notice and the task stay where they are until the receiver switches back, which it does at once.
    unsafe {
        pass(thread, me, target, Type::of::<Errand>(), message);
    }
    task.result
}

/// Takes what the other side has handed over.
///
/// # Safety
/// `message` is what a switch of this greenlet has just brought, and the switch waited for an `R`.
#[inline(always)]
pub(crate) unsafe fn receive<R: 'static>(message: Message) -> Result<R, SwitchError> {
    if message.sign.is_null() {
        // SAFETY: the sender checked the type and left the value for us to move out.
        Ok(unsafe { message.data.cast::<R>().read() })
    } else {
        // SAFETY: passed on.
        unsafe { receive_signed(message) }
    }
}

/// # Safety
/// As for [`receive`], with a sign.
#[inline(never)]
unsafe fn receive_signed<R: 'static>(message: Message) -> Result<R, SwitchError> {
    // SAFETY: the message has just arrived.
    match unsafe { message.sign() } {
        Sign::From(origin) => {
            // SAFETY: the sender checked the type and left the value for us to move out.
            let value = unsafe { message.data.cast::<R>().read() };
            let thread = thread();
            if thread.attention.get() != 0 {
                let origin = AnyGreenlet::new(origin);
                trace::run(thread, TraceEvent::Switch, &origin);
                death::visit_graves(thread);
            } else if origin.refs.get() == 0 {
                death::unowned(origin);
            }
            Ok(value)
        }
        // SAFETY: passed on.
        Sign::Notice(notice) => unsafe { receive_notice(message.data, notice) },
    }
}

/// # Safety
/// As for [`receive`], with the parts of a notice's message.
#[cold]
#[inline(never)]
unsafe fn receive_notice<R: 'static>(data: *mut (), notice: *mut Notice) -> Result<R, SwitchError> {
    let thread = thread();
    // SAFETY: the sender left it for us to move out.
    let Notice { origin, content } = unsafe { notice.read() };
    if let Content::Errand(errand) = content {
        // SAFETY: the sender keeps the errand's data alive until we are back, and waits without reading what we send.
        return unsafe {
            errand(data);
            let back = Message::value(ptr::null_mut::<()>());
            receive(pass(
                thread,
                thread.current(),
                origin,
                Type::of::<R>(),
                back,
            ))
        };
    }
    let event = match content {
        Content::Throw(_) => TraceEvent::Throw,
        _ => TraceEvent::Switch,
    };
    // The origin is let go when everything else is done: if this was its last handle, it is freed or unwound then.
    let origin = AnyGreenlet::new(origin);
    trace::run(thread, event, &origin);
    death::visit_graves(thread);
    match content {
        Content::Exit => Err(SwitchError::Exit(GreenletExit)),
        Content::Throw(payload) => {
            drop(origin);
            resume_unwind(payload)
        }
        Content::Foreign { found, drop } => {
            // SAFETY: the sender left the value for us to drop.
            unsafe { drop(data) };
            panic_any(format!(
                "{origin} has ended with a value of type `{}`, but its parent, {}, waits for `{}`",
                found.name(),
                thread.current(),
                std::any::type_name::<R>()
            ))
        }
        Content::Errand(_) => unreachable!("errands were run above"),
    }
}

/// The first function on a greenlet's stack.
///
/// # Safety
/// Entered by the first switch to a greenlet that was made with a closure `F`.
pub(crate) unsafe extern "C" fn entry<F, In, Out>(data: *mut (), sign: *mut ()) -> !
where
    F: FnOnce(In) -> Out + 'static,
    In: 'static,
    Out: 'static,
{
    let me = thread().current();
    me.state.set(State::Active);
    // SAFETY: the maker put the closure there, and it is moved out once.
    let body = unsafe { closure::<F>(me).read() };
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        // SAFETY: this is the message of the first switch, which was made to wait for an `In`.
        let value = unsafe { receive::<In>(Message { data, sign }) }?;
        Ok(body(value))
    }));
    let mut result = MaybeUninit::<Out>::uninit();
    let end = match outcome {
        Ok(Ok(value)) => {
            result.write(value);
            None
        }
        Ok(Err::<_, SwitchError>(_)) => Some(Content::Exit),
        Err(payload) if payload.is::<GreenletExit>() => Some(Content::Exit),
        Err(payload) => Some(Content::Throw(payload)),
    };
    // SAFETY: the result is there if there is no other end.
    unsafe {
        finish(
            result.as_mut_ptr().cast(),
            Type::of::<Out>(),
            drop_at::<Out>,
            end,
        )
    }
}

/// Gives the outcome of the running greenlet to its nearest living ancestor, and is gone.
///
/// # Safety
/// Called by [`entry`]; without `end`, `result` points to a value of type `found`, and `drop` drops it.
// Inline, since a call that never returns puts the processor's stack of return addresses out of step with the code: every
// return on the resumed side would be mispredicted.
#[inline(always)]
unsafe fn finish(
    result: *mut (),
    found: &'static Type,
    drop: unsafe fn(*mut ()),
    end: Option<Content>,
) -> ! {
    let thread = thread();
    let me = thread.current();
    if me.has_locals() {
        local::clear(me);
    }
    me.state.set(State::Dead);
    thread.living.set(thread.living.get() - 1);
    let heir = death::living_ancestor(me);
    let content = match (end, heir.expects.get()) {
        (None, Some(expected)) if expected.is(found) => None,
        (None, _) => Some(Content::Foreign { found, drop }),
        (end, _) => end,
    };
    let mut notice;
    let message = match content {
        None => Message::value_from(result, me),
        Some(content) => {
            notice = ManuallyDrop::new(Notice {
                origin: me,
                content,
            });
            Message::notice(result, &raw mut notice)
        }
    };
    heir.expects.set(None);
    thread.set_current(heir);
    // SAFETY: an ancestor of the running greenlet is suspended or unstarted. This stack lives until it was looked at.
    unsafe {
        arch::switch(sp_of(&me), heir.sp.get(), message);
    }
    unreachable!("a dead greenlet was resumed")
}

/// Where the maker of a greenlet has put its closure: below the control block.
pub(crate) fn closure<F>(block: Ptr) -> *mut F {
    let end = block.as_ptr().cast::<u8>();
    let down = (end.addr() - size_of::<F>()) % align_of::<F>();
    end.wrapping_sub(size_of::<F>() + down).cast()
}
