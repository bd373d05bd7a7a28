//! The body of an answer as hyper takes it.

use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use crate::clock::{CoarseClock, Deadlines};
use crate::exchange::Exchange;
use crate::slot::Taker;
use crate::writer::Piece;

/// What is read of a reader at a time.
const PIECE: usize = 32 * 1024;

pub(crate) struct Outgoing {
    content: Sending,
    exchange: Exchange,
    moves: Option<Box<Moves>>,
    rest: Option<Box<Rest>>,
}

/// Of a large piece, what was not given to hyper, which copies what it gets and keeps a buffer of that size.
struct Rest {
    bytes: Bytes,
    /// hyper has to write what it was given first.
    pause: bool,
}

/// Of a stream of HTTP/2: a client that opens no window for it is not waited for longer than for one that reads nothing.
pub(crate) struct Moves {
    pub(crate) clock: Rc<CoarseClock>,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) timeout: Option<Duration>,
}

impl Moves {
    /// Notes that a piece was given to hyper: now the client has to take it, within the timeout for writes.
    fn given(&self) {
        self.deadlines.write.set(self.clock.after(self.timeout));
    }

    /// Notes that hyper wants a piece: the client waits for the handler, and no timeout runs.
    fn wanted(&self) {
        self.deadlines.write.set(None);
    }
}

pub(crate) enum Sending {
    Bytes(Bytes),
    Pull(Box<Pull>),
    Slot(Taking),
    #[cfg(feature = "tower")]
    Foreign(crate::tower::ForeignBody),
}

/// Pieces that another greenthread gives.
pub(crate) struct Taking {
    taker: Taker<Piece>,
    left: Option<u64>,
    /// It has failed. What was given before goes out first.
    failed: bool,
}

impl Taking {
    pub(crate) fn new(taker: Taker<Piece>, length: Option<u64>) -> Taking {
        Taking {
            taker,
            left: length,
            failed: false,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = ready!(self.taker.poll_take(cx));
        Poll::Ready(match (piece, &mut self.left) {
            (Some(Piece::Data(mut data)), Some(left)) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                data.truncate(len);
                *left -= len as u64;
                Some(Ok(Frame::data(data)))
            }
            (Some(Piece::Data(data)), None) => Some(Ok(Frame::data(data))),
            (Some(Piece::Trailers(fields)), _) => Some(Ok(Frame::trailers(fields))),
            (Some(Piece::End), Some(1..)) => Some(Err(too_short())),
            (Some(Piece::End), _) => None,
            (None, _) if !std::mem::replace(&mut self.failed, true) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            (None, _) => Some(Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "what gives the content has failed",
            ))),
        })
    }
}

fn known(length: Option<u64>) -> SizeHint {
    length.map_or_else(SizeHint::default, SizeHint::with_exact)
}

fn too_short() -> io::Error {
    io::Error::new(
        ErrorKind::UnexpectedEof,
        "the content is shorter than it was said to be",
    )
}

/// Pieces that are taken where hyper asks for them: in the connection's greenthread, which waits for them.
pub(crate) struct Pull {
    source: Box<dyn Iterator<Item = io::Result<Bytes>>>,
    left: Option<u64>,
    /// The last piece may not have gone out: hyper writes when it is told that there is no more for now.
    pause: bool,
    /// When the whole request must be over.
    deadline: Option<Instant>,
}

impl Pull {
    pub(crate) fn new(
        source: Box<dyn Iterator<Item = io::Result<Bytes>>>,
        length: Option<u64>,
        deadline: Option<Instant>,
    ) -> Pull {
        Pull {
            source,
            left: length,
            pause: false,
            deadline,
        }
    }

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        let source = &mut self.source;
        let mut next = || {
            catch_unwind(AssertUnwindSafe(|| next_piece(&mut **source)))
                .map_err(green::resume_if_control)
        };
        let next = match self.deadline {
            None => next(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(green::time::now());
                match green::Timeout::new(left).run(next) {
                    Ok(next) => next,
                    Err(elapsed) => Ok(Some(Err(io::Error::new(ErrorKind::TimedOut, elapsed)))),
                }
            }
        };
        next.unwrap_or_else(|_payload| {
            Some(Err(io::Error::other("what gives the content has panicked")))
        })
    }

    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if std::mem::take(&mut self.pause) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.pause = true;
        let next = self.next();
        Poll::Ready(match (next, &mut self.left) {
            (Some(Ok(mut piece)), Some(left)) => {
                let len = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(piece.len());
                piece.truncate(len);
                *left -= len as u64;
                (len > 0).then_some(Ok(piece))
            }
            (None, Some(1..)) => Some(Err(too_short())),
            (next, _) => next,
        })
    }
}

