//! Why a key has no value, or cannot be given one.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

/// What a node may fail with.
///
/// ```
/// use green::dagpool::{DagPool, NodeError};
///
/// let pool = DagPool::<_, u32>::new();
/// pool.spawn("n", [], |_, _| -> Result<u32, NodeError> { Ok("12".parse()?) }).unwrap();
/// assert_eq!(pool.wait_for(&"n").unwrap(), 12);
/// ```
pub type NodeError = Box<dyn Error>;

/// A node or a value of this key is there already.
///
/// ```
/// use green::dagpool::DagPool;
///
/// let pool = DagPool::from_iter([("a", 1)]);
/// assert_eq!(pool.post("a", 2).unwrap_err().value, 2);
/// ```
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
///
/// ```
/// use std::error::Error;
/// use green::dagpool::DagPool;
///
/// let pool = DagPool::<_, u32>::new();
/// pool.spawn("a", [], |_, _| Err("no flour".into())).unwrap();
/// let error = pool.wait_for(&"a").unwrap_err();
/// assert_eq!((error.key(), error.source().unwrap().to_string()), (&"a", "no flour".to_owned()));
/// ```
#[derive(Clone)]
pub struct PropagateError<K> {
    key: K,
    cause: Rc<dyn Error>,
}

impl<K> PropagateError<K> {
    pub(super) fn new(key: K, cause: Rc<dyn Error>) -> PropagateError<K> {
        PropagateError { key, cause }
    }

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
