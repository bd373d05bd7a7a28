//! The end of a greenthread: its result, and who is told.

use std::any::Any;
use std::rc::Rc;

use crate::runtime::{Exit, Place, Task, contain};

/// Names a link, for [`GreenThread::unlink`](crate::GreenThread::unlink).
///
/// ```
/// let gt = green::spawn(|| 1);
/// let link = gt.link(|_| unreachable!());
/// assert!(gt.unlink(link));
/// assert!(!gt.unlink(link));
/// gt.join().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId(pub(super) Option<Place>);

/// Sees to it that every greenthread has a result, also one that never runs.
pub(super) struct End(pub(super) Rc<Task>);

impl End {
    #[inline(always)]
    pub(super) fn deliver<T: 'static>(self, result: Result<T, Box<dyn Any + Send>>) {
        match result {
            Ok(value) => self.complete(Ok(Box::new(value) as Box<dyn Any>)),
            Err(payload) => self.complete_unwound(payload),
        }
    }

    #[cold]
    #[inline(never)]
    fn complete_unwound(&self, payload: Box<dyn Any + Send>) {
        self.complete(Err(Exit::of(payload)));
    }

    #[inline(always)]
    pub(super) fn complete(&self, result: Result<Box<dyn Any>, Exit>) {
        let task = &self.0;
        match result {
            Ok(value) if task.is_cut() => complete_cut(task, value),
            result => task.complete(result),
        }
        if task.is_detached() {
            drop_result(task);
        }
    }
}

impl Drop for End {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_complete() {
            let exit = match self.0.is_killed() {
                true => Exit::Killed(self.0.kill_reason()),
                false => Exit::Cancelled,
            };
            self.complete(Err(exit));
        }
    }
}

/// What a greenthread has returned whose kill or deadline has cut short a call is not what it was for.
#[cold]
#[inline(never)]
fn complete_cut(task: &Rc<Task>, value: Box<dyn Any>) {
    contain(
        "the destructor of what a greenthread returned that was cut short",
        || drop(value),
    );
    task.complete(Err(task.exit_by_cut()));
}

/// Drops a result that nobody can take, here and not wherever the last trace of the greenthread goes: it may be code of
/// the user, and wait.
#[inline]
pub(super) fn drop_result(task: &Task) {
    if task.result.borrow().is_some() {
        drop_untaken(task);
    }
}

#[cold]
fn drop_untaken(task: &Task) {
    let result = task.result.borrow_mut().take();
    if result.is_some() {
        contain("the destructor of a result that nobody took", || {
            drop(result)
        });
    }
}
