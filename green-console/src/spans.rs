//! Spans of the crate [tracing] that belong to greenthreads, and log lines that name them.
//!
//! That crate keeps the spans which are entered by OS thread. Greenthreads share one: a span that one has entered and not
//! left when it waits would be seen in the next, and left by it. With the layer [`GreenthreadSpans`] it is not: at each
//! switch what the one that stops has entered is left, and what the next one had entered is entered again. So a line of the
//! log has the spans of the greenthread that has written it, and the time that a span was entered is time in which it ran.
//!
//! ```
//! use green_console::spans::{GreenthreadSpans, NamesGreenthread, inherit};
//! use tracing_subscriber::fmt;
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! let format = NamesGreenthread::new(fmt::format());
//! let log = fmt::layer().event_format(format).with_writer(std::io::stderr);
//! let subscriber = tracing_subscriber::registry().with(GreenthreadSpans).with(log);
//! tracing::subscriber::set_global_default(subscriber).unwrap();
//!
//! let request = tracing::info_span!("request", number = 7);
//! let handler = green::spawn(|| {
//!     let _entered = request.entered();
//!     // This one begins inside of the span; one that is spawned without `inherit` begins outside of any.
//!     let helper = green::spawn(inherit(|| {
//!         tracing::info!("helps");
//!         tracing::Span::current().metadata().map(|span| span.name())
//!     }));
//!     helper.join().unwrap()
//! });
//! green::yield_now();
//! // The handler waits, inside of its span. This one is in none.
//! assert!(tracing::Span::current().is_none());
//! assert_eq!(handler.join().unwrap(), Some("request"));
//! ```
//!
//! The layer is for the global default of a program. Spans of a subscriber that `tracing::subscriber::with_default` sets for a
//! part of a thread are moved only while that is the default of the thread at the switches.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::fmt;

use green::debug::{SwitchObservation, SwitchObserver, observe_switches};
use tracing_core::span::Id;
use tracing_core::{Dispatch, Event, Subscriber, dispatcher};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

thread_local! {
    static SPANS: Spans = Spans::default();
}

/// The spans of the greenthreads of one thread.
#[derive(Default)]
struct Spans {
    /// What the current greenthread has entered, in this order.
    entered: RefCell<Vec<Id>>,
    /// What the others have, by the id of the greenthread.
    set_aside: RefCell<HashMap<u64, Vec<Id>>>,
    /// True while spans are moved: what is entered and left then says nothing of a greenthread.
    moving: Cell<bool>,
    observation: OnceCell<SwitchObservation>,
}

impl Spans {
    /// Runs `f`, unless the thread ends.
    fn with(f: impl FnOnce(&Spans)) {
        // Nothing has to be moved any more then.
        let _ = SPANS.try_with(f);
    }

    fn moved(&self, f: impl FnOnce(&Dispatch)) {
        // Not within `get_default`, where the subscriber would find no default itself.
        let dispatch = dispatcher::get_default(Dispatch::clone);
        self.moving.set(true);
        f(&dispatch);
        self.moving.set(false);
    }
}

/// Tells the spans of a switch.
struct Mover;

impl SwitchObserver for Mover {
    fn stops(&self, greenthread: u64) {
        Spans::with(|spans| {
            let entered = spans.entered.take();
            if entered.is_empty() {
                return;
            }
            // One that ends with a guard that was forgotten does not come back.
            let ends = green::current().is_dead();
            spans.moved(|dispatch| {
                for id in entered.iter().filter(|_| !ends) {
                    // It must not be closed while it is set aside, even if nobody else holds it.
                    dispatch.clone_span(id);
                }
                for id in entered.iter().rev() {
                    dispatch.exit(id);
                }
            });
            if !ends {
                spans.set_aside.borrow_mut().insert(greenthread, entered);
            }
        });
    }

    fn starts(&self, greenthread: u64) {
        Spans::with(|spans| {
            let Some(entered) = spans.set_aside.borrow_mut().remove(&greenthread) else {
                return;
            };
            spans.moved(|dispatch| {
                for id in &entered {
                    dispatch.enter(id);
                    dispatch.try_close(id.clone());
                }
            });
            spans.entered.replace(entered);
        });
    }
}

/// A layer by which a span belongs to the greenthread that has entered it: see [the module](self).
///
/// It works in every thread. One that enters spans gets an [observer of its switches](observe_switches), which costs each
/// of them some tens of nanoseconds, and a little more for each span that is moved.
///
/// ```
/// use green_console::spans::GreenthreadSpans;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(GreenthreadSpans);
/// tracing::subscriber::set_global_default(subscriber)?;
///
/// let request = tracing::info_span!("request");
/// let handler = green::spawn(move || {
///     let _entered = request.entered();
///     green::yield_now(); // The others are not in this span meanwhile.
///     tracing::Span::current().metadata().map(|span| span.name())
/// });
/// green::yield_now();
/// assert!(tracing::Span::current().is_none());
/// assert_eq!(handler.join().unwrap(), Some("request"));
/// # Ok::<(), tracing::subscriber::SetGlobalDefaultError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GreenthreadSpans;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for GreenthreadSpans {
    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        Spans::with(|spans| {
            if !spans.moving.get() {
                spans.observation.get_or_init(|| observe_switches(Mover));
                spans.entered.borrow_mut().push(id.clone());
            }
        });
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        Spans::with(|spans| {
            if !spans.moving.get() {
                let mut entered = spans.entered.borrow_mut();
                if let Some(at) = entered.iter().rposition(|other| other == id) {
                    entered.remove(at);
                }
            }
        });
    }
}

/// The same function, to be run inside of the span that is current now: for a greenthread that works for this one.
///
/// It fits into every form of spawn: `green::spawn(inherit(|| ...))`.
///
/// ```
/// use green_console::spans::inherit;
///
/// // Without a subscriber there is no span, and nothing to inherit.
/// assert_eq!(green::spawn(inherit(|| 7)).join().unwrap(), 7);
/// ```
pub fn inherit<T>(f: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let span = tracing::Span::current();
    move || span.in_scope(f)
}

/// A format of log lines that begins each with the greenthread that has written it, as `[greenthread 7 "worker"]`, or with
/// the thread, if that has done so itself.
///
/// ```
/// use green_console::spans::NamesGreenthread;
/// use tracing_subscriber::fmt;
///
/// let format = NamesGreenthread::new(fmt::format().compact());
/// let subscriber = fmt().event_format(format).with_writer(std::io::stderr).finish();
/// tracing::subscriber::with_default(subscriber, || tracing::info!("the thread says this"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct NamesGreenthread<F>(F);

impl<F> NamesGreenthread<F> {
    /// Such a format, which is `format` behind the name.
    pub fn new(format: F) -> NamesGreenthread<F> {
        NamesGreenthread(format)
    }
}

impl<S, N, F> FormatEvent<S, N> for NamesGreenthread<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let current = green::current();
        match (current.id(), current.name()) {
            (0, _) => {
                let thread = std::thread::current();
                write!(writer, "[thread {:?}] ", thread.name().unwrap_or("unnamed"))?;
            }
            (id, Some(name)) => write!(writer, "[greenthread {id} {name:?}] ")?,
            (id, None) => write!(writer, "[greenthread {id}] ")?,
        }
        self.0.format_event(context, writer, event)
    }
}
