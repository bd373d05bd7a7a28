//! The HTTP client and the world around it: proxies, shutdown, other threads, forks.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::common::again::{again, alone, is_again};
use crate::common::{SHORT, bounded};
use green::net::{ListenBuilder, TcpListener, TcpStream};
use green::ureq::{self, Agent, Error, Proxy, agent_with};

const LONG: Duration = Duration::from_secs(60);

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The head of a request.
fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}

/// A web server that answers with the path, and notes what it was asked.
fn origin() -> (SocketAddr, Rc<RefCell<Vec<String>>>) {
    let (listener, address) = listener();
    let asked = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&asked);
    green::spawn_n(move || {
        for stream in listener.incoming() {
            let (mut stream, log) = (stream.unwrap(), Rc::clone(&log));
            green::spawn_n(move || {
                while let Some(head) = head(&mut stream) {
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    log.borrow_mut().push(path.clone());
                    let len = path.len();
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n{path}");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, asked)
}

fn text(agent: &Agent, url: String) -> Result<String, Error> {
    agent.get(url).call()?.body_mut().read_to_string()
}

fn io_kind(error: &Error) -> ErrorKind {
    match error {
        Error::Io(error) => error.kind(),
        other => panic!("{other:?}"),
    }
}

fn through(proxy: &str) -> Agent {
    let config = Agent::config_builder().proxy(Some(Proxy::new(proxy).unwrap()));
    agent_with(config.timeout_global(Some(LONG)).build())
}

fn relay(near: TcpStream, far: TcpStream) {
    let near = Rc::new(near);
    let far = Rc::new(far);
    for (from, to) in [(Rc::clone(&near), Rc::clone(&far)), (far, near)] {
        green::spawn_n(move || {
            let _ = io::copy(&mut &*from, &mut &*to);
            let _ = to.shutdown(green::net::Shutdown::Both);
        });
    }
}

fn exact<const LEN: usize>(stream: &mut TcpStream) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn until_zero(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        match exact::<1>(stream) {
            [0] => return String::from_utf8(text).unwrap(),
            [byte] => text.push(byte),
        }
    }
}

/// A SOCKS proxy that connects to `origin`, whatever it is asked for. Gives what it was asked for, and by whom.
fn socks(origin: SocketAddr) -> (SocketAddr, Rc<RefCell<Vec<String>>>) {
    let (listener, address) = listener();
    let asked = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&asked);
    green::spawn_n(move || {
        for stream in listener.incoming() {
            let (mut stream, log) = (stream.unwrap(), Rc::clone(&log));
            green::spawn_n(move || {
                let target = match exact::<1>(&mut stream) {
                    [4] => socks_4(&mut stream),
                    [5] => socks_5(&mut stream),
                    [other] => panic!("{other}"),
                };
                log.borrow_mut().push(target);
                relay(stream, TcpStream::connect(origin).unwrap());
            });
        }
    });
    (address, asked)
}

fn socks_4(stream: &mut TcpStream) -> String {
    let [1, _, _, a, b, c, d] = exact(stream) else {
        panic!("a connect is wanted");
    };
    let user = until_zero(stream);
    let target = match [a, b, c, d] {
        [0, 0, 0, 1] => until_zero(stream),
        _ => format!("{a}.{b}.{c}.{d}"),
    };
    stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).unwrap();
    format!("4 {user}@{target}")
}

fn socks_5(stream: &mut TcpStream) -> String {
    let [methods] = exact(stream);
    let mut user = String::new();
    match methods {
        1 => {
            assert_eq!(exact(stream), [0]);
            stream.write_all(&[5, 0]).unwrap();
        }
        2 => {
            assert_eq!(exact(stream), [0, 2]);
            stream.write_all(&[5, 2]).unwrap();
            assert_eq!(exact(stream), [1, 2]);
            user.push_str(std::str::from_utf8(&exact::<2>(stream)).unwrap());
            let [len] = exact(stream);
            let mut password = vec![0; len.into()];
            stream.read_exact(&mut password).unwrap();
            user = format!("{user}:{}", String::from_utf8(password).unwrap());
            stream.write_all(&[1, 0]).unwrap();
        }
        other => panic!("{other} methods"),
    }
    let [5, 1, 0, kind] = exact(stream) else {
        panic!("a connect is wanted");
    };
    let target = match kind {
        1 => std::net::Ipv4Addr::from(exact::<4>(stream)).to_string(),
        4 => std::net::Ipv6Addr::from(exact::<16>(stream)).to_string(),
        3 => {
            let [len] = exact(stream);
            let mut name = vec![0; len.into()];
            stream.read_exact(&mut name).unwrap();
            String::from_utf8(name).unwrap()
        }
        other => panic!("{other}"),
    };
    let [_, _] = exact(stream);
    // In pieces, with a name for the address that nobody needs.
    stream.write_all(&[5, 0, 0]).unwrap();
    green::yield_now();
    stream.write_all(b"\x03\x04namexx").unwrap();
    format!("5 {user}@{target}")
}

#[test]
fn every_version_of_socks_is_used() {
    bounded(|| {
        let (origin, requests) = origin();
        let (proxy, asked) = socks(origin);
        for (proxy, host, said) in [
            (
                format!("socks4://me@{proxy}"),
                "127.0.0.9",
                "4 me@127.0.0.9",
            ),
            (format!("socks4a://{proxy}"), "no.example", "4 @no.example"),
            (format!("socks4a://{proxy}"), "127.0.0.9", "4 @127.0.0.9"),
            (format!("socks5://{proxy}"), "127.0.0.9", "5 @127.0.0.9"),
            (format!("socks5h://{proxy}"), "no.example", "5 @no.example"),
            (
                format!("socks5h://{proxy}"),
                "[2001:db8::1]",
                "5 @2001:db8::1",
            ),
            (
                format!("socks5h://me:word@{proxy}"),
                "no.example",
                "5 me:word@no.example",
            ),
        ] {
            let url = format!("http://{host}:1/{said}").replace(' ', "/");
            let path = format!("/{said}").replace(' ', "/");
            assert_eq!(text(&through(&proxy), url).unwrap(), path, "{proxy}");
            assert_eq!(asked.borrow_mut().pop().unwrap(), said);
            assert_eq!(requests.borrow_mut().pop().unwrap(), path);
        }
    });
}

#[test]
fn a_connection_through_a_proxy_is_used_again_for_its_origin_only() {
    bounded(|| {
        let (origin, _) = origin();
        let (proxy, asked) = socks(origin);
        let agent = through(&format!("socks5h://{proxy}"));
        for host in ["a.example", "a.example", "b.example", "a.example"] {
            text(&agent, format!("http://{host}/")).unwrap();
        }
        assert_eq!(*asked.borrow(), ["5 @a.example", "5 @b.example"]);
    });
}

#[test]
fn hosts_that_need_no_proxy_are_asked_directly() {
    bounded(|| {
        let (origin, requests) = origin();
        let proxy = Proxy::builder(ureq::ProxyProtocol::Socks5)
            .host("127.0.0.1")
            .port(1)
            .no_proxy("127.0.0.1")
            .build()
            .unwrap();
        let agent = agent_with(Agent::config_builder().proxy(Some(proxy)).build());
        assert_eq!(
            text(&agent, format!("http://{origin}/direct")).unwrap(),
            "/direct"
        );
        assert_eq!(requests.borrow().len(), 1);
    });
}

/// A proxy that says `answer` to whatever it is told, and then no more.
fn rude(answer: &'static [u8]) -> SocketAddr {
    let (listener, address) = listener();
    green::spawn_n(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            green::spawn_n(move || {
                let _ = stream.read(&mut [0; 100]);
                let _ = stream.write_all(answer);
                if answer.is_empty() {
                    return;
                }
                let _ = io::copy(&mut stream, &mut io::sink());
            });
        }
    });
    address
}

