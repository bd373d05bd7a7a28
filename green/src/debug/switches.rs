//! Observers of switches.

use std::fmt;
use std::rc::Rc;

use super::observe::Watch;

/// Is told of each switch of a thread, for what is to follow its greenthreads: a value that a library keeps for the
/// thread, and that each greenthread should have for itself.
///
/// Nothing can wait in its methods: calls that would have to wait do what they do while a thread unwinds. A panic in one is
/// logged and goes no further.
///
/// ```
/// /// Counts how often anybody begins to run.
/// struct Starts(std::rc::Rc<std::cell::Cell<u32>>);
///
/// impl green::debug::SwitchObserver for Starts {
///     fn stops(&self, _: u64) {}
///     fn starts(&self, _: u64) {
///         self.0.set(self.0.get() + 1);
///     }
/// }
/// ```
pub trait SwitchObserver {
    /// The greenthread with this id is about to stop running: it waits, lets others run, or has ended. It is still the
    /// [current](crate::current) one.
    fn stops(&self, greenthread: u64);

    /// The greenthread with this id begins to run, and is the [current](crate::current) one.
    fn starts(&self, greenthread: u64);
}

/// Tells an observer of switches until it is dropped. Made by [`observe_switches`].
///
/// ```
/// use green::debug::{SwitchObservation, SwitchObserver, observe_switches};
///
/// struct Nothing;
/// impl SwitchObserver for Nothing {
///     fn stops(&self, _: u64) {}
///     fn starts(&self, _: u64) {}
/// }
///
/// let observation: SwitchObservation = observe_switches(Nothing);
/// green::yield_now();
/// drop(observation); // The observer is dropped, too.
/// ```
#[must_use = "the observer is not told anything any more once this is dropped"]
pub struct SwitchObservation {
    watch: Rc<Watch>,
    observer: Rc<dyn SwitchObserver>,
}

/// Has each switch of this thread told to `observer` until what it gives is dropped. A switch then costs some tens of
/// nanoseconds more, and what the observer does.
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use green::debug::SwitchObserver;
///
/// /// The order in which greenthreads run.
/// #[derive(Default)]
/// struct Order(Rc<RefCell<Vec<u64>>>);
///
/// impl SwitchObserver for Order {
///     fn stops(&self, _greenthread: u64) {}
///     fn starts(&self, greenthread: u64) {
///         self.0.borrow_mut().push(greenthread);
///     }
/// }
///
/// let order = Rc::new(RefCell::new(Vec::new()));
/// let observation = green::debug::observe_switches(Order(Rc::clone(&order)));
/// let gt = green::spawn(|| green::yield_now());
/// let id = gt.id();
/// gt.join().unwrap();
/// drop(observation);
/// assert_eq!(*order.borrow(), [id, id, 0]);
/// ```
pub fn observe_switches(observer: impl SwitchObserver + 'static) -> SwitchObservation {
    Watch::with(|runtime, watch| {
        let observer: Rc<dyn SwitchObserver> = Rc::new(observer);
        watch.add_switch_observer(runtime, Rc::clone(&observer));
        SwitchObservation {
            watch: Rc::clone(watch),
            observer,
        }
    })
}

impl Drop for SwitchObservation {
    fn drop(&mut self) {
        Watch::with(|runtime, watch| {
            if Rc::ptr_eq(watch, &self.watch) {
                watch.remove_switch_observer(runtime, &self.observer);
            }
        });
    }
}

impl fmt::Debug for SwitchObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwitchObservation").finish_non_exhaustive()
    }
}
