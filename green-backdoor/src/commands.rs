//! What a client can call.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;

use crate::builtin;

type Run = dyn Fn(&[&str], &mut dyn Write) -> io::Result<Option<String>>;

/// The table of what a client can call: the program's own closures beside what is [built in](crate#commands).
///
/// ```
/// use std::io::Write;
/// use green_backdoor::Commands;
///
/// let commands = Commands::new()
///     .add("funca", "prints abc, gives 123", |_args, out| {
///         writeln!(out, "abc")?;
///         Ok(Some("123".to_owned()))
///     })
///     .add("quit", "does nothing: the program is not ended from here", |_args, _out| Ok(None));
/// assert!(commands.names().any(|name| name == "funca"));
/// assert!(commands.names().any(|name| name == "greenthreads"));
///
/// let commands = commands.remove("greenthreads"); // Not everybody need know of them.
/// assert!(!commands.names().any(|name| name == "greenthreads"));
/// ```
#[derive(Clone)]
pub struct Commands {
    table: BTreeMap<String, Command>,
}

#[derive(Clone)]
struct Command {
    about: String,
    action: Action,
}

#[derive(Clone)]
enum Action {
    Run(Rc<Run>),
    Help,
    Leave,
}

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// It gives a text, or nothing.
    Value(Option<String>),
    /// The client wants to leave.
    Leave,
}

impl Commands {
    /// A table of what is built in.
    pub fn new() -> Commands {
        let mut commands = Commands {
            table: BTreeMap::new(),
        };
        commands.set("help", "this list", Action::Help);
        for name in ["exit", "quit"] {
            commands.set(name, "closes this connection", Action::Leave);
        }
        for (name, about, run) in builtin::ALL {
            commands.set(name, about, Action::Run(Rc::new(run)));
        }
        commands
    }

    /// Adds a command, instead of one of this name, be it a built-in one such as `exit`. `help` shows what it is
    /// `about`.
    ///
    /// `run` gets the words behind the name, and a writer to the client who called. It may wait as every greenthread
    /// may. A text that it gives is shown in quotes; an error and a panic are shown as a text, and the session goes on.
    ///
    /// # Panics
    /// If `name` is no name: a letter or `_`, then letters, digits and `_`, all of ASCII.
    #[must_use]
    pub fn add(
        mut self,
        name: &str,
        about: &str,
        run: impl Fn(&[&str], &mut dyn Write) -> io::Result<Option<String>> + 'static,
    ) -> Commands {
        assert!(
            is_name(name),
            "a command has a name of letters, digits and _, not {name:?}"
        );
        self.set(name, about, Action::Run(Rc::new(run)));
        self
    }

    /// Removes a command. One that is not there is no error.
    #[must_use]
    pub fn remove(mut self, name: &str) -> Commands {
        self.table.remove(name);
        self
    }

    /// The names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }

    fn set(&mut self, name: &str, about: &str, action: Action) {
        let about = about.to_owned();
        self.table
            .insert(name.to_owned(), Command { about, action });
    }

    /// Runs a command. `None` says that there is none of this name.
    pub(crate) fn call(
        &self,
        name: &str,
        args: &[&str],
        out: &mut dyn Write,
    ) -> Option<io::Result<Returned>> {
        let command = self.table.get(name)?;
        Some(match &command.action {
            Action::Run(run) => run(args, out).map(Returned::Value),
            Action::Help => self.help(out).map(|()| Returned::Value(None)),
            Action::Leave => Ok(Returned::Leave),
        })
    }

    fn help(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.table.keys().map(String::len).max().unwrap_or(0);
        for (name, command) in &self.table {
            writeln!(out, "{name:width$}  {}", command.about)?;
        }
        Ok(())
    }
}

impl Default for Commands {
    fn default() -> Commands {
        Commands::new()
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_script_can_call() {
        for name in ["a", "_b2", "use_hub"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "2a", "a b", "a-b", "é", "a("] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn what_is_built_in_can_be_replaced_and_removed() {
        let commands = Commands::new()
            .add("exit", "stays", |_, _| Ok(Some("no".to_owned())))
            .remove("quit");
        let mut out = Vec::new();
        let answer = commands.call("exit", &[], &mut out).unwrap().unwrap();
        assert_eq!(answer, Returned::Value(Some("no".to_owned())));
        assert!(commands.call("quit", &[], &mut out).is_none());
        assert!(matches!(
            Commands::new().call("quit", &[], &mut out),
            Some(Ok(Returned::Leave))
        ));
    }
}
