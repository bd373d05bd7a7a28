//! The thread of a worker, from its hub to its end.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::pin::pin;
use super::watch::{News, RunWorker};
use super::{Worker, WorkersError, WorkersHandle};
use crate::runtime::{Runtime, contain};
use crate::sync::Queue;
use crate::{Exit, hubs};

/// The whole of a worker's thread.
pub(super) fn work<T, E>(
    handle: WorkersHandle,
    index: usize,
    run: Arc<RunWorker<T, E>>,
    news: &Queue<News<T, E>>,
) {
    let result = match begin(&handle, index) {
        Ok(()) => {
            // The queue has no bound and is never shut down. `put` might let others run, and be ended there by a kill that
            // has come already; then nobody would hear of the end.
            let _ = news.try_put(News::Begun);
            call(&*run, Worker::new(index, handle.clone()))
        }
        Err(error) => Err(WorkersError::NotStarted(error)),
    };
    // What its destructor does belongs to the worker.
    contain("the destructor of a worker's closure", || drop(run));
    handle.leave(index);
    // By now and not when the thread has nothing else to do: who hears of the end waits for the thread without
    // switching.
    contain("the end of a worker's greenthreads", || {
        Runtime::with(Runtime::close);
    });
    let _ = news.try_put(News::Ended(index, result));
}

fn begin(handle: &WorkersHandle, index: usize) -> io::Result<()> {
    let of = |what: &str, error: &dyn std::fmt::Display| {
        io::Error::other(format!("worker {index}: {what}: {error}"))
    };
    hubs::use_hub(&handle.shared.hub).map_err(|error| of("no hub", &error))?;
    if handle.shared.pinned
        && let Err(error) = pin(index)
    {
        log::warn!("worker {index} is not pinned to a core: {error}");
    }
    let thread = hubs::handle();
    handle.enter(
        index,
        thread.map_err(|error| of("no channel for other threads", &error))?,
    );
    Ok(())
}

fn call<T, E>(run: &RunWorker<T, E>, worker: Worker) -> Result<T, WorkersError<E>> {
    let index = worker.index();
    match catch_unwind(AssertUnwindSafe(|| run(worker))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(WorkersError::Failed {
            worker: index,
            error,
        }),
        Err(payload) => Err(match Exit::of(payload) {
            Exit::Panicked(panic) => WorkersError::Panicked {
                worker: index,
                panic,
            },
            _ => WorkersError::Killed { worker: index },
        }),
    }
}
