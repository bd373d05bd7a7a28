//! The contract of [`Hub`] as tests: one function for each promise
//!
//! It is public (cargo feature `conformance`), so that a hub of your own can be held to it:
//!
//! ```
//! mod my_hub {
//!     hub_core::conformance!(|| Ok(Box::new(hub_poll::Poll::new()?)));
//! }
//! ```
//!
//! makes a `#[test]` of every promise. [`all`] runs them from a test of your own, and each can be
//! called by its name. They use sockets, loopback addresses and a file, nothing else; they never
//! ask for an upper bound of time below ten seconds.
//!
//! ```no_run
//! use hub_core::{Hub, conformance};
//! # fn my_hub(size: usize) -> std::io::Result<hub_poll::Poll> { hub_poll::Poll::new() }
//! for size in [1, 1000] {
//!     conformance::all(&|| Ok(Box::new(my_hub(size)?)));
//! }
//! ```
//!
//! What cannot be written without `unsafe` is not here: most of what may follow when a descriptor
//! is closed while it is registered, signals, forks, and shortages of the system. The backends of
//! this workspace have tests of those beside.

mod faults;
mod kit;
mod registration;
mod time;
mod triggers;

use std::io;

use crate::Hub;

pub use faults::*;
pub use registration::*;
pub use time::*;
pub use triggers::*;

/// Makes the hub under test: a function, or a closure that knows more than its name.
///
/// ```
/// use hub_core::conformance::{Make, a_zero_timeout_returns};
///
/// let make: Make<'_> = &|| Ok(Box::new(hub_poll::Poll::new()?));
/// a_zero_timeout_returns(make);
/// ```
pub type Make<'a> = &'a dyn Fn() -> io::Result<Box<dyn Hub>>;

/// A promise: its name, and the test that panics if it is broken.
///
/// ```
/// use hub_core::conformance::{PROMISES, Promise};
///
/// fn is_about_time(promise: &&Promise) -> bool {
///     promise.0.contains("timeout")
/// }
/// for (name, promise) in PROMISES.iter().filter(is_about_time) {
///     println!("{name}");
///     promise(&|| Ok(Box::new(hub_poll::Poll::new()?)));
/// }
/// ```
pub type Promise = (&'static str, fn(Make<'_>));

/// Every promise.
pub const PROMISES: &[Promise] = crate::conformance!(@promises list ());

/// Runs every promise; panics at the first that is broken.
///
/// ```
/// hub_core::conformance::all(&|| Ok(Box::new(hub_poll::Poll::new()?)));
/// ```
pub fn all(make: Make<'_>) {
    for (name, promise) in PROMISES {
        println!("{name}");
        promise(make);
    }
}

/// Makes a `#[test]` of every promise in [`conformance`](mod@crate::conformance). The argument
/// makes the hub: a function or closure as [`Make`](crate::conformance::Make) says.
///
/// ```
/// mod my_hub {
///     hub_core::conformance!(|| Ok(Box::new(hub_poll::Poll::new()?)));
/// }
/// ```
#[macro_export]
macro_rules! conformance {
    (@promises $kind:ident $make:expr) => {
        $crate::conformance! { @$kind $make;
            a_descriptor_is_registered_once
            what_is_not_registered_is_not_found
            nothing_is_armed_at_first
            what_was_removed_is_silent
            numbers_are_reused
            descriptors_come_and_go
            reports_are_appended
            a_huge_descriptor_is_served_or_refused
            what_was_removed_is_let_go_of
            a_number_that_was_closed_can_be_removed
            what_is_abandoned_stays_the_parents
            another_of_its_kind_is_fresh

            edge_reports_whenever_it_becomes_ready
            edge_reports_what_came_before_it_was_armed
            edge_tells_of_the_end_that_came_with_the_data
            edge_tells_when_there_is_room_to_write
            oneshot_reports_once
            oneshot_may_be_armed_at_any_time
            interests_add_up
            a_report_consumes_only_what_it_names
            level_reports_for_as_long_as_it_is_ready
            level_arm_replaces_and_disarms
            many_ready_descriptors_all_get_their_turn
            a_wait_fills_the_room_it_is_given
            edge_reads_need_no_arm_if_it_says_so

            a_hang_up_makes_both_directions_ready
            a_hang_up_that_nobody_waits_for_does_not_spin
            a_reset_is_reported
            an_error_is_reported
            hang_ups_are_shown_if_it_says_so
            urgent_data_makes_reading_ready
            a_regular_file_is_always_ready
            a_regular_file_starves_nobody

            a_wait_without_descriptors_sleeps
            a_short_timeout_is_neither_early_nor_a_spin
            a_zero_timeout_returns
            a_timeout_without_end_is_safe
            another_thread_ends_a_wait
            a_stopped_process_keeps_its_timeouts
            a_hub_nests_in_another
        }
    };
    (@test $make:expr; $($promise:ident)*) => {
        $(#[test] fn $promise() { $crate::conformance::$promise(&$make) })*
    };
    (@list $make:expr; $($promise:ident)*) => {
        &[$((stringify!($promise), $crate::conformance::$promise)),*]
    };
    ($make:expr) => {
        $crate::conformance! { @promises test $make }
    };
}
