//! A request with its answer, from its head to the last byte: what is counted, logged and hooked.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{REFERER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use hyper::body::Incoming;

use crate::service::Answering;
use crate::transport::Peer;

/// Called with each exchange when it is over.
pub(crate) type Hook = Rc<dyn Fn(&Record)>;

/// What a log says of one request and its answer.
///
/// ```
/// use green_http::{Response, Server};
///
/// let server = Server::new(|_| Response::new("hello\n")).after(|record| {
///     // 127.0.0.1 - - [27/Nov/2026:07:40:27 +0000] "GET / HTTP/1.1" 200 6 "-" "-"
///     println!("{}", record.common_log(false));
///     if let Some(client) = record.forwarded_for() {
///         println!("{client} was served in {:?}", record.duration);
///     }
/// });
/// # use std::io::{Read, Write};
/// # let listener = green::listen("127.0.0.1:0")?;
/// # let mut client = green::connect(listener.local_addr()?)?;
/// # green::spawn_n(move || drop(server.serve(listener)));
/// # client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")?;
/// # client.read_to_end(&mut Vec::new())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// The address of the client.
    pub peer: Peer,
    /// The method of the request.
    pub method: Method,
    /// The target of the request, as it came.
    pub uri: Uri,
    /// The version of HTTP that the request was sent in.
    pub version: Version,
    /// The header fields of the request.
    pub headers: HeaderMap,
    /// When the head of the request had come.
    pub time: SystemTime,
    /// The status of the answer.
    pub status: StatusCode,
    /// Bytes of the answer's content that were sent.
    pub bytes: u64,
    /// How long request and answer took together.
    pub duration: Duration,
    /// False if the answer was cut off.
    pub complete: bool,
}

impl Record {
    /// A line in the common log format, followed by the referring page and the browser. The address is the peer's; with
    /// `forwarded`, the one that the last proxy has put into `X-Forwarded-For`.
    ///
    /// Only trust such a field behind a proxy that sets it.
    pub fn common_log(&self, forwarded: bool) -> String {
        let forwarded = forwarded.then(|| self.forwarded_for()).flatten();
        let address = match (forwarded, &self.peer) {
            (Some(address), _) => address.to_string(),
            (None, Peer::Ip(address)) => address.ip().to_string(),
            (None, peer) => peer.to_string(),
        };
        let field = |name| match self.headers.get(name) {
            Some(value) => printable(value),
            None => "-".to_owned(),
        };
        format!(
            "{address} - - [{}] \"{} {} {:?}\" {} {} \"{}\" \"{}\"",
            log_time(self.time),
            self.method,
            self.uri,
            self.version,
            self.status.as_u16(),
            self.bytes,
            field(REFERER),
            field(USER_AGENT),
        )
    }

    /// The last address in `X-Forwarded-For`, if that says one.
    pub fn forwarded_for(&self) -> Option<IpAddr> {
        let value = self
            .headers
            .get_all("x-forwarded-for")
            .into_iter()
            .next_back()?;
        value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    }
}

/// A log is lines: what a client sends must not make one, nor end a quotation.
fn printable(value: &HeaderValue) -> String {
    let bytes = value.as_bytes().iter();
    bytes
        .map(|&byte| match byte {
            b'"' | b'\\' | 0..b' ' | 0x7f.. => '?',
            byte => char::from(byte),
        })
        .collect()
}

/// As `27/Nov/2026:07:40:27 +0000`.
fn log_time(time: SystemTime) -> String {
    // `Fri, 27 Nov 2026 07:40:27 GMT`: English on every system.
    let text = httpdate::fmt_http_date(time);
    let mut words = text.split(' ').skip(1);
    let mut word = || words.next().unwrap_or_default();
    let (day, month, year, clock) = (word(), word(), word(), word());
    format!("{day}/{month}/{year}:{clock} +0000")
}

/// Under way from the head of a request to the end of its answer.
pub(crate) struct Exchange {
    answering: Rc<Answering>,
    status: StatusCode,
    bytes: u64,
    complete: bool,
    detailed: Option<Box<Detailed>>,
}

struct Detailed {
    hooks: Rc<[Hook]>,
    record: Record,
    started: Instant,
}

impl Exchange {
    pub(crate) fn new(request: &Request<Incoming>, answering: &Rc<Answering>) -> Exchange {
        let under_way = &answering.facts.notes.under_way;
        under_way.set(under_way.get() + 1);
        answering.connection.set_idle(false);
        let hooks = &answering.config.after;
        let detailed = (!hooks.is_empty()).then(|| {
            Box::new(Detailed {
                hooks: Rc::clone(hooks),
                record: Record {
                    peer: answering.facts.peer.clone(),
                    method: request.method().clone(),
                    uri: request.uri().clone(),
                    version: request.version(),
                    headers: request.headers().clone(),
                    time: SystemTime::now(),
                    status: StatusCode::OK,
                    bytes: 0,
                    duration: Duration::ZERO,
                    complete: false,
                },
                started: Instant::now(),
            })
        });
        Exchange {
            answering: Rc::clone(answering),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            bytes: 0,
            // The head of a HEAD's answer is all of it.
            complete: request.method() == Method::HEAD,
            detailed,
        }
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status;
        self.complete |= matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    }

    pub(crate) fn sent(&mut self, len: usize) {
        self.bytes += len as u64;
    }

    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    pub(crate) fn who(&self) -> &Peer {
        &self.answering.facts.peer
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let under_way = &self.answering.facts.notes.under_way;
        under_way.set(under_way.get() - 1);
        self.answering
            .connection
            .count_served(Some(self.status.as_u16()));
        let Some(mut detailed) = self.detailed.take() else {
            return;
        };
        detailed.record.status = self.status;
        detailed.record.bytes = self.bytes;
        detailed.record.complete = self.complete;
        detailed.record.duration = detailed.started.elapsed();
        for hook in &*detailed.hooks {
            let record = &detailed.record;
            let hooked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hook(record)));
            if let Err(payload) = hooked {
                // A kill comes again at the next wait.
                log::error!("a hook after the answer to {} has panicked", self.who());
                drop(payload);
            }
        }
    }
}
