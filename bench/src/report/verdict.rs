//! What a run says: which hub to take here, from its figures and their noise.

use super::{Figure, Report};
use crate::plan::{Layer, Workload};
use crate::stats::{self, Verdict};

/// What was done, with a figure of each hub.
pub(super) struct Load<'a> {
    pub(super) workload: Workload,
    pub(super) name: String,
    pub(super) figures: Vec<&'a Figure>,
}

/// How a figure stands among those of the same load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// None is lower beyond the noise.
    Cheapest,
    /// One at least is lower beyond the noise.
    Dearer,
    /// There are too few rounds to tell.
    Untold,
    /// There are too few rounds, but in each of them another one costs less than half.
    Far,
}

/// In a run of too few rounds a difference is named from this ratio on, if it is there in every round.
const ROUGH: f64 = 2.0;

impl Load<'_> {
    /// The figure with the lowest median.
    fn lowest(&self) -> &Figure {
        let by_cost = |a: &&&Figure, b: &&&Figure| a.cpu_median().total_cmp(&b.cpu_median());
        self.figures
            .iter()
            .min_by(by_cost)
            .expect("a load has figures")
    }

    /// What a figure costs as a multiple of the lowest.
    pub(super) fn ratio(&self, of: &Figure) -> f64 {
        of.cpu_median() / self.lowest().cpu_median()
    }

    fn of(&self, hub: &str) -> Option<&Figure> {
        self.figures.iter().copied().find(|of| of.hub == hub)
    }

    pub(super) fn standing(&self, of: &Figure) -> Standing {
        standing(&self.figures, of)
    }
}

/// How a figure stands in its group.
pub(super) fn standing(group: &[&Figure], of: &Figure) -> Standing {
    let others = group.iter().filter(|other| other.hub != of.hub);
    let verdicts: Vec<_> = others.clone().map(|other| compare(of, other)).collect();
    if verdicts.is_empty() || verdicts.contains(&Verdict::TooFew) {
        match others.into_iter().any(|other| is_far_below(other, of)) {
            true => Standing::Far,
            false => Standing::Untold,
        }
    } else if verdicts.contains(&Verdict::Lower) {
        Standing::Dearer
    } else {
        Standing::Cheapest
    }
}

/// What `other` costs beside `of`.
fn compare(of: &Figure, other: &Figure) -> Verdict {
    stats::compare(&of.cpu(), &other.cpu())
}

/// True if every sample of `of` is so much below every sample of `other` that no noise of this machine explains it.
fn is_far_below(of: &Figure, other: &Figure) -> bool {
    let (of, other) = (of.cpu(), other.cpu());
    let ends = of.quantile(1.0).zip(other.quantile(0.0));
    ends.is_some_and(|(most, least)| most * ROUGH < least)
}

