//! Axes: where a value lies, and which values are labelled.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// One axis of a chart. Positions are values, or their logarithms.
#[derive(Clone)]
pub(super) struct Axis {
    log: bool,
    from: f64,
    to: f64,
    /// Positions and their labels.
    ticks: Vec<(f64, String)>,
}

/// A logarithmic axis shows half a power of ten at least, so that noise does not fill a chart.
const LEAST_SPAN: f64 = 0.5;

impl Axis {
    /// A logarithmic axis over these values, with every power of ten labelled.
    pub(super) fn sizes(
        values: impl Iterator<Item = f64> + Clone,
        label: fn(f64) -> String,
    ) -> Axis {
        let (least, most) = ends(values);
        let (from, to) = (least.log10() - 0.1, most.log10() + 0.1);
        Axis {
            log: true,
            from,
            to,
            ticks: decades(from, to, &[1.0], label),
        }
    }

    /// A logarithmic axis over these values, labelled as densely as their span allows.
    pub(super) fn values(
        values: impl Iterator<Item = f64> + Clone,
        label: fn(f64) -> String,
    ) -> Axis {
        let (least, most) = ends(values);
        let missing = LEAST_SPAN - 0.2 - (most / least).log10();
        let margin = 0.1 + missing.max(0.0) / 2.0;
        let (from, to) = (least.log10() - margin, most.log10() + margin);
        let steps: &[f64] = match to - from {
            span if span > 2.5 => &[1.0],
            span if span > 1.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
        };
        Axis {
            log: true,
            from,
            to,
            ticks: decades(from, to, steps, label),
        }
    }

    /// An axis from zero to a little above this value.
    pub(super) fn from_zero(most: f64, label: fn(f64) -> String) -> Axis {
        let rough = most / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = step
            .into_iter()
            .find(|&step| step >= rough)
            .unwrap_or(rough);
        let ticks = (0..=6).map(|at| f64::from(at) * step);
        Axis {
            log: false,
            from: 0.0,
            to: most * 1.1,
            ticks: ticks.map(|value| (value, label(value))).collect(),
        }
    }

    /// An axis of shares, by how few lie beyond: 90, 99 and 99.9 percent are equally far apart.
    pub(super) fn shares() -> Axis {
        let labelled = [
            (0.0, "0"),
            (0.5, "50"),
            (0.9, "90"),
            (0.99, "99"),
            (0.999, "99.9"),
            (0.9999, "99.99"),
        ];
        Axis {
            log: false,
            from: 0.0,
            to: share_position(0.9999),
            ticks: labelled
                .map(|(share, label)| (share_position(share), format!("{label} %")))
                .to_vec(),
        }
    }

    /// One place for each of these, in the middle of a unit.
    pub(super) fn names(names: &[&str]) -> Axis {
        let places = names.iter().enumerate();
        Axis {
            log: false,
            from: 0.0,
            to: names.len() as f64,
            ticks: places
                .map(|(at, name)| (at as f64 + 0.5, (*name).to_owned()))
                .collect(),
        }
    }

    pub(super) fn position(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// The label of the tick at this position.
    pub(super) fn label(&self, position: f64) -> String {
        let near = |(tick, _): &&(f64, String)| (tick - position).abs() < 1e-9 * (1.0 + tick.abs());
        let tick = self.ticks.iter().find(near);
        tick.map_or_else(String::new, |(_, label)| label.clone())
    }

    /// The positions that are labelled and seen.
    fn seen(&self) -> Vec<f64> {
        let places = self.ticks.iter().map(|&(place, _)| place);
        places
            .filter(|place| (self.from..=self.to).contains(place))
            .collect()
    }
}

/// Among positions, with a line of the mesh at each tick.
impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, position: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (position - self.from) / (self.to - self.from);
        // What lies far outside, or is no number, is cut off in any case.
        first + (share.clamp(-1.0, 2.0) * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.seen()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

/// Where a share lies on the axis of shares.
pub(super) fn share_position(share: f64) -> f64 {
    -(1.0 - share).log10()
}

/// The least and the greatest positive value; one and ten where there is none.
fn ends(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let values = values.filter(|value| value.is_finite() && *value > 0.0);
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let most = values.fold(0.0, f64::max);
    if most > 0.0 {
        (least, most)
    } else {
        (1.0, 10.0)
    }
}

fn decades(from: f64, to: f64, steps: &[f64], label: fn(f64) -> String) -> Vec<(f64, String)> {
    let powers = from.floor() as i32..=to.ceil() as i32;
    powers
        .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
        .map(|value| (value.log10(), label(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(value: f64) -> String {
        format!("{value}")
    }

    fn labels(axis: &Axis) -> Vec<String> {
        axis.seen()
            .into_iter()
            .map(|place| axis.label(place))
            .collect()
    }

    #[test]
    fn powers_of_ten_are_labelled() {
        let axis = Axis::sizes([1.0, 1_000.0].into_iter(), label);
        assert_eq!(labels(&axis), ["1", "10", "100", "1000"]);
        assert!((axis.position(100.0) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn values_are_logarithmic_and_labelled_whatever_their_span() {
        let axis = Axis::values([2.0, 90.0].into_iter(), label);
        assert_eq!(labels(&axis), ["2", "5", "10", "20", "50", "100"]);
        let axis = Axis::values([2.0, 9.0].into_iter(), label);
        assert_eq!(labels(&axis), ["2", "3", "4", "5", "7", "10"]);
        // Whatever they are, two ticks at least can be read.
        for value in (10..100).map(f64::from) {
            let axis = Axis::values([value].into_iter(), label);
            assert!(labels(&axis).len() >= 2, "{value}");
            assert!(axis.to - axis.from > 0.49, "{value}");
        }
    }

    #[test]
    fn bars_begin_at_zero() {
        let axis = Axis::from_zero(9.0, label);
        assert_eq!(labels(&axis), ["0", "2", "4", "6", "8"]);
    }

    #[test]
    fn what_is_outside_has_a_place() {
        let axis = Axis::values([2.0, 90.0].into_iter(), label);
        for value in [0.0, -1.0, 1e300, f64::INFINITY, f64::NAN] {
            let place = axis.map(&axis.position(value), (10, 110));
            assert!((-90..=210).contains(&place), "{value}: {place}");
        }
    }

    #[test]
    fn nothing_is_no_panic() {
        assert!(!labels(&Axis::values(std::iter::empty(), label)).is_empty());
        assert!(!labels(&Axis::sizes([0.0, f64::NAN].into_iter(), label)).is_empty());
    }
}
