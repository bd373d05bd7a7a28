//! What a client sends, as lines: its ends of lines and telnet's commands (RFC 854) are taken out.

use std::io::{self, Read};

/// The most bytes of a line, and of a script of several lines.
pub(crate) const LONGEST: usize = 64 << 10;

const BREAK: u8 = 243;
const INTERRUPT_PROCESS: u8 = 244;
const ARE_YOU_THERE: u8 = 246;
const ERASE_CHARACTER: u8 = 247;
const ERASE_LINE: u8 = 248;
const SUBNEGOTIATION_END: u8 = 240;
const SUBNEGOTIATION: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
/// Interpret as command.
pub(crate) const IAC: u8 = 255;

/// Ctrl-C and Ctrl-D of a terminal that sends them as they are.
const END_OF_TEXT: u8 = 3;
const END_OF_TRANSMISSION: u8 = 4;

/// One thing that a client has sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A line, without its end.
    Line(Vec<u8>),
    /// A line of more than [`LONGEST`] bytes has begun.
    TooLong,
    /// What was begun is to be forgotten.
    Interrupt,
    /// An option of telnet is asked for or offered: this refuses it.
    Refuse([u8; 3]),
    /// The client asks for a sign of life.
    AreYouThere,
    /// It sends no more.
    End,
}

/// Where in telnet's commands the next byte stands.
#[derive(Clone, Copy)]
enum Within {
    Text,
    Command,
    Option(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

/// Takes bytes and gives what they mean.
struct Decoder {
    within: Within,
    line: Vec<u8>,
    /// The last byte of the text was a carriage return, which has ended a line.
    returned: bool,
    /// It has sent one of telnet's commands.
    telnet: bool,
    /// It ends its lines with a carriage return.
    returns: bool,
}

impl Decoder {
    fn take(&mut self, byte: u8) -> Option<Input> {
        match self.within {
            Within::Text if byte == IAC => {
                self.within = Within::Command;
                None
            }
            Within::Text => self.text(byte),
            Within::Command => self.command(byte),
            Within::Option(verb) => {
                self.within = Within::Text;
                let refusal = match verb {
                    WILL => DONT,
                    DO => WONT,
                    _ => return None,
                };
                Some(Input::Refuse([IAC, refusal, byte]))
            }
            Within::Subnegotiation => {
                if byte == IAC {
                    self.within = Within::SubnegotiationCommand;
                }
                None
            }
            Within::SubnegotiationCommand => {
                self.within = match byte {
                    SUBNEGOTIATION_END => Within::Text,
                    _ => Within::Subnegotiation,
                };
                None
            }
        }
    }

    fn command(&mut self, byte: u8) -> Option<Input> {
        self.within = Within::Text;
        if byte == IAC {
            return self.text(IAC);
        }
        self.telnet = true;
        match byte {
            WILL | WONT | DO | DONT => self.within = Within::Option(byte),
            SUBNEGOTIATION => self.within = Within::Subnegotiation,
            INTERRUPT_PROCESS | BREAK => return self.interrupt(),
            ARE_YOU_THERE => return Some(Input::AreYouThere),
            ERASE_CHARACTER => drop(self.line.pop()),
            ERASE_LINE => self.line.clear(),
            _ => {}
        }
        None
    }

    fn text(&mut self, byte: u8) -> Option<Input> {
        let returned = std::mem::replace(&mut self.returned, byte == b'\r');
        match byte {
            b'\n' | 0 if returned => {
                self.returns = true;
                None
            }
            b'\n' | b'\r' => Some(Input::Line(std::mem::take(&mut self.line))),
            END_OF_TEXT => self.interrupt(),
            END_OF_TRANSMISSION if self.line.is_empty() => Some(Input::End),
            _ if self.line.len() == LONGEST => Some(Input::TooLong),
            _ => {
                self.line.push(byte);
                None
            }
        }
    }

    fn interrupt(&mut self) -> Option<Input> {
        self.line.clear();
        Some(Input::Interrupt)
    }
}

/// The lines of one client.
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Box<[u8]>,
    /// What of the buffer is still to be taken.
    left: std::ops::Range<usize>,
    decoder: Decoder,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R) -> Lines<R> {
        Lines {
            reader,
            buffer: vec![0; 1024].into(),
            left: 0..0,
            decoder: Decoder {
                within: Within::Text,
                line: Vec::new(),
                returned: false,
                telnet: false,
                returns: false,
            },
        }
    }

