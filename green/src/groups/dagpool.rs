//! Greenthreads that wait for each other's values: a directed acyclic graph that runs itself.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::error::Error;
use std::fmt;
use std::hash::Hash;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::greenthread::timeout::Elapsed;
use crate::greenthread::{AnyGreenThread, Builder, Exit, expect};
use crate::runtime::{Reason, Runtime, State, WaitList, Why, is_control};

/// What a node may fail with.
pub type NodeError = Box<dyn Error>;

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
pub struct DagPool<K: 'static, V: 'static> {
    dag: Rc<Dag<K, V>>,
}

type Outcome<K, V> = Result<V, PropagateError<K>>;

struct Dag<K: 'static, V: 'static> {
    values: RefCell<HashMap<K, Rc<Outcome<K, V>>>>,
    nodes: RefCell<HashMap<K, Node<K>>>,
    /// Who waits for which key, some of them not any more.
    watched: RefCell<HashMap<K, Vec<Weak<Watch<K>>>>>,
    next_id: Cell<u64>,
}

/// A node whose function has not ended.
struct Node<K> {
    /// Tells it from a later one of the same key.
    id: u64,
    task: AnyGreenThread,
    inputs: Rc<Watch<K>>,
}

/// Some keys as one iteration sees them.
struct Watch<K> {
    /// Without a value yet.
    pending: RefCell<HashSet<K>>,
    /// With a value, and not given out yet.
    arrived: RefCell<VecDeque<K>>,
    waiters: RefCell<WaitList>,
}

impl<K: Key, V: Clone + 'static> Dag<K, V> {
    fn watch(self: &Rc<Self>, keys: impl IntoIterator<Item = K>) -> Values<K, V> {
        let watch = Rc::new(Watch {
            pending: RefCell::new(HashSet::new()),
            arrived: RefCell::new(VecDeque::new()),
            waiters: RefCell::new(WaitList::new()),
        });
        let mut seen = HashSet::new();
        for key in keys {
            if !seen.insert(key.clone()) {
                continue;
            }
            if self.values.borrow().contains_key(&key) {
                watch.arrived.borrow_mut().push_back(key);
            } else {
                watch.pending.borrow_mut().insert(key.clone());
                let mut watched = self.watched.borrow_mut();
                let watches = watched.entry(key).or_default();
                watches.retain(|other| other.strong_count() > 0);
                watches.push(Rc::downgrade(&watch));
            }
        }
        Values {
            dag: Rc::clone(self),
            watch,
        }
    }

    fn store(&self, key: K, outcome: Outcome<K, V>) {
        let before = self
            .values
            .borrow_mut()
            .insert(key.clone(), Rc::new(outcome));
        drop(before);
        let watches = self.watched.borrow_mut().remove(&key).unwrap_or_default();
        for watch in watches.iter().filter_map(Weak::upgrade) {
            watch.pending.borrow_mut().remove(&key);
            watch.arrived.borrow_mut().push_back(key.clone());
            watch.waiters.borrow_mut().wake_all();
        }
    }

    fn value(&self, key: &K) -> Option<Outcome<K, V>> {
        let outcome = self.values.borrow().get(key).cloned()?;
        Some((*outcome).clone())
    }

    /// Takes a node out whose function ends.
    fn leave(&self, key: &K, id: u64) {
        let mut nodes = self.nodes.borrow_mut();
        let node = match nodes.get(key) {
            Some(node) if node.id == id => nodes.remove(key),
            _ => None,
        };
        drop(nodes);
        drop(node);
    }

    fn is_known(&self, key: &K) -> bool {
        self.values.borrow().contains_key(key) || self.nodes.borrow().contains_key(key)
    }
}

/// The keys of a [`DagPool`]: any type that a hash map takes, that can be copied and shown.
pub trait Key: Eq + Hash + Clone + fmt::Debug + 'static {}

impl<K: Eq + Hash + Clone + fmt::Debug + 'static> Key for K {}

/// Owned by a node's closure, so that the node is gone however that ends, also if it never runs.
struct Leave<K: Key, V: Clone + 'static> {
    dag: Rc<Dag<K, V>>,
    key: K,
    id: u64,
}

impl<K: Key, V: Clone + 'static> Drop for Leave<K, V> {
    fn drop(&mut self) {
        self.dag.leave(&self.key, self.id);
    }
}

