//! Deadline scopes of one greenthread: who is inside which `Timeout`, and which of them have elapsed.

use std::cell::{Cell, RefCell};
use std::panic::Location;

use hub_core::TimerKey;

/// Names one scope of one greenthread.
pub(crate) type ScopeId = u64;

#[derive(Debug)]
struct Scope {
    id: ScopeId,
    /// Where it was opened.
    place: &'static Location<'static>,
    timer: Option<TimerKey>,
}

/// The open scopes, outermost first, and the elapsed ones in the order in which they elapsed.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    next: Cell<ScopeId>,
    open: RefCell<Vec<Scope>>,
    elapsed: RefCell<Vec<ScopeId>>,
}

impl Scopes {
    pub(super) fn open(
        &self,
        place: &'static Location<'static>,
        timer: impl FnOnce(ScopeId) -> Option<TimerKey>,
    ) -> ScopeId {
        let id = self.next.get();
        self.next.set(id + 1);
        let timer = timer(id);
        self.open.borrow_mut().push(Scope { id, place, timer });
        id
    }

    pub(super) fn place(&self, id: ScopeId) -> Option<&'static Location<'static>> {
        let open = self.open.borrow();
        open.iter()
            .find(|scope| scope.id == id)
            .map(|scope| scope.place)
    }

    /// Ends a scope; its timer, if it has not fired, is the caller's to cancel.
    pub(super) fn close(&self, id: ScopeId) -> Option<TimerKey> {
        let mut open = self.open.borrow_mut();
        let at = open.iter().rposition(|scope| scope.id == id)?;
        let scope = open.remove(at);
        self.elapsed.borrow_mut().retain(|&other| other != id);
        scope.timer
    }

    /// Takes the deadline from an open scope, also if it has passed; its timer is the caller's to cancel.
    pub(super) fn disarm(&self, id: ScopeId) -> Option<TimerKey> {
        self.elapsed.borrow_mut().retain(|&other| other != id);
        let mut open = self.open.borrow_mut();
        open.iter_mut().rfind(|scope| scope.id == id)?.timer.take()
    }

    pub(super) fn arm(&self, id: ScopeId, timer: TimerKey) {
        let mut open = self.open.borrow_mut();
        if let Some(scope) = open.iter_mut().rfind(|scope| scope.id == id) {
            scope.timer = Some(timer);
        }
    }

    /// True if the scope has a deadline that has not passed.
    pub(super) fn is_armed(&self, id: ScopeId) -> bool {
        let open = self.open.borrow();
        open.iter()
            .any(|scope| scope.id == id && scope.timer.is_some())
    }

    /// Notes that a scope's deadline has passed. False if the scope is closed.
    pub(super) fn elapse(&self, id: ScopeId) -> bool {
        let mut open = self.open.borrow_mut();
        let Some(scope) = open.iter_mut().rfind(|scope| scope.id == id) else {
            return false;
        };
        scope.timer = None;
        self.elapsed.borrow_mut().push(id);
        true
    }

    /// The scope that elapsed first among those still open.
    pub(super) fn elapsed(&self) -> Option<ScopeId> {
        self.elapsed.borrow().first().copied()
    }
}
