use std::error::Error;
use std::fmt;
use std::io;

use super::known_names;

/// Why a hub could not be chosen. The thread keeps the one it had.
///
/// ```
/// let error = green::hubs::use_hub("epool").unwrap_err();
/// assert!(error.to_string().contains("epoll"), "it lists those that are known");
/// assert!(error.is_unknown());
/// ```
pub struct HubError {
    pub(crate) problem: Problem,
}

pub(crate) enum Problem {
    Unknown { name: String, from: &'static str },
    Make { name: String, source: io::Error },
    Swap { name: String, source: io::Error },
    Scope,
    Taken(String),
    None,
}

impl HubError {
    /// True if no hub of that name exists.
    pub fn is_unknown(&self) -> bool {
        matches!(self.problem, Problem::Unknown { .. })
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Unknown { name, from } => {
                let known = known_names();
                write!(
                    f,
                    "{from} names the hub {name:?}, which is not known; known are: {}",
                    known.join(", ")
                )
            }
            Problem::Make { name, source } => write!(f, "cannot make the {name} hub: {source}"),
            Problem::Swap { name, source } => {
                write!(f, "cannot carry over to the {name} hub: {source}")
            }
            Problem::Taken(name) => write!(
                f,
                "the name {name:?} is taken: a hub is registered once, and not by the name of one that is built in"
            ),
            Problem::Scope => f.write_str(
                "cannot discard the other greenthreads: some run in a scope that the caller has open, \
                 which could never end; leave the scope before the fork, or keep them",
            ),
            Problem::None => f.write_str("this system has no hub"),
        }
    }
}

/// As `Display`: it is what a `main` that returns the error prints, and there the list of names is wanted.
impl fmt::Debug for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for HubError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            Problem::Make { source, .. } | Problem::Swap { source, .. } => Some(source),
            Problem::Unknown { .. } | Problem::Taken(_) | Problem::Scope | Problem::None => None,
        }
    }
}