impl<K: Key, V: Clone + 'static> DagPool<K, V> {
    /// A pool without nodes and values.
    pub fn new() -> DagPool<K, V> {
        DagPool {
            dag: Rc::new(Dag {
                values: RefCell::new(HashMap::new()),
                nodes: RefCell::new(HashMap::new()),
                watched: RefCell::new(HashMap::new()),
                next_id: Cell::new(0),
            }),
        }
    }

    /// Starts the node `key`. `f` is given the key, and the values on which it depends.
    ///
    /// A value that `f` [posts](DagPool::post) for its own key is the key's value; what it returns is then dropped.
    ///
    /// # Errors
    /// [`Collision`] if there is a node or a value of this key already.
    #[track_caller]
    pub fn spawn<F>(
        &self,
        key: K,
        depends: impl IntoIterator<Item = K>,
        f: F,
    ) -> Result<(), Collision<K>>
    where
        F: FnOnce(&K, Values<K, V>) -> Result<V, NodeError> + 'static,
    {
        if self.dag.is_known(&key) {
            return Err(Collision { key, value: () });
        }
        let inputs = self.dag.watch(depends);
        let watch = Rc::clone(&inputs.watch);
        let id = self.dag.next_id.get();
        self.dag.next_id.set(id + 1);
        let leave = Leave {
            dag: Rc::clone(&self.dag),
            key: key.clone(),
            id,
        };
        let body = move || {
            let (dag, key) = (&leave.dag, &leave.key);
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| f(key, inputs)));
            dag.leave(key, id);
            let outcome = match outcome {
                Ok(outcome) => outcome.map_err(Rc::from),
                Err(payload) if is_control(&*payload) => panic::resume_unwind(payload),
                Err(payload) => Err(Rc::new(Exit::of(payload)) as Rc<dyn Error>),
            };
            if !dag.is_known(key) {
                let key = key.clone();
                let outcome = outcome.map_err(|cause| PropagateError {
                    key: key.clone(),
                    cause,
                });
                dag.store(key, outcome);
            }
        };
        let node = expect(Builder::new().make(Location::caller(), State::Fresh, body));
        let node = Node {
            id,
            task: node.as_any().clone(),
            inputs: watch,
        };
        self.dag.nodes.borrow_mut().insert(key, node);
        Ok(())
    }

    /// Starts a node with the same function for each key, given with the keys on which it depends.
    ///
    /// # Errors
    /// [`Collision`] if there is a node or a value of one of these keys already. None is started then.
    ///
    /// ```
    /// use green::dagpool::DagPool;
    ///
    /// let pool = DagPool::new();
    /// let depends = [("d", vec!["b", "c"]), ("b", vec!["a"]), ("c", vec!["a"]), ("a", vec![])];
    /// pool.spawn_many(depends, |_, inputs| {
    ///     let depths: Result<Vec<u32>, _> = inputs.map(|input| Ok(input?.1)).collect();
    ///     depths.map(|depths| depths.into_iter().max().map_or(0, |depth| depth + 1))
    /// })?;
    /// assert_eq!(pool.wait_for(&"d")?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn spawn_many<D, F>(
        &self,
        depends: impl IntoIterator<Item = (K, D)>,
        f: F,
    ) -> Result<(), Collision<K>>
    where
        D: IntoIterator<Item = K>,
        F: Fn(&K, Values<K, V>) -> Result<V, NodeError> + 'static,
    {
        let depends: Vec<_> = depends.into_iter().collect();
        let mut seen = HashSet::new();
        for (key, _) in &depends {
            if self.dag.is_known(key) || !seen.insert(key) {
                let key = key.clone();
                return Err(Collision { key, value: () });
            }
        }
        let f = Rc::new(f);
        for (key, depends) in depends {
            let f = Rc::clone(&f);
            self.spawn(key, depends, move |key, inputs| f(key, inputs))?;
        }
        Ok(())
    }

    /// Gives `key` its value.
    ///
    /// # Errors
    /// [`Collision`], with the value, if `key` has one, or a node that runs. (The node itself may post its value.)
    pub fn post(&self, key: K, value: V) -> Result<(), Collision<K, V>> {
        if self.dag.values.borrow().contains_key(&key) {
            return Err(Collision { key, value });
        }
        self.replace(key, value)
    }

    /// As [`post`](DagPool::post), also if `key` has a value. Who has been given that one is not told.
    ///
    /// # Errors
    /// [`Collision`], with the value, if `key` has a node that runs, other than the caller.
    pub fn replace(&self, key: K, value: V) -> Result<(), Collision<K, V>> {
        let current = crate::current();
        let foreign =
            matches!(self.dag.nodes.borrow().get(&key), Some(node) if node.task != current);
        if foreign {
            return Err(Collision { key, value });
        }
        self.dag.store(key, Ok(value));
        Ok(())
    }

    /// The value of `key`, if it is known. Never waits.
    pub fn get(&self, key: &K) -> Option<Result<V, PropagateError<K>>> {
        self.dag.value(key)
    }

    /// Waits for the value of `key`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn wait_for(&self, key: &K) -> Result<V, PropagateError<K>> {
        let mut values = self.wait([key.clone()])?;
        match values.remove(key) {
            Some(value) => Ok(value),
            None => unreachable!("wait gives a value for each key, or an error"),
        }
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
        self.dag.watch(keys)
    }

    /// As [`wait_each`](DagPool::wait_each), without the failures.
    pub fn wait_each_success(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Iterator<Item = (K, V)> {
        self.dag.watch(keys).filter_map(Result::ok)
    }

    /// As [`wait_each`](DagPool::wait_each), only the failures.
    pub fn wait_each_exception(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Iterator<Item = PropagateError<K>> {
        self.dag.watch(keys).filter_map(Result::err)
    }

    /// The keys whose values are known, or known to fail.
    pub fn keys(&self) -> Vec<K> {
        self.dag.values.borrow().keys().cloned().collect()
    }

    /// The keys whose values are known, with these.
    pub fn items(&self) -> Vec<(K, Result<V, PropagateError<K>>)> {
        let keys = self.keys();
        let items = keys
            .into_iter()
            .filter_map(|key| Some((key.clone(), self.dag.value(&key)?)));
        items.collect()
    }

    /// How many nodes have not ended.
    pub fn running(&self) -> usize {
        self.dag.nodes.borrow().len()
    }

    /// The keys of the nodes that have not ended.
    pub fn running_keys(&self) -> Vec<K> {
        self.dag.nodes.borrow().keys().cloned().collect()
    }

    /// How many nodes have inputs that are not known yet.
    pub fn waiting(&self) -> usize {
        self.waiting_for_all().len()
    }

    /// The inputs of the node `key` that are not known yet; none if there is no such node.
    pub fn waiting_for(&self, key: &K) -> HashSet<K> {
        match self.dag.nodes.borrow().get(key) {
            Some(node) => node.inputs.pending.borrow().clone(),
            None => HashSet::new(),
        }
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
        let nodes = self.dag.nodes.borrow();
        let pending = nodes
            .iter()
            .map(|(key, node)| (key.clone(), node.inputs.pending.borrow().clone()));
        pending.filter(|(_, pending)| !pending.is_empty()).collect()
    }

    /// Kills the node `key`. True if there was one.
    ///
    /// Its key has then neither node nor value: it may be spawned or posted anew, and who waits for it goes on waiting.
    pub fn kill(&self, key: &K) -> bool {
        let node = self.dag.nodes.borrow_mut().remove(key);
        match node {
            Some(node) => {
                node.task.kill();
                true
            }
            None => false,
        }
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
            pool.dag.store(key, Ok(value));
        }
        pool
    }
}

