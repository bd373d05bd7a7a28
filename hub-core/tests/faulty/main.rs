//! The conformance suite finds what it is there to find: hubs with one defect each
//!
//! A test that cannot fail proves nothing. For every promise there is a hub here that breaks it.

mod hub;

use std::panic;

use hub::{FAULT, Fault, make};
use hub_core::conformance::{self as promise, Make, Promise};

macro_rules! promises {
    ($($name:ident)*) => { &[$((stringify!($name), promise::$name as fn(Make<'_>))),*] };
}

const BROKEN: &[(Fault, &[Promise])] = &[
    (
        Fault::TwiceIsFine,
        promises!(a_descriptor_is_registered_once),
    ),
    (
        Fault::UnknownIsFine,
        promises!(what_is_not_registered_is_not_found),
    ),
    (Fault::BornArmed, promises!(nothing_is_armed_at_first)),
    (
        Fault::RemembersTheRemoved,
        promises!(what_was_removed_is_silent),
    ),
    (Fault::FirstOwnerForEver, promises!(numbers_are_reused)),
    (Fault::MixesUp, promises!(descriptors_come_and_go)),
    (Fault::ClearsEvents, promises!(reports_are_appended)),
    (
        Fault::BreaksOnHugeNumbers,
        promises!(a_huge_descriptor_is_served_or_refused),
    ),
    (
        Fault::LosesEverySecond,
        promises!(edge_reports_whenever_it_becomes_ready),
    ),
    (
        Fault::LosesWhatCameBefore,
        promises!(edge_reports_what_came_before_it_was_armed oneshot_may_be_armed_at_any_time),
    ),
    (
        Fault::NeverWritable,
        promises!(edge_tells_when_there_is_room_to_write),
    ),
    (Fault::ReportsForEver, promises!(oneshot_reports_once)),
    (Fault::LastInterestOnly, promises!(interests_add_up)),
    (
        Fault::ForgetsTheRest,
        promises!(a_report_consumes_only_what_it_names),
    ),
    (
        Fault::LevelIsOneshot,
        promises!(level_reports_for_as_long_as_it_is_ready),
    ),
    (
        Fault::LevelAddsUp,
        promises!(level_arm_replaces_and_disarms),
    ),
    (
        Fault::EightAtATime,
        promises!(many_ready_descriptors_all_get_their_turn),
    ),
    (
        Fault::HidesHangUps,
        promises!(a_hang_up_makes_both_directions_ready),
    ),
    (
        Fault::HidesErrors,
        promises!(a_reset_is_reported an_error_is_reported),
    ),
    (
        Fault::SpinsOnHangUps,
        promises!(a_hang_up_that_nobody_waits_for_does_not_spin),
    ),
    (
        Fault::RefusesFiles,
        promises!(a_regular_file_is_always_ready),
    ),
    (Fault::FilesFirst, promises!(a_regular_file_starves_nobody)),
    (
        Fault::NeverSleeps,
        promises!(a_wait_without_descriptors_sleeps),
    ),
    (
        Fault::WholeMilliseconds,
        promises!(a_short_timeout_is_neither_early_nor_a_spin),
    ),
    (Fault::BlindAtZero, promises!(a_zero_timeout_returns)),
    (
        Fault::AddsTheTimeout,
        promises!(a_timeout_without_end_is_safe),
    ),
    (Fault::GivesUp, promises!(another_thread_ends_a_wait)),
    (
        Fault::StopsAtSignals,
        promises!(a_stopped_process_keeps_its_timeouts),
    ),
    (Fault::LetsGoLate, promises!(what_was_removed_is_let_go_of)),
    (
        Fault::KnowsFiles,
        promises!(a_number_that_was_closed_can_be_removed),
    ),
    (
        Fault::ClaimsToNotice,
        promises!(a_number_that_was_closed_can_be_removed),
    ),
    (
        Fault::EmptiesTheSet,
        promises!(what_is_abandoned_stays_the_parents),
    ),
    (Fault::RenewsInVain, promises!(another_of_its_kind_is_fresh)),
    (
        Fault::HalfTheRoom,
        promises!(a_wait_fills_the_room_it_is_given),
    ),
    (
        Fault::ClaimsNoArm,
        promises!(edge_reads_need_no_arm_if_it_says_so),
    ),
    (
        Fault::HidesTheBits,
        promises!(
            hang_ups_are_shown_if_it_says_so
            edge_tells_of_the_end_that_came_with_the_data
        ),
    ),
    (
        Fault::HidesUrgent,
        promises!(urgent_data_makes_reading_ready),
    ),
    (Fault::NestsInVain, promises!(a_hub_nests_in_another)),
];

#[test]
fn every_defect_is_found() {
    let found: Vec<(Fault, &str, bool)> = std::thread::scope(|scope| {
        let pairs = BROKEN.iter().flat_map(|(fault, promises)| {
            promises
                .iter()
                .map(|(name, promise)| (*fault, *name, *promise))
        });
        let trials = pairs.map(|(fault, name, promise)| {
            scope.spawn(move || {
                FAULT.set(fault);
                (fault, name, panic::catch_unwind(|| promise(&make)).is_err())
            })
        });
        let trials: Vec<_> = trials.collect();
        trials
            .into_iter()
            .map(|trial| trial.join().unwrap())
            .collect()
    });
    let missed: Vec<_> = found.iter().filter(|(.., is_found)| !is_found).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// It is the defects that are found, not what carries them.
#[test]
fn without_a_defect_all_is_well() {
    promise::all(&make);
}

/// The list above has every promise.
#[test]
fn every_promise_is_broken_by_one() {
    let broken = BROKEN.iter().flat_map(|(_, promises)| *promises);
    let mut broken: Vec<&str> = broken.map(|(name, _)| *name).collect();
    let mut all: Vec<&str> = promise::PROMISES.iter().map(|(name, _)| *name).collect();
    broken.sort();
    broken.dedup();
    all.sort();
    assert_eq!(all, broken);
}
