//! Deadline scopes of one greenthread: who is inside which `Timeout`, and which of them have elapsed.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::time::Instant;

use hub_core::TimerKey;

/// Names one scope of one greenthread.
pub(crate) type ScopeId = u64;

#[derive(Debug)]
struct Scope {
    id: ScopeId,
    /// Where it was opened.
    place: &'static Location<'static>,
    due: Due,
}

/// When a scope elapses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// It has no deadline, or that has passed.
    Never,
    /// The greenthread has not waited since: a scope that ends before it does needs no timer.
    At(Instant),
    Armed(TimerKey),
}

impl Due {
    fn timer(self) -> Option<TimerKey> {
        match self {
            Due::Armed(timer) => Some(timer),
            Due::Never | Due::At(_) => None,
        }
    }
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
        deadline: Option<Instant>,
    ) -> ScopeId {
        let id = self.next.get();
        self.next.set(id + 1);
        let due = deadline.map_or(Due::Never, Due::At);
        self.open.borrow_mut().push(Scope { id, place, due });
        id
    }

    pub(super) fn place(&self, id: ScopeId) -> Option<&'static Location<'static>> {
        let open = self.open.borrow();
        open.iter()
            .find(|scope| scope.id == id)
            .map(|scope| scope.place)
    }

    /// Gives each deadline that has no timer the one that `add` makes for it, outermost first.
    pub(super) fn arm_all(&self, mut add: impl FnMut(ScopeId, Instant) -> TimerKey) {
        for scope in &mut *self.open.borrow_mut() {
            if let Due::At(deadline) = scope.due {
                scope.due = Due::Armed(add(scope.id, deadline));
            }
        }
    }

    /// Ends a scope; its timer, if it has not fired, is the caller's to cancel.
    pub(super) fn close(&self, id: ScopeId) -> Option<TimerKey> {
        let mut open = self.open.borrow_mut();
        let at = open.iter().rposition(|scope| scope.id == id)?;
        let scope = open.remove(at);
        self.elapsed.borrow_mut().retain(|&other| other != id);
        scope.due.timer()
    }

    /// Takes the deadline from an open scope, also if it has passed; its timer is the caller's to cancel.
    pub(super) fn disarm(&self, id: ScopeId) -> Option<TimerKey> {
        self.elapsed.borrow_mut().retain(|&other| other != id);
        let mut open = self.open.borrow_mut();
        let scope = open.iter_mut().rfind(|scope| scope.id == id)?;
        std::mem::replace(&mut scope.due, Due::Never).timer()
    }

    pub(super) fn arm(&self, id: ScopeId, timer: TimerKey) {
        let mut open = self.open.borrow_mut();
        if let Some(scope) = open.iter_mut().rfind(|scope| scope.id == id) {
            scope.due = Due::Armed(timer);
        }
    }

    /// True if the scope has a deadline that has not passed.
    pub(super) fn is_pending(&self, id: ScopeId) -> bool {
        let open = self.open.borrow();
        open.iter()
            .any(|scope| scope.id == id && scope.due != Due::Never)
    }

    /// Notes that a scope's deadline has passed. False if the scope is closed.
    pub(super) fn elapse(&self, id: ScopeId) -> bool {
        let mut open = self.open.borrow_mut();
        let Some(scope) = open.iter_mut().rfind(|scope| scope.id == id) else {
            return false;
        };
        scope.due = Due::Never;
        self.elapsed.borrow_mut().push(id);
        true
    }

    /// The scope that elapsed first among those still open.
    pub(super) fn elapsed(&self) -> Option<ScopeId> {
        self.elapsed.borrow().first().copied()
    }
}
