//! Bytes that go round a ring of pipes.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::rc::Rc;

use hub_core::{Direction, Hub, Interest, NotReady, Reactor, Token, Trigger};

use super::window::Window;
use super::{Job, Sample, park, use_hub};
use crate::plan::Layer;

/// How many bytes are under way at once.
const TRAVELLERS: usize = 8;

/// The size where layers are compared.
pub(super) const LAYERS: usize = 100;

/// More pipes than this tell nothing that fewer do not.
const MOST: usize = 1_000;

/// The sizes of the rings, of those that were asked for.
pub(super) fn sizes(asked: &[usize]) -> Vec<usize> {
    let mut sizes: Vec<_> = asked.iter().map(|&size| size.clamp(2, MOST)).collect();
    sizes.dedup();
    sizes
}

pub(super) fn measure(job: &Job, hub: Box<dyn Hub>) -> io::Result<Vec<Sample>> {
    let sample = match job.case.layer {
        Layer::Hub => on_hub(job, hub)?,
        Layer::Reactor => on_reactor(job, hub)?,
        Layer::Green => on_green(job, hub)?,
    };
    Ok(vec![sample])
}

struct Ring {
    readers: Vec<Rc<PipeReader>>,
    writers: Vec<PipeWriter>,
}

impl Ring {
    fn new(size: usize) -> io::Result<Ring> {
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for _ in 0..size {
            let (reader, writer) = io::pipe()?;
            rustix::io::ioctl_fionbio(&reader, true)?;
            readers.push(Rc::new(reader));
            writers.push(writer);
        }
        Ok(Ring { readers, writers })
    }

    /// Puts the travellers on their way, as far from each other as there is room.
    fn start(&mut self) -> io::Result<()> {
        let size = self.writers.len();
        (0..TRAVELLERS).try_for_each(|at| self.writers[at * size / TRAVELLERS].write_all(&[1]))
    }

    /// Takes what is in a pipe to the next; false if it is empty. A pipe never holds more than the travellers, so
    /// writing never waits, and one read takes them all.
    fn hop(&mut self, at: usize) -> io::Result<bool> {
        let mut bytes = [0; 2 * TRAVELLERS];
        let count = match (&*self.readers[at]).read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        let next = (at + 1) % self.writers.len();
        self.writers[next].write_all(&bytes[..count])?;
        Ok(true)
    }
}

fn on_hub(job: &Job, mut hub: Box<dyn Hub>) -> io::Result<Sample> {
    let mut ring = Ring::new(job.case.size)?;
    for (at, reader) in ring.readers.iter().enumerate() {
        let token = Token::from_raw(at as u64);
        hub.add(reader.as_fd(), token, Trigger::Edge)?;
        hub.arm(reader.as_fd(), token, Interest::READ)?;
    }
    ring.start()?;
    let mut window = Window::start(job);
    let (mut events, mut hops) = (Vec::new(), 0);
    loop {
        hub.wait(None, &mut events)?;
        for event in events.drain(..) {
            let at = event.token.into_raw() as usize;
            hops += u64::from(ring.hop(at)?);
            hub.arm(ring.readers[at].as_fd(), event.token, Interest::READ)?;
        }
        if let Some(sample) = window.check(hops) {
            return Ok(sample);
        }
    }
}

fn on_reactor(job: &Job, hub: Box<dyn Hub>) -> io::Result<Sample> {
    let mut ring = Ring::new(job.case.size)?;
    let mut reactor = Reactor::new(hub);
    let mut tokens = Vec::new();
    for (at, reader) in ring.readers.iter().enumerate() {
        let token = reactor.add(reader.clone())?;
        reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
        park(&mut reactor, token, Direction::Read, at)?;
        tokens.push(token);
    }
    ring.start()?;
    let mut window = Window::start(job);
    let (mut woken, mut hops) = (Vec::new(), 0);
    loop {
        reactor.turn(None, &mut woken)?;
        for wakeup in woken.drain(..) {
            let at = wakeup.waiter;
            hops += u64::from(ring.hop(at)?);
            reactor.clear_ready(tokens[at], Direction::Read, NotReady::ShortTransfer);
            park(&mut reactor, tokens[at], Direction::Read, at)?;
        }
        if let Some(sample) = window.check(hops) {
            return Ok(sample);
        }
    }
}

/// What the greenthreads of a ring share.
struct Shared {
    window: Window,
    hops: u64,
    end: Option<io::Result<Sample>>,
}

fn on_green(job: &Job, hub: Box<dyn Hub>) -> io::Result<Sample> {
    use_hub(hub)?;
    let size = job.case.size;
    let pipes: io::Result<Vec<_>> = (0..size).map(|_| green::os::pipe()).collect();
    let (readers, mut writers): (Vec<_>, Vec<_>) = pipes?.into_iter().unzip();
    let entrances: io::Result<Vec<_>> = (0..TRAVELLERS)
        .map(|at| writers[at * size / TRAVELLERS].as_fd().try_clone_to_owned())
        .collect();
    writers.rotate_left(1);
    let shared = Rc::new(RefCell::new(Shared {
        window: Window::start(job),
        hops: 0,
        end: None,
    }));
    let ended = Rc::new(green::Event::<()>::new());
    for (reader, writer) in readers.into_iter().zip(writers) {
        let (shared, ended) = (shared.clone(), ended.clone());
        green::spawn_n(move || {
            let end = travel(reader, writer, &shared);
            // The first end breaks the ring for the others, who may come here before the result is fetched.
            if ended.send(()).is_ok() {
                shared.borrow_mut().end = Some(end);
            }
        });
    }
    // Only when all wait: a greenthread that begins would take along whom it finds.
    green::yield_now();
    for entrance in entrances? {
        File::from(entrance).write_all(&[1])?;
    }
    let _ = ended.wait();
    let end = shared.borrow_mut().end.take();
    end.unwrap_or_else(|| Err(io::Error::other("the ring has ended without a result")))
}

fn travel(
    mut reader: green::os::PipeReader,
    mut writer: green::os::PipeWriter,
    shared: &RefCell<Shared>,
) -> io::Result<Sample> {
    loop {
        let mut bytes = [0; 2 * TRAVELLERS];
        let count = reader.read(&mut bytes)?;
        writer.write_all(&bytes[..count])?;
        let mut shared = shared.borrow_mut();
        shared.hops += 1;
        let hops = shared.hops;
        if let Some(sample) = shared.window.check(hops) {
            return Ok(sample);
        }
    }
}
