//! Medians, spreads, the decision between a difference and noise, and figures as text.

use std::fmt::Write as _;

/// The samples of one figure, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds one sample.
    pub fn push(&mut self, value: f64) {
        let at = self.0.partition_point(|&other| other < value);
        self.0.insert(at, value);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value below which `share` of the samples lie, between the two nearest if need be.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let place = share * self.0.len().checked_sub(1)? as f64;
        let low = self.0[place.floor() as usize];
        let high = self.0[place.ceil() as usize];
        Some(low + (high - low) * place.fract())
    }

    /// The median.
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// Half the distance between the quartiles, in percent of the median.
    pub fn spread(&self) -> Option<f64> {
        let half = (self.quantile(0.75)? - self.quantile(0.25)?) / 2.0;
        Some(half / self.median()? * 100.0)
    }

    /// Median and spread for a table.
    pub fn cell(&self) -> String {
        match (self.median(), self.spread()) {
            (Some(median), Some(spread)) => format!("{} ±{spread:.0}%", figure(Some(median))),
            _ => "-".into(),
        }
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Samples {
        let mut samples = Samples::default();
        values.into_iter().for_each(|value| samples.push(value));
        samples
    }
}

/// What the samples of two runs say about each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The new ones are lower, beyond the noise.
    Lower,
    /// The new ones are higher, beyond the noise.
    Higher,
    /// The difference may be chance, or is below [`WORTH_A_WORD`].
    Same,
    /// However they turned out, so few samples could not tell chance from difference.
    TooFew,
}

/// How probable a verdict of [`Lower`](Verdict::Lower) or [`Higher`](Verdict::Higher) may be between two runs that do
/// not differ.
pub const CHANCE: f64 = 0.01;

/// A smaller difference of the medians than this share is none: the machine's own mood is of that size.
pub const WORTH_A_WORD: f64 = 0.02;

/// Compares two sets of samples and says if they differ: by the exact two-sided test of Mann and
/// Whitney, which asks only how often a sample of the one lies below a sample of the other, so one
/// wild round decides nothing. Five rounds against five are the fewest that can reach [`CHANCE`].
///
/// ```
/// use hub_bench::stats::{Samples, Verdict, compare};
/// let old: Samples = [5.0, 5.1, 5.2, 5.1, 9.9].into_iter().collect();
/// let new: Samples = [4.0, 4.1, 4.2, 4.1, 4.3].into_iter().collect();
/// assert_eq!(compare(&old, &new), Verdict::Lower);
/// ```
pub fn compare(old: &Samples, new: &Samples) -> Verdict {
    let (Some(before), Some(after)) = (old.median(), new.median()) else {
        return Verdict::TooFew;
    };
    let pairs = old.len() * new.len();
    let chances = chances(old.len(), new.len());
    if 2.0 * chances[0] > CHANCE {
        return Verdict::TooFew;
    }
    // Twice the count of pairs in which the old one is lower; a tie counts half.
    let twice: usize = old
        .0
        .iter()
        .flat_map(|old| new.0.iter().map(move |new| old.partial_cmp(new)))
        .map(|order| match order {
            Some(std::cmp::Ordering::Less) => 2,
            Some(std::cmp::Ordering::Equal) => 1,
            _ => 0,
        })
        .sum();
    // The nearer end, rounded towards the middle: ties must not make a verdict.
    let extreme = twice.min(2 * pairs - twice).div_ceil(2);
    let by_chance = 2.0 * chances[..=extreme].iter().sum::<f64>();
    if by_chance > CHANCE || (after / before - 1.0).abs() < WORTH_A_WORD {
        Verdict::Same
    } else if after < before {
        Verdict::Lower
    } else {
        Verdict::Higher
    }
}

