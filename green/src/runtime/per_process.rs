//! State of the whole process that a child of `fork` must not share.

use std::sync::OnceLock;

use greenlet::os::fork_count;

/// A static that starts anew in a child after `fork`.
///
/// Another thread of the parent may have held a lock inside it at the moment of the fork, and in the child nobody
/// would ever release that. So the child leaves it alone for ever and uses the next of a chain.
pub(crate) struct PerProcess<T: 'static> {
    first: Link<T>,
}

struct Link<T: 'static> {
    value: OnceLock<T>,
    next: OnceLock<&'static Link<T>>,
}

impl<T> Link<T> {
    const fn new() -> Link<T> {
        Link {
            value: OnceLock::new(),
            next: OnceLock::new(),
        }
    }
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess { first: Link::new() }
    }

    /// This process' own value, made by `init` on first use.
    pub(crate) fn get(&'static self, init: impl FnOnce() -> T) -> &'static T {
        let mut link = &self.first;
        for _ in 0..fork_count() {
            link = link.next.get_or_init(|| Box::leak(Box::new(Link::new())));
        }
        link.value.get_or_init(init)
    }
}
