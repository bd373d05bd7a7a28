//! Values as they come.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::graph::{Awaited, Graph};
use super::{Key, PropagateError};
use crate::greenthread::Exit;
use crate::greenthread::timeout::Elapsed;
use crate::runtime::{Reason, Runtime, Why};

/// Values of a [`DagPool`](super::DagPool) as they come: what a node is given of its inputs, and what
/// [`wait_each`](super::DagPool::wait_each) gives.
///
/// Those that are known already come first. While the thread unwinds nothing is waited for: the iteration then ends
/// before the first value that is not known.
///
/// ```
/// use green::dagpool::DagPool;
///
/// let pool = DagPool::from_iter([("a", 1), ("b", 2)]);
/// let values: Result<Vec<_>, _> = pool.wait_each(["b", "a"]).collect();
/// assert_eq!(values.unwrap(), [("b", 2), ("a", 1)]);
///
/// let mut values = pool.wait_each(["c"]); // Nobody makes that.
/// assert!(values.next_timeout(std::time::Duration::from_millis(1)).is_err());
/// ```
#[must_use = "an iterator of values waits for nothing until it is iterated"]
pub struct Values<K: 'static, V: 'static> {
    graph: Rc<Graph<K, V>>,
    watch: Rc<Awaited>,
}

impl<K: Key, V: Clone + 'static> Values<K, V> {
    pub(super) fn new(graph: &Rc<Graph<K, V>>, watch: Rc<Awaited>) -> Values<K, V> {
        let graph = Rc::clone(graph);
        Values { graph, watch }
    }

    /// As `next`, for at most `timeout`.
    ///
    /// # Errors
    /// [`Elapsed`] if no value is known by then.
    #[allow(clippy::type_complexity, reason = "it is next's type in a Result")]
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<(K, V), PropagateError<K>>>, Elapsed> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        match self.arrive(deadline) {
            Err(Why::Expired) => Err(Elapsed::new(timeout)),
            _ => Ok(self.take_known()),
        }
    }

    /// Waits until a value is there, or none will come.
    fn arrive(&self, deadline: Option<Instant>) -> Result<(), Why> {
        let watch = &self.watch;
        let reason = Reason::Primitive("a value of the DAG", Rc::as_ptr(&self.graph).addr());
        Runtime::with(|runtime| {
            runtime.spend();
            while watch.is_open() {
                let open = || watch.is_open();
                let ended = runtime.wait_while(&watch.waiters, reason, deadline, open);
                ended.served()?;
            }
            Ok(())
        })
    }

    fn take_known(&mut self) -> Option<Result<(K, V), PropagateError<K>>> {
        let id = self.watch.arrived.borrow_mut().pop_front()?;
        let outcome = self.graph.value(id)?;
        Some(outcome.map(|value| ((*self.graph.keys.get(id)).clone(), value)))
    }

    /// The value of the one key.
    pub(super) fn first(mut self) -> Result<V, PropagateError<K>> {
        if self.arrive(None).is_err() {
            return Err(self.unwinding());
        }
        match self.take_known() {
            Some(outcome) => outcome.map(|(_, value)| value),
            None => unreachable!("a value that has arrived is there"),
        }
    }

    /// All of them, or the first failure. `None` says that the deadline has passed.
    pub(super) fn collect_by(
        mut self,
        deadline: Option<Instant>,
    ) -> Option<Result<HashMap<K, V>, PropagateError<K>>> {
        let mut values = HashMap::new();
        loop {
            match self.arrive(deadline) {
                Err(Why::Expired) => return None,
                Err(_) => return Some(Err(self.unwinding())),
                Ok(()) => match self.take_known() {
                    Some(Ok((key, value))) => drop(values.insert(key, value)),
                    Some(Err(error)) => return Some(Err(error)),
                    None => return Some(Ok(values)),
                },
            }
        }
    }

    #[cold]
    fn unwinding(&self) -> PropagateError<K> {
        let Some(&id) = self.watch.pending.borrow().first() else {
            unreachable!("a wait for nothing");
        };
        let key = (*self.graph.keys.get(id)).clone();
        PropagateError::new(key, Rc::new(Exit::Unwinding))
    }

    pub(super) fn watch(&self) -> &Rc<Awaited> {
        &self.watch
    }
}

impl<K: Key, V: Clone + 'static> Iterator for Values<K, V> {
    type Item = Result<(K, V), PropagateError<K>>;

    fn next(&mut self) -> Option<Result<(K, V), PropagateError<K>>> {
        self.arrive(None).ok()?;
        self.take_known()
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Values<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = &self.graph.keys;
        let pending: Vec<_> = self.watch.pending.borrow().iter().copied().collect();
        let arrived: Vec<_> = self.watch.arrived.borrow().iter().copied().collect();
        f.debug_struct("Values")
            .field("pending", &keys.get_all(pending))
            .field("arrived", &keys.get_all(arrived))
            .finish()
    }
}
