//! The end of a thread: what is suspended is unwound while all thread-locals live, or never.
//!
//! A thread-local with a destructor may be borrowed by a greenlet that is suspended in
//! [`LocalKey::with`](std::thread::LocalKey::with), and dies with the thread. So the greenlets must end before the first
//! thread-local does. The system keeps a list of the destructors of a thread and runs the last that was registered first.
//! [`end`] is on that list, and `registrations` puts it there again behind each thread-local that is registered later: it
//! is always the first to run, and runs again after each destructor that has made greenlets. There is at most one more
//! entry on the list for each thread-local.
//!
//! Where registrations cannot be seen ([`registrations::are_seen`] finds out), `end` runs in some place among the
//! destructors, and then unwinds nothing.

mod registrations;

use std::cell::Cell;
use std::sync::Once;
use std::thread::panicking;

use crate::block::{Ptr, State};
use crate::contain::{contain, drop_payload};
use crate::end::{Handle, drop_body, end_postponed, keep_refused, tell_to_exit};
use crate::os::is_main_thread;
use crate::stack::{SignalStack, install_handler};
pub use crate::thread::ThreadEnd;
use crate::thread::{POSTPONED, Thread, existing, first_use, overflowed};

/// How often the greenlets that are left are told to exit when their thread ends.
const ROUNDS: usize = 3;

/// How many functions run at a thread's end that were registered by others of their kind.
const LATE: usize = 64;

/// The state of this thread, where nobody can know yet that it has been used.
#[inline(always)]
pub(crate) fn enter() -> &'static Thread {
    match existing() {
        Some(thread) => thread,
        None => begin(),
    }
}

#[cold]
#[inline(never)]
fn begin() -> &'static Thread {
    let thread = first_use();
    install_handler(overflowed);
    arm(thread);
    thread
}

/// Sees to it that [`end`] is the next to run when the thread ends. False if it cannot be.
#[cold]
#[inline(never)]
pub(crate) fn arm(thread: &Thread) -> bool {
    if thread.end_is_next.get() {
        return true;
    }
    if thread.closed.get() {
        return false;
    }
    let armed = if registrations::are_seen(thread) {
        registrations::put_end();
        true
    } else {
        END.try_with(|_| ()).is_ok()
    };
    thread.end_is_next.set(armed);
    if armed && !holds(&thread.signal_stack) {
        thread.signal_stack.set(SignalStack::install());
    }
    armed
}

fn holds<T>(cell: &Cell<Option<T>>) -> bool {
    let value = cell.take();
    let holds = value.is_some();
    cell.set(value);
    holds
}

thread_local! {
    /// What ends the thread's greenlets where registrations cannot be seen.
    static END: End = const { End };
}

struct End;

impl Drop for End {
    fn drop(&mut self) {
        if let Some(thread) = existing() {
            end(thread, ThreadEnd::Abandon);
        }
    }
}

/// Calls `f` when this thread ends: before its greenlets are unwound, and while all its thread-locals live, unless it is
/// told [`ThreadEnd::Abandon`]. Of several functions, the last that was registered is called first. A panic of `f` goes
/// no further.
///
/// For those who keep greenlets of a thread in order, such as a scheduler, which ends them its own way, and for what
/// belongs to [`PerThread`](crate::PerThread) values. Registered on a thread that has ended its greenlets already, `f` is
/// called before the next thread-local is destroyed; if nothing can be run any more it is leaked.
///
/// ```
/// use std::sync::mpsc;
/// use greenlet::ThreadEnd;
///
/// let (tell, told) = mpsc::channel();
/// std::thread::spawn(move || {
///     greenlet::at_thread_end(move |end| tell.send(end).unwrap());
/// })
/// .join()
/// .unwrap();
/// let unwinds = cfg!(all(target_os = "linux", target_env = "gnu"));
/// assert_eq!(told.recv().unwrap() == ThreadEnd::Unwind, unwinds);
/// ```
pub fn at_thread_end(f: impl FnOnce(ThreadEnd) + 'static) {
    let thread = enter();
    arm(thread);
    let mut all = thread.at_end.take();
    all.push(Box::new(f));
    thread.at_end.set(all);
}

