//! Which resolver a thread uses.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use super::Resolver;
use crate::runtime::{Runtime, ThreadState};

/// The environment variable that names the resolver of threads that have not chosen one.
pub const GREEN_DNS: &str = "GREEN_DNS";

/// A resolver that comes with this crate: its name, and how to make one, if this build has it.
struct Known {
    name: &'static str,
    make: fn() -> Option<Resolver>,
}

/// The default first.
const KNOWN: &[Known] = &[
    Known {
        name: "system",
        make: || Some(Resolver::system()),
    },
    Known {
        name: "green",
        #[cfg(feature = "dns")]
        make: || Some(Resolver::green().build()),
        #[cfg(not(feature = "dns"))]
        make: || None,
    },
];

/// What a thread has chosen.
#[derive(Default)]
struct Chosen(RefCell<Option<Resolver>>);

impl ThreadState for Chosen {
    fn at_end(&self) {
        self.0.take();
    }
}

fn chosen() -> Rc<Chosen> {
    Runtime::with(Runtime::state)
}

/// The names that [`use_resolver`] takes, the default first.
///
/// ```
/// assert!(green::dns::resolver_names().eq(["system", "green"]));
/// ```
pub fn resolver_names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

/// Makes the resolver of this name the resolver of this thread. Lookups that are under way are not touched.
///
/// # Errors
/// If the name is not known (the error lists those that are), or if this build does not have it: `green` needs the
/// cargo feature `dns`. The thread then keeps the resolver it had.
///
/// ```
/// green::dns::use_resolver("system")?;
/// assert_eq!(green::dns::get_resolver()?.name(), "system");
/// assert!(green::dns::use_resolver("grean").unwrap_err().to_string().contains("green"));
/// # Ok::<(), green::dns::ResolverError>(())
/// ```
pub fn use_resolver(name: &str) -> Result<(), ResolverError> {
    use_resolver_with(make(name, "use_resolver")?);
    Ok(())
}

/// Makes `resolver` the resolver of this thread.
///
/// ```
/// let own = green::dns::get_resolver()?; // Or one that `Resolver::builder` makes.
/// green::dns::use_resolver_with(own);
/// # Ok::<(), green::dns::ResolverError>(())
/// ```
pub fn use_resolver_with(resolver: Resolver) {
    chosen().0.replace(Some(resolver));
}

/// Makes the default the resolver of this thread: what `GREEN_DNS` names, or else the system's.
///
/// # Errors
/// As [`use_resolver`].
///
/// ```
/// green::dns::use_resolver("system")?;
/// green::dns::use_default_resolver()?;
/// # Ok::<(), green::dns::ResolverError>(())
/// ```
pub fn use_default_resolver() -> Result<(), ResolverError> {
    use_resolver_with(default()?);
    Ok(())
}

/// The resolver of this thread. It may be used after the thread has chosen another one.
///
/// # Errors
/// If none was chosen and `GREEN_DNS` names none that can be had.
///
/// ```
/// println!("names are looked up by {}", green::dns::get_resolver()?.name());
/// # Ok::<(), green::dns::ResolverError>(())
/// ```
pub fn get_resolver() -> Result<Resolver, ResolverError> {
    let chosen = chosen().0.borrow().clone();
    if let Some(resolver) = chosen {
        return Ok(resolver);
    }
    let resolver = default()?;
    use_resolver_with(resolver.clone());
    Ok(resolver)
}

fn default() -> Result<Resolver, ResolverError> {
    match std::env::var_os(GREEN_DNS) {
        Some(name) => make(
            &name.to_string_lossy(),
            "the environment variable GREEN_DNS",
        ),
        None => Ok(Resolver::system()),
    }
}

fn make(name: &str, from: &'static str) -> Result<Resolver, ResolverError> {
    let known = KNOWN.iter().find(|known| known.name == name);
    let made = known.and_then(|known| (known.make)());
    made.ok_or_else(|| ResolverError {
        name: name.to_owned(),
        from,
        known: known.is_some(),
    })
}

/// Why a resolver could not be chosen. The thread keeps the one it had.
///
/// ```
/// let error = green::dns::use_resolver("nobody").unwrap_err();
/// assert!(error.is_unknown());
/// println!("{error}");
/// ```
pub struct ResolverError {
    name: String,
    from: &'static str,
    /// But this build lacks it.
    known: bool,
}

impl ResolverError {
    /// True if no resolver of that name exists.
    pub fn is_unknown(&self) -> bool {
        !self.known
    }
}

impl fmt::Display for ResolverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ResolverError { name, from, known } = self;
        if *known {
            return write!(
                f,
                "{from} names the resolver {name:?}, which this build lacks: enable the cargo feature `dns` of green"
            );
        }
        let names: Vec<_> = resolver_names().collect();
        write!(
            f,
            "{from} names the resolver {name:?}, which is not known; known are: {}",
            names.join(", ")
        )
    }
}

/// As `Display`: it is what a `main` that returns the error prints, and there the list of names is wanted.
impl fmt::Debug for ResolverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ResolverError {}