#[test]
fn a_proxy_that_cannot_be_used_is_never_passed_by() {
    bounded(|| {
        let (origin, requests) = origin();
        let url = format!("http://{origin}/secret");
        let refused = [
            (
                "socks4",
                &b"\x00\x5b\x00\x00\x00\x00\x00\x00"[..],
                ErrorKind::Other,
            ),
            (
                "socks4",
                b"\x00\x5d\x00\x00\x00\x00\x00\x00",
                ErrorKind::PermissionDenied,
            ),
            ("socks4a", b"HTTP/1.1 400 What", ErrorKind::InvalidData),
            ("socks5", b"\x05\xff", ErrorKind::PermissionDenied),
            ("socks5", b"\x05\x02", ErrorKind::InvalidData),
            (
                "socks5",
                b"\x05\x00\x05\x02\x00\x01",
                ErrorKind::PermissionDenied,
            ),
            (
                "socks5",
                b"\x05\x00\x05\x05\x00\x01",
                ErrorKind::ConnectionRefused,
            ),
            (
                "socks5h",
                b"\x05\x00\x05\x00\x00\x07",
                ErrorKind::InvalidData,
            ),
            ("socks5h", b"HTTP/1.1 400 What", ErrorKind::InvalidData),
        ];
        for (version, answer, kind) in refused {
            let proxy = rude(answer);
            let error = text(&through(&format!("{version}://{proxy}")), url.clone()).unwrap_err();
            assert_eq!(io_kind(&error), kind, "{version} {answer:?}: {error}");
            assert!(error.to_string().contains(&proxy.to_string()), "{error}");
        }
        for version in ["socks4", "socks4a", "socks5", "socks5h", "http"] {
            // It hangs up.
            let proxy = rude(b"");
            assert!(text(&through(&format!("{version}://{proxy}")), url.clone()).is_err());
            // It is not there.
            let gone = listener().1;
            let error = text(&through(&format!("{version}://{gone}")), url.clone()).unwrap_err();
            assert_eq!(
                io_kind(&error),
                ErrorKind::ConnectionRefused,
                "{version}: {error}"
            );
            // It says nothing.
            let (_silent, silent) = listener();
            let proxy = Proxy::new(&format!("{version}://{silent}")).unwrap();
            let config = Agent::config_builder().proxy(Some(proxy));
            let config = config.timeout_connect(Some(SHORT)).build();
            let error = text(&agent_with(config), url.clone()).unwrap_err();
            assert!(matches!(error, Error::Timeout(_)), "{version}: {error}");
        }
        assert!(requests.borrow().is_empty(), "{:?}", requests.borrow());
    });
}

