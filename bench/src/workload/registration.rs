//! A descriptor is registered, armed and removed beside others that stay registered.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use hub_core::{Direction, Hub, Interest, NotReady, Reactor, Token, Trigger};

use super::window::Window;
use super::{Job, Sample, park};
use crate::plan::Layer;

/// How many descriptors take turns.
const GUESTS: usize = 16;

pub(super) fn measure(job: &Job, hub: Box<dyn Hub>) -> io::Result<Vec<Sample>> {
    // One pipe that stays empty; every descriptor is another number for its end.
    let (reader, _writer) = io::pipe()?;
    let reader = OwnedFd::from(reader);
    let copies = |count| -> io::Result<Vec<_>> {
        let copy = |_| reader.try_clone().map(Rc::new);
        (0..count).map(copy).collect()
    };
    let (residents, guests) = (copies(job.case.size)?, copies(GUESTS)?);
    let sample = match job.case.layer {
        Layer::Hub => on_hub(job, hub, &residents, &guests)?,
        Layer::Reactor | Layer::Green => on_reactor(job, hub, residents, &guests)?,
    };
    Ok(vec![sample])
}

fn on_hub(
    job: &Job,
    mut hub: Box<dyn Hub>,
    residents: &[Rc<OwnedFd>],
    guests: &[Rc<OwnedFd>],
) -> io::Result<Sample> {
    let register = |hub: &mut Box<dyn Hub>, fd: &OwnedFd, token| {
        hub.add(fd.as_fd(), token, Trigger::Edge)?;
        hub.arm(fd.as_fd(), token, Interest::READ)
    };
    for (at, resident) in residents.iter().enumerate() {
        register(&mut hub, resident, Token::from_raw(1 + at as u64))?;
    }
    let mut window = Window::start(job);
    let token = Token::from_raw(0);
    let mut done = 0;
    loop {
        for guest in guests {
            register(&mut hub, guest, token)?;
            hub.remove(guest.as_fd(), token)?;
        }
        done += guests.len() as u64;
        if let Some(sample) = window.check(done) {
            return Ok(sample);
        }
    }
}

fn on_reactor(
    job: &Job,
    hub: Box<dyn Hub>,
    residents: Vec<Rc<OwnedFd>>,
    guests: &[Rc<OwnedFd>],
) -> io::Result<Sample> {
    let mut reactor = Reactor::new(hub);
    let register = |reactor: &mut Reactor<()>, fd: Rc<OwnedFd>| -> io::Result<Token> {
        let token = reactor.add(fd)?;
        reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
        park(reactor, token, Direction::Read, ())?;
        Ok(token)
    };
    for resident in residents {
        register(&mut reactor, resident)?;
    }
    let mut window = Window::start(job);
    let mut done = 0;
    loop {
        for guest in guests {
            let token = register(&mut reactor, guest.clone())?;
            reactor.remove(token);
        }
        done += guests.len() as u64;
        if let Some(sample) = window.check(done) {
            return Ok(sample);
        }
    }
}
