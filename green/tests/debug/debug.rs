//! Dumps, counters, accounts, the detector of greenthreads that block.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::common::again::{again, is_again};
use crate::common::{bounded, settle, spawn_settled, until};
use green::debug;
use green::net::TcpListener;

/// Collects what is logged, with the name of the thread that it speaks of.
fn logged() -> &'static Mutex<Vec<String>> {
    struct Collect;
    static LINES: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    impl log::Log for Collect {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            if let Some(lines) = LINES.get() {
                lines.lock().unwrap().push(record.args().to_string());
            }
        }
        fn flush(&self) {}
    }
    let lines = LINES.get_or_init(Mutex::default);
    if log::set_logger(&Collect).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
    lines
}

/// Keeps the processor for at least this long.
fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::black_box(0);
    }
}

#[test]
fn listeners_and_timers_name_who_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let accept = green::spawn(move || drop(listener.accept()));
    let sleeper = green::spawn(|| green::sleep(Duration::from_secs(60)));
    settle();
    let listeners = debug::format_hub_listeners();
    let who = format!("greenthread {} (spawned at", accept.id());
    assert!(
        listeners.contains(&who) && listeners.contains("readable"),
        "{listeners}"
    );
    let timers = debug::format_hub_timers();
    let who = format!("greenthread {} (spawned at", sleeper.id());
    assert!(timers.contains(&who), "{timers}");
    accept.kill();
    sleeper.kill();
    assert_eq!(debug::format_hub_listeners(), "");
    assert_eq!(debug::format_hub_timers(), "");
}

#[inline(never)]
fn a_function_with_a_name() {
    green::sleep(Duration::from_secs(60));
}

#[test]
fn a_dump_shows_stacks_and_leaves_everybody_parked() {
    let gt = green::Builder::new()
        .name("sleeper")
        .spawn(a_function_with_a_name)
        .unwrap();
    settle();
    let before = debug::counters();
    let dump = debug::dump_all();
    assert!(
        dump.contains("\"sleeper\" waits for the end of a sleep"),
        "{dump}"
    );
    assert!(dump.contains("a_function_with_a_name"), "{dump}");
    assert!(dump.contains("tests/debug/debug.rs"), "{dump}");
    assert_eq!(debug::counters().switches, before.switches);
    gt.kill();
    assert!(gt.is_dead());
}

#[test]
fn a_fresh_one_has_no_stack_yet() {
    let gt = green::spawn(|| ());
    let infos = debug::greenthreads();
    let info = infos.iter().find(|info| info.id == gt.id()).unwrap();
    assert_eq!(info.state, "fresh");
    assert!(debug::format_greenthreads(true).contains("is fresh"));
    gt.join().unwrap();
}

#[test]
fn accounts_add_up() {
    debug::accounting(true);
    let gt = green::spawn(|| {
        for _ in 0..3 {
            compute(Duration::from_millis(3));
            green::sleep(Duration::from_millis(4));
        }
        green::sleep(Duration::from_secs(60));
    });
    let info = loop {
        green::sleep(Duration::from_millis(10));
        let infos = debug::greenthreads();
        let info = infos.into_iter().find(|info| info.id == gt.id()).unwrap();
        // A slow machine takes longer.
        if info.switches > 3 {
            break info;
        }
    };
    assert!(info.ran >= Duration::from_millis(9), "{info}");
    assert!(info.waited >= Duration::from_millis(8), "{info}");
    assert!(info.switches >= 3, "{info}");
    debug::accounting(false);
    gt.kill();
}

#[test]
fn accounts_have_the_bytes_of_each_greenthread() {
    use std::io::Write;
    let (mut near, mut far) = crate::common::tcp_pair();
    let (from, to) = std::io::pipe().unwrap();
    debug::accounting(true);
    let gt = green::spawn(move || {
        let mut bytes = [0; 100];
        far.read_exact(&mut bytes).unwrap();
        far.write_all(&bytes[..30]).unwrap();
        assert_eq!(green::os::read(&from, &mut bytes).unwrap(), 7);
        green::sleep(Duration::from_secs(60));
    });
    // In two pieces, and another greenthread's.
    near.write_all(&[0; 60]).unwrap();
    settle();
    near.write_all(&[0; 40]).unwrap();
    near.read_exact(&mut [0; 30]).unwrap();
    green::os::write(&to, b"through").unwrap();
    let used = || {
        let infos = debug::greenthreads();
        let info = infos.into_iter().find(|info| info.id == gt.id()).unwrap();
        (info.bytes_read, info.bytes_written)
    };
    for _ in 0..1000 {
        if used().0 >= 107 {
            break;
        }
        green::sleep(Duration::from_millis(1));
    }
    assert_eq!(used(), (107, 30));
    assert!(debug::format_greenthreads(false).contains(", read 107 and wrote 30 bytes"));
    let place = debug::greenthreads()
        .into_iter()
        .find(|info| info.id == gt.id())
        .unwrap()
        .spawned_at;
    gt.kill();
    let profile = debug::profile();
    let of_it = profile.iter().find(|profile| profile.spawned_at == place);
    let of_it = of_it.expect("it has an account");
    assert_eq!((of_it.bytes_read, of_it.bytes_written), (107, 30));
    debug::accounting(false);
}

