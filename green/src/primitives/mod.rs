//! What greenthreads wait for each other with: queues, events, semaphores, locks.

mod barrier;
pub mod event;
pub(crate) mod local_or_shared;
pub mod lock;
pub mod queue;
pub mod semaphore;
pub mod sync;
mod waitgroup;

pub use barrier::{Barrier, BarrierWaitResult};
pub use event::{AsyncResult, Event, Flag};
pub use local_or_shared::Unwinding;
pub use lock::{Condition, Lock, RLock};
pub use queue::{LifoQueue, LightQueue, PriorityQueue, Queue};
pub use semaphore::{BoundedSemaphore, CappedSemaphore, Permit, Semaphore};
pub use waitgroup::{WaitGroup, WaitGroupGuard};
