//! Dumps, counters, accounts, the detector of greenthreads that block.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

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
    green::yield_now();
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
    green::yield_now();
    let before = debug::counters();
    let dump = debug::dump_all();
    assert!(
        dump.contains("\"sleeper\" waits for the end of a sleep"),
        "{dump}"
    );
    assert!(dump.contains("a_function_with_a_name"), "{dump}");
    assert!(dump.contains("tests/debug.rs"), "{dump}");
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
    green::sleep(Duration::from_millis(60));
    let infos = debug::greenthreads();
    let info = infos.iter().find(|info| info.id == gt.id()).unwrap();
    assert!(info.ran >= Duration::from_millis(9), "{info}");
    assert!(info.waited >= Duration::from_millis(8), "{info}");
    assert!(info.switches >= 3, "{info}");
    debug::accounting(false);
    gt.kill();
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
        green::spawn(move || listener.accept().map(|_| ()))
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
    debug::hub_prevent_multiple_readers(false);
    let second = accept(&listener);
    green::yield_now();
    let address = listener.local_addr().unwrap();
    let _a = green::net::TcpStream::connect(address).unwrap();
    first.join().unwrap().unwrap();
    assert!(!second.is_dead());
    let _b = green::net::TcpStream::connect(address).unwrap();
    second.join().unwrap().unwrap();
}
