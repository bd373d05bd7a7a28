//! Medians, spreads and markdown tables.

use std::fmt::Write as _;

/// The samples of one cell.
#[derive(Debug, Clone, Default)]
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

    /// Whether there are none.
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

    #[test]
    fn quantiles_interpolate_and_order_does_not_matter() {
        let mut samples = Samples::default();
        assert_eq!(samples.median(), None);
        for value in [4.0, 1.0, 3.0, 2.0] {
            samples.push(value);
        }
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
}
