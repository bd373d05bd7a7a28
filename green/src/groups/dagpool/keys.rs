//! The keys of a graph, each with a number.
//!
//! To hash, compare and clone keys is code of the user: it runs here, and under no borrow. All else goes by numbers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::rc::Rc;

/// Every key that a pool has met, for as long as the pool lives.
pub(super) struct Keys<K> {
    hasher: RandomState,
    by_hash: RefCell<HashMap<u64, Vec<usize>>>,
    all: RefCell<Vec<Rc<K>>>,
}

impl<K> Keys<K> {
    pub(super) fn new() -> Keys<K> {
        Keys {
            hasher: RandomState::new(),
            by_hash: RefCell::new(HashMap::new()),
            all: RefCell::new(Vec::new()),
        }
    }

    /// The key of a number that was given out.
    pub(super) fn get(&self, number: usize) -> Rc<K> {
        Rc::clone(&self.all.borrow()[number])
    }

    pub(super) fn get_all(&self, numbers: impl IntoIterator<Item = usize>) -> Vec<Rc<K>> {
        numbers.into_iter().map(|number| self.get(number)).collect()
    }
}

impl<K: Eq + Hash + Clone> Keys<K> {
    /// The number of a key, if the pool has met it.
    pub(super) fn find(&self, key: &K) -> Option<usize> {
        self.find_hashed(self.hasher.hash_one(key), key)
    }

    /// The number of a key.
    pub(super) fn number(&self, key: &K) -> usize {
        let hash = self.hasher.hash_one(key);
        if let Some(number) = self.find_hashed(hash, key) {
            return number;
        }
        let key_of_ours = Rc::new(key.clone());
        // Others may have come meanwhile.
        self.find_hashed(hash, key).unwrap_or_else(|| {
            let mut all = self.all.borrow_mut();
            let number = all.len();
            all.push(key_of_ours);
            let mut by_hash = self.by_hash.borrow_mut();
            by_hash.entry(hash).or_default().push(number);
            number
        })
    }

    /// Compares the key with those of its hash, also with those that come while it does.
    fn find_hashed(&self, hash: u64, key: &K) -> Option<usize> {
        let mut compared = 0;
        loop {
            let by_hash = self.by_hash.borrow();
            let number = *by_hash.get(&hash)?.get(compared)?;
            drop(by_hash);
            if *self.get(number) == *key {
                return Some(number);
            }
            compared += 1;
        }
    }

    pub(super) fn clones(&self, numbers: impl IntoIterator<Item = usize>) -> Vec<K> {
        let keys = self.get_all(numbers);
        keys.iter().map(|key| (**key).clone()).collect()
    }
}
