//! The end of a thread.

use super::{Runtime, WaitList, contain};

/// Unwinds the thread's greenthreads when the thread ends.
pub(super) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        // The end of the main thread ends the process: what still waits is abandoned, as the process is.
        if !greenlet::is_main_thread() {
            contain("the end of a thread's greenthreads", || {
                Runtime::with(Runtime::close)
            });
        }
    }
}

impl Runtime {
    /// Unwinds every greenthread but the root, then lets go of the hub, its timers and its descriptors.
    fn close(&self) {
        let remote = self.remote.take();
        if let Some(remote) = &remote {
            remote.close();
        }
        // What was thrown at the root and not raised has nobody to reach any more.
        let root = self.root();
        root.masked.set(1);
        if let Some(extra) = root.has_extra() {
            extra.end(&root);
        }
        // Cleanup may spawn more, or wait under a mask, or swallow the kill: a bounded number of rounds.
        for _ in 0..1000 {
            let tasks = self.tasks();
            if tasks.len() <= 1 {
                break;
            }
            for task in &tasks[1..] {
                self.kill(task, None);
            }
            drop(tasks);
            self.yield_now();
        }
        self.drop_sent();
        self.closed.set(true);
        self.held.set(self.held.get() + 1);
        let refusing: Vec<_> = self.tasks.take().into_iter().skip(1).collect();
        if !refusing.is_empty() {
            refusing.iter().for_each(|(_, task)| task.drop_ends());
            log::error!(
                "{} greenthreads of an ended thread refuse to end; their stacks are abandoned",
                refusing.len()
            );
            std::mem::forget(refusing);
        }
        drop(self.run_queue.take());
        drop(self.remote_parks.take());
        self.end_rooms();
        #[cfg(feature = "hyper")]
        drop(self.scratch.take());
        drop(self.trampolines.take());
        self.watched.take();
        drop(self.lacking.replace(WaitList::new()));
        drop(self.woken.take());
        let reactor = self.reactor.take();
        drop(reactor);
        drop(self.current.take());
    }
}
