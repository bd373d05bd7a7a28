//! A signal ends a wait; it is no error, and no report is lost

mod common;

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{on_each_hub, pair, write};
use hub_core::{Interest, Token, Trigger};

static CAUGHT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    CAUGHT.fetch_add(1, Ordering::SeqCst);
}

/// Installs a handler that does not restart system calls.
fn catch(signal: libc::c_int) {
    // SAFETY: an all-zero sigaction is valid: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as *const () as usize;
    // SAFETY: the handler only touches an atomic; `action` lives on this stack.
    let installed = unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
    assert_eq!(installed, 0);
}

#[test]
fn a_signal_is_no_error_and_time_is_kept() {
    catch(libc::SIGUSR1);
    on_each_hub(|make| {
        let mut hub = make().unwrap();
        let (near, far) = pair();
        hub.add(far.as_fd(), Token::from_raw(1), Trigger::Edge)
            .unwrap();
        hub.arm(far.as_fd(), Token::from_raw(1), Interest::READ)
            .unwrap();
        // SAFETY: it names the calling thread.
        let me = unsafe { libc::pthread_self() };
        let before = CAUGHT.load(Ordering::SeqCst);
        let (mut events, mut interrupted) = (Vec::new(), false);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..5 {
                    std::thread::sleep(Duration::from_millis(3));
                    // SAFETY: the thread lives until this scope ends.
                    assert_eq!(unsafe { libc::pthread_kill(me, libc::SIGUSR1) }, 0);
                }
            });
            let deadline = Instant::now() + Duration::from_millis(40);
            while let Some(rest) = deadline.checked_duration_since(Instant::now()) {
                hub.wait(Some(rest), &mut events).unwrap();
                assert_eq!(events, []);
                interrupted |= hub.was_interrupted();
            }
        });
        // Signals that come while one is pending are one.
        assert!(CAUGHT.load(Ordering::SeqCst) > before);
        assert!(interrupted, "it can be heard of");
        write(&near, "x");
        hub.wait(Some(Duration::from_secs(10)), &mut events)
            .unwrap();
        assert_eq!(events.len(), 1);
        assert!(!hub.was_interrupted());
    });
}
