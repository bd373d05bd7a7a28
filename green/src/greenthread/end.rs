//! The end of a greenthread: its result, and who is told.

use std::any::Any;
use std::collections::VecDeque;
use std::rc::Rc;

use super::Exit;
use crate::runtime::{Task, contain};

/// Names a link, for [`GreenThread::unlink`](crate::GreenThread::unlink).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId(pub(super) u64);

/// Who asked to be called at the end of a greenthread, in that order.
#[derive(Default)]
pub(crate) struct Links {
    pub(super) next: u64,
    pub(super) queue: VecDeque<(LinkId, Box<dyn FnOnce()>)>,
}

/// Sees to it that every greenthread has a result, also one that never runs.
pub(super) struct End(pub(super) Rc<Task>);

impl End {
    #[inline(always)]
    pub(super) fn deliver<T: 'static>(self, result: Result<T, Box<dyn Any + Send>>) {
        let result = match result {
            Ok(value) => Ok(Box::new(value) as Box<dyn Any>),
            Err(payload) => Err(Exit::of(payload)),
        };
        self.complete(result);
    }

    #[inline(always)]
    pub(super) fn complete(&self, result: Result<Box<dyn Any>, Exit>) {
        let task = &self.0;
        task.complete(result);
        if let Some(extra) = task.has_extra() {
            call_links(task);
            if let Some(waker) = extra.awaiter.take() {
                contain("the waker of a future", || waker.wake());
            }
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

/// Drops the links of a greenthread that will never end, uncalled.
pub(crate) fn drop_links(task: &Task) {
    if let Some(extra) = task.has_extra() {
        let links = extra.links.take();
        contain("the destructor of a link", || drop(links));
    }
}

#[cold]
fn call_links(task: &Task) {
    loop {
        // One at a time: a link may add or take away others.
        let link = task.extra().links.borrow_mut().queue.pop_front();
        match link {
            Some((_, link)) => contain("a link of a greenthread", link),
            None => return,
        }
    }
}