#[test]
fn nothing_turns_while_nothing_happens() {
    green::sleep(Duration::from_millis(1));
    let before = debug::counters().turns;
    green::sleep(Duration::from_millis(50));
    let turns = debug::counters().turns - before;
    assert!(turns <= 3, "{turns} turns for one sleep");
}

#[test]
fn the_watchdog_names_who_blocks_and_shows_its_stack() {
    let lines = logged();
    debug::blocking_detection(Duration::from_millis(20));
    let gt = green::spawn(|| {
        compute(Duration::from_millis(200));
        a_function_with_a_name_too();
    });
    let id = gt.id();
    gt.join().unwrap();
    debug::blocking_detection(None);
    let lines = lines.lock().unwrap();
    let named = format!("greenthread {id} (spawned at");
    assert!(
        lines
            .iter()
            .any(|line| line.contains(&named) && line.contains("without letting others run")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("a_function_with_a_name_too")),
        "{lines:?}"
    );
}

#[inline(never)]
fn a_function_with_a_name_too() {
    green::sleep(Duration::from_millis(1));
}

#[test]
fn waiting_is_not_blocking() {
    let lines = logged();
    debug::blocking_detection(Duration::from_millis(20));
    let gt = green::spawn(|| green::sleep(Duration::from_millis(120)));
    let named = format!("greenthread {} (spawned at {}", gt.id(), gt.spawned_at());
    gt.join().unwrap();
    debug::blocking_detection(None);
    assert!(
        !lines
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(&named))
    );
}

#[test]
fn a_test_can_demand_switches() {
    debug::assert_switches(Duration::from_secs(60), green::yield_now);
    let hog = std::panic::catch_unwind(|| {
        debug::assert_switches(Duration::from_millis(5), || {
            compute(Duration::from_millis(20));
            green::yield_now();
        });
    });
    let message = *hog.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("without letting others run"), "{message}");
}

#[test]
fn several_readers_if_allowed() {
    let listener = std::rc::Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let accept = |listener: &std::rc::Rc<TcpListener>| {
        let listener = std::rc::Rc::clone(listener);
        spawn_settled(move || listener.accept().map(|_| ()))
    };
    let first = accept(&listener);
    let second = accept(&listener);
    let refused = second.join().unwrap().unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy);
    assert!(
        refused
            .to_string()
            .contains(&format!("greenthread {}", first.id())),
        "{refused}"
    );
    debug::allow_multiple_waiters(true);
    let second = accept(&listener);
    settle();
    let address = listener.local_addr().unwrap();
    let _a = green::net::TcpStream::connect(address).unwrap();
    first.join().unwrap().unwrap();
    assert!(!second.is_dead());
    let _b = green::net::TcpStream::connect(address).unwrap();
    second.join().unwrap().unwrap();
}

/// Runs one test of this program again, in a process of its own, and gives its standard error.
fn probe(test: &str) -> Option<String> {
    if is_again() {
        return None;
    }
    let output = again(module_path!(), test).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{output:?}"
    );
    Some(String::from_utf8(output.stderr).unwrap())
}

#[inline(never)]
fn an_accept_with_a_name(listener: &TcpListener) {
    drop(listener.accept());
}

