//! Hubs that have a name, hubs of the program's own, and other libraries' loops.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::process::Output;
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::hubs::{self, Hub};
use hub_core::{Event, Interest, Token, Trigger};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::common::again::again;
use crate::common::bounded;

const MS: Duration = Duration::from_millis(1);

/// Runs one test of this program in a process of its own, with `GREEN_HUB` set.
fn with_variable(test: &str, hub: &str) -> Output {
    let mut command = again(module_path!(), test);
    command.env("GREEN_HUB", hub).output().unwrap()
}

fn succeeds(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{said}"
    );
}

#[test]
#[ignore = "run by the tests below"]
fn first_use() {
    println!("before");
    let _listener = green::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("it listens");
}

#[test]
#[ignore = "run by the tests below"]
fn own_hub() {
    let made = Rc::new(Cell::new(0));
    hubs::register("of the test", hub_poll::Poll::new).unwrap();
    green::sleep(MS);
    assert_eq!(hubs::get_hub(), "poll", "it is the one that was registered");
    made.set(1);
    std::thread::spawn(|| green::sleep(MS)).join().unwrap();
}

#[test]
#[ignore = "run by the tests below"]
fn chosen_in_spite() {
    assert!(hubs::use_default_hub().unwrap_err().is_unknown());
    hubs::use_hub("poll").unwrap();
    green::sleep(MS);
    assert_eq!(hubs::get_hub(), "poll");
}

#[test]
fn a_wrong_variable_is_said_at_the_first_use() {
    let output = with_variable("first_use", "pool");
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("before") && !printed.contains("it listens"),
        "{printed}"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("GREEN_HUB names the hub \"pool\""), "{said}");
    succeeds(&with_variable("first_use", "poll"));
}

#[test]
fn who_chooses_a_hub_is_not_bothered_by_the_variable() {
    succeeds(&with_variable("chosen_in_spite", "pool"));
}

#[test]
fn the_variable_finds_a_hub_of_ones_own() {
    succeeds(&with_variable("own_hub", "of the test"));
}

#[test]
fn a_hub_of_ones_own_has_a_name() {
    let limit = 7;
    hubs::register("limited", move || {
        assert_eq!(limit, 7);
        hub_select::Select::new()
    })
    .unwrap();
    let refused = hubs::register("limited", hub_poll::Poll::new).unwrap_err();
    assert!(
        refused.to_string().contains("\"limited\" is taken"),
        "{refused}"
    );
    for name in ["epoll", "poll", "selects"] {
        assert!(hubs::register(name, hub_poll::Poll::new).is_err(), "{name}");
    }
    let before = hubs::get_hub();
    hubs::use_hub("limited").unwrap();
    green::sleep(MS);
    assert_eq!(hubs::get_hub(), "select");
    let unknown = hubs::use_hub("unlimited").unwrap_err();
    assert!(
        unknown.is_unknown() && unknown.to_string().contains("limited"),
        "{unknown}"
    );
    hubs::register("broken", || {
        Err::<hub_poll::Poll, _>(ErrorKind::Other.into())
    })
    .unwrap();
    let broken = hubs::use_hub("broken").unwrap_err();
    assert!(
        broken.to_string().contains("cannot make the broken hub"),
        "{broken}"
    );
    hubs::use_hub(before).unwrap();
}

#[test]
fn a_box_is_a_hub() {
    let before = hubs::get_hub();
    let hub: Box<dyn Hub> = Box::new(hub_poll::Poll::new().unwrap());
    hubs::use_hub_with(hub).unwrap();
    green::sleep(MS);
    let movable: Box<dyn Hub + Send> = Box::new(hub_select::Select::new().unwrap());
    hubs::use_hub_with(movable).unwrap();
    green::sleep(MS);
    assert_eq!(hubs::get_hub(), "select");
    hubs::use_hub(before).unwrap();
}

/// What is to run inside of the next wait.
type Calls = Rc<RefCell<Vec<Box<dyn FnOnce()>>>>;

/// A hub that runs other people's code while it waits.
struct Callbacks(hub_poll::Poll, Calls);

impl Hub for Callbacks {
    fn name(&self) -> &'static str {
        "callbacks"
    }
    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        self.0.add(fd, token, trigger)
    }
    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.0.arm(fd, token, interest)
    }
    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        self.0.remove(fd, token)
    }
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        for callback in self.1.take() {
            callback();
        }
        self.0.wait(timeout, events)
    }
}