/// How probable each count of pairs is if all orders of the samples are equally probable.
fn chances(a: usize, b: usize) -> Vec<f64> {
    // ways[i][u]: the orders of i samples of the one and all of the other considered so far that have count u.
    let mut ways = vec![vec![0.0; a * b + 1]; a + 1];
    for row in &mut ways {
        row[0] = 1.0;
    }
    for others in 1..=b {
        // With one more of the other: the greatest is either it, or one of ours, which then lies above all of them.
        for ours in 1..=a {
            for count in (0..=a * b).rev() {
                let below = count
                    .checked_sub(others)
                    .map_or(0.0, |rest| ways[ours - 1][rest]);
                ways[ours][count] += below;
            }
        }
    }
    let all: f64 = ways[a].iter().sum();
    ways[a].iter().map(|ways| ways / all).collect()
}

/// A figure with three significant digits, and `-` where there is none.
pub fn figure(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// One markdown table.
pub fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(header);
    line(&vec!["---".to_string(); header.len()]);
    rows.iter().for_each(|row| line(row));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples<const N: usize>(values: [f64; N]) -> Samples {
        values.into_iter().collect()
    }

    #[test]
    fn quantiles_interpolate_and_order_does_not_matter() {
        assert_eq!(Samples::default().median(), None);
        let samples = samples([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(samples.median(), Some(2.5));
        assert_eq!(samples.quantile(0.0), Some(1.0));
        assert_eq!(samples.quantile(1.0), Some(4.0));
        assert_eq!(samples.spread(), Some(30.0));
    }

    #[test]
    fn figures_have_three_digits() {
        let shown = [Some(3.316), Some(31.64), Some(316.4), None].map(figure);
        assert_eq!(shown, ["3.32", "31.6", "316", "-"]);
    }

    #[test]
    fn the_chances_are_those_of_the_orders() {
        // Of the six orders of two and two, the counts are 0, 1, 2, 2, 3, 4.
        let sixth = 1.0 / 6.0;
        let expected = [sixth, sixth, 2.0 * sixth, sixth, sixth];
        let found = chances(2, 2);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12);
        }
        // Three and five: 56 orders, one of which has no pair the one way.
        assert!((chances(3, 5)[0] - 1.0 / 56.0).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_overlap_differs() {
        let low = samples([1.0, 1.1, 1.2, 1.3, 1.4]);
        let high = samples([2.0, 2.1, 2.2, 2.3, 2.4]);
        assert_eq!(compare(&low, &high), Verdict::Higher);
        assert_eq!(compare(&high, &low), Verdict::Lower);
        assert_eq!(compare(&low, &low), Verdict::Same);
    }

    #[test]
    fn what_overlaps_is_noise() {
        let one = samples([1.0, 1.1, 1.2, 1.3, 1.4]);
        let other = samples([1.35, 1.45, 1.5, 1.6, 1.7]);
        assert_eq!(compare(&one, &other), Verdict::Same);
    }

    #[test]
    fn one_wild_round_of_many_does_not_hide_a_difference() {
        let one = samples([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 9.0]);
        let other = samples([2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8]);
        assert_eq!(compare(&one, &other), Verdict::Higher);
    }

    #[test]
    fn a_percent_is_nothing_however_sure() {
        let one = samples([1.000, 1.001, 1.002, 1.003, 1.004]);
        let other = samples([1.010, 1.011, 1.012, 1.013, 1.014]);
        assert_eq!(compare(&one, &other), Verdict::Same);
    }

    #[test]
    fn four_rounds_cannot_tell() {
        let low = samples([1.0, 1.1, 1.2, 1.3]);
        let high = samples([2.0, 2.1, 2.2, 2.3]);
        assert_eq!(compare(&low, &high), Verdict::TooFew);
        assert_eq!(compare(&low, &Samples::default()), Verdict::TooFew);
    }

    #[test]
    fn equal_values_are_no_difference() {
        let same = samples([1.0; 7]);
        assert_eq!(compare(&same, &same), Verdict::Same);
    }
}