    /// True once the client has shown that it speaks telnet.
    pub(crate) fn is_telnet(&self) -> bool {
        self.decoder.telnet
    }

    /// True once the client has ended a line as telnet does.
    pub(crate) fn has_returns(&self) -> bool {
        self.decoder.returns
    }

    /// The next thing that was sent. `None` says that `read` gave none: the caller wants no more. A line that its
    /// client has not ended is not given: half a command is another command.
    pub(crate) fn next(
        &mut self,
        read: impl Fn(&mut R, &mut [u8]) -> Option<io::Result<usize>>,
    ) -> io::Result<Option<Input>> {
        loop {
            for at in self.left.by_ref() {
                if let Some(input) = self.decoder.take(self.buffer[at]) {
                    return Ok(Some(input));
                }
            }
            match read(&mut self.reader, &mut self.buffer) {
                None => return Ok(None),
                Some(Ok(0)) => return Ok(Some(Input::End)),
                Some(Ok(len)) => self.left = 0..len,
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Some(Err(error)) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(bytes: &[u8]) -> Vec<Input> {
        let mut lines = Lines::new(bytes);
        let mut inputs = Vec::new();
        loop {
            match lines.next(|reader, buf| Some(reader.read(buf))) {
                Ok(Some(Input::End)) => return inputs,
                Ok(Some(input)) => inputs.push(input),
                other => panic!("{other:?}"),
            }
        }
    }

    fn line(text: &str) -> Input {
        Input::Line(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_end_in_every_way() {
        let expected = [line("a"), line("b"), line("c"), line(""), line("d")];
        assert_eq!(inputs(b"a\nb\r\nc\r\0\nd\r"), expected);
        assert_eq!(inputs(b"no end"), []);
    }

    #[test]
    fn telnet_is_understood_and_its_options_are_refused() {
        let sent = b"he\xff\xfd\x06l\xff\xfa\x18\0xterm\xff\xff\xff\xf0p\xff\xf1\n\xff\xfb\x1f\xff\xfe\x01\xff\xfc\x01";
        let refusals = [
            Input::Refuse([IAC, WONT, 6]),
            line("help"),
            Input::Refuse([IAC, DONT, 31]),
        ];
        assert_eq!(inputs(sent), refusals);
        assert_eq!(inputs(b"\xff\xf6"), [Input::AreYouThere]);
        assert_eq!(inputs(b"no\xff\xf8yex\xff\xf7s\n"), [line("yes")]);
        assert_eq!(
            inputs(b"a\xff\xff\n"),
            [Input::Line(vec![b'a', 0xff])],
            "twice is itself"
        );
    }

    #[test]
    fn an_interrupt_forgets_the_line() {
        for interrupt in [&b"\xff\xf4"[..], b"\xff\xf3", b"\x03"] {
            let sent = [b"kill 1", interrupt, b"hub\n"].concat();
            assert_eq!(inputs(&sent), [Input::Interrupt, line("hub")]);
        }
    }

    #[test]
    fn a_line_has_its_most_bytes() {
        let mut sent = vec![b'x'; LONGEST];
        sent.push(b'\n');
        assert_eq!(inputs(&sent).len(), 1);
        sent.insert(0, b'x');
        assert_eq!(inputs(&sent)[0], Input::TooLong);
    }

    #[test]
    fn a_control_d_ends_only_where_a_line_begins() {
        assert_eq!(inputs(b"a\n\x04b\n"), [line("a")]);
        assert_eq!(inputs(b"a\x04\n"), [line("a\x04")]);
    }
}