#[test]
fn a_callback_inside_of_the_wait_is_told_what_to_do() {
    bounded(|| {
        let before = hubs::get_hub();
        let callbacks = Calls::default();
        hubs::use_hub_with(Callbacks(
            hub_poll::Poll::new().unwrap(),
            Rc::clone(&callbacks),
        ))
        .unwrap();
        let said = Rc::new(RefCell::new(Vec::new()));
        let calls: [fn(); 2] = [|| green::sleep(MS), || drop(green::spawn_after(MS, || ()))];
        for call in calls {
            let said = Rc::clone(&said);
            callbacks.borrow_mut().push(Box::new(move || {
                let panic = std::panic::catch_unwind(call).unwrap_err();
                let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
                said.borrow_mut().push(text.to_owned());
            }));
        }
        let runs = Rc::new(Cell::new(false));
        callbacks.borrow_mut().push(Box::new({
            let runs = Rc::clone(&runs);
            move || green::spawn_n(move || runs.set(true))
        }));
        green::sleep(5 * MS);
        assert_eq!(said.borrow().len(), 2);
        assert!(
            said.borrow()
                .iter()
                .all(|text| text.contains("inside its wait")),
            "{said:?}"
        );
        green::sleep(MS);
        assert!(runs.get(), "what needs no timer works");
        hubs::use_hub(before).unwrap();
    });
}

/// An event loop of somebody else's, with nothing of its own. Says how many rounds it made.
fn other_loop(is_done: impl Fn() -> bool) -> usize {
    let descriptor = hubs::descriptor().unwrap();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let timeout = hubs::run_once();
        if is_done() {
            return rounds;
        }
        let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap());
        let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
        poll(&mut polled, timeout.as_ref()).unwrap();
    }
}

fn is_nestable() -> bool {
    let nestable = hubs::descriptor();
    if let Err(error) = &nestable {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    nestable.is_ok()
}

#[test]
fn greenthreads_run_in_another_loop() {
    bounded(|| {
        if !is_nestable() {
            return;
        }
        let listener = green::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = green::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).unwrap();
            green::sleep(20 * MS);
            stream.write_all(&word).unwrap();
        });
        let start = Instant::now();
        let client = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            std::thread::sleep(10 * MS);
            stream.write_all(b"word").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let rounds = other_loop(|| server.is_dead());
        assert!(start.elapsed() >= 30 * MS);
        assert!(
            rounds < 100,
            "{rounds} rounds: the other loop does not sleep"
        );
        drop(server);
        assert_eq!(client.join().unwrap(), "word");
    });
}

/// The other loop's own callbacks spawn, wake and set timers before it sleeps.
#[test]
fn nothing_is_missed_that_comes_from_outside() {
    bounded(|| {
        if !is_nestable() {
            return;
        }
        let event = Rc::new(green::Event::new());
        let waits = green::spawn({
            let event = Rc::clone(&event);
            move || event.wait()
        });
        hubs::run_once();
        let handle = hubs::handle().unwrap();
        let done = Rc::new(Cell::new(0));
        // What ends the other loop's sleep for its next callback.
        let (ticks, tick) = rustix::pipe::pipe().unwrap();
        let descriptor = hubs::descriptor().unwrap();
        for round in 1.. {
            let count = {
                let done = Rc::clone(&done);
                move || done.set(done.get() + 1)
            };
            match round {
                1 => green::spawn_n(count),
                2 => drop(green::spawn_after_local(5 * MS, count)),
                3 => {
                    let handle = handle.clone();
                    std::thread::spawn(move || {
                        std::thread::sleep(5 * MS);
                        let _ = handle.spawn(|| ());
                    });
                }
                4 => event.send(7).unwrap(),
                _ => {}
            }
            let timeout = hubs::run_once();
            if waits.is_dead() && done.get() == 2 {
                break;
            }
            if round < 4 {
                rustix::io::write(&tick, &[0]).unwrap();
            }
            let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap());
            let mut polled = [&descriptor, &ticks].map(|fd| PollFd::new(fd, PollFlags::IN));
            poll(&mut polled, timeout.as_ref()).unwrap();
            if !polled[1].revents().is_empty() {
                rustix::io::read(&ticks, &mut [0; 8]).unwrap();
            }
        }
        assert_eq!(waits.join().unwrap().unwrap(), 7);
    });
}

/// A timer that comes between `run_once` and the sleep makes the descriptor readable.
#[test]
fn a_timer_after_the_last_look_ends_the_sleep() {
    bounded(|| {
        if !is_nestable() {
            return;
        }
        let descriptor = hubs::descriptor().unwrap();
        while hubs::run_once() == Some(Duration::ZERO) {}
        assert_eq!(hubs::run_once(), None);
        let starts = green::spawn_after(MS, || 7);
        let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
        let long = Timespec::try_from(Duration::from_secs(10)).unwrap();
        assert_eq!(poll(&mut polled, Some(&long)).unwrap(), 1);
        other_loop(|| starts.is_dead());
        assert_eq!(starts.join().unwrap(), 7);
    });
}
