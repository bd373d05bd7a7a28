//! The scopes that a greenthread is in.

use std::cell::RefCell;
use std::rc::Rc;

use super::children::Children;
use crate::runtime::{Runtime, TaskState};

/// The scopes that a greenthread has opened and not left.
#[derive(Default)]
struct Open(RefCell<Vec<Rc<Children>>>);

impl TaskState for Open {}

/// True if others may use what is on the current greenthread's stack.
pub(crate) fn is_lending() -> bool {
    let task = Runtime::with(Runtime::current);
    let open = task.existing_state_of::<Open>();
    open.is_some_and(|open| open.0.borrow().iter().any(|children| children.any_left()))
}

/// The calling greenthread has a scope open.
pub(super) struct Opened {
    open: Rc<Open>,
    children: Rc<Children>,
}

impl Opened {
    pub(super) fn new(children: &Rc<Children>) -> Opened {
        let parent = Runtime::with(|runtime| {
            if !runtime.cannot_switch() {
                // The hub is made here and now, where a panic that says why it cannot be had does no harm.
                runtime.reactor(|_| ());
            }
            runtime.current()
        });
        let children = Rc::clone(children);
        let open = parent.state_of::<Open>();
        open.0.borrow_mut().push(Rc::clone(&children));
        Opened { open, children }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut open = self.open.0.borrow_mut();
        open.retain(|children| !Rc::ptr_eq(children, &self.children));
    }
}
