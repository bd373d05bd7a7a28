//! A line of words: the name of a command, then what it is given.

use std::any::Any;
use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(not(feature = "rhai"))]
use std::rc::Rc;

use crate::commands::{Commands, Returned};
use crate::output::{Output, Quoted};

/// What came of what a client has entered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// To be shown, if it is something.
    Value(Option<String>),
    /// It goes on in the next line.
    #[cfg(feature = "rhai")]
    Unfinished,
    /// The client wants to leave.
    Leave,
    /// Why it failed.
    Failed(String),
}

/// Runs lines of words, without a script language.
#[cfg(not(feature = "rhai"))]
pub(crate) struct Words {
    pub(crate) commands: Rc<Commands>,
    pub(crate) output: Rc<RefCell<Output>>,
}

#[cfg(not(feature = "rhai"))]
impl Words {
    pub(crate) fn enter(&mut self, text: &str, _finished: bool) -> Entered {
        run(&self.commands, text, &self.output)
    }
}

/// Runs one line of words.
pub(crate) fn run(commands: &Commands, text: &str, output: &RefCell<Output>) -> Entered {
    let mut words = text.split_whitespace();
    let Some(name) = words.next() else {
        return Entered::Value(None);
    };
    let args: Vec<_> = words.collect();
    match call(commands, name, &args, output) {
        Ok(Returned::Value(value)) => Entered::Value(value.map(|text| Quoted(&text).to_string())),
        Ok(Returned::Leave) => Entered::Leave,
        Err(text) => Entered::Failed(text),
    }
}

/// Calls a command. An error and a panic of it are texts.
pub(crate) fn call(
    commands: &Commands,
    name: &str,
    args: &[&str],
    output: &RefCell<Output>,
) -> Result<Returned, String> {
    let called = contained("the command", || {
        commands.call(name, args, &mut *output.borrow_mut() as &mut dyn Write)
    })?;
    match called {
        None => Err(format!("no command {}: help lists them", Quoted(name))),
        Some(answer) => answer.map_err(|error| error.to_string()),
    }
}

/// Runs code of the program, whose panics are texts for the client who has called it. Kills and deadlines go on.
pub(crate) fn contained<T>(what: &str, f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let payload = green::resume_if_control(payload);
        format!("{what} panicked: {}", message(&*payload))
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "with a value that is no text"
    }
}
