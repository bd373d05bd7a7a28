//! What changes the user of all threads, while those run greenthreads that have thread-locals of their own.

use std::sync::mpsc::{self, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::{ms, patched};

/// Ends the process if the test hangs: nothing else could end a call of libc.
fn bounded(test: impl FnOnce()) {
    let (done, watched) = channel::<()>();
    thread::spawn(move || {
        if watched.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            // Not by a macro, whose output the test's harness would keep.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), b"setgid hangs\n");
            std::process::abort();
        }
    });
    test();
    drop(done);
}

/// Changes nothing, in all threads.
fn set_group() {
    // SAFETY: numbers.
    assert_eq!(unsafe { libc::setgid(libc::getgid()) }, 0);
}

#[test]
fn all_threads_answer_whatever_greenthreads_they_run() {
    patched();
    bounded(|| {
        let (runs, running) = mpsc::channel();
        let others: Vec<_> = (0..2)
            .map(|number| {
                let runs = runs.clone();
                let (end, ended) = mpsc::channel::<()>();
                let thread = thread::spawn(move || {
                    let greenthread = green::spawn(move || {
                        runs.send(()).unwrap();
                        // One waits in the hub, the other never does.
                        while number == 1 && ended.try_recv() == Err(mpsc::TryRecvError::Empty) {
                            std::hint::spin_loop();
                        }
                        while ended.recv().is_ok() {}
                    });
                    greenthread.join().unwrap();
                });
                (end, thread)
            })
            .collect();
        for _ in &others {
            running.recv().unwrap();
        }
        green::sleep(ms(1));
        for _ in 0..20 {
            set_group();
            green::spawn(set_group).join().unwrap();
        }
        for (end, thread) in others {
            drop(end);
            thread.join().unwrap();
        }
    });
}