/// Ends the greenlets of the thread, which has nothing else to do.
#[cold]
fn end(thread: &'static Thread, end: ThreadEnd) {
    let process_ends = is_main_thread() || thread.current() != thread.main();
    let end = if process_ends || panicking() {
        ThreadEnd::Abandon
    } else {
        end
    };
    run_registered(thread, end);
    if end == ThreadEnd::Unwind {
        unwind_all(thread);
    }
    let left = abandon_all(thread);
    if !process_ends {
        if left > 0 {
            say(left, end);
        }
        thread.pool.close();
        #[cfg(own_thread_locals)]
        crate::thread_locals::close(thread);
        if let Some(stack) = thread.signal_stack.take() {
            stack.remove();
        }
    }
    thread.end_is_next.set(false);
}

fn run_registered(thread: &Thread, end: ThreadEnd) {
    let mut late = 0;
    loop {
        let all = thread.at_end.take();
        if all.is_empty() || late > LATE {
            return;
        }
        late += 1;
        for f in all.into_iter().rev() {
            contain(|| f(end));
        }
    }
}

/// Unwinds what is suspended, as far as it does not refuse.
fn unwind_all(thread: &Thread) {
    contain(|| end_postponed(thread));
    for _ in 0..ROUNDS {
        if thread.living.get() == 0 {
            break;
        }
        let left: Vec<Handle> = living(thread).into_iter().map(Handle::new).collect();
        for greenlet in &left {
            let block = greenlet.ptr();
            match block.state.get() {
                State::Unstarted => {
                    drop_body(thread, block);
                }
                // What others throw into the main greenlet has nobody left to go to.
                State::Active if block.exit_masked.get() > 0 => {}
                State::Active => {
                    contain(|| tell_to_exit(thread, block).unwrap_or_else(drop_payload));
                }
                State::Dead => {}
            }
        }
        // Dropping the handles must not do what the rounds do.
        for greenlet in left {
            let block = greenlet.ptr();
            if block.state.get() == State::Active && block.refs.get() == 1 {
                block.retain();
                keep_refused(thread, block);
            }
            contain(|| drop(greenlet));
        }
        contain(|| end_postponed(thread));
    }
    let mut refused = thread.refused.take();
    while let Some(block) = refused {
        refused = block.next.take();
        if block.state.get() == State::Dead {
            contain(|| drop(Handle::adopt(block)));
        }
    }
}

/// The greenlets of the thread that are not dead, without the main one.
fn living(thread: &Thread) -> Vec<Ptr> {
    let mut blocks = Vec::new();
    for top in thread.pool.in_use() {
        // SAFETY: who acquires a stack writes a block to its top at once.
        let block = unsafe { Ptr::new(top.cast().sub(1)) };
        if block.state.get() != State::Dead {
            blocks.push(block);
        }
    }
    blocks
}

/// Leaves what is suspended as it is, for good: what a greenlet that refuses to end has on its stack may be in use by
/// others. Says how many there are.
fn abandon_all(thread: &'static Thread) -> usize {
    if thread.living.get() == 0 && thread.current() == thread.main() {
        return 0;
    }
    let mut left = 0;
    let current = thread.current();
    for block in living(thread) {
        if block != current {
            // Never given back, whatever becomes of the handles.
            block.retain();
            block.expects.set(None);
            block.state.set(State::Dead);
            left += 1;
        }
    }
    thread.living.set(thread.living.get() - left);
    // They are held for good: what was to be done with them is not.
    thread.postponed.set(None);
    thread.refused.set(None);
    thread.attention.set(thread.attention.get() & !POSTPONED);
    if current != thread.main() {
        thread.main().expects.set(None);
        thread.closed.set(true);
    }
    left
}

fn say(left: usize, end: ThreadEnd) {
    static ONCE: Once = Once::new();
    // The program's logger may have thread-locals that are gone.
    contain(|| {
        match end {
        ThreadEnd::Unwind => log::error!(
            "{left} greenlets of an ended thread refuse to end: their stacks, and what is on them, are leaked"
        ),
        ThreadEnd::Abandon => ONCE.call_once(|| {
            log::warn!(
                "{left} greenlets were suspended when their thread ended: their stacks, and what is on them, are \
                 leaked, as the end of a thread is not seen in time here"
            );
        }),
    }
    });
}
