//! The switch as its callers see it: values, throws and calls.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{panic_any, resume_unwind};
use std::ptr;
use std::thread::panicking;

use crate::block::{Ptr, State};
use crate::end::{Handle, end_postponed, last_handle_dropped};
use crate::error::{GreenletExit, SwitchError};
use crate::message::{Control, Kind, Message, Tag, Type, take};
use crate::pass::pass;
use crate::thread::{TRACED, Thread, TraceEvent, thread};

/// The short way: the target is suspended and waits for a `V`, and nothing asks for attention.
#[inline(always)]
fn can_pass<V: 'static>(thread: &Thread, me: Ptr, target: Ptr) -> bool {
    let waits = matches!(target.expects.get(), Some(expected) if expected.is(Type::of::<V>()));
    waits & (thread.attention.get() == 0) & (me.refs.get() != 0) && !panicking()
}

/// Switches and keeps the handle.
#[inline]
#[track_caller]
pub(crate) fn switch<V: 'static, R: 'static>(target: &Handle, value: V) -> Result<R, SwitchError> {
    let thread = thread();
    let (me, to) = (thread.current(), target.ptr());
    if !can_pass::<V>(thread, me, to) {
        return switch_with_care(Handle::new(to), value);
    }
    // SAFETY: just checked.
    unsafe { pass_value(thread, me, to, value) }
}

/// Switches and drops the handle before that.
// A part of its caller in any case: what it would save and give back lies on every stack that is suspended.
#[inline(always)]
#[track_caller]
pub(crate) fn switch_into<V: 'static, R: 'static>(
    target: Handle,
    value: V,
) -> Result<R, SwitchError> {
    let thread = thread();
    let (me, to) = (thread.current(), target.ptr());
    if !can_pass::<V>(thread, me, to) {
        return switch_with_care(target, value);
    }
    target.release();
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
fn switch_with_care<V: 'static, R: 'static>(target: Handle, value: V) -> Result<R, SwitchError> {
    if panicking() {
        return Err(SwitchError::Unwinding);
    }
    let thread = thread();
    end_postponed(thread);
    let target = living(target);
    let (me, to) = (thread.current(), target.ptr());
    if to == me {
        return Ok(to_oneself(me, value));
    }
    let found = Type::of::<V>();
    let Some(expected) = to.expects.get() else {
        return Err(SwitchError::Ending);
    };
    let mut value = ManuallyDrop::new(value);
    let data = (&raw mut value).cast();
    if expected.is(found) {
        // SAFETY: the type was checked.
        return unsafe { hand_over(thread, me, target, Message::value_from(data, me)) };
    }
    if to.awaits_end.get() == Some(me) {
        // What a greenlet gives that outlives its exit is dropped.
        let take = take::<V>;
        // SAFETY: the value is left for the receiver to move out.
        return unsafe { send(thread, me, target, data, Kind::WrongType { found, take }) };
    }
    drop(ManuallyDrop::into_inner(value));
    wrong_type(to, expected, found)
}

/// The greenlet of a handle if it is not dead, else its nearest ancestor that is not.
fn living(target: Handle) -> Handle {
    match target.ptr().state.get() {
        State::Dead => Handle::new(target.ptr().living_ancestor()),
        _ => target,
    }
}

#[cold]
#[track_caller]
fn wrong_type(to: Ptr, expected: &Type, found: &Type) -> ! {
    match to.awaits_end.get() {
        Some(child) => panic!("cannot switch to {to}: it waits for the end of {child}"),
        None => panic!(
            "cannot switch to {to} with a value of type `{}`: it waits for `{}`",
            found.name(),
            expected.name()
        ),
    }
}

/// A switch of the running greenlet to itself, which gives its value back at once.
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
    target: Handle,
    message: Message,
) -> Result<R, SwitchError> {
    let to = target.ptr();
    target.release();
    // SAFETY: passed on.
    unsafe { receive(pass(thread, me, to, Type::of::<R>(), message)) }
}

/// Hands over something that is not just a value.
///
/// # Safety
/// `target` can be switched to, and `data` is what the kind says.
unsafe fn send<R: 'static>(
    thread: &Thread,
    me: Ptr,
    target: Handle,
    data: *mut (),
    kind: Kind,
) -> Result<R, SwitchError> {
    let mut control = ManuallyDrop::new(Control { sender: me, kind });
    // SAFETY: what is sent stays on this stack, which is suspended; the receiver moves it out.
    unsafe {
        let message = Message::control(data, &raw mut control);
        hand_over(thread, me, target, message)
    }
}

/// Raises `payload` where `target` is suspended.
#[track_caller]
pub(crate) fn throw<R: 'static>(
    target: &Handle,
    payload: Box<dyn Any + Send>,
) -> Result<R, SwitchError> {
    if panicking() {
        return Err(SwitchError::Unwinding);
    }
    let thread = thread();
    end_postponed(thread);
    let (me, to) = (thread.current(), target.ptr());
    if to.state.get() == State::Dead && payload.is::<GreenletExit>() {
        return Err(SwitchError::Exit(GreenletExit));
    }
    if to == me || to.state.get() == State::Dead {
        resume_unwind(payload);
    }
    if to.expects.get().is_none() {
        return Err(SwitchError::Ending);
    }
    // SAFETY: it waits for something, so it can be switched to, and a throw needs no data.
    unsafe {
        send(
            thread,
            me,
            Handle::new(to),
            ptr::null_mut(),
            Kind::Throw(payload),
        )
    }
}

