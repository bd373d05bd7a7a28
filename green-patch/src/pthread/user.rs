//! `setuid` and its kin, which change all threads of the process.
//!
//! The system changes one thread at a time. So libc sends a signal of its own to each, and waits until its handler has made
//! the call there and has said so in the description of its thread, which is found by the thread pointer. A greenthread has
//! another one: the handler is called with that of the OS thread.

use std::ffi::{c_int, c_ulong, c_void};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

use greenlet::thread_locals::on_host;

use crate::sys::sys;

/// The signal: the second that libc keeps for itself, and has nobody else handle.
const SIGNAL: c_int = 33;

/// The bytes of a set of signals.
const SET: usize = 8;

type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// What the system knows of a handler.
#[repr(C)]
struct Action {
    handler: usize,
    flags: c_ulong,
    restorer: usize,
    mask: u64,
}

/// libc's own handler, once ours is before it.
static THEIRS: AtomicUsize = AtomicUsize::new(0);

/// Puts our handler before that of libc, which has one once there is a second thread. To be called then.
pub(crate) fn answer_as_threads() {
    if THEIRS.load(Ordering::Acquire) != 0 {
        return;
    }
    let mut action = Action {
        handler: libc::SIG_DFL,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let none: *const Action = std::ptr::null();
    // SAFETY: room for what the system says.
    let said = unsafe { sys!(SYS_rt_sigaction, SIGNAL, none, &raw mut action, SET) };
    let is_theirs =
        ![libc::SIG_DFL, libc::SIG_IGN, answer as *const () as usize].contains(&action.handler);
    if said != 0 || !is_theirs {
        return;
    }
    // First, so that ours finds it.
    THEIRS.store(action.handler, Ordering::Release);
    action.handler = answer as *const () as usize;
    // SAFETY: ours takes the same arguments, and does what theirs does.
    unsafe { sys!(SYS_rt_sigaction, SIGNAL, &raw const action, none, SET) };
}

unsafe extern "C" fn answer(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let theirs = THEIRS.load(Ordering::Acquire);
    // SAFETY: libc's handler, with what the system has passed. It neither waits nor switches.
    on_host(&mut || unsafe { mem::transmute::<usize, Handler>(theirs)(signal, info, context) });
}
