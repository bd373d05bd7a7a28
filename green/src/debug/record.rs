//! Recordings of what the greenthreads of a thread do.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Instant;

use super::observe::Watch;
use crate::runtime::{Reason, Runtime, State, Task};

/// What a greenthread waits for. [`Display`](fmt::Display) says it in words.
///
/// ```
/// use green::debug::{StepKind, record};
///
/// let recording = record(100);
/// green::spawn(|| green::sleep(std::time::Duration::from_millis(1))).join().unwrap();
/// for step in recording.finish().steps {
///     if let StepKind::Waits(reason) = step.kind {
///         println!("greenthread {} waits for {reason}", step.greenthread);
///     }
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WaitReason(Reason);

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one greenthread does at one moment.
///
/// ```
/// use green::debug::{StepKind, record};
///
/// let recording = record(100);
/// green::yield_now();
/// assert!(recording.steps() > 0);
/// let recorded = recording.finish();
/// assert!(recorded.steps.iter().any(|step| step.kind == StepKind::Yields));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepKind {
    /// It was spawned by the greenthread with this id, and can run, unless it was spawned with a delay.
    Spawned {
        /// `None` if another thread has sent it.
        by: Option<u64>,
    },
    /// It begins to run.
    Runs,
    /// It lets others run, and can go on itself.
    Yields,
    /// It begins to wait.
    Waits(WaitReason),
    /// Its wait is over, and it can run.
    Woken {
        /// The greenthread that has ended the wait. `None`: a descriptor, a deadline, or another thread.
        by: Option<u64>,
    },
    /// It has ended.
    Ended,
}

/// One moment of a [`Recording`].
///
/// ```
/// use green::debug::record;
///
/// let recording = record(100);
/// green::yield_now();
/// assert!(recording.steps() > 0);
/// let recorded = recording.finish();
/// assert!(recorded.steps.iter().all(|step| step.at >= recorded.began));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Step {
    /// When it was.
    pub at: Instant,
    /// The id of the greenthread that it happened to.
    pub greenthread: u64,
    /// What it was.
    pub kind: StepKind,
}

/// A greenthread that lived while something was recorded.
///
/// ```
/// use green::debug::record;
///
/// let recording = record(100);
/// green::yield_now();
/// assert!(recording.steps() > 0);
/// let recorded = recording.finish();
/// for step in &recorded.steps {
///     println!("{:?}: {} {:?}", step.at - recorded.began, step.greenthread, step.kind);
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedGreenthread {
    /// Its id; 0 is the thread's own.
    pub id: u64,
    /// Its name, if it had one.
    pub name: Option<Rc<str>>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
}

/// What a [`Recording`] has recorded.
///
/// ```
/// use green::debug::record;
///
/// let recording = record(100);
/// green::yield_now();
/// let recorded = recording.finish();
/// let here = &recorded.greenthreads[0];
/// assert_eq!(here.id, green::current_id());
/// println!("{} steps in {:?}", recorded.steps.len(), recorded.ended - recorded.began);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// When it was begun.
    pub began: Instant,
    /// When it was finished.
    pub ended: Instant,
    /// What has happened, in its order. It begins with what each greenthread did at the beginning, as if that had begun
    /// then.
    pub steps: Vec<Step>,
    /// How many further steps there were, for which there was no room.
    pub lost: u64,
    /// All greenthreads that lived meanwhile, in the order of their spawn.
    pub greenthreads: Vec<RecordedGreenthread>,
}

/// What is recorded, and by whom it is filled.
pub(super) struct Recorder {
    began: Instant,
    most: usize,
    steps: RefCell<Vec<Step>>,
    lost: Cell<u64>,
    seen: RefCell<HashMap<u64, RecordedGreenthread>>,
}

impl Recorder {
    fn new(runtime: &Runtime, most: usize) -> Recorder {
        let tasks = runtime.tasks();
        let recorder = Recorder {
            began: Instant::now(),
            most,
            steps: RefCell::default(),
            lost: Cell::new(0),
            seen: RefCell::default(),
        };
        for task in &tasks {
            recorder.see(task);
            let kind = match runtime.is_current(task) {
                true => StepKind::Runs,
                false => kind_of(task),
            };
            recorder.push(recorder.began, task.id, kind);
        }
        recorder
    }

