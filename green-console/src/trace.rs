//! Recordings as traces that Chromium and Perfetto show: a row a greenthread.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use green::debug::{self, Recorded, RecordedGreenthread, Step, StepKind, WaitReason};
use serde_json::json;

use crate::snapshot::milliseconds;

/// As many steps are recorded: some hundred bytes each in the trace.
const MOST_STEPS: usize = 400_000;

/// Of those that do nothing meanwhile as many are shown.
const MOST_IDLE: usize = 500;

/// A client that has left is noticed when something is written to it.
const BETWEEN_BLANKS: Duration = Duration::from_millis(250);

/// As many steps are written before the others run.
const AT_ONCE: usize = 500;

/// What the trace says of the program.
pub(crate) struct About {
    process: u32,
    program: String,
    thread: String,
    hub: &'static str,
}

impl About {
    pub(crate) fn new(thread: &str) -> About {
        About {
            process: std::process::id(),
            program: std::env::args().next().unwrap_or_default(),
            thread: thread.to_owned(),
            hub: green::hubs::get_hub(),
        }
    }
}

/// Records for so long, or until no step has room any more, or until nobody takes the blanks that it writes meanwhile.
///
/// # Errors
/// As writing.
pub(crate) fn record(time: Duration, out: &mut dyn Write) -> io::Result<Recorded> {
    let recording = debug::record(MOST_STEPS);
    let end = Instant::now() + time;
    while Instant::now() < end && recording.steps() < MOST_STEPS {
        green::sleep_until(end.min(Instant::now() + BETWEEN_BLANKS));
        out.write_all(b" ")?;
        out.flush()?;
    }
    Ok(recording.finish())
}

/// What a greenthread does between two steps.
#[derive(Clone, Copy)]
enum Doing {
    Running,
    Ready { woken_by: Option<Option<u64>> },
    Waiting(WaitReason),
}

/// Writes events, and knows what each greenthread does.
struct Events<'a> {
    out: &'a mut dyn Write,
    began: Instant,
    process: u32,
    /// By id: what, and since when.
    doing: HashMap<u64, (Doing, Instant)>,
    /// Arrows so far.
    arrows: u64,
}

/// Writes a recording in the JSON of traces.
///
/// # Errors
/// As writing.
pub(crate) fn write(recorded: &Recorded, about: &About, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"traceEvents\":[\n")?;
    let mut events = Events {
        out,
        began: recorded.began,
        process: about.process,
        doing: HashMap::new(),
        arrows: 0,
    };
    let name = format!("{}, thread {} ({})", about.program, about.thread, about.hub);
    events.name("process_name", 0, &json!({ "name": name }), true)?;
    let hidden = idle(recorded);
    for greenthread in &recorded.greenthreads {
        if !hidden.contains_key(&greenthread.id) {
            events.row(greenthread)?;
        }
    }
    for some in recorded.steps.chunks(AT_ONCE) {
        for step in some
            .iter()
            .filter(|step| !hidden.contains_key(&step.greenthread))
        {
            events.step(step)?;
        }
        green::yield_now();
    }
    events.finish(
        recorded
            .steps
            .last()
            .filter(|_| recorded.lost > 0)
            .map_or(recorded.ended, |step| step.at),
    )?;
    let other = json!({
        "hub": about.hub,
        "milliseconds": milliseconds(recorded.ended - recorded.began),
        "steps": recorded.steps.len(),
        "steps_lost": recorded.lost,
        "idle_greenthreads_left_out": hidden.len(),
    });
    write!(
        out,
        "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{other}}}"
    )
}

/// Those that did nothing and are not shown, because there are too many of them.
fn idle(recorded: &Recorded) -> HashMap<u64, ()> {
    let mut steps: HashMap<u64, usize> = HashMap::new();
    for step in &recorded.steps {
        *steps.entry(step.greenthread).or_default() += 1;
    }
    let ids = recorded
        .greenthreads
        .iter()
        .map(|greenthread| greenthread.id);
    let idle = ids.filter(|id| steps.get(id).is_none_or(|&count| count <= 1));
    idle.skip(MOST_IDLE).map(|id| (id, ())).collect()
}

