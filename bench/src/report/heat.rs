//! Hub against load: what each costs as a multiple of the cheapest, as a table for a terminal and a heat map for a page.

use std::fmt::Write as _;

use super::html::escaped;
use super::table::aligned;
use super::verdict::{Load, Standing};
use super::{Figure, Report};
use crate::stats::figure;

/// What is up to so dear has the colour of this number; beyond the last it has the last colour.
const STEPS: [f64; 5] = [1.1, 1.5, 3.0, 10.0, f64::INFINITY];

/// The colour of a cell: 0 for the cheapest and what is within the noise of it.
fn step(load: &Load<'_>, of: &Figure) -> usize {
    let ratio = load.ratio(of);
    match load.standing(of) {
        Standing::Cheapest => 0,
        // Two rounds tell orders of magnitude apart, and nothing finer.
        Standing::Untold if ratio < STEPS[1] => 0,
        Standing::Dearer | Standing::Untold | Standing::Far => {
            1 + STEPS
                .iter()
                .position(|&most| ratio < most)
                .unwrap_or(STEPS.len() - 1)
        }
    }
}

/// A ratio, with what the noise says of it.
fn cell(load: &Load<'_>, of: &Figure) -> String {
    let ratio = figure(Some(load.ratio(of)));
    match load.standing(of) {
        Standing::Cheapest => format!("{ratio} ="),
        Standing::Dearer | Standing::Far => ratio,
        Standing::Untold => format!("{ratio} ?"),
    }
}

const MARKS: &str =
    "= is within the noise of the cheapest; ? may be, since the rounds are too few to tell.";

impl Report {
    /// The heat map in figures.
    pub(super) fn ratios(&self) -> String {
        let (hubs, loads) = (self.hubs(), self.loads());
        let header: Vec<String> = ["load"]
            .iter()
            .chain(&hubs)
            .map(|name| (*name).to_owned())
            .collect();
        let rows: Vec<Vec<String>> = loads.iter().map(|load| row(load, &hubs)).collect();
        format!(
            "Processor time on each hub, as a multiple of the cheapest. {MARKS}\n\n{}",
            aligned(&header, &rows, 1)
        )
    }

    /// The heat map as a table of HTML.
    pub(super) fn heat_map(&self, page: &mut String) {
        let (hubs, loads) = (self.hubs(), self.loads());
        if hubs.len() < 2 {
            return;
        }
        let _ = write!(
            page,
            "<figure class=\"heat\">\n<figcaption>Processor time on each hub, as a multiple of the cheapest</figcaption>\n\
             <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Hub against load\">\n<table>\n<thead><tr>\
             <th scope=\"col\">load</th>"
        );
        for hub in &hubs {
            let _ = write!(page, "<th scope=\"col\">{}</th>", escaped(hub));
        }
        page.push_str("</tr></thead>\n<tbody>\n");
        let mut before = None;
        for load in &loads {
            let first = match before.replace(load.workload) == Some(load.workload) {
                true => "",
                false => " class=\"first\"",
            };
            let name = escaped(&load.name);
            let _ = write!(
                page,
                "<tr{first}><th class=\"load\" scope=\"row\">{name}</th>"
            );
            for hub in &hubs {
                let of = load.figures.iter().find(|of| of.hub == **hub);
                let _ = match of {
                    Some(of) => write!(
                        page,
                        "<td class=\"h{}\">{}</td>",
                        step(load, of),
                        cell(load, of)
                    ),
                    None => write!(page, "<td>-</td>"),
                };
            }
            page.push_str("</tr>\n");
        }
        let _ = writeln!(
            page,
            "</tbody>\n</table>\n</div>\n<p class=\"key\">{MARKS} {KEY}</p>\n</figure>"
        );
    }
}

const KEY: &str = "Colours: <span class=\"h0\">the cheapest, or not told from it</span> \
<span class=\"h1\">up to 1.1</span> <span class=\"h2\">up to 1.5</span> <span class=\"h3\">up to 3</span> \
<span class=\"h4\">up to 10</span> <span class=\"h5\">more</span>";

fn row(load: &Load<'_>, hubs: &[&str]) -> Vec<String> {
    let cells = hubs.iter().map(|hub| {
        let of = load.figures.iter().find(|of| of.hub == **hub);
        of.map_or("-".into(), |of| cell(load, of))
    });
    [load.name.clone()].into_iter().chain(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;

    #[test]
    fn every_load_has_a_cell_for_each_hub() {
        let mut report = report();
        let mut page = String::new();
        report.heat_map(&mut page);
        assert_eq!(
            page.matches("<td class=\"h0\">1.00 =</td>").count(),
            3,
            "{page}"
        );
        assert_eq!(
            page.matches("<td class=\"h3\">2.00</td>").count(),
            3,
            "{page}"
        );
        let lines = report.ratios();
        let last = lines.lines().last().unwrap();
        let words: Vec<_> = last.split_whitespace().collect();
        assert_eq!(
            words,
            ["echo,", "10,000", "connections", "1.00", "=", "2.00"]
        );
        // Too few rounds: twice as much is no noise, but is not told.
        report
            .figures
            .iter_mut()
            .for_each(|of| of.cpu_ns.truncate(2));
        page.clear();
        report.heat_map(&mut page);
        assert_eq!(
            page.matches("<td class=\"h3\">2.00 ?</td>").count(),
            3,
            "{page}"
        );
        // One hub is compared with nothing.
        report.figures.retain(|of| of.hub == "poll");
        page.clear();
        report.heat_map(&mut page);
        assert_eq!(page, "");
    }
}
