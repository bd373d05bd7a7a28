//! The end of a thread.

use greenlet::ThreadEnd;

use super::{Runtime, contain};

impl Runtime {
    /// What greenlet calls when the thread ends.
    pub(super) fn at_thread_end(end: ThreadEnd) {
        contain("the end of a thread's greenthreads", || {
            Runtime::with(|runtime| match end {
                ThreadEnd::Unwind => runtime.close(),
                // The process ends: what still waits is left as it is, and nothing waits any more.
                ThreadEnd::Abandon => runtime.refuse_switches(),
            });
        });
    }

    fn refuse_switches(&self) {
        self.closed.set(true);
        self.held.set(self.held.get() + 1);
    }

    /// Unwinds every greenthread but the root, then lets go of the hub, its timers and its descriptors. What comes later
    /// in this thread finds it ended.
    pub(crate) fn close(&self) {
        if self.closed.get() {
            return;
        }
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
        self.refuse_switches();
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
        self.watched.take();
        drop(self.woken.take());
        drop(self.spare.take());
        let reactor = self.reactor.take();
        drop(reactor);
        drop(self.current.take());
    }
}
