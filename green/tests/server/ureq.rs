//! The HTTP client against a server that nobody here wrote.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use green::ureq::{self, Agent};

/// Answers `/delay/MS`, `/echo` and `/page`; counts requests.
fn server() -> (String, Arc<AtomicUsize>) {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let address = server.server_addr().to_ip().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut request in server.incoming_requests() {
            counter.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                let url = request.url().to_owned();
                let answer = if let Some(delay) = url.strip_prefix("/delay/") {
                    std::thread::sleep(Duration::from_millis(delay.parse().unwrap()));
                    tiny_http::Response::from_string("late")
                } else if url == "/echo" {
                    let mut body = String::new();
                    request.as_reader().read_to_string(&mut body).unwrap();
                    tiny_http::Response::from_string(body)
                } else if url == "/page" {
                    tiny_http::Response::from_string("x".repeat(1 << 20))
                } else {
                    tiny_http::Response::from_string("nothing").with_status_code(404)
                };
                let _ = request.respond(answer);
            });
        }
    });
    (format!("http://{address}"), count)
}

/// Answers none of `count` requests before all of them are there. (The threads of the other server may be fewer.)
fn together(count: usize) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut asking = Vec::new();
        for _ in 0..count {
            let (stream, _) = listener.accept().unwrap();
            let mut head = BufReader::new(stream);
            let mut line = String::new();
            while head.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            asking.push(head.into_inner());
        }
        for mut stream in asking {
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntogether";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}/")
}

fn text(agent: &Agent, url: String) -> Result<String, ureq::Error> {
    agent.get(url).call()?.body_mut().read_to_string()
}

#[test]
fn slow_pages_are_fetched_together_and_others_run() {
    let (server, together) = (server().0, together(20));
    let agent = ureq::agent();
    let ticks = Rc::new(Cell::new(0));
    let count = Rc::clone(&ticks);
    green::spawn_n(move || {
        loop {
            green::sleep(Duration::from_millis(5));
            count.set(count.get() + 1);
        }
    });
    let pages: Vec<_> = (0..20)
        .map(|_| {
            let (agent, url) = (agent.clone(), together.clone());
            green::spawn(move || text(&agent, url).unwrap())
        })
        .collect();
    for page in pages {
        assert_eq!(page.join().unwrap(), "together");
    }
    assert_eq!(text(&agent, format!("{server}/delay/100")).unwrap(), "late");
    assert!(ticks.get() >= 5, "{} ticks", ticks.get());
}

#[test]
fn large_bodies_both_ways() {
    let (server, _) = server();
    let agent = ureq::agent();
    assert_eq!(
        text(&agent, format!("{server}/page")).unwrap().len(),
        1 << 20
    );
    let body = "y".repeat(300_000);
    let echo = agent.post(format!("{server}/echo")).send(&body).unwrap();
    assert_eq!(echo.into_body().read_to_string().unwrap(), body);
}

#[test]
fn a_connection_is_used_again() {
    let (server, count) = server();
    let agent = ureq::agent();
    for _ in 0..10 {
        text(&agent, format!("{server}/delay/0")).unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 10);
    // One registration at the hub at the most: had each request opened one, more would be idle in the pool.
    assert!(green::debug::counters().descriptors <= 1);
}

#[test]
fn errors_are_errors() {
    let (server, _) = server();
    let agent = ureq::agent();
    let missing = text(&agent, format!("{server}/no")).unwrap_err();
    assert!(matches!(missing, ureq::Error::StatusCode(404)), "{missing}");
    let dead = green::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = dead.local_addr().unwrap();
    drop(dead);
    let refused = text(&agent, format!("http://{address}/")).unwrap_err();
    assert!(matches!(refused, ureq::Error::Io(_)), "{refused}");
    assert!(text(&agent, "no address at all".into()).is_err());
}

#[test]
fn timeouts_of_the_client_and_around_it() {
    let (server, _) = server();
    let config = Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(30)))
        .build();
    let late = text(&ureq::agent_with(config), format!("{server}/delay/2000")).unwrap_err();
    assert!(matches!(late, ureq::Error::Timeout(_)), "{late}");
    let agent = ureq::agent();
    let around = green::Timeout::new(Duration::from_millis(30));
    assert!(
        around
            .run(|| text(&agent, format!("{server}/delay/2000")))
            .is_err()
    );
    // The agent is as good as before.
    assert_eq!(text(&agent, format!("{server}/delay/0")).unwrap(), "late");
}

#[test]
fn one_agent_in_two_threads() {
    let (server, _) = server();
    let agent = ureq::agent();
    text(&agent, format!("{server}/delay/0")).unwrap();
    let (there, url) = (agent.clone(), format!("{server}/delay/0"));
    let other = std::thread::spawn(move || text(&there, url).unwrap());
    assert_eq!(other.join().unwrap(), "late");
    assert_eq!(text(&agent, format!("{server}/delay/0")).unwrap(), "late");
    // The last handle goes on another thread: the connection is closed at the next use of this one.
    std::thread::spawn(move || drop(agent)).join().unwrap();
    text(&ureq::agent(), format!("{server}/delay/0")).unwrap();
}

#[test]
fn a_name_is_looked_up() {
    let (server, _) = server();
    let server = server.replace("127.0.0.1", "localhost");
    assert_eq!(
        text(&ureq::agent(), format!("{server}/delay/0")).unwrap(),
        "late"
    );
}

#[cfg(feature = "dns")]
#[test]
fn names_are_looked_up_by_the_chosen_resolver() {
    let (server, _) = server();
    let path = std::env::temp_dir().join(format!("green-ureq-hosts-{}", std::process::id()));
    std::fs::write(&path, "127.0.0.1 page.example\n").unwrap();
    let resolver = green::dns::Resolver::green().hosts_file(&path).build();
    green::dns::use_resolver_with(resolver);
    let server = server.replace("127.0.0.1", "page.example");
    let page = text(&ureq::agent(), format!("{server}/delay/0"));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(page.unwrap(), "late");
}
