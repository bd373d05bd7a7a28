//! A client of a console, and a server for it.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use green::GreenThread;
use green::net::{TcpListener, TcpStream, UnixStream};
use green::server::Drained;
use green_backdoor::{Commands, Server};

/// Whoever waits longer than this waits in vain.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Client<S> {
    stream: S,
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).unwrap();
    }

    /// What comes up to these words, without them.
    pub(crate) fn until(&mut self, words: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(words.as_bytes()) {
            let mut byte = [0];
            let len = self.stream.read(&mut byte).unwrap();
            assert_eq!(len, 1, "ended after {:?}", String::from_utf8_lossy(&text));
            text.push(byte[0]);
        }
        text.truncate(text.len() - words.len());
        String::from_utf8(text).unwrap()
    }

    /// As many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// What is answered to a line.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\n"));
        self.until(">>> ")
    }

    /// What comes until the end.
    pub(crate) fn rest(&mut self) -> String {
        let mut text = Vec::new();
        // The end of one that was cut off while it still sent is a reset.
        if let Err(error) = self.stream.read_to_end(&mut text) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        String::from_utf8(text).unwrap()
    }
}

impl Client<TcpStream> {
    pub(crate) fn connect(address: std::net::SocketAddr) -> Client<TcpStream> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Client { stream }
    }

    pub(crate) fn end(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

impl Client<UnixStream> {
    pub(crate) fn connect_unix(path: &std::path::Path) -> Client<UnixStream> {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Client { stream }
    }
}

/// A server at a port of its own.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) serving: GreenThread<Result<Drained, String>>,
}

impl Served {
    pub(crate) fn new(server: Server) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = server.banner("hello");
        let serves = server.clone();
        let serving =
            green::spawn(move || serves.serve(listener).map_err(|error| error.to_string()));
        Served {
            server,
            address,
            serving,
        }
    }

    pub(crate) fn commands(commands: Commands) -> Served {
        Served::new(Server::new(commands))
    }

    /// One that has seen the banner and the prompt.
    pub(crate) fn client(&self) -> Client<TcpStream> {
        let mut client = Client::connect(self.address);
        assert_eq!(client.until(">>> "), "hello\n");
        client
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.lifecycle().drain(Duration::ZERO);
    }
}

/// The document's function.
pub(crate) fn funca() -> Commands {
    Commands::new().add("funca", "prints abc, gives 123", |_args, out| {
        writeln!(out, "abc")?;
        Ok(Some("123".to_owned()))
    })
}