#[test]
fn an_error_of_the_proxy_has_its_number_inside() {
    bounded(|| {
        let gone = listener().1;
        let agent = through(&format!("socks5://{gone}"));
        let Error::Io(error) = text(&agent, "http://127.0.0.1:1/".to_owned()).unwrap_err() else {
            panic!("another error");
        };
        let source = error.get_ref().and_then(|inner| inner.source()).unwrap();
        let source: &io::Error = source.downcast_ref().unwrap();
        assert_eq!(source.raw_os_error(), Some(libc::ECONNREFUSED));
    });
}

/// Runs this test again, in a process with this variable.
fn with_variable(test: &str, name: &str, value: &str) -> String {
    let mut command = again(module_path!(), test);
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let output = command.env(name, value).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_environment_is_obeyed_or_refused() {
    if is_again() {
        let (origin, requests) = origin();
        let result = text(&ureq::agent(), format!("http://{origin}/secret"));
        let asked = requests.borrow().len();
        println!(
            "asked {asked} times: {:?}",
            result.map_err(|error| error.to_string())
        );
        return;
    }
    let run = |name, value| with_variable("the_environment_is_obeyed_or_refused", name, value);
    for (name, value) in [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("all_proxy", "socks4a://127.0.0.1:1"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("HTTPS_PROXY", "https://127.0.0.1:1"),
        ("ALL_PROXY", "ftp://127.0.0.1:1"),
        ("http_proxy", "what is this"),
    ] {
        let said = run(name, value);
        assert!(
            said.contains("asked 0 times: Err"),
            "{name}={value}: {said}"
        );
        assert!(
            said.contains("127.0.0.1:1") || said.contains(name) || value.starts_with("http"),
            "{said}"
        );
    }
    for (name, value) in [("ALL_PROXY", ""), ("NO_PROXY", "example")] {
        let said = run(name, value);
        assert!(said.contains("asked 1 times: Ok(\"/secret\")"), "{said}");
    }
}

#[test]
fn https_that_cannot_be_had_is_refused_before_anything_is_sent() {
    bounded(|| {
        let (listener, address) = listener();
        let config = Agent::config_builder();
        #[cfg(feature = "ureq-tls")]
        let config = config.tls_config(
            ureq::tls::TlsConfig::builder()
                .provider(ureq::tls::TlsProvider::NativeTls)
                .build(),
        );
        let agent = agent_with(config.build());
        let error = text(&agent, format!("https://{address}/")).unwrap_err();
        assert_eq!(io_kind(&error), ErrorKind::Unsupported, "{error}");
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

/// An address that never answers: its queue is full.
fn hole() -> (SocketAddr, Vec<TcpStream>, TcpListener) {
    let listener = ListenBuilder::new()
        .backlog(0)
        .listen("127.0.0.1:0")
        .unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(address, Duration::from_millis(100)) {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue is never full");
    }
    (address, queued, listener)
}

#[test]
fn shutdown_ends_calls_that_wait() {
    bounded(|| {
        let (_silent, silent) = listener();
        let (hole, _queued, _listener) = hole();
        let (proxy_listener, proxy) = listener();
        for by_thread in [false, true] {
            for (what, agent, address) in [
                (
                    "an answer",
                    agent_with(Agent::config_builder().build()),
                    silent,
                ),
                (
                    "a connection",
                    agent_with(Agent::config_builder().build()),
                    hole,
                ),
                ("a proxy", through(&format!("socks5://{proxy}")), silent),
            ] {
                let asking = agent.clone();
                let call = green::spawn(move || {
                    text(&asking, format!("http://{address}/"))
                        .unwrap_err()
                        .to_string()
                });
                green::sleep(SHORT);
                assert!(!call.is_dead());
                let last = agent.clone();
                match by_thread {
                    true => std::thread::spawn(move || agent.shutdown()).join().unwrap(),
                    false => agent.shutdown(),
                }
                let error = call.join().unwrap();
                assert!(error.contains("shut down"), "{what}: {error}");
                let refused = text(&last, format!("http://{silent}/")).unwrap_err();
                assert_eq!(io_kind(&refused), ErrorKind::NotConnected);
            }
        }
        drop(proxy_listener);
    });
}

#[test]
fn shutdown_in_a_body_is_no_end_of_it() {
    bounded(|| {
        let (listener, address) = listener();
        green::spawn_n(move || {
            let (mut stream, _) = listener.accept().unwrap();
            head(&mut stream).unwrap();
            // Without a length: the end of the connection is that of the body.
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhalf of").unwrap();
            green::sleep(LONG);
        });
        let agent = agent_with(Agent::config_builder().build());
        let asking = agent.clone();
        let call = green::spawn(move || text(&asking, format!("http://{address}/")));
        green::sleep(SHORT);
        agent.shutdown();
        assert!(call.join().unwrap().is_err());
    });
}

#[test]
fn an_agent_dropped_elsewhere_closes_its_connections() {
    bounded(|| {
        let (listener, address) = listener();
        let ended = green::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            head(&mut stream).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
            stream.write_all(answer).unwrap();
            stream.read(&mut [0])
        });
        let agent = agent_with(Agent::config_builder().build());
        assert_eq!(text(&agent, format!("http://{address}/")).unwrap(), "hi");
        std::thread::spawn(move || drop(agent)).join().unwrap();
        assert_eq!(ended.join().unwrap().unwrap(), 0);
        // Its descriptor goes with the next connection.
        let (origin, _) = origin();
        let before = green::debug::counters().descriptors;
        let agent = agent_with(Agent::config_builder().build());
        text(&agent, format!("http://{origin}/")).unwrap();
        drop(agent);
        green::sleep(SHORT);
        let after = green::debug::counters().descriptors;
        assert!(after <= before, "{before}, {after}");
    });
}

#[test]
fn a_child_uses_none_of_its_parents_connections() {
    alone(
        module_path!(),
        "a_child_uses_none_of_its_parents_connections",
        || {
            green::Timeout::new(LONG)
                .run(parent_and_child)
                .expect("the test hangs");
        },
    );
}

fn parent_and_child() {
    let (origin, _) = origin();
    let agent = agent_with(Agent::config_builder().timeout_global(Some(LONG)).build());
    let ask = |path: &str| {
        let answer = text(&agent, format!("http://{origin}{path}"));
        assert_eq!(answer.unwrap(), path);
    };
    ask("/first");
    // SAFETY: the threads of this process hold no lock: one is this, the other waits for it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            green::hubs::after_fork(green::hubs::AfterFork::Discard).unwrap();
            (0..3).for_each(|n| ask(&format!("/child{n}")));
            // Not even by shutting down.
            agent.clone().shutdown();
        }));
        std::process::exit(done.is_err().into());
    }
    (0..3).for_each(|n| ask(&format!("/parent{n}")));
    let ended = green::os::waitpid(child.cast_unsigned()).unwrap();
    assert!(ended.success(), "the child: {ended}");
    let before = green::debug::counters().spawns;
    (3..6).for_each(|n| ask(&format!("/parent{n}")));
    assert_eq!(
        green::debug::counters().spawns,
        before,
        "still the same connection"
    );
}
