//! Greenthreads that wait for each other's values: a directed acyclic graph that runs itself.

mod error;
mod graph;
mod keys;
mod spawn;
mod values;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;
use std::time::Duration;

use crate::greenthread::AnyGreenThread;
use crate::runtime::Runtime;

pub use error::{Collision, NodeError, PropagateError};
use graph::Graph;
pub use values::Values;

/// Greenthreads by key, each of which is given the values of others as they come.
///
/// A node is a key, the keys on whose values it depends, and a function. The function starts at once in a greenthread of
/// its own; it iterates its inputs, which come in the order in which they become known, and returns the value of its
/// key. Values can also be posted from outside, so that nobody needs to know in advance where a value comes from.
///
/// A function that returns an error or panics has no value: whoever waits for it gets a [`PropagateError`] that names its
/// key and holds what went wrong. A node that passes this on (by `?`) fails in its turn, so that the last error names the
/// whole way.
///
/// Clones are handles of the same pool.
///
/// ```
/// use green::dagpool::DagPool;
///
/// let pool = DagPool::from_iter([("flour", 500), ("water", 350)]);
/// pool.spawn("dough", ["flour", "water"], |_, inputs| {
///     let mut weight = 0;
///     for input in inputs {
///         weight += input?.1;
///     }
///     Ok(weight)
/// })?;
/// pool.spawn("bread", ["dough"], |_, mut inputs| {
///     let (_, dough) = inputs.next().ok_or("no dough")??;
///     Ok(dough * 9 / 10)
/// })?;
/// assert_eq!(pool.wait_for(&"bread")?, 765);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Values from outside, and every way to wait:
///
/// ```
/// use std::time::Duration;
/// use green::dagpool::DagPool;
///
/// let pool = DagPool::new();
/// pool.spawn("sum", ["a", "b"], |_, inputs| {
///     inputs.map(|input| input.map(|(_, n)| n)).sum::<Result<i32, _>>().map_err(Into::into)
/// })?;
/// pool.spawn("bad", ["a"], |_, _| Err("no luck".into()))?;
/// assert_eq!((pool.running(), pool.waiting()), (2, 2));
/// assert_eq!(pool.waiting_for(&"bad"), ["a"].into());
/// assert!(pool.wait_timeout(["sum"], Duration::from_millis(1)).is_none());
///
/// pool.post("a", 1)?;
/// pool.replace("a", 2)?;
/// pool.post("b", 3)?;
/// assert_eq!(pool.wait(["sum", "a"])?, [("sum", 5), ("a", 2)].into());
/// assert_eq!(pool.wait_each(["sum"]).next().unwrap()?, ("sum", 5));
/// assert_eq!(pool.wait_each_success(["sum", "bad"]).count(), 1);
/// assert_eq!(pool.wait_each_exception(["sum", "bad"]).count(), 1);
/// assert!(pool.waitall().is_err()); // As "bad" has no value.
/// assert!(pool.get(&"bad").unwrap().is_err() && pool.get(&"c").is_none());
/// assert_eq!((pool.keys().len(), pool.items().len()), (4, 4));
///
/// pool.spawn("never", ["c"], |_, _| Ok(0))?;
/// assert_eq!(pool.running_keys(), ["never"]);
/// assert!(pool.kill(&"never"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DagPool<K: 'static, V: 'static> {
    graph: Rc<Graph<K, V>>,
}

/// The keys of a [`DagPool`]: any type that a hash map takes, that can be copied and shown.
///
/// ```
/// fn key<K: green::dagpool::Key>(_: K) {}
/// key("flour");
/// key((1, String::from("water")));
/// ```
pub trait Key: Eq + Hash + Clone + fmt::Debug + 'static {}

impl<K: Eq + Hash + Clone + fmt::Debug + 'static> Key for K {}

