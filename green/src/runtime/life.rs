//! A greenthread from its spawn to its end.

use std::io;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;

use super::{Runtime, State, Task, contain};

impl Runtime {
    /// Makes a greenthread that will run what `body` gives, on a stack of `stack_size` bytes. It must not unwind.
    #[inline]
    pub(crate) fn spawn<B>(
        &self,
        stack_size: Option<usize>,
        spawned_at: &'static Location<'static>,
        state: State,
        body: impl FnOnce(&Rc<Task>) -> B,
    ) -> io::Result<Rc<Task>>
    where
        B: FnOnce() + 'static,
    {
        if self.closed.get() {
            return Err(io::Error::other(
                "cannot spawn a greenthread: this thread is ending",
            ));
        }
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let task = self.make_task(id, spawned_at, state, self.last_turn.get());
        self.with_current(|spawner| {
            task.set_spawner(Some(spawner.id));
            task.set_member(spawner.member());
        });
        let mut builder = greenlet::Builder::new()
            .label("greenthread")
            .id(id)
            .location(spawned_at);
        #[cfg(feature = "thread-locals")]
        {
            builder = builder.own_thread_locals(super::own_locals::are_wanted());
        }
        if let Some(size) = stack_size {
            builder = builder.stack_size(size);
        }
        let body = body(&task);
        let greenlet = builder.build({
            let task = Rc::clone(&task);
            move |()| {
                body();
                Runtime::with(|runtime| runtime.finish(task));
            }
        })?;
        // Not the spawner: a parent's stack lives as long as its children, and the child may outlive it by far.
        let adopted = greenlet.set_parent(&self.main);
        debug_assert!(adopted.is_ok(), "the main greenlet has no ancestors");
        task.greenlet.set(Some(greenlet));
        task.key
            .set(self.tasks.borrow_mut().insert(Rc::clone(&task)));
        self.note_spawn(&task);
        if state == State::Fresh {
            self.run_queue.borrow_mut().push(Rc::clone(&task));
        }
        Ok(task)
    }

    /// As `spawn`, for a body that may unwind and whose end nobody waits for: nothing gets out of it.
    #[inline]
    pub(crate) fn spawn_detached(
        &self,
        stack_size: Option<usize>,
        spawned_at: &'static Location<'static>,
        state: State,
        f: impl FnOnce() + 'static,
    ) -> io::Result<Rc<Task>> {
        let body = move || {
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
                contain("the destructor of a panic's payload", || drop(payload));
            }
        };
        self.spawn(stack_size, spawned_at, state, |_| body)
    }

    /// Puts a delayed greenthread into the run queue. False if it is not waiting for that any more.
    pub(crate) fn start(&self, task: &Rc<Task>) -> bool {
        let delayed = task.state.get() == State::Delayed;
        if delayed {
            if let Some(extra) = task.has_extra() {
                extra.start.set(None);
            }
            task.state.set(State::Fresh);
            self.run_queue.borrow_mut().push_due(Rc::clone(task));
            self.note_wakeup(task);
        }
        delayed
    }

    /// Ends a greenthread that has never run: its closure is dropped, nothing of it is called.
    pub(crate) fn abandon(&self, task: &Rc<Task>) {
        let fresh = task.state.get() == State::Fresh;
        task.state.set(State::Dead);
        if fresh {
            self.run_queue.borrow_mut().remove(task);
        } else if let Some(timer) = task.extra().start.take() {
            self.cancel_timer(timer);
        }
        self.note_cancel(task);
        let greenlet = task.greenlet.take();
        contain("the destructor of a closure that never ran", || {
            drop(greenlet)
        });
        if let Some(extra) = task.has_extra() {
            extra.end(task);
        }
        self.bury(task);
    }

    /// The end of a greenthread's body, on its own stack: the next one takes over when its greenlet returns.
    fn finish(&self, task: Rc<Task>) {
        // What code of the user there is in the leavings runs now, while this still is a greenthread that may wait.
        if let Some(extra) = task.has_extra() {
            extra.end(&task);
        }
        #[cfg(feature = "thread-locals")]
        self.destroy_own_locals(&task);
        task.state.set(State::Dead);
        self.bury(&task);
        drop(task);
        if self.closed.get() {
            // One that had refused to end was unwound with its stack: who did that goes on.
            return;
        }
        let next = self.next();
        let greenlet = self.prepare(&next);
        if let Some(task) = self.current.replace(Some(next)) {
            self.keep_spare(&task);
        }
        if self.observed.get() {
            self.observe_start();
        }
        let Some(greenlet) = greenlet else {
            unreachable!("a greenthread in the run queue has no stack");
        };
        let adopted = greenlet::current().set_parent(greenlet.as_any());
        debug_assert!(
            adopted.is_ok(),
            "the next greenthread descends from this one"
        );
    }

    /// Takes a dead greenthread out of the registry. Who still waits for its end hears of it.
    fn bury(&self, task: &Rc<Task>) {
        let owned = self.tasks.borrow_mut().try_remove(task.leave_registry());
        drop(owned);
        task.tell_end();
    }
}
