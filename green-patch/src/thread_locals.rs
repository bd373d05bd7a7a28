//! Thread-locals for each greenthread alone.

use std::io;

use crate::{PatchError, active, allocator, host_alloc, probe, pthread};

/// Gives each greenthread that is spawned from now on all thread-locals for itself: those of Rust, C and C++, and the values
/// of `pthread_setspecific`. Destructors run at its end, and may wait.
///
/// [`monkey_patch`](crate::monkey_patch) with the flag `thread` does this, too. Alone it is the cure for what a
/// `thread_local!` does where greenthreads share it: two that meet in an initialiser that waits, or inside
/// [`LocalKey::with`](std::thread::LocalKey::with), have what is undefined behaviour without. Further calls do nothing.
///
/// See [`green::own_thread_locals`] for what it costs, and [`greenlet::thread_locals`] for what such a program must not do.
///
/// ```
/// use std::cell::RefCell;
///
/// thread_local! {
///     /// A connection, say: it takes a while to make.
///     static NAME: RefCell<String> = {
///         green::sleep(std::time::Duration::from_millis(1));
///         RefCell::new(String::new())
///     };
/// }
///
/// green_patch::thread_locals()?;
/// let users: Vec<_> = ["a", "b"]
///     .map(|name| green::spawn(move || NAME.with_borrow_mut(|it| { it.push_str(name); it.clone() })))
///     .into();
/// let names: Vec<_> = users.into_iter().map(|user| user.join().unwrap()).collect();
/// assert_eq!(names, ["a", "b"]);
/// # Ok::<(), green_patch::PatchError>(())
/// ```
///
/// # Errors
/// If that cannot be here: the error says why. Nothing has changed then.
pub fn thread_locals() -> Result<(), PatchError> {
    probe::check()?;
    green::own_thread_locals()
        .map_err(|error| PatchError::new(io::ErrorKind::Unsupported, error.to_string()))?;
    if let Some(name) = allocator::with_heaps().filter(|_| !host_alloc::is_used()) {
        log::warn!(
            "the allocator {name} has a heap for each thread, and will have one for each greenthread: memory may grow. \
             Wrap it: #[global_allocator] static A: green_patch::HostAlloc<..> = green_patch::HostAlloc::new(..);"
        );
    }
    active::allow_threads();
    pthread::answer_as_threads();
    pthread::real_post();
    Ok(())
}
