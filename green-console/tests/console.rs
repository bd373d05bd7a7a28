//! What a console serves.

mod common;

use std::collections::HashMap;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use common::{Running, bounded, run, until};
use green::lock::Mutex;
use green::{Builder, debug};
use green_console::Console;
use prometheus_parse::{Scrape, Value as Metric};
use serde::Deserialize;
use serde_json::Value;

/// The greenthread of this name.
fn named<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let shown = answer["greenthreads"]["shown"].as_array().unwrap();
    let found = shown.iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {shown:#?}"))
}

fn scrape(running: &Running) -> HashMap<String, f64> {
    let answer = running.get("/metrics");
    let lines = answer.body.lines().map(|line| Ok(line.to_owned()));
    let scrape = Scrape::parse(lines).unwrap();
    // A line that is none of the format's is left out by the parser.
    let samples = answer.body.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(scrape.samples.len(), samples.count());
    assert_eq!(scrape.docs.len(), scrape.samples.len());
    let values = scrape.samples.into_iter().map(|sample| match sample.value {
        Metric::Counter(value) | Metric::Gauge(value) => (sample.metric, value),
        other => panic!("{}: {other:?}", sample.metric),
    });
    values.collect()
}

#[test]
fn metrics_are_what_prometheus_reads() {
    bounded(|| {
        let running = run(Console::new());
        let before = scrape(&running);
        for _ in 0..100 {
            green::spawn(green::yield_now).join().unwrap();
        }
        let sleepers: Vec<_> = (0..5)
            .map(|_| green::spawn(|| green::sleep(Duration::from_secs(600))).kill_on_drop())
            .collect();
        let after = scrape(&running);
        let grown = |name: &str| after[name] - before[name];
        assert!(grown("green_switches_total") >= 100.0);
        assert!(grown("green_spawns_total") >= 105.0);
        assert!(grown("green_polls_total") >= 1.0);
        assert!(grown("green_wakeups_total") >= 100.0);
        assert!(grown("green_greenthreads") >= 5.0);
        assert!(grown("green_timers") >= 5.0);
        assert!(after["green_stack_bytes"] > 0.0);
        assert_eq!(after["green_info"], 1.0);
        let answer = running.get("/metrics");
        assert!(
            answer
                .head
                .contains("content-type: text/plain; version=0.0.4")
        );
        let hub = format!("hub=\"{}\"", green::hubs::get_hub());
        assert!(answer.body.contains(&hub), "{}", answer.body);
        // Who scrapes does not look.
        assert_eq!(debug::inspect(0).unwrap().stopped, None);
        drop(sleepers);
        running.end();
    });
}

#[test]
fn json_says_who_waits_for_what_and_for_whom() {
    bounded(|| {
        let running = run(Console::new());
        let mutex = Rc::new(Mutex::new(()));
        let held = Rc::clone(&mutex);
        let holder = Builder::new().name("holder").spawn(move || {
            let _held = held.lock();
            green::sleep(Duration::from_secs(600));
        });
        until(|| mutex.is_locked());
        let wants = Rc::clone(&mutex);
        let waiter = Builder::new()
            .name("waiter")
            .spawn(move || drop(wants.lock()));
        let (holder, waiter) = (holder.unwrap(), waiter.unwrap());
        running.json("/json");
        let waits =
            || green::debug::inspect(waiter.id()).is_some_and(|one| one.waits_for.is_some());
        until(waits);
        green::sleep(Duration::from_millis(3));
        let answer = running.json("/json");
        let one = named(&answer, "waiter");
        assert_eq!(one["state"], "parked");
        assert_eq!(one["waits_on"], serde_json::json!([holder.id()]));
        assert!(one["waits_for"].as_str().unwrap().contains("lock"), "{one}");
        assert!(one["stopped"].as_f64().unwrap() >= 0.003, "{one}");
        assert_eq!(one["spawned_by"], green::current_id());
        let place = one["spawned_at"].as_str().unwrap();
        assert!(place.contains("tests/console.rs"), "{place}");
        let places = answer["places"].as_array().unwrap();
        assert!(
            places
                .iter()
                .any(|one| one["spawned_at"] == place && one["greenthreads"] == 1)
        );
        let timers = answer["timers"]["shown"].as_array().unwrap();
        assert!(
            timers
                .iter()
                .any(|timer| timer["greenthread"] == holder.id())
        );
        assert!(answer["listeners"]["total"].as_u64().unwrap() >= 1);
        assert_eq!(answer["program"]["hub"], green::hubs::get_hub());
        holder.kill();
        waiter.join().unwrap();
        running.end();
    });
}

