//! The stream under hyper for services that may take it to another thread.

use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use green::future::block_on;
use green::server::Connection;
use hyper::rt::{Read, ReadBufCursor, Write};
use slab::Slab;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use crate::goodbye::Goodbye;
use crate::hyper_io::HyperIo;
use crate::transport::Transport;
use crate::wire::Wire;

/// What is on its way between the two threads at most, in each direction.
const PIPE: usize = 64 * 1024;

thread_local! {
    /// The wires under hyper in this thread, each with its number: what goes to other threads holds that and the place.
    static WIRES: RefCell<Slab<(u64, Rc<dyn Any>)>> = const { RefCell::new(Slab::new()) };
}

/// What hyper reads from and writes to: the connection itself while HTTP is spoken, one end of a pipe after that.
pub(crate) struct BridgedIo<T> {
    /// No other wire has it, in any thread.
    number: u64,
    key: usize,
    shared: Arc<Shared>,
    pipe: Option<DuplexStream>,
    transport: std::marker::PhantomData<fn() -> T>,
}

/// The connection's part of it.
pub(crate) struct Bridge<T> {
    wire: Rc<Wire<T>>,
    key: usize,
    shared: Arc<Shared>,
}

struct Shared {
    /// HTTP is spoken.
    serving: AtomicBool,
    pipe: Mutex<Pipe>,
}

/// The pipe takes more memory than all else of a connection. The end that first needs it makes it, and leaves the other
/// one here.
enum Pipe {
    Unmade,
    Far(DuplexStream),
    Near(DuplexStream),
    /// The other end was taken, or nothing will ask for it any more.
    Gone,
}

impl Shared {
    fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what an end that leaves would leave behind for nobody.
    fn give_up(&self, is_left: impl Fn(&Pipe) -> bool) {
        let mut pipe = self.pipe();
        let left = is_left(&pipe).then(|| std::mem::replace(&mut *pipe, Pipe::Gone));
        drop(pipe);
        // The other end may be woken by this.
        drop(left);
    }

    fn far_end(&self) -> DuplexStream {
        let mut pipe = self.pipe();
        match std::mem::replace(&mut *pipe, Pipe::Gone) {
            Pipe::Unmade => {
                let (far, near) = duplex(PIPE);
                *pipe = Pipe::Near(near);
                far
            }
            Pipe::Far(far) => far,
            Pipe::Near(_) | Pipe::Gone => duplex(1).0,
        }
    }

    fn near_end(&self) -> DuplexStream {
        let mut pipe = self.pipe();
        match std::mem::replace(&mut *pipe, Pipe::Gone) {
            Pipe::Unmade => {
                let (far, near) = duplex(PIPE);
                *pipe = Pipe::Far(far);
                near
            }
            Pipe::Near(near) => near,
            Pipe::Far(_) | Pipe::Gone => duplex(1).0,
        }
    }
}

pub(crate) fn bridge<T: Transport>(wire: &Rc<Wire<T>>) -> (BridgedIo<T>, Bridge<T>) {
    let own: Rc<dyn Any> = Rc::clone(wire) as Rc<dyn Any>;
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let key = WIRES.with_borrow_mut(|wires| wires.insert((number, own)));
    let shared = Arc::new(Shared {
        serving: AtomicBool::new(true),
        pipe: Mutex::new(Pipe::Unmade),
    });
    let io = BridgedIo {
        number,
        key,
        shared: Arc::clone(&shared),
        pipe: None,
        transport: std::marker::PhantomData,
    };
    let bridge = Bridge {
        wire: Rc::clone(wire),
        key,
        shared,
    };
    (io, bridge)
}

impl<T: Transport> BridgedIo<T> {
    /// The connection, while HTTP is spoken.
    fn wire(&self) -> Option<HyperIo<T>> {
        if !self.shared.serving.load(Ordering::Acquire) {
            return None;
        }
        let wire = WIRES.with_borrow(|wires| match wires.get(self.key) {
            Some((number, wire)) if *number == self.number => Some(Rc::clone(wire)),
            _ => None,
        })?;
        wire.downcast().ok().map(HyperIo)
    }

    fn pipe(self: Pin<&mut Self>) -> Pin<&mut DuplexStream> {
        let me = self.get_mut();
        Pin::new(me.pipe.get_or_insert_with(|| me.shared.far_end()))
    }
}