impl<K: Key, V: Clone + 'static> DagPool<K, V> {
    /// A pool without nodes and values.
    pub fn new() -> DagPool<K, V> {
        DagPool {
            graph: Graph::new(),
        }
    }

    /// Gives `key` its value.
    ///
    /// # Errors
    /// [`Collision`], with the value, if `key` has one, or a node that runs. (The node itself may post its value.)
    pub fn post(&self, key: K, value: V) -> Result<(), Collision<K, V>> {
        let id = self.graph.keys.number(&key);
        if self.graph.has_value(id) {
            return Err(Collision { key, value });
        }
        self.put(id, key, value)
    }

    /// As [`post`](DagPool::post), also if `key` has a value. Who has been given that one is not told.
    ///
    /// # Errors
    /// [`Collision`], with the value, if `key` has a node that runs, other than the caller.
    pub fn replace(&self, key: K, value: V) -> Result<(), Collision<K, V>> {
        let id = self.graph.keys.number(&key);
        self.put(id, key, value)
    }

    fn put(&self, id: usize, key: K, value: V) -> Result<(), Collision<K, V>> {
        if self.graph.is_foreign(id, &crate::current()) {
            return Err(Collision { key, value });
        }
        self.graph.store(id, Ok(value));
        Ok(())
    }

    /// The value of `key`, if it is known. Never waits.
    pub fn get(&self, key: &K) -> Option<Result<V, PropagateError<K>>> {
        self.graph.value(self.graph.keys.find(key)?)
    }

    /// Waits for the value of `key`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn wait_for(&self, key: &K) -> Result<V, PropagateError<K>> {
        self.wait_each([key.clone()]).first()
    }

    /// Waits for the values of some keys.
    ///
    /// # Errors
    /// The first that has none. While the thread unwinds nothing can be waited for: that is then the error of a key whose
    /// value is not known.
    pub fn wait(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<HashMap<K, V>, PropagateError<K>> {
        let values = self.wait_each(keys).collect_by(None);
        match values {
            Some(values) => values,
            None => unreachable!("a wait without a deadline has expired"),
        }
    }

    /// As [`wait`](DagPool::wait), for at most `timeout`. `None` says that not all values were known by then.
    pub fn wait_timeout(
        &self,
        keys: impl IntoIterator<Item = K>,
        timeout: Duration,
    ) -> Option<Result<HashMap<K, V>, PropagateError<K>>> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        self.wait_each(keys).collect_by(deadline)
    }

    /// Waits for all keys that have a value or a node at this time.
    ///
    /// # Errors
    /// As [`wait`](DagPool::wait).
    pub fn waitall(&self) -> Result<HashMap<K, V>, PropagateError<K>> {
        let keys: HashSet<K> = self.keys().into_iter().chain(self.running_keys()).collect();
        self.wait(keys)
    }

    /// The values of some keys, as they come.
    pub fn wait_each(&self, keys: impl IntoIterator<Item = K>) -> Values<K, V> {
        self.graph.watch(keys)
    }

    /// As [`wait_each`](DagPool::wait_each), without the failures.
    pub fn wait_each_success(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Iterator<Item = (K, V)> {
        self.graph.watch(keys).filter_map(Result::ok)
    }

    /// As [`wait_each`](DagPool::wait_each), only the failures.
    pub fn wait_each_exception(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Iterator<Item = PropagateError<K>> {
        self.graph.watch(keys).filter_map(Result::err)
    }

    /// The keys whose values are known, or known to fail.
    pub fn keys(&self) -> Vec<K> {
        self.graph.keys.clones(self.graph.with_value())
    }

    /// The keys whose values are known, with these.
    pub fn items(&self) -> Vec<(K, Result<V, PropagateError<K>>)> {
        let items = self.graph.with_value().into_iter().filter_map(|id| {
            let key = self.graph.keys.get(id);
            Some(((*key).clone(), self.graph.value(id)?))
        });
        items.collect()
    }

    /// How many nodes have not ended.
    pub fn running(&self) -> usize {
        self.graph.running().len()
    }

    /// The keys of the nodes that have not ended.
    pub fn running_keys(&self) -> Vec<K> {
        self.graph.keys.clones(self.graph.running())
    }

    /// How many nodes have inputs that are not known yet.
    pub fn waiting(&self) -> usize {
        self.graph.waiting().len()
    }

    /// The inputs of the node `key` that are not known yet; none if there is no such node.
    pub fn waiting_for(&self, key: &K) -> HashSet<K> {
        let id = self.graph.keys.find(key);
        let pending = id.map(|id| self.graph.pending(id)).unwrap_or_default();
        self.graph.keys.clones(pending).into_iter().collect()
    }

    /// Every node with inputs that are not known yet, and these. Nodes that wait for each other are easy to see in it.
    ///
    /// ```
    /// use std::collections::{HashMap, HashSet};
    /// use green::dagpool::DagPool;
    ///
    /// let pool: DagPool<&str, ()> = DagPool::new();
    /// pool.spawn_many([("a", ["b"]), ("b", ["a"])], |_, mut inputs| Ok(inputs.next().unwrap()?.1))?;
    /// let cycle = HashMap::from([("a", HashSet::from(["b"])), ("b", HashSet::from(["a"]))]);
    /// assert_eq!(pool.waiting_for_all(), cycle);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn waiting_for_all(&self) -> HashMap<K, HashSet<K>> {
        let keys = &self.graph.keys;
        let waiting = self.graph.waiting().into_iter().map(|(id, pending)| {
            let pending = keys.clones(pending).into_iter().collect();
            ((*keys.get(id)).clone(), pending)
        });
        waiting.collect()
    }

    /// Kills the node `key`. True if there was one.
    ///
    /// Its key has then neither node nor value: it may be spawned or posted anew, and who waits for it goes on waiting.
    pub fn kill(&self, key: &K) -> bool {
        let id = self.graph.keys.find(key);
        let task = id.and_then(|id| self.graph.remove(id));
        task.as_ref().map(AnyGreenThread::kill).is_some()
    }
}

impl<K: Key, V: Clone + 'static> Default for DagPool<K, V> {
    fn default() -> DagPool<K, V> {
        DagPool::new()
    }
}

/// A pool in which some values are known from the start.
impl<K: Key, V: Clone + 'static> FromIterator<(K, V)> for DagPool<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(values: I) -> DagPool<K, V> {
        let pool = DagPool::new();
        for (key, value) in values {
            pool.graph.store(pool.graph.keys.number(&key), Ok(value));
        }
        pool
    }
}

impl<K, V> Clone for DagPool<K, V> {
    fn clone(&self) -> DagPool<K, V> {
        DagPool {
            graph: Rc::clone(&self.graph),
        }
    }
}

impl<K: fmt::Debug, V> fmt::Debug for DagPool<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.graph.running().into_iter();
        let keys: Vec<_> = running.map(|id| self.graph.keys.get(id)).collect();
        f.debug_struct("DagPool")
            .field("values", &self.graph.with_value().len())
            .field("running", &keys)
            .finish()
    }
}
