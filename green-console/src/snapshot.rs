//! What there is now, as JSON.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use green::debug::{self, GreenthreadInfo, ListenerInfo, TimerInfo};
use serde::Serialize;
use serde_json::{Value, json};

use crate::inside::{Inside, seconds, unix_time};
use crate::parameters::Parameters;

/// As many greenthreads are looked at before the others run.
const AT_ONCE: usize = 200;

/// As many greenthreads are shown unless the request says otherwise, and at most.
const SHOWN: usize = 1000;
const MOST_SHOWN: usize = 100_000;

/// As many waits for descriptors and as many timers are shown.
const MOST_WAITS: usize = 1000;

/// One greenthread.
#[derive(Serialize)]
struct Greenthread {
    id: u64,
    name: Option<String>,
    state: String,
    waits_for: Option<String>,
    waits_on: Vec<u64>,
    stopped: Option<f64>,
    ran: f64,
    waited: f64,
    switches: u64,
    age: f64,
    bytes_read: u64,
    bytes_written: u64,
    spawned_by: Option<u64>,
    spawned_at: String,
    locals: Vec<&'static str>,
}

impl From<GreenthreadInfo> for Greenthread {
    fn from(info: GreenthreadInfo) -> Greenthread {
        Greenthread {
            id: info.id,
            name: info.name.map(|name| name.to_string()),
            state: info.state,
            waits_for: info.waits_for,
            waits_on: info.waits_on,
            stopped: info.stopped.map(seconds),
            ran: seconds(info.ran),
            waited: seconds(info.waited),
            switches: info.switches,
            age: seconds(info.age),
            bytes_read: info.bytes_read,
            bytes_written: info.bytes_written,
            spawned_by: info.spawned_by,
            spawned_at: spawned_at(info.id, &info.spawned_at.to_string()),
            locals: info.locals,
        }
    }
}

/// The thread's own greenthread was spawned by nobody.
fn spawned_at(id: u64, place: &str) -> String {
    match id {
        0 => "the thread itself".to_owned(),
        _ => place.to_owned(),
    }
}

/// All greenthreads of one place of spawn.
#[derive(Default, Serialize)]
struct Place {
    spawned_at: String,
    greenthreads: usize,
    /// By state.
    states: BTreeMap<String, usize>,
    ran: f64,
    switches: u64,
    bytes_read: u64,
    bytes_written: u64,
    /// The longest time that one of them has not run.
    stopped: f64,
    oldest: f64,
}

impl Place {
    fn add(&mut self, one: &Greenthread) {
        self.greenthreads += 1;
        *self.states.entry(one.state.clone()).or_default() += 1;
        self.ran += one.ran;
        self.switches += one.switches;
        self.bytes_read += one.bytes_read;
        self.bytes_written += one.bytes_written;
        self.stopped = self.stopped.max(one.stopped.unwrap_or(0.0));
        self.oldest = self.oldest.max(one.age);
    }
}

/// What `/json` answers.
pub(crate) fn snapshot(inside: &Inside, parameters: &Parameters) -> Value {
    inside.look();
    let (total, places, mut shown) = greenthreads(parameters);
    let matching = shown.len();
    let by = parameters.get("sort").unwrap_or("id");
    let descending = parameters.get("order") == Some("descending");
    shown.sort_by(|a, b| {
        let order = compare(by, a, b).then(a.id.cmp(&b.id));
        if descending { order.reverse() } else { order }
    });
    let limit = parameters.number("limit").unwrap_or(SHOWN as u64);
    shown.truncate(limit.min(MOST_SHOWN as u64) as usize);
    let (listeners, timers) = (debug::listeners(), debug::timers());
    json!({
        "program": program(inside),
        "counters": counters(),
        "history": inside.history.borrow().back(),
        "greenthreads": { "total": total, "matching": matching, "shown": shown },
        "places": places,
        "listeners": { "total": listeners.len(), "shown": listeners.iter().take(MOST_WAITS).map(listener).collect::<Vec<_>>() },
        "timers": { "total": timers.len(), "shown": timers.iter().take(MOST_WAITS).map(timer).collect::<Vec<_>>() },
        "warnings": { "total": inside.warned.get(), "shown": *inside.warnings.borrow() },
    })
}

fn program(inside: &Inside) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "time": unix_time(),
        "process": std::process::id(),
        "program": std::env::args().next(),
        "thread": inside.thread,
        "hub": green::hubs::get_hub(),
        "address": inside.address.map(|address| address.to_string()),
        "console_runs_for": seconds(inside.began.elapsed()),
        "accounts": inside.attends(),
        "kills": !inside.settings.read_only,
        "blocked_after": seconds(inside.settings.blocked),
    })
}

