//! Which charts a workload has, and what is in them.

use super::axis::{Axis, share_position};
use super::chart::{self, Caption, Point, Series};
use super::{Figure, Report, grouped, time};
use crate::plan::{Layer, Workload};

impl Report {
    /// Every chart of a workload with what it is about.
    pub(super) fn charts(&self, workload: Workload) -> Vec<(Caption, String)> {
        let groups = self.groups(workload);
        let mut kinds: Vec<(&str, Layer, usize)> = Vec::new();
        for of in groups.iter().map(|group| group[0]) {
            // What has one size is compared in bars, and there the layers stand together.
            let kind = match workload {
                Workload::Layers => (&*of.operation, Layer::Hub, of.size),
                _ => (&*of.operation, of.layer, 0),
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let mut charts = Vec::new();
        for (operation, layer, size) in kinds {
            let of = |figure: &&Figure| {
                figure.workload == workload
                    && figure.operation == operation
                    && match workload {
                        Workload::Layers => figure.size == size,
                        _ => figure.layer == layer,
                    }
            };
            let figures: Vec<_> = self.figures.iter().filter(of).collect();
            charts.extend(self.cost(workload, &figures));
            if workload != Workload::Layers {
                charts.extend(self.latencies(workload, &figures));
            }
        }
        charts
    }

    /// Processor time against the size, or beside each other if there is one size.
    fn cost(&self, workload: Workload, figures: &[&Figure]) -> Option<(Caption, String)> {
        let first = figures.first()?;
        let layer = match workload {
            Workload::Timers | Workload::Registration => format!(" ({})", first.layer),
            _ => String::new(),
        };
        let one_size = figures.iter().all(|of| of.size == first.size);
        let mut caption = Caption {
            id: id(&[
                workload.name(),
                &first.operation,
                first.layer.name(),
                &first.size.to_string(),
                "cost",
            ]),
            title: format!("{}: processor time{layer}", capital(&first.operation)),
            description: description(figures, one_size),
            x: format!("{} (logarithmic scale)", workload.size_counts()),
            y: "processor time each (logarithmic scale)".into(),
        };
        let values = figures.iter().flat_map(|of| [low(of), high(of)]);
        if !one_size {
            let x = Axis::sizes(figures.iter().map(|of| of.size as f64), |size| {
                grouped(size as u64)
            });
            let y = Axis::values(values, tick);
            let drawing = chart::lines(&caption, &x, &y, &self.by_hub(figures), 1);
            return Some((caption, drawing));
        }
        let hubs = self.hubs();
        (caption.x, caption.y) = ("hub".into(), "processor time each".into());
        if workload == Workload::Layers {
            let counts = Workload::of_operation(&first.operation);
            caption.title += &format!(", {}", counts.size_in_words(first.size));
        }
        let x = Axis::names(&hubs);
        let y = Axis::from_zero(values.fold(1.0, f64::max), tick);
        let mut layers: Vec<Layer> = figures.iter().map(|of| of.layer).collect();
        layers.sort_unstable();
        layers.dedup();
        let series = layers.into_iter().map(|layer| Series {
            name: layer.to_string(),
            points: figures
                .iter()
                .filter(|of| of.layer == layer)
                .filter_map(|of| {
                    let place = hubs.iter().position(|hub| **hub == of.hub)?;
                    Some(Point {
                        x: place as f64,
                        ..point(of)
                    })
                })
                .collect(),
        });
        let drawing = chart::bars(&caption, &x, &y, &series.collect::<Vec<_>>());
        Some((caption, drawing))
    }

    /// One line for each hub, in the order and so in the colours of the whole page.
    fn by_hub(&self, figures: &[&Figure]) -> Vec<Series> {
        let hubs = self.hubs().into_iter();
        hubs.map(|hub| {
            let of_hub = figures.iter().filter(|of| of.hub == hub);
            let mut points: Vec<_> = of_hub.map(|of| point(of)).collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Series {
                name: hub.to_owned(),
                points,
            }
        })
        .collect()
    }

    /// How long the operations took, at one size or two.
    fn latencies(&self, workload: Workload, figures: &[&Figure]) -> Vec<(Caption, String)> {
        let mut sizes: Vec<usize> = figures
            .iter()
            .filter(|of| of.latency.is_some())
            .map(|of| of.size)
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        let (Some(&least), Some(&most)) = (sizes.first(), sizes.last()) else {
            return Vec::new();
        };
        let usual = sizes.iter().rev().find(|&&size| size <= 100);
        let mut chosen = vec![usual.copied().unwrap_or(least), most];
        chosen.dedup();
        chosen
            .into_iter()
            .map(|size| self.latency(workload, figures, size))
            .collect()
    }

    fn latency(&self, workload: Workload, figures: &[&Figure], size: usize) -> (Caption, String) {
        let of_size: Vec<_> = figures
            .iter()
            .copied()
            .filter(|of| of.size == size)
            .collect();
        let (operation, layer) = of_size
            .first()
            .map_or(("", Layer::Green), |of| (&*of.operation, of.layer));
        let what = match workload {
            Workload::Timers => format!("{}: lateness ({layer})", capital(operation)),
            _ => format!("{}: latency", capital(operation)),
        };
        let words = of_size.iter().map(|of| {
            let at = |share| {
                of.latency_at(share)
                    .map_or("-".into(), |ns| time(ns as f64))
            };
            format!(
                "{}: median {}, 99 % within {}, 99.9 % within {}",
                of.hub,
                at(0.5),
                at(0.99),
                at(0.999)
            )
        });
        let caption = Caption {
            id: id(&[
                workload.name(),
                operation,
                layer.name(),
                &size.to_string(),
                "latency",
            ]),
            title: format!("{what}, {}", workload.size_in_words(size)),
            description: words.collect::<Vec<_>>().join("; "),
            x: "share of the operations (logarithmic scale of the rest)".into(),
            y: match workload {
                Workload::Timers => "late by at most (logarithmic scale)",
                _ => "took at most (logarithmic scale)",
            }
            .into(),
        };
        let series: Vec<_> = self
            .hubs()
            .into_iter()
            .map(|hub| Series {
                name: hub.to_owned(),
                points: of_size
                    .iter()
                    .find(|of| of.hub == hub)
                    .map_or_else(Vec::new, |of| curve(of)),
            })
            .collect();
        let values = series
            .iter()
            .flat_map(|series| series.points.iter().map(|point| point.y));
        let y = Axis::values(values, tick);
        let drawing = chart::lines(&caption, &Axis::shares(), &y, &series, MARK_EVERY);
        (caption, drawing)
    }
}
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn id(parts: &[&str]) -> String {
    parts
        .join("-")
        .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
}

fn low(of: &Figure) -> f64 {
    of.cpu().quantile(0.25).unwrap_or(0.0)
}

fn high(of: &Figure) -> f64 {
    of.cpu().quantile(0.75).unwrap_or(0.0)
}

fn point(of: &Figure) -> Point {
    Point {
        x: of.size as f64,
        y: of.cpu_median(),
        low: low(of),
        high: high(of),
    }
}

/// So many points of a curve share one mark.
const MARK_EVERY: usize = 20;

/// The latency at shares that are evenly spread over the axis.
fn curve(of: &Figure) -> Vec<Point> {
    let most = share_position(0.9999);
    let shares = (0..=100).map(|at| 1.0 - 10_f64.powf(-most * f64::from(at) / 100.0));
    shares
        .filter_map(|share| {
            let ns = of.latency_at(share.max(1e-9))? as f64;
            Some(Point {
                x: share_position(share),
                y: ns,
                low: ns,
                high: ns,
            })
        })
        .collect()
}

fn description(figures: &[&Figure], one_size: bool) -> String {
    let words = figures.iter().map(|of| {
        let place = match one_size {
            true => format!("{} {}", of.hub, of.layer),
            false => format!("{} at {}", of.hub, grouped(of.size as u64)),
        };
        format!("{place}: {}", time(of.cpu_median()))
    });
    words.collect::<Vec<_>>().join("; ")
}

/// A time at an axis, without needless zeros.
fn tick(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    if value == 0.0 {
        return "0".into();
    }
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_no_needless_zeros() {
        assert_eq!(
            [0.0, 500.0, 1_000.0, 2_500.0, 1e6].map(tick),
            ["0", "500 ns", "1 µs", "2.5 µs", "1 ms"]
        );
    }
}
