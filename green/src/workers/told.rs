//! What a worker was told: to stop, and by when; and the servers that it drains then.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Flag;
use crate::runtime::{Alarm, Runtime, ThreadState};
use crate::server::{Lifecycle, ServerState};

/// How long a worker that serves something may take, once its drain has killed the connections that were left.
const LAST: Duration = Duration::from_secs(1);

/// The state of a worker's thread.
#[derive(Default)]
pub(super) struct Told {
    stopping: Flag,
    deadline: Cell<Option<Instant>>,
    lives: RefCell<Vec<Lifecycle>>,
}

impl ThreadState for Told {
    fn at_end(&self) {
        drop(self.lives.take());
    }
}

impl Told {
    pub(super) fn of_thread() -> Rc<Told> {
        Runtime::with(Runtime::state)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_set()
    }

    pub(super) fn wait(&self) -> bool {
        self.stopping.wait()
    }

    /// Has a stop drain it.
    pub(super) fn add(&self, life: &Lifecycle) {
        let mut lives = self.lives.borrow_mut();
        lives.retain(|life| life.state() != ServerState::Stopped);
        lives.push(life.clone());
        drop(lives);
        if self.is_stopping() {
            life.drain_soon(self.deadline.get());
        }
    }

    /// All workers stop; after `deadline` what has not ended is killed. It does not wait, and a later call can only
    /// bring the deadline forward.
    pub(super) fn tell(&self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
        self.stopping.set();
        let lives = self.lives.borrow().clone();
        for life in &lives {
            life.drain_soon(deadline);
        }
        let Some(deadline) = deadline else {
            return;
        };
        let last = match lives.is_empty() {
            true => deadline,
            false => deadline.checked_add(LAST).unwrap_or(deadline),
        };
        Runtime::with(|runtime| match last <= runtime.now() {
            true => kill_root(runtime),
            false => {
                let kill = Alarm::start(runtime.root(), || Runtime::with(kill_root));
                runtime.add_timer(last, kill);
            }
        });
    }
}

fn kill_root(runtime: &Runtime) {
    runtime.kill_soon(&runtime.root(), None);
}
