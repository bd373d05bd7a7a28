//! One client.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use crate::input::{Input, LONGEST, Lines};
use crate::output::Output;
use crate::server::Settings;
use crate::words::Entered;

#[cfg(feature = "rhai")]
use crate::script::Script as Interpreter;
#[cfg(not(feature = "rhai"))]
use crate::words::Words as Interpreter;

/// The console of one client: what it sends, what it has begun, and what runs it.
pub(crate) struct Session<R> {
    lines: Lines<R>,
    output: Rc<RefCell<Output>>,
    interpreter: Interpreter,
    /// The lines of something that goes on.
    begun: String,
    /// Nothing but blank lines has come.
    first: bool,
    peer: String,
}

/// What becomes of a session after a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// With a prompt.
    Prompt,
    /// In the same line.
    Stay,
    End,
}

impl<R: Read> Session<R> {
    pub(crate) fn new(
        settings: &Settings,
        peer: String,
        reader: R,
        writer: impl Write + 'static,
    ) -> Session<R> {
        let output = Rc::new(RefCell::new(Output::new(writer)));
        Session {
            lines: Lines::new(reader),
            #[cfg(feature = "rhai")]
            interpreter: Interpreter::new(settings, Rc::clone(&output)),
            #[cfg(not(feature = "rhai"))]
            interpreter: Interpreter {
                commands: Rc::clone(&settings.commands),
                output: Rc::clone(&output),
            },
            output,
            begun: String::new(),
            first: true,
            peer,
        }
    }

    /// Runs it to its end. `read` gives `None` when the client is to leave.
    pub(crate) fn run(
        mut self,
        banner: &str,
        read: impl Fn(&mut R, &mut [u8]) -> Option<io::Result<usize>>,
    ) -> io::Result<()> {
        self.say(banner)?;
        let mut next = Next::Prompt;
        while next != Next::End {
            if next == Next::Prompt {
                self.prompt()?;
            }
            let input = self.lines.next(&read)?;
            let (telnet, returns) = (self.lines.is_telnet(), self.lines.has_returns());
            self.output.borrow_mut().adapt(telnet, returns);
            next = match input {
                Some(input) => self.take(input)?,
                None => {
                    self.say("\nthe program ends this session")?;
                    Next::End
                }
            };
        }
        Ok(())
    }

    fn take(&mut self, input: Input) -> io::Result<Next> {
        match input {
            Input::Line(line) => self.line(&line),
            // What follows may be anything, and is not to be taken for a line.
            Input::TooLong => {
                self.say(&format!("error: a line has at most {LONGEST} bytes"))?;
                Ok(Next::End)
            }
            Input::Interrupt => {
                self.begun.clear();
                self.say("")?;
                Ok(Next::Prompt)
            }
            Input::Refuse(answer) => {
                self.output.borrow_mut().send_raw(&answer)?;
                Ok(Next::Stay)
            }
            Input::AreYouThere => {
                self.say("\n[yes]")?;
                Ok(Next::Prompt)
            }
            Input::End => Ok(Next::End),
        }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<Next> {
        let Ok(line) = str::from_utf8(line) else {
            self.begun.clear();
            self.first = false;
            self.say("error: the line is not UTF-8")?;
            return Ok(Next::Prompt);
        };
        let blank = line.trim().is_empty();
        if self.first && !blank {
            self.first = false;
            if is_http(line) {
                log::warn!(
                    "closed the connection of {} to a console: it sends HTTP requests",
                    self.peer
                );
                return Ok(Next::End);
            }
        }
        if blank && self.begun.is_empty() {
            return Ok(Next::Prompt);
        }
        if self.begun.len() + line.len() >= LONGEST {
            self.begun.clear();
            self.say(&format!("error: a script has at most {LONGEST} bytes"))?;
            return Ok(Next::Prompt);
        }
        self.begun.push_str(line);
        let entered = self.interpreter.enter(&self.begun, blank);
        self.answer(entered)
    }

    fn answer(&mut self, entered: Entered) -> io::Result<Next> {
        match entered {
            #[cfg(feature = "rhai")]
            Entered::Unfinished => {
                self.begun.push('\n');
                return Ok(Next::Prompt);
            }
            Entered::Value(None) => {}
            Entered::Value(Some(value)) => self.say(&value)?,
            Entered::Failed(text) => self.say(&format!("error: {text}"))?,
            Entered::Leave => return Ok(Next::End),
        }
        self.begun.clear();
        Ok(Next::Prompt)
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        let mut output = self.output.borrow_mut();
        output.write_all(text.as_bytes())?;
        output.write_all(b"\n")
    }

    fn prompt(&mut self) -> io::Result<()> {
        let mut output = self.output.borrow_mut();
        output.write_all(match self.begun.is_empty() {
            true => b">>> ",
            false => b"... ",
        })?;
        output.flush()
    }
}

/// True for the first line of an HTTP request: a page in a browser can have one sent to any port of this machine, with
/// lines of its own behind it.
fn is_http(line: &str) -> bool {
    let last = line.split_whitespace().next_back();
    last.is_some_and(|word| word.starts_with("HTTP/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_version() {
        for line in [
            "GET / HTTP/1.1",
            "kill /1 HTTP/1.1",
            "POST http://localhost:3000/ HTTP/1.0 ",
            "PRI * HTTP/2.0",
        ] {
            assert!(is_http(line), "{line}");
        }
        for line in ["help", "let x = 1 / 2", "", "get http"] {
            assert!(!is_http(line), "{line}");
        }
    }
}
