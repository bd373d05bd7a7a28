//! What is written to a client.

use std::fmt;
use std::io::{self, LineWriter, Write};

use crate::input::IAC;

/// The most that is translated at once.
const PIECE: usize = 8 << 10;

/// Writes to one client by lines, with the ends of lines that the client itself uses.
pub(crate) struct Output {
    lines: LineWriter<Wire>,
    /// Something could not be written: nobody is there any more.
    #[cfg(feature = "rhai")]
    lost: bool,
}

struct Wire {
    writer: Box<dyn Write>,
    /// The client speaks telnet: a byte of its own is sent twice.
    telnet: bool,
    /// The client ends its lines with a carriage return.
    returns: bool,
    last: u8,
}

impl Output {
    pub(crate) fn new(writer: impl Write + 'static) -> Output {
        Output {
            lines: LineWriter::new(Wire {
                writer: Box::new(writer),
                telnet: false,
                returns: false,
                last: 0,
            }),
            #[cfg(feature = "rhai")]
            lost: false,
        }
    }

    /// Writes as this client does from now on.
    pub(crate) fn adapt(&mut self, telnet: bool, returns: bool) {
        let wire = self.lines.get_mut();
        wire.telnet = telnet;
        wire.returns = telnet || returns;
    }

    /// Sends bytes that are no text.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.lines.flush()?;
        self.lines.get_mut().writer.write_all(bytes)
    }

    /// True once something could not be written.
    #[cfg(feature = "rhai")]
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// A script does not see what becomes of its prints, and goes on for nobody.
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        #[cfg(feature = "rhai")]
        if matches!(&result, Err(error) if error.kind() != io::ErrorKind::Interrupted) {
            self.lost = true;
        }
        result
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.lines.write(buf);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.lines.flush();
        self.note(flushed)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let piece = &buf[..buf.len().min(PIECE)];
        if !self.returns {
            self.writer.write_all(piece)?;
            return Ok(piece.len());
        }
        let mut translated = Vec::with_capacity(piece.len() + piece.len() / 16);
        for &byte in piece {
            match byte {
                b'\n' if self.last != b'\r' => translated.extend(b"\r\n"),
                IAC if self.telnet => translated.extend([IAC, IAC]),
                _ => translated.push(byte),
            }
            self.last = byte;
        }
        self.writer.write_all(&translated)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A text as a program would write it: in single quotes, with what a terminal would not show escaped.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\"")?,
                c => write!(f, "{}", c.escape_debug())?,
            }
        }
        f.write_str("'")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[derive(Clone, Default)]
    struct Sent(Rc<RefCell<Vec<u8>>>);

    impl Write for Sent {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend(buf);
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_client_is_written_to_as_it_writes() {
        let sent = Sent::default();
        let mut output = Output::new(sent.clone());
        output.write_all(b"a\n\xff\n").unwrap();
        output.adapt(false, true);
        output.write_all(b"b\nc\r\n\xff\n").unwrap();
        output.adapt(true, false);
        output.write_all(b"d\xff\n> ").unwrap();
        output.flush().unwrap();
        let expected: &[u8] = b"a\n\xff\nb\r\nc\r\n\xff\r\nd\xff\xff\r\n> ";
        assert_eq!(*sent.0.borrow(), expected);
    }

    #[test]
    fn a_long_text_arrives_whole() {
        let sent = Sent::default();
        let mut output = Output::new(sent.clone());
        output.adapt(true, true);
        let text = "0123456789abcde\n".repeat(10_000);
        output.write_all(text.as_bytes()).unwrap();
        output.flush().unwrap();
        let expected = text.replace('\n', "\r\n");
        assert!(*sent.0.borrow() == expected.as_bytes());
    }

    #[test]
    fn quotes_show_what_a_terminal_would_not() {
        assert_eq!(Quoted("123").to_string(), "'123'");
        assert_eq!(
            Quoted("a'b\"c\\\n\u{1b}[2Jé").to_string(),
            "'a\\'b\"c\\\\\\n\\u{1b}[2Jé'"
        );
    }
}