fn counters() -> Value {
    let counters = debug::counters();
    json!({
        "switches": counters.switches,
        "spawns": counters.spawns,
        "polls": counters.turns,
        "wakeups": counters.wakeups,
        "greenthreads": counters.greenthreads,
        "runnable": counters.runnable,
        "readers": counters.readers,
        "writers": counters.writers,
        "descriptors": counters.descriptors,
        "timers": counters.timers,
        "remote_waiters": counters.remote_waiters,
        "stacks": counters.stacks,
        "free_stacks": counters.free_stacks,
        "stack_bytes": counters.stack_bytes,
        "resident_bytes": debug::resident_memory(),
        "open_descriptors": open_descriptors(),
    })
}

/// How many descriptors the process has open, where the system tells it.
pub(crate) fn open_descriptors() -> Option<u64> {
    let directory = "/proc/self/fd";
    // Newer kernels say it without a look at each.
    let size = std::fs::metadata(directory).ok()?.len();
    match size {
        0 => Some(std::fs::read_dir(directory).ok()?.count() as u64),
        size => Some(size),
    }
}

/// How many there are, those of each place, and those that match.
fn greenthreads(parameters: &Parameters) -> (usize, Vec<Place>, Vec<Greenthread>) {
    let search = parameters.get("search").unwrap_or("").to_lowercase();
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    let (mut total, mut matching) = (0, Vec::new());
    for some in debug::living().chunks(AT_ONCE) {
        // What has ended meanwhile is left out.
        for info in some.iter().filter_map(debug::describe) {
            let one = Greenthread::from(info);
            total += 1;
            let place = places.entry(one.spawned_at.clone()).or_default();
            place.add(&one);
            if matches(&one, &search) {
                matching.push(one);
            }
        }
        green::yield_now();
    }
    let places = places.into_iter().map(|(spawned_at, place)| Place {
        spawned_at,
        ..place
    });
    let mut places: Vec<_> = places.collect();
    places.sort_by_key(|place| std::cmp::Reverse(place.greenthreads));
    (total, places, matching)
}

/// True if any text of it has the words that are looked for.
fn matches(one: &Greenthread, search: &str) -> bool {
    if search.is_empty() {
        return true;
    }
    let id = one.id.to_string();
    let texts = [
        Some(&id),
        one.name.as_ref(),
        Some(&one.state),
        one.waits_for.as_ref(),
        Some(&one.spawned_at),
    ];
    let mut texts = texts.into_iter().flatten();
    texts.any(|text| text.to_lowercase().contains(search))
}

fn compare(by: &str, a: &Greenthread, b: &Greenthread) -> Ordering {
    match by {
        "name" => a.name.cmp(&b.name),
        "state" => a
            .state
            .cmp(&b.state)
            .then_with(|| a.waits_for.cmp(&b.waits_for)),
        "waits_for" => a.waits_for.cmp(&b.waits_for),
        "stopped" => a
            .stopped
            .unwrap_or(0.0)
            .total_cmp(&b.stopped.unwrap_or(0.0)),
        "ran" => a.ran.total_cmp(&b.ran),
        "switches" => a.switches.cmp(&b.switches),
        "age" => a.age.total_cmp(&b.age),
        "bytes" => (a.bytes_read + a.bytes_written).cmp(&(b.bytes_read + b.bytes_written)),
        "spawned_at" => a.spawned_at.cmp(&b.spawned_at),
        _ => Ordering::Equal,
    }
}

fn listener(wait: &ListenerInfo) -> Value {
    json!({
        "descriptor": wait.descriptor,
        "for": if wait.writable { "writing" } else { "reading" },
        "greenthread": wait.greenthread,
        "who": wait.who,
    })
}

fn timer(timer: &TimerInfo) -> Value {
    json!({
        "due_in": seconds(timer.due_in),
        "greenthread": timer.greenthread,
        "what": timer.what,
    })
}

/// What `/greenthread` answers: one of them, with its stack. `None` if it is dead.
pub(crate) fn one(inside: &Inside, id: u64) -> Option<Value> {
    inside.look();
    let mut info = debug::inspect(id)?;
    let stack = info.stack.take();
    // Reading the tables of symbols takes long: not in this thread.
    let stack = stack.and_then(|stack| green::tpool::execute(move || stack.to_string()).ok());
    Some(json!({ "greenthread": Greenthread::from(info), "stack": stack }))
}

/// A point in time of a request, in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}