#[test]
fn stacks_of_those_who_wait_if_they_are_wanted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let accept = green::spawn(move || an_accept_with_a_name(&listener));
    let sleeper = green::spawn(a_function_with_a_name);
    settle();
    assert_eq!(debug::format_hub_listeners().lines().count(), 1);
    assert_eq!(debug::format_hub_timers().lines().count(), 1);
    debug::hub_listener_stacks(true);
    debug::hub_timer_stacks(true);
    let (listeners, timers) = (debug::format_hub_listeners(), debug::format_hub_timers());
    debug::hub_listener_stacks(false);
    debug::hub_timer_stacks(false);
    assert!(listeners.contains("an_accept_with_a_name"), "{listeners}");
    assert!(timers.contains("a_function_with_a_name"), "{timers}");
    accept.kill();
    sleeper.kill();
}

#[test]
fn timers_say_what_they_are_for_and_where_they_were_begun() {
    let gate = std::rc::Rc::new(green::Flag::new());
    let opened = std::rc::Rc::clone(&gate);
    let line = line!() + 2;
    let gt = green::spawn(move || {
        let _ = green::Timeout::new(Duration::from_secs(60)).run(|| opened.wait());
    });
    let later = green::spawn_after(Duration::from_secs(90), || ());
    settle();
    let timers = debug::format_hub_timers();
    let timeout = format!("a timeout of greenthread {} (spawned at", gt.id());
    let begun = format!(", begun at green/tests/debug/debug.rs:{line}:");
    let lines: Vec<_> = timers.lines().collect();
    assert!(
        lines[0].contains(&timeout) && lines[0].contains(&begun),
        "{timers}"
    );
    let start = format!("the start of greenthread {} (spawned at", later.id());
    assert!(lines[1].contains(&start), "{timers}");
    later.cancel();
    gate.set();
    gt.join().unwrap();
}

green::corolocal! {
    static REQUEST: u32 = 1;
    static USER: String = String::new();
}

#[test]
fn a_greenthread_shows_its_spawner_and_its_locals() {
    let inner = std::rc::Rc::new(std::cell::Cell::new(0));
    let id = std::rc::Rc::clone(&inner);
    let outer = green::spawn(move || {
        REQUEST.with(|_| ());
        USER.with(|_| ());
        let child = green::spawn(|| green::sleep(Duration::from_secs(60)));
        id.set(child.id());
        green::sleep(Duration::from_secs(60));
    });
    settle();
    let all = debug::greenthreads();
    let find = |id| all.iter().find(|info| info.id == id).unwrap();
    assert_eq!(find(outer.id()).locals, ["REQUEST", "USER"]);
    assert_eq!(find(outer.id()).spawned_by, Some(0));
    assert_eq!(find(inner.get()).spawned_by, Some(outer.id()));
    assert!(find(outer.id()).to_string().contains("locals REQUEST USER"));
    let tree = debug::format_spawn_tree();
    let at = |text: String| tree.find(&text).unwrap_or_else(|| panic!("{text}: {tree}"));
    let outer_at = at(format!("\n  greenthread {} ", outer.id()));
    let inner_at = at(format!("\n    greenthread {} ", inner.get()));
    assert!(outer_at < inner_at, "{tree}");
    // One whose spawner has ended stands alone.
    outer.kill();
    let tree = debug::format_spawn_tree();
    assert!(
        tree.contains(&format!("\ngreenthread {} ", inner.get())),
        "{tree}"
    );
}

#[test]
fn a_signal_brings_a_dump_each_time() {
    if is_again() {
        let dumper = debug::dump_on_signal(green::signal::SIGUSR1).unwrap();
        let gt = green::spawn(a_function_with_a_name);
        until(|| waits_for(&gt, "the end of a sleep"));
        eprintln!("ready");
        // The parent ends this when it has seen enough.
        let mut stdin = green::os::stdin().unwrap();
        assert_eq!(stdin.read(&mut [0]).unwrap(), 0);
        dumper.kill();
        assert!(dumper.is_dead());
        gt.kill();
        return;
    }
    bounded(|| {
        let mut child = again(module_path!(), "a_signal_brings_a_dump_each_time")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut up_to = |last: &str| -> String {
            let lines = lines.by_ref().map(Result::unwrap);
            let mut text = Vec::new();
            for line in lines {
                text.push(line);
                if text.last().unwrap() == last {
                    return text.join("\n");
                }
            }
            panic!("no {last:?} in {text:?}");
        };
        up_to("ready");
        for _ in 0..2 {
            let process = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(process, rustix::process::Signal::USR1).unwrap();
            let dump = up_to("timers:");
            assert_eq!(dump.matches("a_function_with_a_name").count(), 1, "{dump}");
            assert_eq!(dump.matches("listeners:").count(), 1, "{dump}");
        }
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    });
}

