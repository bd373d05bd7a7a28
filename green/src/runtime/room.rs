//! State that other parts of green keep here: in a thread's runtime, or in one greenthread.
//!
//! The runtime knows what is to be done with it at the end and after a fork, and nothing else of it.

use std::any::Any;
use std::rc::Rc;

use super::{Extra, Runtime, Task, contain};

/// State of one part of green in one thread.
pub(crate) trait ThreadState: Any {
    /// The thread ends, and no greenthread of it runs any more: lets go of everything.
    fn at_end(&self) {}

    /// In the child of a fork: what belongs to the parent is given up. If `alone`, only the calling greenthread goes on,
    /// and what belongs to the others is forgotten rather than dropped.
    fn after_fork(&self, _alone: bool) {}
}

/// State of one part of green in one greenthread.
pub(crate) trait TaskState: Any {
    /// The greenthread ends. It still can wait.
    fn at_end(&self, _task: &Task) {}
}

impl Runtime {
    /// The state of this type in this thread, made when it is first asked for.
    pub(crate) fn state<S: ThreadState + Default>(&self) -> Rc<S> {
        self.existing_state().unwrap_or_else(|| {
            let state = Rc::new(S::default());
            self.rooms.borrow_mut().push(state.clone());
            state
        })
    }

    /// As `state`, if anybody has asked for it before.
    pub(crate) fn existing_state<S: ThreadState>(&self) -> Option<Rc<S>> {
        let rooms = self.rooms.borrow();
        rooms.iter().find_map(|room| {
            let any: &dyn Any = &**room;
            any.is::<S>().then(|| downcast(room.clone()))
        })
    }

    /// Ends the state of every part, the last made as the first.
    pub(super) fn end_rooms(&self) {
        loop {
            let Some(room) = self.rooms.borrow_mut().pop() else {
                return;
            };
            contain("the end of a thread's state", || {
                room.at_end();
                drop(room);
            });
        }
    }

    /// Tells every part of a fork.
    pub(super) fn fork_rooms(&self, alone: bool) {
        let rooms = self.rooms.borrow().clone();
        for room in rooms {
            room.after_fork(alone);
        }
    }
}

impl Task {
    /// The state of this type in this greenthread, made when it is first asked for.
    pub(crate) fn state_of<S: TaskState + Default>(&self) -> Rc<S> {
        self.existing_state_of().unwrap_or_else(|| {
            let state = Rc::new(S::default());
            self.extra().rooms.borrow_mut().push(state.clone());
            state
        })
    }

    /// As `state_of`, if anybody has asked for it before.
    pub(crate) fn existing_state_of<S: TaskState>(&self) -> Option<Rc<S>> {
        let rooms = self.has_extra()?.rooms.borrow();
        rooms.iter().find_map(|room| {
            let any: &dyn Any = &**room;
            any.is::<S>().then(|| downcast(room.clone()))
        })
    }
}

impl Extra {
    /// The greenthread ends: code of the user that is in what it leaves behind runs here.
    pub(super) fn end(&self, task: &Task) {
        // They may make others of their kind, which keep what they have to the end of the greenthread's last trace.
        let rooms = self.rooms.borrow().clone();
        for room in rooms {
            room.at_end(task);
        }
        contain("the destructor of a kill's reason", || {
            drop(self.kill_reason.take());
        });
    }
}

fn downcast<S: 'static>(room: Rc<dyn Any>) -> Rc<S> {
    match room.downcast() {
        Ok(state) => state,
        Err(_) => unreachable!("its type was asked for just before"),
    }
}