impl Report {
    /// What was measured in greenthreads, as programs are written; of a run without that, all there is. The layers are
    /// no load: they are the same work again.
    pub(super) fn loads(&self) -> Vec<Load<'_>> {
        let all: Vec<_> = self
            .workloads()
            .into_iter()
            .flat_map(|workload| {
                self.groups(workload)
                    .into_iter()
                    .map(move |group| (workload, group))
            })
            .collect();
        let is_load =
            |workload: Workload, layer| layer == Layer::Green && workload != Workload::Layers;
        let any = all
            .iter()
            .any(|(workload, group)| is_load(*workload, group[0].layer));
        all.into_iter()
            .filter(|(workload, group)| !any || is_load(*workload, group[0].layer))
            .map(|(workload, figures)| {
                let of = figures[0];
                let counted = match workload {
                    Workload::Layers => Workload::of_operation(&of.operation),
                    workload => workload,
                };
                let size = counted.size_in_words(of.size);
                let mut name = match workload.name() == of.operation {
                    true => format!("{workload}, {size}"),
                    false => format!("{workload}: {}, {size}", of.operation),
                };
                if !any {
                    name += &format!(", {}", of.layer);
                }
                Load {
                    workload,
                    name,
                    figures,
                }
            })
            .collect()
    }

    /// Which hub to take on this machine for these loads, in a sentence or two.
    ///
    /// A difference counts if it is beyond the noise (see [`compare`](stats::compare)). Of fewer rounds than that needs
    /// only what is twice as dear in each of them is named.
    pub fn verdict(&self) -> String {
        if self.machine.debug_build {
            return "No verdict: this was built without optimisation.".into();
        }
        let hubs = self.hubs();
        let mut loads = self.loads();
        loads.retain(|load| hubs.iter().all(|hub| load.of(hub).is_some()));
        if hubs.len() < 2 || loads.is_empty() {
            return "No verdict: two hubs at least must have been measured with the same load."
                .into();
        }
        let told = |load: &Load<'_>| {
            !matches!(
                load.standing(load.figures[0]),
                Standing::Untold | Standing::Far
            )
        };
        match loads.iter().all(told) {
            true => self.told(&hubs, &loads),
            false => self.rough(&hubs, &loads),
        }
    }

    /// From enough rounds.
    fn told(&self, hubs: &[&str], loads: &[Load<'_>]) -> String {
        let costs: Vec<f64> = hubs.iter().map(|hub| cost(hub, loads)).collect();
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        let is_best = |cost: f64| cost <= least * (1.0 + 1e-9);
        let best: Vec<&str> = hubs
            .iter()
            .zip(&costs)
            .filter(|(_, cost)| is_best(**cost))
            .map(|(hub, _)| *hub)
            .collect();
        let any = any(loads.len());
        if best.len() == hubs.len() {
            return format!(
                "No difference within the noise between {} in {any}: take which you like.",
                list(&best, "and")
            );
        }
        let mut text = format!("Use {} here: ", list(&best, "or"));
        text += &match losses(best[0], loads) {
            (0, _) => format!("no other hub costs less beyond the noise in {any}."),
            (lost, Some(worst)) => format!(
                "in {} of {} loads no other hub costs less beyond the noise, and in the rest {} costs at most {} ({}).",
                loads.len() - lost,
                loads.len(),
                best[0],
                worst.in_words("the cheapest"),
                worst.load
            ),
            (_, None) => String::new(),
        };
        let others = hubs.iter().filter(|hub| !best.contains(hub));
        let others: Vec<_> = others.map(|hub| beside(hub, best[0], loads)).collect();
        text + " " + &others.join("; ") + "."
    }

    /// From too few rounds: what is far apart in every one of them.
    fn rough(&self, hubs: &[&str], loads: &[Load<'_>]) -> String {
        let is_far = |load: &Load<'_>, of: &Figure| load.standing(of) == Standing::Far;
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for hub in hubs {
            match worst(hub, loads, is_far) {
                Some(worst) => far.push(worst.beside(hub, worst.cheaper)),
                None => near.push(*hub),
            }
        }
        let rounds = match self.method.rounds {
            1 => "One round tells".to_owned(),
            2 => "Two rounds tell".to_owned(),
            rounds => format!("{rounds} rounds tell"),
        };
        let answer = match (&*near, far.join("; ")) {
            (_, far) if far.is_empty() => {
                let loads = any(loads.len());
                format!("in {loads} no hub costs twice as much as another.")
            }
            ([], far) => format!("each hub costs twice as much as another somewhere. {far}."),
            ([one], far) => {
                format!("rather {one}, which nowhere costs twice as much as another. {far}.")
            }
            (near, far) => {
                let near = list(near, "or");
                format!("rather {near}, which nowhere cost twice as much as another. {far}.")
            }
        };
        format!("{rounds} orders of magnitude apart, and five a difference from noise: {answer}")
    }
}

/// Where a hub costs most beside another.
struct Worst<'a> {
    ratio: f64,
    load: &'a str,
    cheaper: &'a str,
}

