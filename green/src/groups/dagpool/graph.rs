//! What a pool knows of its keys, by their numbers: values, nodes, and who waits.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::{Rc, Weak};

use super::keys::Keys;
use super::{Key, PropagateError, Values};
use crate::greenthread::AnyGreenThread;
use crate::runtime::WaitList;

/// What a key has come to.
pub(super) type Known<K, V> = Result<V, PropagateError<K>>;

pub(super) struct Graph<K: 'static, V: 'static> {
    pub(super) keys: Keys<K>,
    values: RefCell<BTreeMap<usize, Rc<Known<K, V>>>>,
    nodes: RefCell<BTreeMap<usize, Node>>,
    /// The waiters for each key; some may have given up.
    watched: RefCell<BTreeMap<usize, Vec<Weak<Awaited>>>>,
    next_node: Cell<u64>,
}

/// A node whose function has not ended.
pub(super) struct Node {
    /// Tells it from a later one of the same key.
    number: u64,
    task: AnyGreenThread,
    inputs: Rc<Awaited>,
}

impl Node {
    pub(super) fn new(number: u64, task: AnyGreenThread, inputs: Rc<Awaited>) -> Node {
        Node {
            number,
            task,
            inputs,
        }
    }
}

/// Some keys as one iteration sees them.
pub(super) struct Awaited {
    /// Without a value yet.
    pub(super) pending: RefCell<BTreeSet<usize>>,
    /// With a value, and not given out yet.
    pub(super) arrived: RefCell<VecDeque<usize>>,
    pub(super) waiters: RefCell<WaitList>,
}

impl Awaited {
    /// True if there is no value yet, and one may come.
    pub(super) fn is_open(&self) -> bool {
        self.arrived.borrow().is_empty() && !self.pending.borrow().is_empty()
    }
}

impl<K, V> Graph<K, V> {
    pub(super) fn new() -> Rc<Graph<K, V>> {
        Rc::new(Graph {
            keys: Keys::new(),
            values: RefCell::default(),
            nodes: RefCell::default(),
            watched: RefCell::default(),
            next_node: Cell::new(0),
        })
    }

    pub(super) fn has_value(&self, key: usize) -> bool {
        self.values.borrow().contains_key(&key)
    }

    /// True if it has a node or a value.
    pub(super) fn is_known(&self, key: usize) -> bool {
        self.has_value(key) || self.nodes.borrow().contains_key(&key)
    }

    /// The keys that have a value, or are known to have none.
    pub(super) fn with_value(&self) -> Vec<usize> {
        self.values.borrow().keys().copied().collect()
    }

    /// The keys that have a node.
    pub(super) fn running(&self) -> Vec<usize> {
        self.nodes.borrow().keys().copied().collect()
    }

    /// The inputs of a node that are not known yet.
    pub(super) fn pending(&self, key: usize) -> Vec<usize> {
        let nodes = self.nodes.borrow();
        let pending = nodes.get(&key).map(|node| node.inputs.pending.borrow());
        pending.map_or_else(Vec::new, |pending| pending.iter().copied().collect())
    }

    /// Every node with inputs that are not known yet, and these.
    pub(super) fn waiting(&self) -> Vec<(usize, Vec<usize>)> {
        let nodes = self.running().into_iter();
        let waiting = nodes.map(|key| (key, self.pending(key)));
        waiting.filter(|(_, pending)| !pending.is_empty()).collect()
    }

    /// True if it has a node that is another greenthread than `caller`.
    pub(super) fn is_foreign(&self, key: usize, caller: &AnyGreenThread) -> bool {
        let nodes = self.nodes.borrow();
        nodes.get(&key).is_some_and(|node| node.task != *caller)
    }

    pub(super) fn insert(&self, key: usize, node: Node) {
        let before = self.nodes.borrow_mut().insert(key, node);
        debug_assert!(before.is_none(), "a key has one node at a time");
    }

    /// Takes a node out.
    pub(super) fn remove(&self, key: usize) -> Option<AnyGreenThread> {
        let node = self.nodes.borrow_mut().remove(&key);
        node.map(|node| node.task)
    }

    /// Takes a node out whose function ends.
    pub(super) fn leave(&self, key: usize, number: u64) {
        let mut nodes = self.nodes.borrow_mut();
        let own = nodes.get(&key).is_some_and(|node| node.number == number);
        let node = if own { nodes.remove(&key) } else { None };
        drop(nodes);
        drop(node);
    }

    pub(super) fn store(&self, key: usize, known: Known<K, V>) {
        let before = self.values.borrow_mut().insert(key, Rc::new(known));
        let watches = self.watched.borrow_mut().remove(&key).unwrap_or_default();
        for watch in watches.iter().filter_map(Weak::upgrade) {
            watch.pending.borrow_mut().remove(&key);
            watch.arrived.borrow_mut().push_back(key);
            watch.waiters.borrow_mut().wake_all();
        }
        // Code of the user.
        drop(before);
    }
}

impl<K: Key, V: Clone + 'static> Graph<K, V> {
    pub(super) fn watch(self: &Rc<Self>, keys: impl IntoIterator<Item = K>) -> Values<K, V> {
        let watch = Rc::new(Awaited {
            pending: RefCell::default(),
            arrived: RefCell::default(),
            waiters: RefCell::default(),
        });
        let mut seen = BTreeSet::new();
        for key in keys {
            let key = self.keys.number(&key);
            if !seen.insert(key) {
                continue;
            }
            if self.has_value(key) {
                watch.arrived.borrow_mut().push_back(key);
            } else {
                watch.pending.borrow_mut().insert(key);
                let mut watched = self.watched.borrow_mut();
                let watches = watched.entry(key).or_default();
                watches.retain(|other| other.strong_count() > 0);
                watches.push(Rc::downgrade(&watch));
            }
        }
        Values::new(self, watch)
    }

    pub(super) fn value(&self, key: usize) -> Option<Known<K, V>> {
        let known = self.values.borrow().get(&key).cloned()?;
        Some((*known).clone())
    }
}

/// Owned by a node's closure, so that the node is gone however that ends, also if it never runs.
pub(super) struct Leave<K: 'static, V: 'static> {
    pub(super) graph: Rc<Graph<K, V>>,
    key: usize,
    pub(super) node: u64,
}

impl<K, V> Leave<K, V> {
    /// For a new node of the key.
    pub(super) fn new(graph: &Rc<Graph<K, V>>, key: usize) -> Leave<K, V> {
        let node = graph.next_node.get();
        graph.next_node.set(node + 1);
        let graph = Rc::clone(graph);
        Leave { graph, key, node }
    }
}

impl<K, V> Drop for Leave<K, V> {
    fn drop(&mut self) {
        self.graph.leave(self.key, self.node);
    }
}
