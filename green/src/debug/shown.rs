//! What the dumps of a thread show.

use std::cell::Cell;
use std::rc::Rc;

use crate::runtime::{Runtime, ThreadState};

/// Which stacks a thread's dumps show: those of waiters at descriptors, those of timers.
#[derive(Default)]
pub(super) struct Stacks {
    pub(super) listeners: Cell<bool>,
    pub(super) timers: Cell<bool>,
}

impl ThreadState for Stacks {}

pub(super) fn stacks() -> Rc<Stacks> {
    Runtime::with(Runtime::state)
}

/// With `true`, [`format_hub_listeners`](super::format_hub_listeners) shows stacks: those of the greenthreads that wait, as they are at that
/// moment. So it costs nothing before, and shows also the waits that began before it was turned on.
///
/// ```
/// green::debug::hub_listener_stacks(true);
/// println!("{}", green::debug::format_hub_listeners());
/// ```
pub fn hub_listener_stacks(on: bool) {
    stacks().listeners.set(on);
}

/// With `true`, [`format_hub_timers`](super::format_hub_timers) shows stacks, as [`hub_listener_stacks`] does.
///
/// ```
/// green::debug::hub_timer_stacks(true);
/// println!("{}", green::debug::format_hub_timers());
/// ```
pub fn hub_timer_stacks(on: bool) {
    stacks().timers.set(on);
}