impl Worst<'_> {
    fn beside(&self, hub: &str, than: &str) -> String {
        format!("{hub} costs {} ({})", self.in_words(than), self.load)
    }

    fn in_words(&self, than: &str) -> String {
        match self.ratio {
            ratio if ratio < 1.5 => format!("{:.0} % more than {than}", (ratio - 1.0) * 100.0),
            ratio if ratio < 10.0 => format!("{ratio:.1} times as much as {than}"),
            ratio => format!("{ratio:.0} times as much as {than}"),
        }
    }
}

/// The load in which a hub costs most, as a multiple of the lowest, among those where it is `dearer`.
fn worst<'a>(
    hub: &str,
    loads: &'a [Load<'_>],
    dearer: impl Fn(&Load<'_>, &Figure) -> bool,
) -> Option<Worst<'a>> {
    let mut worst: Option<Worst<'a>> = None;
    for load in loads {
        let Some(of) = load.of(hub).filter(|of| dearer(load, of)) else {
            continue;
        };
        let ratio = load.ratio(of);
        if worst.as_ref().is_none_or(|worst| ratio > worst.ratio) {
            let cheaper = &load.lowest().hub;
            worst = Some(Worst {
                ratio,
                load: &load.name,
                cheaper,
            });
        }
    }
    worst
}

/// In how many loads another hub is lower beyond the noise, and the worst of them.
fn losses<'a>(hub: &str, loads: &'a [Load<'_>]) -> (usize, Option<Worst<'a>>) {
    let is_dearer = |load: &Load<'_>, of: &Figure| load.standing(of) == Standing::Dearer;
    let lost = |load: &&Load<'_>| load.of(hub).is_some_and(|of| is_dearer(load, of));
    (
        loads.iter().filter(lost).count(),
        worst(hub, loads, is_dearer),
    )
}

/// What a hub costs over all loads as a multiple of the cheapest: what is within the noise counts as the same, and each
/// workload as much as any other.
fn cost(hub: &str, loads: &[Load<'_>]) -> f64 {
    let mut workloads: Vec<(Workload, Vec<f64>)> = Vec::new();
    for load in loads {
        let Some(of) = load.of(hub) else { continue };
        let ratio = match load.standing(of) {
            Standing::Dearer => load.ratio(of).ln(),
            _ => 0.0,
        };
        match workloads
            .iter_mut()
            .find(|(workload, _)| *workload == load.workload)
        {
            Some((_, ratios)) => ratios.push(ratio),
            None => workloads.push((load.workload, vec![ratio])),
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let means: Vec<_> = workloads.iter().map(|(_, ratios)| mean(ratios)).collect();
    mean(&means).exp()
}

/// A hub beside the one to take.
fn beside(hub: &str, best: &str, loads: &[Load<'_>]) -> String {
    let mut most: Option<(f64, &str)> = None;
    for load in loads {
        if let (Some(of), Some(best)) = (load.of(hub), load.of(best))
            && compare(best, of) == Verdict::Higher
        {
            let ratio = of.cpu_median() / best.cpu_median();
            if most.is_none_or(|(most, _)| ratio > most) {
                most = Some((ratio, &load.name));
            }
        }
    }
    match most {
        Some((ratio, load)) => {
            let worst = Worst {
                ratio,
                load,
                cheaper: best,
            };
            worst.beside(hub, best)
        }
        None => format!("{hub} never costs more than it beyond the noise"),
    }
}

fn any(loads: usize) -> String {
    match loads {
        1 => "the one load".into(),
        loads => format!("any of {loads} loads"),
    }
}

/// `a, b and c`.
fn list(words: &[&str], last: &str) -> String {
    match words {
        [all @ .., end] if !all.is_empty() => format!("{} {last} {end}", all.join(", ")),
        words => words.concat(),
    }
}

#[cfg(test)]
mod tests;
