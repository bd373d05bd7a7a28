//! Queues of numbers of every order, as one trait: what is searched or counted for one is for all.

use std::fmt::Debug;
use std::time::Duration;

use green::queue::{GetError, PutError, TooManyDone};
use green::{LifoQueue, PriorityQueue, Queue};

/// A queue of numbers.
pub(crate) trait Numbers: Debug + 'static {
    fn with_capacity(capacity: Option<usize>) -> Self;
    fn put(&self, item: u32, timeout: Option<Duration>) -> Result<(), PutError<u32>>;
    fn get(&self, timeout: Option<Duration>) -> Result<u32, GetError>;
    fn peek(&self, timeout: Option<Duration>) -> Result<u32, GetError>;
    fn join(&self, timeout: Option<Duration>) -> bool;
    fn try_put(&self, item: u32) -> Result<(), PutError<u32>>;
    fn try_get(&self) -> Result<u32, GetError>;
    fn try_peek(&self) -> Result<u32, GetError>;
    fn task_done(&self) -> Result<(), TooManyDone>;
    fn resize(&self, capacity: Option<usize>);
    fn shutdown(&self, immediate: bool);
    /// Size, full, putting, getting, unfinished.
    fn facts(&self) -> (usize, bool, usize, usize, usize);
}

macro_rules! numbers {
    ($($queue:ident),*) => {$(
        impl Numbers for $queue<u32> {
            fn with_capacity(capacity: Option<usize>) -> Self {
                capacity.map_or_else($queue::unbounded, $queue::bounded)
            }

            fn put(&self, item: u32, timeout: Option<Duration>) -> Result<(), PutError<u32>> {
                match timeout {
                    Some(timeout) => self.put_timeout(item, timeout),
                    None => self.put(item),
                }
            }

            fn get(&self, timeout: Option<Duration>) -> Result<u32, GetError> {
                timeout.map_or_else(|| self.get(), |timeout| self.get_timeout(timeout))
            }

            fn peek(&self, timeout: Option<Duration>) -> Result<u32, GetError> {
                timeout.map_or_else(|| self.peek(), |timeout| self.peek_timeout(timeout))
            }

            fn join(&self, timeout: Option<Duration>) -> bool {
                timeout.map_or_else(|| self.join(), |timeout| self.join_timeout(timeout))
            }

            fn try_put(&self, item: u32) -> Result<(), PutError<u32>> {
                self.try_put(item)
            }

            fn try_get(&self) -> Result<u32, GetError> {
                self.try_get()
            }

            fn try_peek(&self) -> Result<u32, GetError> {
                self.try_peek()
            }

            fn task_done(&self) -> Result<(), TooManyDone> {
                self.task_done()
            }

            fn resize(&self, capacity: Option<usize>) {
                self.resize(capacity);
            }

            fn shutdown(&self, immediate: bool) {
                self.shutdown(immediate);
            }

            fn facts(&self) -> (usize, bool, usize, usize, usize) {
                let tasks = self.unfinished_tasks();
                (self.qsize(), self.is_full(), self.putting(), self.getting(), tasks)
            }
        }
    )*};
}

numbers!(Queue, LifoQueue, PriorityQueue);