    pub(super) fn push(&self, at: Instant, greenthread: u64, kind: StepKind) {
        let mut steps = self.steps.borrow_mut();
        if steps.len() < self.most {
            steps.push(Step {
                at,
                greenthread,
                kind,
            });
        } else {
            self.lost.set(self.lost.get() + 1);
        }
    }

    pub(super) fn spawns(&self, at: Instant, task: &Task) {
        if self.steps.borrow().len() < self.most {
            self.see(task);
        }
        let by = task.spawner();
        self.push(at, task.id, StepKind::Spawned { by });
    }

    pub(super) fn stops(&self, at: Instant, task: &Task) {
        let kind = kind_of(task);
        if kind == StepKind::Ended {
            self.name(task);
        }
        self.push(at, task.id, kind);
    }

    fn see(&self, task: &Task) {
        let greenthread = RecordedGreenthread {
            id: task.id,
            name: None,
            spawned_at: task.spawned_at,
        };
        self.seen.borrow_mut().insert(task.id, greenthread);
    }

    /// It has its name, which it gets after its spawn.
    fn name(&self, task: &Task) {
        if let Some(seen) = self.seen.borrow_mut().get_mut(&task.id) {
            seen.name = task.name();
        }
    }
}

fn kind_of(task: &Task) -> StepKind {
    match task.state() {
        State::Parked => StepKind::Waits(WaitReason(task.reason())),
        State::Dead => StepKind::Ended,
        State::Delayed => StepKind::Waits(WaitReason(Reason::Outside("its start"))),
        State::Fresh | State::Ready | State::Running => StepKind::Yields,
    }
}

/// Records what the greenthreads of this thread do, until it is [finished](Recording::finish) or dropped. Made by
/// [`record`].
///
/// ```
/// use green::debug::record;
///
/// let recording = record(100);
/// green::yield_now();
/// assert!(recording.steps() > 0);
/// let recorded = recording.finish();
/// assert!(recorded.ended >= recorded.began && recorded.lost == 0);
/// ```
#[must_use = "nothing is recorded any more once this is dropped"]
pub struct Recording {
    watch: Rc<Watch>,
    recorder: Rc<Recorder>,
}

/// Records every spawn, switch, wait and wake-up of this thread from now on, at most so many: each takes 56 bytes, and what
/// comes when there is no more room is counted.
///
/// While it is on, each of them costs some tens of nanoseconds more.
///
/// ```
/// use green::debug::{StepKind, record};
///
/// let recording = record(1000);
/// let gt = green::spawn(|| green::yield_now());
/// let id = gt.id();
/// gt.join().unwrap();
/// let recorded = recording.finish();
/// let steps: Vec<_> = recorded.steps.iter().filter(|step| step.greenthread == id).map(|step| step.kind).collect();
/// let by = Some(green::current_id());
/// assert_eq!(
///     steps,
///     [StepKind::Spawned { by }, StepKind::Runs, StepKind::Yields, StepKind::Runs, StepKind::Ended]
/// );
/// ```
pub fn record(most: usize) -> Recording {
    Watch::with(|runtime, watch| {
        let recorder = Rc::new(Recorder::new(runtime, most));
        watch.add_recorder(runtime, Rc::clone(&recorder));
        Recording {
            watch: Rc::clone(watch),
            recorder,
        }
    })
}

impl Recording {
    /// How many steps there are so far.
    pub fn steps(&self) -> usize {
        self.recorder.steps.borrow().len()
    }

    /// Ends it, and gives what was recorded.
    pub fn finish(self) -> Recorded {
        let ended = Instant::now();
        let recorder = Rc::clone(&self.recorder);
        drop(self);
        Runtime::with(|runtime| {
            for task in runtime.tasks() {
                recorder.name(&task);
            }
        });
        let mut greenthreads: Vec<_> = recorder.seen.take().into_values().collect();
        greenthreads.sort_by_key(|greenthread| greenthread.id);
        Recorded {
            began: recorder.began,
            ended,
            steps: recorder.steps.take(),
            lost: recorder.lost.get(),
            greenthreads,
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        Watch::with(|runtime, watch| {
            if Rc::ptr_eq(watch, &self.watch) {
                watch.remove_recorder(runtime, &self.recorder);
            }
        });
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("steps", &self.steps())
            .finish_non_exhaustive()
    }
}