/// Empty pieces would end a chunked body for some.
fn next_piece(
    mut source: &mut dyn Iterator<Item = io::Result<Bytes>>,
) -> Option<io::Result<Bytes>> {
    (&mut source).find(|piece| !matches!(piece, Ok(piece) if piece.is_empty()))
}

/// The pieces of a reader.
pub(crate) fn pieces_of(mut reader: Box<dyn Read>) -> impl Iterator<Item = io::Result<Bytes>> {
    let mut buffer = BytesMut::new();
    std::iter::from_fn(move || {
        buffer.resize(PIECE, 0);
        loop {
            return match reader.read(&mut buffer) {
                Ok(0) => None,
                Ok(len) => Some(Ok(buffer.split_to(len).freeze())),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Some(Err(error)),
            };
        }
    })
}

/// Gathers small pieces until they make one of `least` bytes.
pub(crate) fn gathered(
    mut pieces: Box<dyn Iterator<Item = io::Result<Bytes>>>,
    least: usize,
) -> Box<dyn Iterator<Item = io::Result<Bytes>>> {
    if least <= 1 {
        return pieces;
    }
    let mut failed = None;
    Box::new(std::iter::from_fn(move || {
        let mut gathered = BytesMut::new();
        while gathered.len() < least && failed.is_none() {
            match pieces.next() {
                Some(Ok(piece)) if gathered.is_empty() && piece.len() >= least => {
                    return Some(Ok(piece));
                }
                Some(Ok(piece)) => gathered.extend_from_slice(&piece),
                Some(Err(error)) => failed = Some(error),
                None => break,
            }
        }
        match gathered.is_empty() {
            true => failed.take().map(Err),
            false => Some(Ok(gathered.freeze())),
        }
    }))
}

impl Outgoing {
    pub(crate) fn new(content: Sending, exchange: Exchange, moves: Option<Box<Moves>>) -> Outgoing {
        if let Some(moves) = &moves {
            moves.given();
        }
        Outgoing {
            content,
            exchange,
            moves,
            rest: None,
        }
    }

    /// The next frame, in HTTP/1 of one piece at most.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = match &mut self.rest {
            None => ready!(self.poll_content(cx)),
            Some(rest) if rest.pause => {
                rest.pause = false;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(rest) => {
                let bytes = std::mem::take(&mut rest.bytes);
                self.rest = None;
                Some(Ok(Frame::data(bytes)))
            }
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) if self.moves.is_none() => Some(Ok(self.first_piece(frame))),
            frame => frame,
        })
    }

    fn first_piece(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        if frame.data_ref().is_none_or(|data| data.len() <= PIECE) {
            return frame;
        }
        frame.map_data(|mut data| {
            let bytes = data.split_off(PIECE);
            self.rest = Some(Box::new(Rest { bytes, pause: true }));
            data
        })
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = match &mut self.content {
            Sending::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Sending::Pull(pull) => ready!(pull.poll_next(cx)).map(|next| next.map(Frame::data)),
            Sending::Slot(taking) => return taking.poll_next(cx),
            #[cfg(feature = "tower")]
            Sending::Foreign(body) => return body.poll_frame(cx),
        };
        Poll::Ready(next)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let me = self.get_mut();
        if let Some(moves) = &me.moves {
            moves.wanted();
        }
        let frame = ready!(me.poll(cx));
        if let Some(moves) = &me.moves {
            moves.given();
        }
        match &frame {
            Some(Ok(frame)) => {
                me.exchange.sent(frame.data_ref().map_or(0, Bytes::len));
                let ended = me.is_end_stream() || me.size_hint().exact() == Some(0);
                if ended && me.rest.is_none() {
                    me.exchange.complete();
                }
            }
            Some(Err(error)) => {
                log::error!("cut off the answer to {}: {error}", me.exchange.who());
            }
            None => me.exchange.complete(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        if self.rest.is_some() {
            return false;
        }
        match &self.content {
            Sending::Bytes(bytes) => bytes.is_empty(),
            #[cfg(feature = "tower")]
            Sending::Foreign(body) => body.is_end_stream(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Sending::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Sending::Pull(pull) => known(pull.left),
            Sending::Slot(taking) => known(taking.left),
            #[cfg(feature = "tower")]
            Sending::Foreign(body) => body.size_hint(),
        }
    }
}
