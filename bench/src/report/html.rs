//! A report as one page: no script, no network.

use std::fmt::Write as _;

use super::axis::{Axis, share_position};
use super::chart::{self, COLOURS, Caption, GRID, INK, Point, Series};
use super::table::{COLUMNS, cells};
use super::{Figure, Report, grouped, time};
use crate::plan::{Layer, Workload};

/// Text for the page: nothing in it is markup.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            letter => safe.push(letter),
        }
    }
    safe
}

impl Report {
    /// The report as one page of HTML, with its charts in it.
    pub fn html(&self) -> String {
        let mut page = String::new();
        let style = style();
        let _ = write!(
            page,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
             <title>hub-bench: hubs compared</title>\n<style>\n{style}</style>\n</head>\n<body>\n\
             <header>\n<h1>Which hub to use here</h1>\n"
        );
        self.facts(&mut page);
        page.push_str("<ul class=\"remarks\">\n");
        for line in self.remarks() {
            let _ = writeln!(page, "<li>{}</li>", escaped(&line));
        }
        page.push_str("</ul>\n<nav aria-label=\"Workloads\">\n");
        for workload in self.workloads() {
            let _ = writeln!(page, "<a href=\"#{workload}\">{workload}</a>");
        }
        page.push_str("</nav>\n</header>\n<main>\n");
        for workload in self.workloads() {
            self.section(&mut page, workload);
        }
        page.push_str(METHOD);
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    fn facts(&self, page: &mut String) {
        let machine = &self.machine;
        let memory = machine.memory.map_or("unknown".into(), |bytes| {
            format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
        });
        let facts = [
            ("System", machine.system.clone()),
            (
                "Processor",
                format!("{} × {}", machine.processors, machine.processor),
            ),
            ("Memory", memory),
            (
                "Rounds",
                format!(
                    "{} of {}, after {} of warm-up",
                    self.method.rounds,
                    time(self.method.window * 1e9),
                    time(self.method.warmup * 1e9)
                ),
            ),
            (
                "Made",
                format!("{} by hub-bench {}", date(machine.began), self.version),
            ),
        ];
        page.push_str("<dl>\n");
        for (name, value) in facts {
            let _ = writeln!(
                page,
                "<div><dt>{name}</dt><dd>{}</dd></div>",
                escaped(&value)
            );
        }
        page.push_str("</dl>\n");
    }

    fn section(&self, page: &mut String, workload: Workload) {
        let _ = write!(
            page,
            "<section id=\"{workload}\" aria-labelledby=\"{workload}-heading\">\n<h2 id=\"{workload}-heading\">{workload}</h2>\n\
             <p>{}</p>\n<div class=\"charts\">\n",
            workload.about()
        );
        for (caption, drawing) in self.charts(workload) {
            let title = escaped(&caption.title);
            let _ = writeln!(
                page,
                "<figure>\n<figcaption>{title}</figcaption>\n{drawing}\n</figure>"
            );
        }
        page.push_str("</div>\n");
        self.figures(page, workload);
        page.push_str("</section>\n");
    }

    fn figures(&self, page: &mut String, workload: Workload) {
        let _ = write!(
            page,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Figures of {workload}\">\n<table>\n<thead><tr>"
        );
        let names = ["operation", "layer", workload.size_counts(), "hub"];
        for name in names.iter().chain(&COLUMNS) {
            let _ = write!(page, "<th scope=\"col\">{name}</th>");
        }
        page.push_str("</tr></thead>\n<tbody>\n");
        for group in self.groups(workload) {
            let cheapest = group
                .iter()
                .map(|of| of.cpu_median())
                .fold(f64::INFINITY, f64::min);
            for (at, of) in group.iter().enumerate() {
                let first = if at == 0 { " class=\"first\"" } else { "" };
                let _ = write!(
                    page,
                    "<tr{first}><td>{}</td><td>{}</td><td>{}</td><th scope=\"row\">{}</th>",
                    escaped(&of.operation),
                    of.layer,
                    grouped(of.size as u64),
                    escaped(&of.hub)
                );
                for (column, cell) in cells(of).iter().enumerate() {
                    let best = column == 0 && group.len() > 1 && of.cpu_median() <= cheapest;
                    let _ = match best {
                        true => write!(page, "<td><strong>{cell}</strong></td>"),
                        false => write!(page, "<td>{cell}</td>"),
                    };
                }
                page.push_str("</tr>\n");
            }
        }
        page.push_str("</tbody>\n</table>\n</div>\n");
    }

    fn charts(&self, workload: Workload) -> Vec<(Caption, String)> {
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
            x: workload.size_counts().to_owned(),
            y: "processor time each".into(),
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
        caption.x = "hub".into();
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
            x: "share of the operations".into(),
            y: if workload == Workload::Timers {
                "late by at most"
            } else {
                "took at most"
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

/// A day of the calendar, from seconds since 1970.
fn date(seconds: u64) -> String {
    // Days are counted in eras of 400 years that begin in March, so that a leap day is the last of its year.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + later)
}

fn style() -> String {
    let mut dark = String::new();
    for (drawn, on_dark) in COLOURS.into_iter().chain([INK, GRID]) {
        let _ = writeln!(
            dark,
            "  svg [stroke=\"{drawn}\"] {{ stroke: {on_dark}; }} svg [fill=\"{drawn}\"] {{ fill: {on_dark}; }}"
        );
    }
    format!("{STYLE}@media screen and (prefers-color-scheme: dark) {{\n{DARK}{dark}}}\n")
}

const STYLE: &str = "\
:root { --ink: #1b1f24; --quiet: #57606a; --back: #ffffff; --card: #f6f8fa; --line: #d8dce2; --link: #0057a8; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--back); }
h1 { margin: 0 0 .75rem; font-size: 1.9rem; }
h2 { margin: 2.5rem 0 .25rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.35rem;
  text-transform: capitalize; }
p { margin: .25rem 0 1rem; max-width: 46rem; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 0 0 1rem; }
dt { color: var(--quiet); font-size: .8rem; }
dd { margin: 0; }
.remarks { margin: 0 0 1rem; padding: .75rem 1rem .75rem 2rem; background: var(--card); border-radius: .5rem;
  font-size: .9rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
a { color: var(--link); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }
figure { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: .5rem; }
figcaption { padding: 0 0 .25rem .5rem; font-weight: 600; font-size: .95rem; }
svg { display: block; width: 100%; max-width: 44rem; height: auto; }
svg text { font-family: system-ui, sans-serif; }
.scroll { margin-top: 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; font-weight: normal; }
th:nth-child(-n+2), td:nth-child(-n+2), th:nth-child(4) { text-align: left; }
thead th { border-bottom: 1px solid var(--ink); color: var(--quiet); }
tr.first td, tr.first th { border-top: 1px solid var(--line); }
strong { font-weight: 650; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
";

const DARK: &str = "  :root { --ink: #e6e8eb; --quiet: #9aa4af; --back: #14171b; --card: #1d2127; --line: #3a414b; \
--link: #79b8ff; }\n";

const METHOD: &str = "\
<section id=\"method\" aria-labelledby=\"method-heading\">
<h2 id=\"method-heading\">How it was measured</h2>
<p>Each sample is a process of its own. Rounds go over all cases; within a case the hubs take turns, in an order that
rotates from round to round. What runs before the window is the warm-up and does not count. Every figure is the median
over the rounds; ± is half the distance between the quartiles in percent, in charts the line through a mark.</p>
<p><b>cpu/op</b> is the processor time, in user and in kernel mode, of the thread that runs the hub: on a machine with
few processors the clock on the wall would measure the load generator. Before and after each window no request is under
way, so the requests between the two readings are exact. The load generator checks every byte, never sleeps, and takes
answers in batches; <b>client/op</b> is what it spends itself, without its waiting. <b>calls/op</b> are system calls.
<b>p50</b>, <b>p99</b> and <b>p99.9</b> are times of single operations as the load generator sees them, in a closed loop:
with many connections most of it is the queue. Of timers it is how late they were. <b>resident</b> is the memory of the
server's process at the end.</p>
</section>
";

#[cfg(test)]
mod tests {
    use super::super::tests::{case, report};
    use super::*;

    #[test]
    fn the_page_has_every_chart_and_figure() {
        let mut report = report();
        report.fail("poll", &case(7), "<b>&".into());
        let page = report.html();
        // Cost, and the latency at 100 and at 10,000 connections.
        assert_eq!(page.matches("<svg ").count(), 3);
        assert_eq!(page.matches("<title id=").count(), 3);
        assert_eq!(page.matches("<th scope=\"row\">").count(), 6);
        assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("<b>&"));
        assert!(!page.contains("could not be drawn"));
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = report().html();
        for word in ["<script", "src=", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
        // The only addresses are names of XML.
        assert_eq!(
            page.matches("http").count(),
            page.matches("http://www.w3.org/").count()
        );
    }

    #[test]
    fn every_colour_has_one_for_the_dark() {
        let page = report().html();
        let (_, dark) = page.split_once("prefers-color-scheme: dark").unwrap();
        let (dark, charts) = dark.split_once("</style>").unwrap();
        let codes = charts
            .match_indices("=\"#")
            .map(|(at, _)| &charts[at + 2..at + 9]);
        let mut seen = 0;
        for code in codes.filter(|code| code[1..].chars().all(|digit| digit.is_ascii_hexdigit())) {
            seen += 1;
            assert!(dark.contains(&format!("\"{code}\"")), "{code}");
        }
        assert!(seen > 20);
    }

    #[test]
    fn ids_are_unique() {
        let page = report().html();
        let mut ids: Vec<_> = page
            .match_indices(" id=\"")
            .map(|(at, _)| page[at + 5..].split('"').next().unwrap())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }

    #[test]
    fn ticks_and_days() {
        assert_eq!(
            [0.0, 500.0, 1_000.0, 2_500.0, 1e6].map(tick),
            ["0", "500 ns", "1 µs", "2.5 µs", "1 ms"]
        );
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_798_761_599), "2026-12-31");
    }
}