#[test]
fn greenthreads_are_searched_sorted_and_limited() {
    bounded(|| {
        let running = run(Console::new());
        let gts: Vec<_> = (0..300)
            .map(|n| {
                let builder = Builder::new().name(format!("worker {n:03}"));
                let gt = builder.spawn(|| green::sleep(Duration::from_secs(600)));
                gt.unwrap().kill_on_drop()
            })
            .collect();
        green::yield_now();
        let names = |query: &str| {
            let answer = running.json(&format!("/json?{query}"));
            let shown = answer["greenthreads"]["shown"].as_array().unwrap();
            let names = shown
                .iter()
                .map(|one| one["name"].as_str().unwrap_or("").to_owned());
            (
                answer["greenthreads"]["matching"].as_u64().unwrap(),
                names.collect::<Vec<_>>(),
            )
        };
        let (matching, shown) = names("search=WORKER+00&sort=name&order=descending&limit=3");
        assert_eq!(matching, 10);
        assert_eq!(shown, ["worker 009", "worker 008", "worker 007"]);
        let (matching, shown) = names("search=worker&sort=id&order=descending&limit=1");
        assert_eq!((matching, &*shown[0]), (300, "worker 299"));
        let total = running.json("/json")["greenthreads"]["total"]
            .as_u64()
            .unwrap();
        assert!(total >= 300);
        for sort in [
            "id",
            "age",
            "state",
            "waits_for",
            "stopped",
            "ran",
            "switches",
            "bytes",
            "spawned_at",
            "nonsense",
        ] {
            assert_eq!(names(&format!("sort={sort}&limit=5")).1.len(), 5, "{sort}");
        }
        let none = names("search=no+such+word");
        assert_eq!(none, (0, Vec::new()));
        drop(gts);
        running.end();
    });
}

#[inline(never)]
fn a_function_with_a_name() {
    green::sleep(Duration::from_secs(600));
}

#[test]
fn one_greenthread_has_its_stack() {
    bounded(|| {
        let running = run(Console::new());
        let gt = green::spawn(a_function_with_a_name);
        let fresh = running.json(&format!("/greenthread?id={}", gt.id()));
        assert_eq!(fresh["greenthread"]["id"], gt.id());
        let answer = running.json(&format!("/greenthread?id={}", gt.id()));
        let stack = answer["stack"].as_str().unwrap();
        assert!(stack.contains("a_function_with_a_name"), "{stack}");
        gt.kill();
        let path = format!("/greenthread?id={}", gt.id());
        assert_eq!(running.get(&path).status, 404);
        assert_eq!(running.get("/greenthread").status, 400);
        assert_eq!(running.get("/greenthread?id=x").status, 400);
        running.end();
    });
}

#[test]
fn history_goes_on_while_nobody_looks() {
    bounded(|| {
        let running = run(Console::new());
        assert_eq!(running.json("/history"), serde_json::json!([]));
        green::sleep(Duration::from_millis(2200));
        let history = running.json("/history");
        let history = history.as_array().unwrap();
        assert!(!history.is_empty() && history.len() <= 3, "{history:?}");
        let times: Vec<_> = history
            .iter()
            .map(|point| point["at"].as_u64().unwrap())
            .collect();
        assert!(times.is_sorted());
        assert!(history[0]["greenthreads"].as_u64().unwrap() >= 3);
        assert!(history[0]["switches"].as_f64().unwrap() > 0.0);
        running.end();
    });
}

#[test]
fn accounts_are_kept_from_the_first_look_on() {
    bounded(|| {
        let running = run(Console::new());
        running.get("/");
        running.get("/metrics");
        assert_eq!(debug::inspect(0).unwrap().switches, 0);
        running.json("/json");
        green::yield_now();
        assert!(debug::inspect(0).unwrap().switches > 0);
        running.end();

        let always = run(Console::new().always());
        green::yield_now();
        let before = debug::inspect(0).unwrap().switches;
        green::sleep(Duration::from_millis(1));
        assert!(debug::inspect(0).unwrap().switches > before);
        always.end();
    });
}

#[inline(never)]
fn keeps_the_others_waiting() {
    thread::sleep(Duration::from_millis(120));
    green::yield_now();
}