impl Events<'_> {
    /// One event: its own fields, written before the common ones.
    fn event(&mut self, own: &str, greenthread: u64, at: Instant) -> io::Result<()> {
        let at = Micros(at.saturating_duration_since(self.began));
        let process = self.process;
        write!(
            self.out,
            ",\n{{{own},\"pid\":{process},\"tid\":{greenthread},\"ts\":{at}}}"
        )
    }

    fn name(
        &mut self,
        what: &str,
        greenthread: u64,
        args: &serde_json::Value,
        first: bool,
    ) -> io::Result<()> {
        let comma = if first { "" } else { ",\n" };
        let process = self.process;
        write!(
            self.out,
            "{comma}{{\"ph\":\"M\",\"name\":\"{what}\",\"pid\":{process},\"tid\":{greenthread},\"args\":{args}}}"
        )
    }

    fn row(&mut self, greenthread: &RecordedGreenthread) -> io::Result<()> {
        let id = greenthread.id;
        let place = greenthread.spawned_at;
        let name = match (id, &greenthread.name) {
            (0, _) => "the thread itself".to_owned(),
            (_, Some(name)) => format!("{name} ({place})"),
            (_, None) => place.to_string(),
        };
        self.name("thread_name", id, &json!({ "name": name }), false)?;
        self.name("thread_sort_index", id, &json!({ "sort_index": id }), false)
    }

    fn step(&mut self, step: &Step) -> io::Result<()> {
        let (id, at) = (step.greenthread, step.at);
        let doing = match step.kind {
            StepKind::Runs => Some(Doing::Running),
            StepKind::Yields => Some(Doing::Ready { woken_by: None }),
            StepKind::Waits(reason) => Some(Doing::Waiting(reason)),
            StepKind::Woken { by } => Some(Doing::Ready { woken_by: Some(by) }),
            StepKind::Spawned { .. } => Some(Doing::Ready { woken_by: None }),
            _ => None,
        };
        self.end(id, at)?;
        match step.kind {
            StepKind::Woken { by: Some(by) } => self.arrow("wakes", by, id, at)?,
            StepKind::Spawned { by: Some(by) } => self.arrow("spawns", by, id, at)?,
            _ => {}
        }
        if let Some(doing) = doing {
            self.doing.insert(id, (doing, at));
        }
        Ok(())
    }

    /// Writes what a greenthread did up to now.
    fn end(&mut self, id: u64, at: Instant) -> io::Result<()> {
        let Some((doing, since)) = self.doing.remove(&id) else {
            return Ok(());
        };
        let time = Micros(at.saturating_duration_since(since));
        let (kind, name, args) = match doing {
            Doing::Running => ("run", json!("runs"), json!({})),
            Doing::Waiting(reason) => ("wait", json!(reason.to_string()), json!({})),
            Doing::Ready { woken_by: None } => ("ready", json!("can run"), json!({})),
            Doing::Ready {
                woken_by: Some(None),
            } => ("ready", json!("can run"), json!({ "woken_by": "the hub" })),
            Doing::Ready {
                woken_by: Some(Some(by)),
            } => ("ready", json!("can run"), json!({ "woken_by": by })),
        };
        let own = format!(
            "\"ph\":\"X\",\"cat\":\"{kind}\",\"name\":{name},\"dur\":{time},\"args\":{args}"
        );
        self.event(&own, id, since)
    }

    /// An arrow from what one runs to what it brings about in another.
    fn arrow(&mut self, what: &str, from: u64, to: u64, at: Instant) -> io::Result<()> {
        self.arrows += 1;
        let id = self.arrows;
        let own = |phase: &str| {
            format!(
                "\"ph\":\"{phase}\",\"bp\":\"e\",\"cat\":\"{what}\",\"name\":\"{what}\",\"id\":{id}"
            )
        };
        self.event(&own("s"), from, at)?;
        self.event(&own("f"), to, at)
    }

    fn finish(&mut self, at: Instant) -> io::Result<()> {
        let mut left: Vec<_> = self.doing.keys().copied().collect();
        left.sort_unstable();
        left.into_iter().try_for_each(|id| self.end(id, at))
    }
}

/// A time as traces have it: microseconds, to the nanosecond.
struct Micros(Duration);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanos = self.0.as_nanos();
        write!(f, "{}.{:03}", nanos / 1000, nanos % 1000)
    }
}
