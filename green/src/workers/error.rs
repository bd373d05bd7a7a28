//! How workers end.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;

use crate::Panic;

/// What the closure of a worker may return: nothing, or a `Result`.
///
/// ```
/// use green::workers::WorkerOutcome;
///
/// assert!(().outcome().is_ok());
/// assert_eq!(Err::<(), _>("no").outcome(), Err("no"));
/// ```
pub trait WorkerOutcome {
    /// What a worker gives that has done its work.
    type Value: Send + 'static;
    /// What one gives that has failed.
    type Error: Send + 'static;

    /// The same as a `Result`.
    ///
    /// # Errors
    /// If the worker has failed.
    fn outcome(self) -> Result<Self::Value, Self::Error>;
}

impl WorkerOutcome for () {
    type Value = ();
    type Error = Infallible;

    fn outcome(self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl<T: Send + 'static, E: Send + 'static> WorkerOutcome for Result<T, E> {
    type Value = T;
    type Error = E;

    fn outcome(self) -> Result<T, E> {
        self
    }
}

/// Why [`workers`](crate::workers()) has no values.
///
/// ```
/// use green::workers::WorkersError;
///
/// let failed = green::workers(2, |worker| match worker.index() {
///     0 => Ok(()),
///     _ => Err("the second never works"),
/// });
/// match failed {
///     Err(WorkersError::Failed { worker, error }) => println!("{worker}: {error}"),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkersError<E> {
    /// The workers, or one of them, could not be started.
    NotStarted(io::Error),
    /// One has failed.
    Failed {
        /// Its index.
        worker: usize,
        /// What its closure has returned.
        error: E,
    },
    /// One has panicked.
    Panicked {
        /// Its index.
        worker: usize,
        /// What it panicked with.
        panic: Panic,
    },
    /// One had not ended by itself when the time of a stop was over.
    Killed {
        /// Its index.
        worker: usize,
    },
    /// The calling thread unwinds: nothing waits then. The workers have been told to stop.
    Unwinding,
}

impl<E: fmt::Display> fmt::Display for WorkersError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkersError::NotStarted(error) => write!(f, "cannot start the workers: {error}"),
            WorkersError::Failed { worker, error } => write!(f, "worker {worker} failed: {error}"),
            WorkersError::Panicked { worker, panic } => {
                write!(f, "worker {worker} panicked: {}", panic.message())
            }
            WorkersError::Killed { worker } => write!(
                f,
                "worker {worker} was killed: it had not ended when the time of the stop was over"
            ),
            WorkersError::Unwinding => f.write_str("cannot wait for workers while unwinding"),
        }
    }
}

impl<E: Error + 'static> Error for WorkersError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            WorkersError::NotStarted(error) => Some(error),
            WorkersError::Failed { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<WorkersError<E>> for io::Error {
    /// The error of the worker itself, if it is an `io::Error`.
    fn from(error: WorkersError<E>) -> io::Error {
        let text = |error: WorkersError<Infallible>| io::Error::other(error.to_string());
        match error {
            WorkersError::NotStarted(error) => error,
            WorkersError::Failed { error, .. } => match error.into().downcast::<io::Error>() {
                Ok(error) => *error,
                Err(error) => io::Error::other(error),
            },
            WorkersError::Panicked { worker, panic } => {
                text(WorkersError::Panicked { worker, panic })
            }
            WorkersError::Killed { worker } => text(WorkersError::Killed { worker }),
            WorkersError::Unwinding => io::Error::new(
                io::ErrorKind::WouldBlock,
                text(WorkersError::Unwinding).to_string(),
            ),
        }
    }
}