#[test]
fn who_blocks_the_thread_is_named() {
    bounded(|| {
        let console = Console::new().blocked_after(Duration::from_millis(100));
        let running = run(console);
        running.json("/json");
        let gt = Builder::new()
            .name("selfish")
            .spawn(keeps_the_others_waiting);
        let gt = gt.unwrap();
        let id = gt.id();
        gt.join().unwrap();
        let warnings = || {
            running.json("/json")["warnings"]["shown"]
                .as_array()
                .unwrap()
                .clone()
        };
        until(|| {
            warnings()
                .iter()
                .any(|warning| warning["greenthread"] == id)
        });
        let warnings = warnings();
        let warning = warnings
            .iter()
            .find(|warning| warning["greenthread"] == id)
            .unwrap();
        assert_eq!(warning["name"], "selfish");
        assert!(warning["seconds"].as_f64().unwrap() >= 0.12);
        let stack = warning["stack"].as_str().unwrap();
        assert!(stack.contains("keeps_the_others_waiting"), "{stack}");
        assert!(scrape(&running)["green_blocked_total"] >= 1.0);
        running.end();
    });
}

/// The format of traces, as far as it is used: what a viewer refuses does not parse.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Trace {
    trace_events: Vec<Event>,
    display_time_unit: String,
    other_data: Value,
}

#[derive(Deserialize)]
#[serde(tag = "ph", deny_unknown_fields)]
#[allow(dead_code, reason = "that a field is there is what is tested")]
enum Event {
    #[serde(rename = "M")]
    Name {
        name: String,
        pid: u64,
        tid: u64,
        args: Value,
    },
    #[serde(rename = "X")]
    Slice {
        name: String,
        cat: String,
        pid: u64,
        tid: u64,
        ts: f64,
        dur: f64,
        args: Value,
    },
    #[serde(rename = "s")]
    ArrowBegins {
        id: u64,
        name: String,
        cat: String,
        bp: String,
        pid: u64,
        tid: u64,
        ts: f64,
    },
    #[serde(rename = "f")]
    ArrowEnds {
        id: u64,
        name: String,
        cat: String,
        bp: String,
        pid: u64,
        tid: u64,
        ts: f64,
    },
}

