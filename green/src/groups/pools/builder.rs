//! How pools are made.

use std::collections::VecDeque;
use std::rc::Rc;

use super::resources::Core;
use super::{Pool, TryPool};

/// A pool to be: how many resources, and in which order they are used. Made by [`Pool::builder`].
///
/// ```
/// use green::pools::Pool;
///
/// let pool = Pool::builder().min(1).max(2).stack_order().create(String::new);
/// assert_eq!(pool.free(), 2);
///
/// let refused = Pool::builder().min(1).try_create(|| Err::<String, _>("no more"));
/// assert_eq!(refused.unwrap_err(), "no more");
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Builder {
    min: usize,
    max: usize,
    stack_order: bool,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            min: 0,
            max: 4,
            stack_order: false,
        }
    }

    /// Makes so many resources at once, and not more than the pool may have. Default: none.
    pub fn min(mut self, min: usize) -> Builder {
        self.min = min;
        self
    }

    /// Sets how many resources there may be. Default: 4.
    pub fn max(mut self, max: usize) -> Builder {
        self.max = max;
        self
    }

    /// Uses the resource first that came back last, so that some stay idle when there is little to do. Default: the one
    /// that came back first, so that all are used alike.
    pub fn stack_order(mut self) -> Builder {
        self.stack_order = true;
        self
    }

    /// The pool whose resources `create` makes. `create` may wait.
    pub fn create<T: 'static>(self, create: impl Fn() -> T + 'static) -> Pool<T> {
        match self.try_create(move || Ok(create())) {
            Ok(inner) => Pool { inner },
        }
    }

    /// The pool whose resources `create` makes, if it can. `create` may wait.
    ///
    /// # Errors
    /// Of `create`, for one of the [`min`](Builder::min) first resources.
    pub fn try_create<T: 'static, E: 'static>(
        self,
        create: impl Fn() -> Result<T, E> + 'static,
    ) -> Result<TryPool<T, E>, E> {
        let first = self.min.min(self.max);
        let idle: VecDeque<T> = (0..first).map(|_| create()).collect::<Result<_, E>>()?;
        let core = Core::new(Box::new(create), self.stack_order, self.max, idle);
        Ok(TryPool {
            core: Rc::new(core),
        })
    }
}
