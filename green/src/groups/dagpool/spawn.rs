//! Starting nodes.

use std::collections::HashSet;
use std::error::Error;
use std::io;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;

use super::graph::{Leave, Node};
use super::{Collision, DagPool, Key, NodeError, PropagateError, Values};
use crate::greenthread::{Builder, Exit, expect};
use crate::runtime::{State, is_control};

impl<K: Key, V: Clone + 'static> DagPool<K, V> {
    /// Starts the node `key`. `f` is given the key, and the values on which it depends.
    ///
    /// A value that `f` [posts](DagPool::post) for its own key is the key's value; what it returns is then dropped.
    ///
    /// # Errors
    /// [`Collision`] if there is a node or a value of this key already.
    ///
    /// # Panics
    /// As [`green::spawn`](crate::spawn). [`Builder::spawn_in_dag`] returns an error instead.
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
        let builder = Builder::new();
        expect(self.spawn_with(builder, Location::caller(), key, depends, f))
    }

    fn spawn_with<F>(
        &self,
        builder: Builder,
        spawned_at: &'static Location<'static>,
        key: K,
        depends: impl IntoIterator<Item = K>,
        f: F,
    ) -> io::Result<Result<(), Collision<K>>>
    where
        F: FnOnce(&K, Values<K, V>) -> Result<V, NodeError> + 'static,
    {
        let graph = &self.graph;
        let id = graph.keys.number(&key);
        let inputs = graph.watch(depends);
        // After the code of the user that is in the keys.
        if graph.is_known(id) {
            return Ok(Err(Collision { key, value: () }));
        }
        let leave = Leave::new(graph, id);
        let pending = Rc::clone(inputs.watch());
        let node = leave.node;
        let body = move || {
            let graph = &leave.graph;
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| f(&key, inputs)));
            graph.leave(id, node);
            let outcome = match outcome {
                Ok(outcome) => outcome.map_err(Rc::from),
                Err(payload) if is_control(&*payload) => panic::resume_unwind(payload),
                Err(payload) => Err(Rc::new(Exit::of(payload)) as Rc<dyn Error>),
            };
            let outcome = outcome.map_err(|cause| PropagateError::new(key, cause));
            if !graph.is_known(id) {
                graph.store(id, outcome);
            }
        };
        let gt = builder.make(spawned_at, State::Fresh, body)?;
        let task = gt.as_any().clone();
        graph.insert(id, Node::new(node, task, pending));
        Ok(Ok(()))
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
            let id = self.graph.keys.number(key);
            if self.graph.is_known(id) || !seen.insert(id) {
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
}

impl Builder {
    /// Starts a node of a [`DagPool`]. See [`DagPool::spawn`].
    ///
    /// # Errors
    /// As [`Builder::spawn`]; `AlreadyExists` if there is a node or a value of this key already. The pool is then as it was
    /// before.
    ///
    /// ```
    /// use green::dagpool::DagPool;
    ///
    /// let pool = DagPool::from_iter([("n", 6)]);
    /// green::Builder::new().stack_size(1 << 20).spawn_in_dag(&pool, "seven times n", ["n"], |_, mut inputs| {
    ///     let (_, n) = inputs.next().ok_or("no n")??;
    ///     Ok(7 * n)
    /// })?;
    /// assert_eq!(pool.wait_for(&"seven times n").unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_in_dag<K: Key, V: Clone + 'static>(
        self,
        pool: &DagPool<K, V>,
        key: K,
        depends: impl IntoIterator<Item = K>,
        f: impl FnOnce(&K, Values<K, V>) -> Result<V, NodeError> + 'static,
    ) -> io::Result<()> {
        let spawned = pool.spawn_with(self, Location::caller(), key, depends, f)?;
        spawned.map_err(|collision| {
            io::Error::new(io::ErrorKind::AlreadyExists, collision.to_string())
        })
    }
}
