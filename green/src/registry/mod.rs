//! The hubs that have a name: those that come with this crate, and those that programs register.

mod error;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hub_core::Hub;

pub use error::HubError;
pub(crate) use error::Problem;

/// The environment variable that names the hub of threads that have not chosen one.
pub const GREEN_HUB: &str = "GREEN_HUB";

type Make = fn() -> io::Result<Box<dyn Hub>>;

/// A hub that comes with this crate: its name, what eventlet calls it, and how to make one.
struct Known {
    name: &'static str,
    alias: &'static str,
    make: Make,
}

/// The best first.
const KNOWN: &[Known] = &[
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Known {
        name: "epoll",
        alias: "epolls",
        make: || Ok(Box::new(hub_epoll::Epoll::new()?)),
    },
    #[cfg(any(target_os = "linux", target_os = "android"))]
    POLL,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SELECT,
    Known {
        name: "polling",
        alias: "kqueue",
        make: || Ok(Box::new(hub_polling::Polling::new()?)),
    },
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    POLL,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    SELECT,
];

const POLL: Known = Known {
    name: "poll",
    alias: "poll",
    make: || Ok(Box::new(hub_poll::Poll::new()?)),
};

const SELECT: Known = Known {
    name: "select",
    alias: "selects",
    make: || Ok(Box::new(hub_select::Select::new()?)),
};

type MakeOwn = Arc<dyn Fn() -> io::Result<Box<dyn Hub>> + Send + Sync>;

/// Those that programs have registered, in the order they did.
static REGISTERED: Mutex<Vec<(String, MakeOwn)>> = Mutex::new(Vec::new());

/// The names that [`use_hub`](crate::hubs::use_hub) takes without anything being registered, the best first.
///
/// ```
/// assert!(green::hubs::hub_names().any(|name| name == "poll"));
/// ```
pub fn hub_names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

/// The names of all hubs, those that were registered as the last.
pub(crate) fn known_names() -> Vec<String> {
    let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let own = registered.iter().map(|(name, _)| name.clone());
    hub_names().map(String::from).chain(own).collect()
}

/// Gives a hub of the program's own a name, in all threads: [`use_hub`](crate::hubs::use_hub) and the environment variable
/// `GREEN_HUB` then take it as they take the names of those that are built in. Do so before anything else of this
/// crate is used, so that `GREEN_HUB` finds it.
///
/// # Errors
/// [`HubError`] if the name is taken, be it by an earlier call.
///
/// ```
/// // A hub of one's own: here one that is there already, in another mode perhaps.
/// let descriptors_at_most = 1000;
/// green::hubs::register("thousand", move || {
///     assert!(descriptors_at_most > 0);
///     hub_poll::Poll::new()
/// })?;
/// green::hubs::use_hub("thousand")?;
/// green::sleep(std::time::Duration::from_millis(1));
/// # Ok::<(), green::hubs::HubError>(())
/// ```
pub fn register<H: Hub + 'static>(
    name: &str,
    make: impl Fn() -> io::Result<H> + Send + Sync + 'static,
) -> Result<(), HubError> {
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if find(name).is_some() || registered.iter().any(|(other, _)| other == name) {
        let problem = Problem::Taken(name.to_owned());
        return Err(HubError { problem });
    }
    let make = move || Ok(Box::new(make()?) as Box<dyn Hub>);
    registered.push((name.to_owned(), Arc::new(make)));
    Ok(())
}

fn find(name: &str) -> Option<&'static Known> {
    let mut known = KNOWN.iter();
    known.find(|known| known.name == name || known.alias == name)
}

/// True if a hub of this name can be asked for.
pub(crate) fn is_known(name: &str) -> bool {
    maker(name, "").is_ok()
}

/// Panics if `GREEN_HUB` names no hub: a program hears of it when it first uses this crate, and not when it first waits.
pub(crate) fn check() {
    if let Some(name) = std::env::var_os(GREEN_HUB)
        && let Err(error) = maker(&name.to_string_lossy(), BY_VARIABLE)
    {
        panic!("{error}");
    }
}

const BY_VARIABLE: &str = "the environment variable GREEN_HUB";

pub(crate) fn default() -> Result<Box<dyn Hub>, HubError> {
    match std::env::var_os(GREEN_HUB) {
        Some(name) => make(&name.to_string_lossy(), BY_VARIABLE),
        None => best(),
    }
}

/// As `default`, for a thread that has chosen nothing.
///
/// # Panics
/// If it cannot be had.
pub(crate) fn first() -> Box<dyn Hub> {
    match default() {
        Ok(hub) => hub,
        Err(error) => panic!("{error}"),
    }
}

fn best() -> Result<Box<dyn Hub>, HubError> {
    let mut refused = None;
    for known in KNOWN {
        match (known.make)() {
            Ok(hub) => return Ok(hub),
            Err(source) => {
                log::warn!("the {} hub cannot be made: {source}", known.name);
                refused.get_or_insert(Problem::Make {
                    name: known.name.to_owned(),
                    source,
                });
            }
        }
    }
    Err(HubError {
        problem: refused.unwrap_or(Problem::None),
    })
}

/// Makes the hub of this name; `from` says where the name comes from.
pub(crate) fn make(name: &str, from: &'static str) -> Result<Box<dyn Hub>, HubError> {
    maker(name, from)?().map_err(|source| HubError {
        problem: Problem::Make {
            name: name.to_owned(),
            source,
        },
    })
}

fn maker(name: &str, from: &'static str) -> Result<MakeOwn, HubError> {
    if let Some(known) = find(name) {
        return Ok(Arc::new(known.make));
    }
    let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let own = registered.iter().find(|(other, _)| other == name);
    own.map(|(_, make)| Arc::clone(make))
        .ok_or_else(|| HubError {
            problem: Problem::Unknown {
                name: name.to_owned(),
                from,
            },
        })
}
