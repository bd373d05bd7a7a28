//! Spans of tracing in greenthreads.
#![cfg(feature = "tracing")]

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use green_console::spans::{GreenthreadSpans, NamesGreenthread, inherit};
use tracing::{Span, info, info_span};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

/// What was logged in this process.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let format = NamesGreenthread::new(fmt::format().with_target(false).without_time());
        let writer = lines.clone();
        let log = fmt::layer()
            .event_format(format)
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry()
            .with(GreenthreadSpans)
            .with(log);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        lines
    })
}

/// The line that has this in it.
fn line(part: &str) -> String {
    let text = String::from_utf8(lines().0.lock().unwrap().clone()).unwrap();
    let line = text.lines().find(|line| line.contains(part));
    line.unwrap_or_else(|| panic!("{part} is not in {text}"))
        .to_owned()
}

fn current() -> Option<&'static str> {
    Span::current().metadata().map(|span| span.name())
}

#[test]
fn a_span_is_seen_in_the_greenthread_that_has_entered_it_alone() {
    lines();
    let one = green::spawn(|| {
        let _outer = info_span!("outer").entered();
        green::yield_now();
        assert_eq!(current(), Some("outer"));
        {
            let _inner = info_span!("inner").entered();
            green::sleep(Duration::from_millis(2));
            assert_eq!(current(), Some("inner"));
        }
        green::yield_now();
        current()
    });
    let other = green::spawn(|| {
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(current());
            let _own = info_span!("own").entered();
            green::sleep(Duration::from_millis(1));
            seen.push(current());
        }
        seen
    });
    green::yield_now();
    assert_eq!(current(), None);
    assert_eq!(one.join().unwrap(), Some("outer"));
    assert_eq!(other.join().unwrap(), [None, Some("own")].repeat(5));
    assert_eq!(current(), None);
}

#[test]
fn spans_that_overlap_end_in_any_order() {
    lines();
    let (first, second) = (info_span!("first"), info_span!("second"));
    let gt = green::spawn(move || {
        let first = first.entered();
        let second = second.entered();
        green::yield_now();
        drop(first);
        green::yield_now();
        assert_eq!(current(), Some("second"));
        drop(second);
        green::yield_now();
        current()
    });
    assert_eq!(gt.join().unwrap(), None);
}

#[test]
fn a_spawn_inherits_if_it_is_told() {
    lines();
    let _request = info_span!("request", number = 7).entered();
    let outside = green::spawn(current);
    let inside = green::Builder::new().name("helper").spawn(inherit(|| {
        green::yield_now();
        info!("helps with it");
        current()
    }));
    assert_eq!(outside.join().unwrap(), None);
    let inside = inside.unwrap();
    let id = inside.id();
    assert_eq!(inside.join().unwrap(), Some("request"));
    let line = line("helps with it");
    assert!(
        line.contains(&format!("[greenthread {id} \"helper\"]")),
        "{line}"
    );
    assert!(line.contains("request{number=7}: helps with it"), "{line}");
}

#[test]
fn log_lines_name_who_has_written_them() {
    lines();
    let gt = green::spawn(|| info!("by one without a name"));
    let id = gt.id();
    gt.join().unwrap();
    let written = line("by one without a name");
    assert!(
        written.starts_with(&format!("[greenthread {id}] ")),
        "{written}"
    );
    info!("by the thread itself");
    let written = line("by the thread itself");
    assert!(
        written.starts_with("[thread \"log_lines_name_who_has_written_them\"] "),
        "{written}"
    );
}

#[test]
fn a_killed_greenthread_leaves_its_spans() {
    lines();
    let gt = green::spawn(|| {
        let _held = info_span!("held").entered();
        green::sleep(Duration::from_secs(60));
    });
    green::yield_now();
    gt.kill();
    assert!(gt.is_dead());
    assert_eq!(current(), None);
    assert_eq!(green::spawn(current).join().unwrap(), None);
}

#[test]
fn a_guard_that_is_forgotten_harms_nobody() {
    lines();
    let gt = green::spawn(|| {
        let span = info_span!("forgotten");
        std::mem::forget(span.enter());
        drop(span);
        green::yield_now();
        green::yield_now();
    });
    gt.join().unwrap();
    assert_eq!(green::spawn(current).join().unwrap(), None);
}

#[test]
fn threads_have_their_own() {
    lines();
    let _here = info_span!("here").entered();
    let there = std::thread::spawn(|| {
        let gt = green::spawn(|| {
            let _there = info_span!("there").entered();
            green::yield_now();
            current()
        });
        green::yield_now();
        (current(), gt.join().unwrap())
    });
    assert_eq!(there.join().unwrap(), (None, Some("there")));
    assert_eq!(current(), Some("here"));
}