impl<T: Transport> Read for BridgedIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut wire) = self.wire() {
            return Pin::new(&mut wire).poll_read(cx, buf);
        }
        let mut bytes = [0; 4096];
        let wanted = bytes.len().min(buf.remaining());
        let mut read = ReadBuf::new(&mut bytes[..wanted]);
        ready!(self.pipe().poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> Write for BridgedIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.wire() {
            Some(mut wire) => Pin::new(&mut wire).poll_write(cx, buf),
            None => self.pipe().poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.wire() {
            Some(mut wire) => Pin::new(&mut wire).poll_flush(cx),
            None => self.pipe().poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.wire() {
            Some(mut wire) => Pin::new(&mut wire).poll_shutdown(cx),
            None => self.pipe().poll_shutdown(cx),
        }
    }
}

impl<T> Drop for BridgedIo<T> {
    fn drop(&mut self) {
        self.shared
            .give_up(|pipe| matches!(pipe, Pipe::Unmade | Pipe::Far(_)));
    }
}

impl<T> Drop for Bridge<T> {
    fn drop(&mut self) {
        self.shared.serving.store(false, Ordering::Release);
        self.shared
            .give_up(|pipe| matches!(pipe, Pipe::Unmade | Pipe::Near(_)));
        let _ = WIRES.try_with(|wires| {
            let wire = wires.borrow_mut().try_remove(self.key);
            drop(wire);
        });
    }
}

impl<T: Transport> Bridge<T> {
    /// No HTTP is spoken any more.
    pub(crate) fn end_of_http(&self) {
        self.shared.serving.store(false, Ordering::Release);
    }

    /// Carries the bytes of what has taken the connection over, until both directions have ended. A WebSocket says
    /// goodbye when a drain begins.
    #[inline(never)]
    pub(crate) fn carry(self, connection: &Connection) -> io::Result<()> {
        let mut pipe = self.shared.near_end();
        block_on(poll_fn(|cx| self.wire.poll_write_held(cx)))?;
        let ahead = self.wire.take_input();
        let (mut inward, mut outward) = (Direction::new(ahead), Direction::new(Vec::new()));
        let mut goodbye = self.wire.notes.web_socket.get().then(Goodbye::default);
        block_on(poll_fn(|cx| {
            connection.wake_on_drain(cx.waker());
            let mut transport = self.wire.transport();
            let transport = &mut *transport;
            let pipe = &mut pipe;
            let inward = inward.poll(
                cx,
                |cx, buf| futures_io::AsyncRead::poll_read(Pin::new(transport), cx, buf),
                |_| (),
                |cx, bytes| Pin::new(&mut *pipe).poll_write(cx, bytes),
            );
            if inward.is_ready() {
                let _ = Pin::new(&mut *pipe).poll_shutdown(cx);
            }
            let carried = outward.poll(
                cx,
                |cx, buf| {
                    let mut read = ReadBuf::new(buf);
                    ready!(Pin::new(&mut *pipe).poll_read(cx, &mut read))?;
                    Poll::Ready(Ok(read.filled().len()))
                },
                |bytes| {
                    if let Some(goodbye) = &mut goodbye {
                        goodbye.pass(bytes, connection.is_draining());
                    }
                },
                |cx, bytes| futures_io::AsyncWrite::poll_write(Pin::new(transport), cx, bytes),
            );
            let is_said = goodbye.as_ref().is_some_and(Goodbye::is_said);
            if !(is_said && outward.is_through() && inward.is_ready()) {
                // Once the service is done with it, what the client still says is for nobody.
                ready!(carried)?;
            }
            futures_io::AsyncWrite::poll_close(Pin::new(transport), cx)
        }))
    }
}

/// Bytes on their way from one end to the other.
struct Direction {
    bytes: Vec<u8>,
    start: usize,
    ended: bool,
}

impl Direction {
    fn new(bytes: Vec<u8>) -> Direction {
        Direction {
            bytes,
            start: 0,
            ended: false,
        }
    }

    /// True if nothing is on its way.
    fn is_through(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Ready at the end. `pass` may change what goes on, also when nothing has come.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&mut Context<'_>, &mut [u8]) -> Poll<io::Result<usize>>,
        mut pass: impl FnMut(&mut Vec<u8>),
        mut write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.is_through() {
                self.start += ready!(write(cx, &self.bytes[self.start..]))?;
            }
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            self.start = 0;
            self.bytes.clear();
            pass(&mut self.bytes);
            if !self.bytes.is_empty() {
                continue;
            }
            self.bytes.resize(16 * 1024, 0);
            self.start = self.bytes.len();
            let len = ready!(read(cx, &mut self.bytes))?;
            self.bytes.truncate(len);
            self.start = 0;
            self.ended = len == 0;
            pass(&mut self.bytes);
        }
    }
}
