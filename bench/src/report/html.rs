//! A report as one page: no script, no network.

use std::fmt::Write as _;

use super::style::style;
use super::table::{COLUMNS, HUB, LAYER, OPERATION, cells};
use super::verdict::{Standing, standing};
use super::{Report, grouped, time};
use crate::plan::Workload;

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
             <header>\n<h1>Which hub to use here</h1>\n<p class=\"verdict\">{}</p>\n",
            escaped(&self.verdict())
        );
        self.heat_map(&mut page);
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
        let size = (workload.size_counts(), "how many");
        for (name, meaning) in [OPERATION, LAYER, size, HUB].into_iter().chain(COLUMNS) {
            let _ = write!(
                page,
                "<th scope=\"col\">{name}<small>{meaning}</small></th>"
            );
        }
        page.push_str("</tr></thead>\n<tbody>\n");
        for group in self.groups(workload) {
            let differ = group
                .iter()
                .any(|of| standing(&group, of) == Standing::Dearer);
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
                    let best = column == 0 && differ && standing(&group, of) == Standing::Cheapest;
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
const METHOD: &str = "\
<section id=\"method\" aria-labelledby=\"method-heading\">
<h2 id=\"method-heading\">How it was measured</h2>
<p>Each sample is a process of its own. Rounds go over all cases; within a case the hubs take turns, in an order that
rotates from round to round. What runs before the window is the warm-up and does not count. Every figure is the median
over the rounds; ± is half the distance between the quartiles in percent, in charts the line through a mark.</p>
<p>One hub is said to cost less than another if chance alone would show that in less than one of a hundred runs (by the
test of Mann and Whitney, which five rounds can pass and four cannot) and the medians are two percent apart: anything
else is noise. <b>Bold</b> is what no other hub is below; where the hubs do not differ, and where the rounds are too
few to tell, nothing is. The verdict weighs each workload in greenthreads alike.</p>
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
    fn days() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_798_761_599), "2026-12-31");
    }
}
