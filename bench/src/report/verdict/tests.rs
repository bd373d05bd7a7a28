//! Verdicts on runs that are made up.

use super::super::Method;
use super::super::tests::{case, sample};
use super::*;
use crate::plan::Plan;

/// A load for each list of what the hubs a, b and c cost; each round is some percent dearer than the one before.
fn report(rounds: u64, loads: &[[u64; 3]]) -> Report {
    let plan = Plan {
        rounds: rounds as usize,
        ..Plan::default()
    };
    let mut report = Report::new(Method::of(&plan));
    report.machine.debug_build = false;
    for round in 0..rounds {
        for (at, costs) in loads.iter().enumerate() {
            for (hub, cost) in ["a", "b", "c"].into_iter().zip(costs) {
                let cpu = cost * (1_000 + round * 10);
                report.add(hub, &case(10 * (at + 1)), vec![sample(100, cpu)]);
            }
        }
    }
    report
}

#[test]
fn the_cheapest_is_named_and_how_dear_the_others_are() {
    let said = report(5, &[[100, 200, 101], [100, 900, 150], [120, 100, 121]]).verdict();
    let expected = "Use a here: in 2 of 3 loads no other hub costs less beyond the noise, and in the rest a costs at most \
                    20 % more than the cheapest (echo, 30 connections). b costs 9.0 times as much as a (echo, 20 \
                    connections); c costs 1.5 times as much as a (echo, 20 connections).";
    assert_eq!(said, expected);
    let said = report(5, &[[100, 101, 5_000]]).verdict();
    assert!(
        said.starts_with(
            "Use a or b here: no other hub costs less beyond the noise in the one load. c costs"
        ),
        "{said}"
    );
}

#[test]
fn noise_is_no_difference() {
    let said = report(5, &[[100, 101, 102], [102, 100, 101]]).verdict();
    let expected =
        "No difference within the noise between a, b and c in any of 2 loads: take which you like.";
    assert_eq!(said, expected);
}

#[test]
fn two_rounds_tell_orders_of_magnitude() {
    let quick = report(2, &[[100, 130, 190], [100, 210, 1_500]]);
    let said = quick.verdict();
    let expected = "Two rounds tell orders of magnitude apart, and five a difference from noise: rather a, which nowhere \
                    costs twice as much as another. b costs 2.1 times as much as a (echo, 20 connections); c costs 15 times as \
                    much as a (echo, 20 connections).";
    assert_eq!(said, expected);
    assert!(!quick.html().contains("<strong>"));
    let said = report(2, &[[100, 130, 190]]).verdict();
    assert!(
        said.ends_with("in the one load no hub costs twice as much as another."),
        "{said}"
    );
}

#[test]
fn bold_is_what_nothing_is_below_and_something_above() {
    let page = report(5, &[[100, 101, 200], [100, 101, 102]]).html();
    assert_eq!(page.matches("<strong>").count(), 2);
}

#[test]
fn what_cannot_be_compared_has_no_verdict() {
    let mut report = report(5, &[[100, 200, 300]]);
    report.figures.truncate(1);
    assert!(report.verdict().starts_with("No verdict: two hubs"));
    report.machine.debug_build = true;
    assert!(report.verdict().contains("without optimisation"));
}