/// True if that is what a greenthread of this thread waits for.
fn waits_for<T: 'static>(gt: &green::GreenThread<T>, what: &str) -> bool {
    let all = debug::greenthreads();
    let info = all.iter().find(|info| info.id == gt.id());
    info.and_then(|info| info.waits_for.as_deref())
        .is_some_and(|waits| waits.contains(what))
}

#[test]
fn too_much_memory_is_told_once() {
    let Some(now) = debug::resident_memory() else {
        eprintln!("skipped: this system does not tell how much memory a process has");
        return;
    };
    let (tell, told) = std::sync::mpsc::channel();
    let threshold = now + (64 << 20);
    let watch = debug::memory_threshold(threshold, Duration::from_millis(2), move |bytes| {
        let _ = tell.send(bytes);
    })
    .unwrap();
    let silent = told.recv_timeout(Duration::from_millis(20));
    assert!(silent.is_err(), "{silent:?} of {threshold}");
    let much = vec![1_u8; 128 << 20];
    assert!(told.recv_timeout(Duration::from_secs(60)).unwrap() > threshold);
    assert!(told.recv_timeout(Duration::from_millis(20)).is_err());
    drop(std::hint::black_box(much));
    drop(watch);
    // Nobody is left who could tell.
    let gone = told.recv_timeout(Duration::from_secs(60));
    assert_eq!(gone, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_profile_adds_up_the_dead_and_the_living() {
    debug::accounting(true);
    let line = line!() + 3;
    let gts: Vec<_> = (0..3)
        .map(|n| {
            green::spawn(move || {
                compute(Duration::from_millis(2));
                green::sleep(Duration::from_millis(3));
                if n == 0 {
                    green::sleep(Duration::from_secs(60));
                }
            })
        })
        .collect();
    green::joinall(&gts[1..]);
    let profile = debug::profile();
    debug::accounting(false);
    let place = profile
        .iter()
        .find(|place| place.spawned_at.line() == line)
        .unwrap_or_else(|| panic!("{profile:?}"));
    assert_eq!(place.greenthreads, 3);
    assert!(place.switches >= 6, "{place}");
    assert!(place.ran >= Duration::from_millis(6), "{place}");
    assert!(place.longest >= Duration::from_millis(2), "{place}");
    assert!(place.waited >= Duration::from_millis(9), "{place}");
    assert!(profile.is_sorted_by_key(|place| std::cmp::Reverse(place.ran)));
    gts[0].kill();
}

#[test]
fn spew_prints_every_switch() {
    if let Some(printed) = probe("spew_prints_every_switch") {
        let lines: Vec<_> = printed
            .lines()
            .filter(|line| line.contains("greenthread"))
            .collect();
        assert_eq!(lines.len(), 4, "{printed}");
        assert!(
            lines[0].contains("waits for the end of greenthread"),
            "{printed}"
        );
        assert!(lines[1].ends_with(" is running"), "{printed}");
        assert!(lines[2].contains(" is dead after "), "{printed}");
        assert!(
            lines[3].ends_with("own greenthread is running"),
            "{printed}"
        );
        return;
    }
    debug::spew();
    green::spawn(|| ()).join().unwrap();
    debug::unspew();
    green::spawn(|| ()).join().unwrap();
}

#[test]
fn panics_are_printed_unless_they_are_not_wanted() {
    let name = "panics_are_printed_unless_they_are_not_wanted";
    if let Some(printed) = probe(name) {
        assert!(printed.contains("a loud job"), "{printed}");
        assert!(!printed.contains("a silent job"), "{printed}");
        assert!(printed.contains("a loud greenthread"), "{printed}");
        assert!(!printed.contains("a silent greenthread"), "{printed}");
        assert!(printed.contains("the thread's own"), "{printed}");
        return;
    }
    assert!(green::tpool::execute(|| panic!("a loud job")).is_err());
    debug::tpool_exceptions(false);
    assert!(green::tpool::execute(|| panic!("a silent job")).is_err());
    assert!(
        green::spawn(|| panic!("a loud greenthread"))
            .join()
            .is_err()
    );
    debug::hub_exceptions(false);
    let silent = green::spawn(|| panic!("a silent greenthread")).join();
    assert!(
        silent
            .unwrap_err()
            .to_string()
            .contains("a silent greenthread")
    );
    // Nobody would see that one otherwise.
    assert!(std::panic::catch_unwind(|| panic!("the thread's own")).is_err());
}
