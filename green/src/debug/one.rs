//! Single greenthreads, looked at by their id or their handle.

use super::GreenthreadInfo;
use super::dump::look;
use crate::AnyGreenThread;
use crate::runtime::Runtime;

/// The greenthread of this thread that has this id, if it is not dead: to kill one that [`greenthreads`](super::greenthreads)
/// has shown, for example.
///
/// ```
/// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
/// green::yield_now();
/// green::debug::greenthread(gt.id()).unwrap().kill();
/// assert!(gt.is_dead());
/// assert!(green::debug::greenthread(gt.id()).is_none());
/// ```
pub fn greenthread(id: u64) -> Option<AnyGreenThread> {
    Runtime::with(|runtime| {
        let tasks = runtime.tasks();
        let found = tasks.into_iter().find(|task| task.id == id);
        found.map(AnyGreenThread::new)
    })
}

/// What [`greenthreads`](super::greenthreads) says of the one with this id, with its stack. `None` if it is dead.
///
/// ```
/// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
/// green::yield_now();
/// let info = green::debug::inspect(gt.id()).unwrap();
/// assert!(info.stack.is_some());
/// gt.kill();
/// assert!(green::debug::inspect(gt.id()).is_none());
/// ```
pub fn inspect(id: u64) -> Option<GreenthreadInfo> {
    let found = greenthread(id)?;
    Some(Runtime::with(|runtime| look(runtime, found.task(), true)))
}

/// Every greenthread of this thread that is not dead, in the order of spawn: for [`describe`], where there are so many that
/// [`greenthreads`](super::greenthreads) would keep the others waiting for long.
///
/// ```
/// let gt = green::spawn(|| green::yield_now());
/// assert!(green::debug::living().iter().any(|living| living.id() == gt.id()));
/// ```
pub fn living() -> Vec<AnyGreenThread> {
    let tasks = Runtime::with(Runtime::tasks);
    tasks.into_iter().map(AnyGreenThread::new).collect()
}

/// What [`greenthreads`](super::greenthreads) says of this one. `None` if it is dead.
///
/// ```
/// let me = green::debug::describe(&green::current()).unwrap();
/// assert_eq!(me.state, "running");
/// ```
pub fn describe(greenthread: &AnyGreenThread) -> Option<GreenthreadInfo> {
    let task = greenthread.task();
    (!task.is_dead()).then(|| Runtime::with(|runtime| look(runtime, task, false)))
}
