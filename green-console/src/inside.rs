//! What a console knows of the thread that it shows.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use green::debug::{self, Accounts, RunLog};
use serde::Serialize;

use crate::console::Settings;
use crate::history::Point;

/// Accounts are kept for so long after somebody has looked.
const ATTENTION: Duration = Duration::from_secs(15);

/// As many long runs are noted between two looks at them.
const MOST_RUNS: usize = 20;

/// As many warnings are kept.
const MOST_WARNINGS: usize = 100;

pub(crate) struct Inside {
    pub(crate) settings: Settings,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) thread: String,
    pub(crate) began: Instant,
    pub(crate) history: RefCell<VecDeque<Point>>,
    pub(crate) warnings: RefCell<VecDeque<Warning>>,
    pub(crate) warned: Cell<u64>,
    looked: Cell<Option<Instant>>,
    kept: RefCell<Option<Kept>>,
    /// True while a recording is made for somebody.
    pub(crate) recording: Cell<bool>,
}

/// What is kept while somebody looks.
struct Kept {
    _accounts: Accounts,
    long_runs: Rc<RunLog>,
}

/// Something that an operator should know.
#[derive(Clone, Serialize)]
pub(crate) struct Warning {
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    /// For how long the others were kept waiting.
    pub(crate) seconds: f64,
    /// The greenthread that did so, if it is known.
    pub(crate) greenthread: Option<u64>,
    pub(crate) name: Option<String>,
    pub(crate) spawned_at: Option<String>,
    pub(crate) stack: Option<String>,
}

impl Inside {
    pub(crate) fn new(settings: Settings, address: Option<SocketAddr>) -> Inside {
        let thread = std::thread::current();
        let inside = Inside {
            settings,
            address,
            thread: thread.name().unwrap_or("unnamed").to_owned(),
            began: Instant::now(),
            history: RefCell::default(),
            warnings: RefCell::default(),
            warned: Cell::new(0),
            looked: Cell::new(None),
            kept: RefCell::new(None),
            recording: Cell::new(false),
        };
        if inside.settings.always {
            inside.keep();
        }
        inside
    }

    /// Somebody looks: accounts are kept from now on.
    pub(crate) fn look(&self) {
        self.looked.set(Some(Instant::now()));
        if self.kept.borrow().is_none() {
            self.keep();
        }
    }

    fn keep(&self) {
        let kept = Kept {
            _accounts: debug::keep_accounts(),
            long_runs: Rc::new(debug::long_runs(self.settings.blocked, MOST_RUNS)),
        };
        self.kept.replace(Some(kept));
    }

    /// Ends the accounts if nobody has looked for a while.
    pub(crate) fn forget(&self) {
        let looked = self.looked.get();
        let gone = looked.is_none_or(|looked| looked.elapsed() > ATTENTION);
        if gone && !self.settings.always {
            drop(self.kept.take());
        }
    }

    /// True while accounts are kept.
    pub(crate) fn attends(&self) -> bool {
        self.kept.borrow().is_some()
    }

    pub(crate) fn long_runs(&self) -> Option<Rc<RunLog>> {
        let kept = self.kept.borrow();
        kept.as_ref().map(|kept| Rc::clone(&kept.long_runs))
    }

    pub(crate) fn warn(&self, warning: Warning) {
        self.warned.set(self.warned.get() + 1);
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() == MOST_WARNINGS {
            warnings.pop_front();
        }
        warnings.push_back(warning);
    }

    /// The right to record, of which there is one: two would slow down what each is to show.
    pub(crate) fn try_record(self: &Rc<Inside>) -> Option<RecordingTurn> {
        (!self.recording.replace(true)).then(|| RecordingTurn(Rc::clone(self)))
    }
}

/// While it lives, a recording is made.
pub(crate) struct RecordingTurn(Rc<Inside>);

impl Drop for RecordingTurn {
    fn drop(&mut self) {
        self.0.recording.set(false);
    }
}

/// Milliseconds since 1970.
pub(crate) fn unix_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// A time as JSON has it: in seconds.
pub(crate) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