impl<K, V> Clone for DagPool<K, V> {
    fn clone(&self) -> DagPool<K, V> {
        DagPool {
            dag: Rc::clone(&self.dag),
        }
    }
}

impl<K: fmt::Debug, V> fmt::Debug for DagPool<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self
            .dag
            .nodes
            .borrow()
            .keys()
            .map(|key| format!("{key:?}"))
            .collect();
        f.debug_struct("DagPool")
            .field("values", &self.dag.values.borrow().len())
            .field("running", &keys)
            .finish()
    }
}

/// Values of a [`DagPool`] as they come: what a node is given of its inputs, and what
/// [`wait_each`](DagPool::wait_each) gives.
///
/// Those that are known already come first. While the thread unwinds nothing is waited for: the iteration then ends
/// before the first value that is not known.
#[must_use = "an iterator of values waits for nothing until it is iterated"]
pub struct Values<K: 'static, V: 'static> {
    dag: Rc<Dag<K, V>>,
    watch: Rc<Watch<K>>,
}

impl<K: Key, V: Clone + 'static> Values<K, V> {
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
        while watch.arrived.borrow().is_empty() && !watch.pending.borrow().is_empty() {
            let reason =
                Reason::Primitive("a value of the DAG", std::ptr::from_ref(&*self.dag).addr());
            let ended = Runtime::with(|runtime| runtime.wait_in(&watch.waiters, reason, deadline));
            if let Err(why @ (Why::Expired | Why::Unwinding)) = ended.served() {
                return Err(why);
            }
        }
        Ok(())
    }

    fn take_known(&mut self) -> Option<Result<(K, V), PropagateError<K>>> {
        let key = self.watch.arrived.borrow_mut().pop_front()?;
        let outcome = self.dag.value(&key)?;
        Some(outcome.map(|value| (key, value)))
    }

    /// All of them, or the first failure. `None` says that the deadline has passed.
    fn collect_by(
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
        let Some(key) = self.watch.pending.borrow().iter().next().cloned() else {
            unreachable!("a wait for nothing");
        };
        let cause = Rc::new(Exit::Unwinding);
        PropagateError { key, cause }
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
        f.debug_struct("Values")
            .field("pending", &self.watch.pending.borrow())
            .field("arrived", &self.watch.arrived.borrow())
            .finish()
    }
}

/// A node or a value of this key is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision<K, V = ()> {
    /// The key.
    pub key: K,
    /// The value that was to be posted.
    pub value: V,
}

impl<K: fmt::Debug, V> fmt::Display for Collision<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key {:?} has a node or a value already", self.key)
    }
}

impl<K: fmt::Debug, V: fmt::Debug> Error for Collision<K, V> {}

/// A key has no value, since its node has failed. What with is its [source](Error::source): often the failure of another
/// node.
#[derive(Clone)]
pub struct PropagateError<K> {
    key: K,
    cause: Rc<dyn Error>,
}

impl<K> PropagateError<K> {
    /// The key that has no value.
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K: fmt::Debug> fmt::Display for PropagateError<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the node {:?} has failed", self.key)
    }
}

impl<K: fmt::Debug> fmt::Debug for PropagateError<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PropagateError")
            .field("key", &self.key)
            .field("cause", &self.cause)
            .finish()
    }
}

impl<K: fmt::Debug> Error for PropagateError<K> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}