/// Suspends the running greenlet as if it had exited: its nearest living ancestor goes on, from a switch that returns
/// [`SwitchError::Exit`]. For a greenlet that was told to exit and cannot yet.
///
/// Returns when somebody switches here with `()`. What is thrown here is raised.
///
/// ```
/// use greenlet::{Greenlet, GreenletExit, SwitchError};
///
/// let g = Greenlet::new(|()| {
///     greenlet::suspend().unwrap();
///     5
/// });
/// assert_eq!(g.switch(()), Err(SwitchError::Exit(GreenletExit)));
/// assert!(g.is_active());
/// assert_eq!(g.switch(()), Ok(5));
/// ```
///
/// # Errors
/// [`SwitchError::Unwinding`] if the thread is unwinding; [`SwitchError::Ending`] if there is nobody to go on: this is
/// the main greenlet, or the process ends from inside this one.
pub fn suspend() -> Result<(), SwitchError> {
    let Some(thread) = crate::thread::existing() else {
        return Err(SwitchError::Ending);
    };
    let me = thread.current();
    if panicking() {
        return Err(SwitchError::Unwinding);
    }
    if me.parent.get().is_none() {
        return Err(SwitchError::Ending);
    }
    let target = Handle::new(me.living_ancestor());
    if target.ptr().expects.get().is_none() {
        return Err(SwitchError::Ending);
    }
    // SAFETY: it waits for something, so it can be switched to, and an exit needs no data.
    unsafe { send(thread, me, target, ptr::null_mut(), Kind::Exit) }
}

/// Takes what the other side has handed over.
///
/// # Safety
/// `message` is what a switch of this greenlet has just brought, and the switch waited for an `R`.
#[inline(always)]
pub(crate) unsafe fn receive<R: 'static>(message: Message) -> Result<R, SwitchError> {
    if message.tag.is_null() {
        // SAFETY: the sender checked the type and left the value for us to move out.
        Ok(unsafe { message.data.cast::<R>().read() })
    } else {
        // SAFETY: passed on.
        unsafe { receive_tagged(message) }
    }
}

/// # Safety
/// As for [`receive`], with a tag.
#[inline(never)]
unsafe fn receive_tagged<R: 'static>(message: Message) -> Result<R, SwitchError> {
    // SAFETY: the message has just arrived.
    match unsafe { message.tag() } {
        Tag::Sender(sender) => {
            // SAFETY: the sender checked the type and left the value for us to move out.
            let value = unsafe { message.data.cast::<R>().read() };
            let thread = thread();
            if thread.attention.get() != 0 {
                let sender = Handle::new(sender);
                trace(thread, TraceEvent::Switch, sender.ptr());
                end_postponed(thread);
            } else if sender.refs.get() == 0 {
                last_handle_dropped(sender);
            }
            Ok(value)
        }
        Tag::Control(control) => {
            // SAFETY: the sender left it for us to move out.
            let Control { sender, kind } = unsafe { control.read() };
            if let Kind::Call(call) = kind {
                // SAFETY: the sender keeps the data alive until we are back, and waits without reading what we send.
                return unsafe {
                    receive(answer_call(call, message.data, sender, Type::of::<R>()))
                };
            }
            // SAFETY: passed on.
            Err(unsafe { take_control(sender, kind, message.data, Type::of::<R>()) })
        }
    }
}

/// Does what was asked for, goes back, and waits for what the switch was to bring.
///
/// # Safety
/// As [`Kind::Call`] demands; `sender` waits for the end of the call.
#[cold]
#[inline(never)]
unsafe fn answer_call(
    call: unsafe fn(*mut ()),
    data: *mut (),
    sender: Ptr,
    expects: &'static Type,
) -> Message {
    let thread = thread();
    let back = Message::value(ptr::null_mut::<()>());
    // SAFETY: as promised by the caller.
    unsafe {
        call(data);
        pass(thread, thread.current(), sender, expects, back)
    }
}

/// Does what somebody has sent in the place of a value.
///
/// # Safety
/// The parts of a message that has just arrived, but for a call.
#[cold]
#[inline(never)]
unsafe fn take_control(
    sender: Ptr,
    kind: Kind,
    data: *mut (),
    expected: &'static Type,
) -> SwitchError {
    let thread = thread();
    let (event, value) = match &kind {
        Kind::Throw(_) => (TraceEvent::Throw, None),
        // Before anything of the user runs that may switch back to where the value lies.
        // SAFETY: the sender left the value for us to move out.
        Kind::WrongType { take, .. } => (TraceEvent::Switch, Some(unsafe { take(data) })),
        _ => (TraceEvent::Switch, None),
    };
    // It is let go when everything else is done: if this was its last handle, it is freed or unwound then.
    let sender = Handle::new(sender);
    trace(thread, event, sender.ptr());
    end_postponed(thread);
    match kind {
        Kind::Exit => SwitchError::Exit(GreenletExit),
        Kind::Throw(payload) => {
            drop(sender);
            resume_unwind(payload)
        }
        Kind::WrongType { found, .. } => {
            drop(value);
            panic_any(format!(
                "{} has ended with a value of type `{}`, but its parent, {}, waits for `{}`",
                sender.ptr(),
                found.name(),
                thread.current(),
                expected.name()
            ))
        }
        Kind::Call(_) => unreachable!("calls were answered above"),
    }
}

/// Runs the hook, if there is one, in the greenlet that has just been resumed.
#[inline]
fn trace(thread: &Thread, event: TraceEvent, sender: Ptr) {
    if thread.attention.get() & TRACED != 0
        && let Some(hook) = thread.on_switch.get()
    {
        hook(event, sender);
    }
}