fn trace(running: &Running) -> Trace {
    let answer = running.get("/trace?seconds=1");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"));
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn a_trace_has_a_row_a_greenthread_and_arrows_from_whom_wakes() {
    bounded(|| {
        let running = run(Console::new());
        let event = Rc::new(green::Event::<u32>::new());
        let waits = Rc::clone(&event);
        let waiter = Builder::new()
            .name("waiter")
            .spawn(move || waits.wait())
            .unwrap();
        green::yield_now();
        let sender = Builder::new().name("sender").spawn(move || {
            green::sleep(Duration::from_millis(300));
            event.send(1).unwrap();
        });
        let (waiter_id, sender_id) = (waiter.id(), sender.unwrap().id());
        let trace = trace(&running);
        assert_eq!(trace.display_time_unit, "ns");
        assert_eq!(trace.other_data["steps_lost"], 0);

        let mut rows: HashMap<u64, Vec<(f64, f64, String, String)>> = HashMap::new();
        let (mut names, mut begun, mut ended) = (HashMap::new(), HashMap::new(), HashMap::new());
        for event in trace.trace_events {
            match event {
                Event::Name {
                    name,
                    pid,
                    tid,
                    args,
                } => {
                    assert_eq!(pid, u64::from(std::process::id()));
                    if name == "thread_name" {
                        names.insert(tid, args["name"].as_str().unwrap().to_owned());
                    }
                }
                Event::Slice {
                    name,
                    cat,
                    tid,
                    ts,
                    dur,
                    ..
                } => {
                    rows.entry(tid).or_default().push((ts, dur, cat, name));
                }
                Event::ArrowBegins {
                    id, tid, ts, cat, ..
                } => {
                    assert!(begun.insert(id, (tid, ts, cat)).is_none());
                }
                Event::ArrowEnds { id, tid, ts, .. } => {
                    assert!(ended.insert(id, (tid, ts)).is_none());
                }
            }
        }
        assert!(names[&waiter_id].starts_with("waiter ("), "{names:?}");
        for (row, slices) in &mut rows {
            assert!(names.contains_key(row), "{row} has no name");
            slices.sort_by(|one, other| one.0.total_cmp(&other.0));
            for pair in slices.windows(2) {
                let end = pair[0].0 + pair[0].1;
                assert!(end <= pair[1].0 + 0.0015, "{row}: {pair:?} overlap");
            }
        }
        let kinds: Vec<_> = rows[&waiter_id].iter().map(|slice| &*slice.2).collect();
        assert_eq!(kinds, ["wait", "ready", "run"]);
        let waited = &rows[&waiter_id][0];
        assert!(
            waited.3.contains("event") && waited.1 >= 200_000.0,
            "{waited:?}"
        );

        let mut to_waiter = ended.iter().filter(|(_, (tid, _))| *tid == waiter_id);
        let (arrow, (_, at)) = to_waiter.next().unwrap();
        let (from, since, what) = &begun[arrow];
        assert_eq!((*from, &**what, since), (sender_id, "wakes", at));
        // It begins in what the sender ran.
        let runs = rows[&sender_id].iter().filter(|slice| slice.2 == "run");
        let mut within =
            runs.filter(|slice| slice.0 <= *since && *since <= slice.0 + slice.1 + 0.0015);
        assert!(within.next().is_some());
        assert_eq!(begun.len(), ended.len());
        waiter.join().unwrap().unwrap();
        running.end();
    });
}

#[test]
fn a_profile_is_folded_and_names_who_uses_the_time() {
    bounded(|| {
        let running = run(Console::new());
        let busy = Builder::new().name("busy; bee").spawn(|| {
            loop {
                thread::sleep(Duration::from_millis(2));
                green::sleep(Duration::from_millis(1));
            }
        });
        let busy = busy.unwrap();
        let answer = running.get("/profile?seconds=1");
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut of_busy = 0;
        for line in answer.body.lines() {
            let (stack, sum) = line.rsplit_once(' ').unwrap();
            let sum: u64 = sum.parse().unwrap();
            let frames: Vec<_> = stack.split(';').collect();
            assert!(frames.iter().all(|frame| !frame.is_empty()), "{line}");
            if frames[0].starts_with(&format!("greenthread {} busy, bee (spawned at ", busy.id())) {
                of_busy += sum;
                assert!(stack.contains("console::a_profile_is_folded"), "{line}");
                assert!(!frames[frames.len() - 1].contains("Backtrace"), "{line}");
            }
        }
        assert!(of_busy >= 100_000, "{of_busy} of {}", answer.body);
        let by_place = running.get("/profile?seconds=1&by=place").body;
        assert!(
            by_place
                .lines()
                .any(|line| line.starts_with("busy, bee (spawned at ")),
            "{by_place}"
        );
        assert!(
            !by_place
                .lines()
                .any(|line| line.starts_with("greenthread ")),
            "{by_place}"
        );
        busy.kill();
        running.end();
    });
}

#[test]
fn one_recording_is_made_at_a_time() {
    bounded(|| {
        let running = Rc::new(run(Console::new()));
        let first = Rc::clone(&running);
        let recording = green::spawn(move || first.get("/trace?seconds=1").status);
        green::sleep(Duration::from_millis(100));
        assert_eq!(running.get("/profile?seconds=1").status, 409);
        assert_eq!(recording.join().unwrap(), 200);
        assert_eq!(running.get("/profile?seconds=1").status, 200);
        for path in [
            "/trace?seconds=0",
            "/trace?seconds=61",
            "/trace?seconds=x",
            "/profile?seconds=-1",
        ] {
            assert_eq!(running.get(path).status, 400, "{path}");
        }
        Rc::into_inner(running).unwrap().end();
    });
}

#[test]
fn a_recording_ends_with_its_client() {
    bounded(|| {
        use std::io::Write;
        let running = run(Console::new());
        let mut client = green::connect(running.address).unwrap();
        let host = running.address;
        write!(
            client,
            "GET /trace?seconds=60 HTTP/1.1\r\nHost: {host}\r\n\r\n"
        )
        .unwrap();
        until(|| running.get("/trace?seconds=1").status == 409);
        drop(client);
        until(|| running.get("/trace?seconds=1").status == 200);
        running.end();
    });
}

#[test]
fn the_page_uses_nothing_from_elsewhere() {
    bounded(|| {
        let running = run(Console::new());
        let page = running.get("/").body;
        for path in ["console.js", "console.css"] {
            assert!(page.contains(&format!("\"{path}\"")), "{path}");
        }
        for path in [
            "/",
            "/console.js",
            "/console.css",
            "/charts.js",
            "/tables.js",
            "/words.js",
        ] {
            let answer = running.get(path);
            assert_eq!(answer.status, 200, "{path}");
            let elsewhere = answer.body.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !elsewhere.contains("http://") && !elsewhere.contains("https://"),
                "{path}"
            );
            assert!(!elsewhere.contains("innerHTML"), "{path}");
            let head = running.ask("HEAD", path, &[]);
            assert_eq!((head.status, &*head.body), (200, ""), "{path}");
            assert_eq!(running.ask("POST", path, &[]).status, 405, "{path}");
        }
        assert_eq!(running.get("/nothing").status, 404);
        running.end();
    });
}

#[test]
fn a_drain_ends_the_console_and_its_history() {
    bounded(|| {
        let before = debug::counters().greenthreads;
        let running = run(Console::new());
        running.json("/json");
        running.end();
        until(|| debug::counters().greenthreads == before);
        assert_eq!(debug::inspect(0).unwrap().stopped, None);
    });
}
