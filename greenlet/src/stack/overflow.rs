//! What happens when a stack is too small: a report that names the greenlet, and an abort.
//!
//! A stack that overflows touches its guard, and the system sends SIGSEGV, or SIGBUS. The handler runs on a signal
//! stack of its own, as the other one is full. Faults elsewhere go to the handler that was there before.

use std::fmt::{self, Write};
use std::mem;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use super::memory;
use super::size::page;

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What was done about each of `SIGNALS` before.
static BEFORE: [OnceLock<libc::sigaction>; 2] = [const { OnceLock::new() }; 2];

/// Room for the handlers, this one and the one before, beside the frame that the system writes.
const ROOM: usize = 16 * 1024;

/// A greenlet whose stack is too small.
pub(crate) struct Overflowed {
    pub(crate) label: &'static str,
    pub(crate) id: u64,
    pub(crate) location: &'static Location<'static>,
    pub(crate) bytes: usize,
}

/// Says whose guard an address is in, if it is that of the running greenlet. Called by a signal handler.
type Find = fn(usize) -> Option<Overflowed>;

static FIND: OnceLock<Find> = OnceLock::new();

/// Installs the handler, once in a process.
pub(crate) fn install_handler(find: Find) {
    FIND.get_or_init(|| {
        for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
            // SAFETY: all zeros is a `sigaction`; the handler does only what a signal handler may.
            unsafe {
                let mut action: libc::sigaction = mem::zeroed();
                if libc::sigaction(signal, ptr::null(), &mut action) != 0
                    || before.set(action).is_err()
                {
                    continue;
                }
                action = mem::zeroed();
                action.sa_sigaction = handle as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&mut action.sa_mask);
                libc::sigaction(signal, &action, ptr::null_mut());
            }
        }
        find
    });
}

extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes a valid `info`.
    let address = unsafe { (*info).si_addr() }.addr();
    if let Some(overflowed) = FIND.get().and_then(|find| find(address)) {
        report(&overflowed);
    }
    let before = SIGNALS.iter().position(|&s| s == signal);
    if let Some(before) = before.and_then(|i| BEFORE[i].get()) {
        // SAFETY: what the system would have called, with what the system has passed.
        unsafe { pass_on(before, signal, info, context) };
    }
}

/// Runs in a signal handler: nothing here takes a lock or allocates.
fn report(overflowed: &Overflowed) -> ! {
    let mut text = Text {
        bytes: [0; 1024],
        len: 0,
    };
    let (file, line) = (overflowed.location.file(), overflowed.location.line());
    let _ = writeln!(
        text,
        "\n{} {} (spawned at {file}:{line}) has overflowed its {} KiB stack\n\
         it needs a larger one: ask for it where it is spawned, or set GREENLET_STACK_SIZE for all",
        overflowed.label,
        overflowed.id,
        overflowed.bytes / 1024,
    );
    // SAFETY: writes initialised bytes; both calls may be made in a signal handler.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.bytes.as_ptr().cast(), text.len);
        libc::abort()
    }
}

/// As much of what is written as fits.
struct Text {
    bytes: [u8; 1024],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let len = room.len().min(text.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

/// Does what was done before.
///
/// # Safety
/// `before` was the action for `signal`, and the other arguments are those of a handler.
unsafe fn pass_on(
    before: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the action says what kind of function it names; the calls may be made in a signal handler.
    unsafe {
        // Somebody has sent the signal: returning does not bring it again, as it does for a fault.
        let sent = (*info).si_code <= 0;
        match before.sa_sigaction {
            libc::SIG_IGN if sent => {}
            libc::SIG_DFL | libc::SIG_IGN => {
                let mut default: libc::sigaction = mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &default, ptr::null_mut());
                if sent {
                    libc::raise(signal);
                }
            }
            handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
                type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
                mem::transmute::<usize, Handler>(handler)(signal, info, context);
            }
            handler => mem::transmute::<usize, extern "C" fn(libc::c_int)>(handler)(signal),
        }
    }
}

/// A signal stack for the thread, where there is none or a smaller one.
#[derive(Debug)]
pub(crate) struct SignalStack {
    base: NonNull<u8>,
    bytes: usize,
    before: libc::stack_t,
}

impl SignalStack {
    /// Gives the calling thread a signal stack that is large enough, unless it has one. Also none if there is no memory:
    /// then an overflow ends the process without a report.
    pub(crate) fn install() -> Option<SignalStack> {
        let enough = frame() + ROOM;
        // SAFETY: all zeros is a `stack_t`; the call only asks.
        let before = unsafe {
            let mut before: libc::stack_t = mem::zeroed();
            if libc::sigaltstack(ptr::null(), &mut before) != 0 {
                return None;
            }
            before
        };
        if before.ss_flags & libc::SS_DISABLE == 0 && before.ss_size >= enough {
            return None;
        }
        let bytes = page() + enough.next_multiple_of(page());
        let base = memory::map(bytes).ok()?;
        // SAFETY: the lowest page of our own mapping guards the rest, which is used for nothing else.
        unsafe {
            let _ = memory::guard(&[(base, page())]);
            let stack = libc::stack_t {
                ss_sp: base.add(page()).as_ptr().cast(),
                ss_flags: 0,
                ss_size: bytes - page(),
            };
            if libc::sigaltstack(&stack, ptr::null_mut()) != 0 {
                memory::unmap(base, bytes);
                return None;
            }
        }
        Some(SignalStack {
            base,
            bytes,
            before,
        })
    }

    /// Puts the calling thread's signal stack back as it was, unless somebody else has done so, and frees ours.
    pub(crate) fn remove(self) {
        // SAFETY: all zeros is a `stack_t`; the stack before is put back only where nobody has replaced ours, and ours is
        // freed when no signal can use it any more.
        unsafe {
            let mut now: libc::stack_t = mem::zeroed();
            if libc::sigaltstack(ptr::null(), &mut now) != 0 {
                return;
            }
            let ours = self.base.add(page()).as_ptr().cast();
            let in_use = now.ss_flags & libc::SS_DISABLE == 0 && now.ss_sp == ours;
            if !in_use || libc::sigaltstack(&self.before, ptr::null_mut()) == 0 {
                memory::unmap(self.base, self.bytes);
            }
        }
    }
}

/// The bytes that the system writes to the signal stack before it calls the handler.
fn frame() -> usize {
    #[cfg(target_os = "linux")]
    {
        /// The processor's registers can need more than the constant says.
        const AT_MINSIGSTKSZ: libc::c_ulong = 51;
        // SAFETY: asks a number; 0 if it is not known.
        let bytes = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
        bytes.max(libc::MINSIGSTKSZ)
    }
    #[cfg(not(target_os = "linux"))]
    libc::MINSIGSTKSZ
}
