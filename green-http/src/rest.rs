//! What a connection gives up while it is idle.
//!
//! One that has been idle for a tick of the clock lets hyper go, whose buffer alone is 8 KiB; the whole head of its next
//! request finds a new one. At the next tick the pages of its stack go that requests had touched. Beyond so many
//! connections that have a hyper, each lets it go as soon as it is idle. Requests that come one upon another find all
//! as it was.

use std::cell::Cell;

/// So many connections of a server keep hyper, with its buffer, until the clock takes it from those that are idle.
const KEEP: usize = if cfg!(test) { 16 } else { 1024 };

/// How far a connection has come on its way to rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Something is under way.
    #[default]
    Busy,
    /// Nothing is, and the clock has seen that so many times.
    Idle(u8),
    /// It was woken to let hyper go.
    Told,
    /// It has no hyper, and the clock has seen that so many times.
    Light(u8),
    /// Its stack is as small as can be.
    Least,
}

/// What the clock is to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Wake,
    Trim,
}

impl Rest {
    /// One tick later.
    pub(crate) fn after_tick(self) -> (Rest, Due) {
        match self {
            Rest::Idle(0) => (Rest::Idle(1), Due::Nothing),
            Rest::Idle(_) => (Rest::Told, Due::Wake),
            Rest::Light(0) => (Rest::Light(1), Due::Nothing),
            Rest::Light(_) => (Rest::Least, Due::Trim),
            rest => (rest, Due::Nothing),
        }
    }
}

/// How many connections of a server have a hyper.
#[derive(Debug, Default)]
pub(crate) struct Held(Cell<usize>);

impl Held {
    pub(crate) fn are_many(&self) -> bool {
        self.0.get() > KEEP
    }

    pub(crate) fn one_more(&self) {
        self.0.set(self.0.get() + 1);
    }

    pub(crate) fn one_less(&self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{Read, Write};
    use std::rc::Rc;
    use std::time::Duration;

    use green::net::UnixStream;

    use super::KEEP;
    use crate::clock::CoarseClock;
    use crate::{Peer, Response, Server, connection};

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn until(condition: impl Fn() -> bool) {
        for _ in 0..4000 {
            if condition() {
                return;
            }
            green::sleep(Duration::from_millis(1));
        }
        panic!("it does not come to pass");
    }

    fn ask(client: &UnixStream) {
        (&*client).write_all(GET).unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"hello") {
            let mut byte = [0];
            (&*client).read_exact(&mut byte).unwrap();
            text.push(byte[0]);
        }
    }

    /// The clock of a server, and what opens connections to it.
    fn serving(server: Server) -> (Rc<CoarseClock>, impl Fn() -> UnixStream) {
        let config = server.config();
        let clock = CoarseClock::new(&config.rules.timeouts);
        let (within, life) = (Rc::clone(&clock), server.lifecycle().clone());
        let open = move || {
            let (near, far) = UnixStream::pair().unwrap();
            let (config, clock) = (Rc::clone(&config), Rc::clone(&within));
            let life = life.clone();
            green::spawn_n(move || {
                let connection = Rc::new(life.connection());
                let _ = connection::serve(far, Peer::Unix(None), &config, &clock, connection);
            });
            near
        };
        (clock, open)
    }

    #[test]
    fn hyper_is_let_go_by_who_is_idle_and_made_anew_for_the_next_request() {
        // Nothing here comes near the end of a write: it is there for the clock.
        let server =
            Server::new(|_| Response::new("hello")).write_timeout(Duration::from_millis(8));
        let (clock, open) = serving(server.keep_alive_timeout(None));
        let clients = [open(), open()];
        // Before the first request there is none.
        green::sleep(Duration::from_millis(1));
        assert_eq!(clock.held.0.get(), 0);
        for _ in 0..3 {
            clients.iter().for_each(ask);
            until(|| clock.held.0.get() == 0);
        }
        // A kill and an end give it back as well.
        ask(&clients[0]);
        drop(clients);
        until(|| clock.held.0.get() == 0 && clock.is_unused());
    }

    #[test]
    fn no_more_than_so_many_wait_for_the_clock() {
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let server = Server::new(move |_| {
            count.set(count.get() + 1);
            Response::new("hello")
        });
        let (clock, open) = serving(server.head_timeout(None).keep_alive_timeout(None));
        let clients: Vec<_> = (0..3 * KEEP).map(|_| open()).collect();
        for round in 1..3 {
            clients.iter().for_each(ask);
            assert_eq!(asked.get(), round * clients.len());
            // Who has answered last may have been interrupted on its way to its wait.
            (0..100).for_each(|_| green::yield_now());
            assert!(clock.held.0.get() <= KEEP, "{}", clock.held.0.get());
        }
        drop(clients);
        until(|| clock.held.0.get() == 0);
    }
}
