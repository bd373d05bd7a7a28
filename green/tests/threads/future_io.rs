//! green's sockets under the traits of futures-io, with futures-util and async-channel as they are.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::common::{SHORT, bounded, fill, settle, sleep_idle, tcp_pair};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::future::{Either, select};
use futures_util::io::{AsyncReadExt, AsyncWriteExt, copy};
use futures_util::{StreamExt, join, stream};
use green::Timeout;
use green::debug::counters;
use green::future::{ThreadBound, accept, block_on, sleep, spawn};
use green::net::{
    Direction, Shutdown, TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream,
};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The calls that block: their names are those of the async ones, and both cannot be in scope.
mod blocking {
    use std::io::{self, Read, Write};

    pub(super) fn read(mut stream: impl Read, buf: &mut [u8]) -> io::Result<usize> {
        stream.read(buf)
    }

    pub(super) fn write(mut stream: impl Write, buf: &[u8]) {
        stream.write_all(buf).unwrap();
    }
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll_byte(stream: &TcpStream, waker: &Waker) -> Poll<std::io::Result<usize>> {
    let mut stream = stream;
    Pin::new(&mut stream).poll_read(&mut Context::from_waker(waker), &mut [0])
}

#[test]
fn two_streams_are_joined_in_one_greenthread() {
    bounded(|| {
        let ((near, far), (other_near, other_far)) = (tcp_pair(), UnixStream::pair().unwrap());
        // Everything that goes in at one end comes out at the other, both ways at once.
        let forwarder = spawn(async move {
            let (mut up, mut down) = (&other_near, &far);
            let there = async {
                copy(&far, &mut up).await.unwrap();
                AsyncWriteExt::close(&mut up).await.unwrap();
            };
            let back = async {
                copy(&other_near, &mut down).await.unwrap();
                AsyncWriteExt::close(&mut down).await.unwrap();
            };
            join!(there, back);
        });
        const SIZE: usize = 3 << 20;
        let pattern = |n: usize| (n * 7 + n / 251) as u8;
        let data: Vec<u8> = (0..SIZE).map(pattern).collect();
        let echo = green::spawn(move || {
            let mut buffer = vec![0; 10_000];
            loop {
                match blocking::read(&other_far, &mut buffer).unwrap() {
                    0 => break other_far.shutdown(Shutdown::Write).unwrap(),
                    n => blocking::write(&other_far, &buffer[..n]),
                }
            }
        });
        let got = block_on(async {
            let mut got = Vec::new();
            let (mut reads, mut writes) = (&near, &near);
            let send = async {
                writes.write_all(&data).await.unwrap();
                AsyncWriteExt::close(&mut writes).await.unwrap();
            };
            let (_, read) = join!(send, reads.read_to_end(&mut got));
            read.unwrap();
            got
        });
        assert!(got == data);
        echo.join().unwrap();
        forwarder.join().unwrap();
        assert_eq!((counters().readers, counters().writers), (0, 0));
    });
}

#[test]
fn a_task_that_waits_for_a_socket_costs_nothing() {
    bounded(|| {
        let (near, far) = tcp_pair();
        let reader = spawn(async move {
            let mut byte = [0];
            (&far).read_exact(&mut byte).await.unwrap();
            byte[0]
        });
        settle();
        sleep_idle();
        assert_eq!(counters().readers, 1);
        blocking::write(&near, &[9]);
        assert_eq!(reader.join().unwrap(), 9);
    });
}

#[test]
fn after_a_short_read_the_kernel_is_not_asked_again() {
    bounded(|| {
        let (near, far) = tcp_pair();
        blocking::write(&near, b"abc");
        let (count, waker) = counting();
        let mut cx = Context::from_waker(&waker);
        let mut buffer = [0; 16];
        let tries = Cell::new(0);
        let peek = |cx: &mut Context<'_>| {
            far.poll_retry(cx, Direction::Read, |far| {
                tries.set(tries.get() + 1);
                far.peek(&mut [0; 8])
            })
        };
        assert!(matches!(peek(&mut cx), Poll::Ready(Ok(3))));
        let mut reader = &far;
        let read = Pin::new(&mut reader).poll_read(&mut cx, &mut buffer);
        assert!(matches!(read, Poll::Ready(Ok(3))));
        // The read has shown that there is no more: this only leaves the waker.
        assert!(peek(&mut cx).is_pending());
        assert_eq!(tries.get(), 1);
        blocking::write(&near, b"d");
        green::sleep(millis(5));
        assert_eq!(count.get(), 1);
        assert!(matches!(peek(&mut cx), Poll::Ready(Ok(1))));
    });
}

#[test]
fn both_directions_of_one_stream_wait_at_once() {
    bounded(|| {
        let (near, far) = tcp_pair();
        fill(&near);
        let (reads, read_waker) = counting();
        let (writes, write_waker) = counting();
        assert!(poll_byte(&near, &read_waker).is_pending());
        let mut writer = &near;
        let piece = [1; 1000];
        let mut cx = Context::from_waker(&write_waker);
        assert!(
            Pin::new(&mut writer)
                .poll_write(&mut cx, &piece)
                .is_pending()
        );
        assert_eq!((counters().readers, counters().writers), (1, 1));
        blocking::write(&far, &[5]);
        green::sleep(millis(5));
        assert_eq!((reads.get(), writes.get()), (1, 0));
        assert!(matches!(poll_byte(&near, &read_waker), Poll::Ready(Ok(1))));
        let drain = green::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while blocking::read(&far, &mut buffer).unwrap() > 0 {}
        });
        while writes.get() == 0 {
            green::sleep(millis(1));
        }
        let wrote = Pin::new(&mut writer).poll_write(&mut cx, &piece);
        assert!(matches!(wrote, Poll::Ready(Ok(1000))));
        drop(near);
        drain.join().unwrap();
    });
}

#[test]
fn the_last_task_that_polls_is_the_one_that_is_woken() {
    bounded(|| {
        let (near, far) = tcp_pair();
        let (first, first_waker) = counting();
        let (second, second_waker) = counting();
        for waker in [&first_waker, &second_waker, &second_waker] {
            assert!(poll_byte(&far, waker).is_pending());
            assert_eq!(counters().readers, 1);
        }
        drop(first_waker);
        assert_eq!(Arc::strong_count(&first), 1);
        blocking::write(&near, b"x");
        green::sleep(millis(5));
        assert_eq!((first.get(), second.get()), (0, 1));
        assert_eq!(counters().readers, 0);
    });
}

#[test]
fn a_stream_that_is_dropped_or_closed_leaves_nobody_behind() {
    bounded(|| {
        let (count, waker) = counting();
        let (_near, far) = tcp_pair();
        assert!(poll_byte(&far, &waker).is_pending());
        far.close();
        assert_eq!(count.get(), 1);
        let Poll::Ready(Err(error)) = poll_byte(&far, &waker) else {
            panic!("it is closed");
        };
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        let (_near, far) = tcp_pair();
        assert!(poll_byte(&far, &waker).is_pending());
        drop((far, waker));
        assert_eq!(Arc::strong_count(&count), 1);
        assert_eq!((counters().readers, counters().descriptors), (0, 0));
    });
}

#[test]
fn a_future_that_waits_for_a_connection_leaves_when_it_is_dropped() {
    bounded(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        block_on(async {
            let left = select(accept(&listener), Box::pin(sleep(millis(1)))).await;
            let Either::Right((_, accept)) = left else {
                panic!("nobody connects");
            };
            assert_eq!(counters().readers, 1);
            drop(accept);
            assert_eq!(counters().readers, 0);
        });
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn connections_come_as_a_stream() {
    bounded(|| {
        let path = std::env::temp_dir().join(format!("green-future-{}.sock", std::process::id()));
        let (tcp, unix) = (
            TcpListener::bind("127.0.0.1:0").unwrap(),
            UnixListener::bind(&path).unwrap(),
        );
        let address = tcp.local_addr().unwrap();
        for _ in 0..3 {
            green::spawn_n(move || drop(TcpStream::connect(address).unwrap()));
            let path = path.clone();
            green::spawn_n(move || drop(UnixStream::connect(path).unwrap()));
        }
        let by_tcp = stream::poll_fn(|cx| tcp.poll_accept(cx).map(Some)).take(3);
        let by_unix = stream::repeat(()).then(|()| accept(&unix)).take(3);
        let (by_tcp, by_unix) =
            block_on(async { join!(by_tcp.collect::<Vec<_>>(), by_unix.collect::<Vec<_>>()) });
        assert!(by_tcp.into_iter().all(|accepted| accepted.is_ok()));
        assert_eq!(by_unix.into_iter().filter_map(Result::ok).count(), 3);
        std::fs::remove_file(path).unwrap();
    });
}

#[test]
fn a_greenthread_that_reads_refuses_tasks() {
    bounded(|| {
        let (near, far) = tcp_pair();
        let far = Rc::new(far);
        let reader = {
            let far = Rc::clone(&far);
            green::spawn(move || blocking::read(&*far, &mut [0]))
        };
        settle();
        let (_, waker) = counting();
        let Poll::Ready(Err(error)) = poll_byte(&far, &waker) else {
            panic!("another reads");
        };
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        let text = error.to_string();
        assert!(
            text.contains(&format!("greenthread {} reads", reader.id())),
            "{text}"
        );
        blocking::write(&near, b"x");
        assert_eq!(reader.join().unwrap().unwrap(), 1);
        assert!(poll_byte(&far, &waker).is_pending());
    });
}

#[test]
fn a_greenthread_takes_the_place_of_a_task() {
    bounded(|| {
        let (near, far) = tcp_pair();
        // A read that was given up leaves its waker behind, which must be in nobody's way.
        block_on(async {
            let mut byte = [0];
            let mut stream = &far;
            let left = select(stream.read(&mut byte), Box::pin(sleep(millis(1)))).await;
            assert!(matches!(left, Either::Right(_)));
        });
        assert_eq!(counters().readers, 1);
        let writer = green::spawn(move || {
            green::sleep(millis(2));
            blocking::write(&near, b"ab");
            near
        });
        assert_eq!(blocking::read(&far, &mut [0]).unwrap(), 1);
        assert_eq!(blocking::read(&far, &mut [0]).unwrap(), 1);
        let near = writer.join().unwrap();
        // One that still waits is told.
        let far = Rc::new(far);
        let task = {
            let far = Rc::clone(&far);
            spawn(async move { AsyncReadExt::read(&mut &*far, &mut [0]).await })
        };
        settle();
        let blocks = {
            let far = Rc::clone(&far);
            green::spawn(move || blocking::read(&*far, &mut [0]))
        };
        let error = task.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        blocking::write(&near, b"c");
        assert_eq!(blocks.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn where_many_may_wait_tasks_and_greenthreads_queue() {
    bounded(|| {
        green::debug::allow_multiple_waiters(true);
        let (near, far) = tcp_pair();
        let far = Rc::new(far);
        let got = Rc::new(RefCell::new(Vec::new()));
        let reads = |task: bool| {
            let (far, got) = (Rc::clone(&far), Rc::clone(&got));
            green::spawn(move || {
                let mut byte = [0];
                match task {
                    true => block_on(AsyncReadExt::read(&mut &*far, &mut byte)).unwrap(),
                    false => blocking::read(&*far, &mut byte).unwrap(),
                };
                got.borrow_mut().push(byte[0]);
            })
        };
        let all = [reads(false), reads(true), reads(false)];
        settle();
        assert_eq!(counters().readers, 3);
        for byte in 1..=3 {
            blocking::write(&near, &[byte]);
            green::sleep(millis(2));
        }
        for gt in all {
            gt.join().unwrap();
        }
        assert_eq!(*got.borrow(), [1, 2, 3]);
    });
}

#[test]
fn a_stream_that_is_always_ready_starves_nobody() {
    bounded(|| {
        let (near, far) = tcp_pair();
        let done = Rc::new(Cell::new(false));
        let stop = Rc::clone(&done);
        let writer = green::spawn(move || {
            let piece = vec![1; 64 * 1024];
            while !stop.get() {
                blocking::write(&near, &piece);
            }
        });
        let stop = Rc::clone(&done);
        let reader = spawn(async move {
            let mut byte = [0; 16];
            while AsyncReadExt::read(&mut &far, &mut byte).await.unwrap() > 0 {
                if stop.get() {
                    return;
                }
            }
        });
        green::sleep(SHORT);
        done.set(true);
        reader.join().unwrap();
        writer.kill();
    });
}

#[test]
fn under_an_executor_that_does_not_switch_a_ready_stream_goes_on() {
    bounded(|| {
        let (near, far) = tcp_pair();
        blocking::write(&near, &[7; 1000]);
        let (count, waker) = counting();
        let mut ready = 0;
        for _ in 0..1200 {
            match poll_byte(&far, &waker) {
                Poll::Ready(read) => ready += read.unwrap(),
                // It has woken the task itself.
                Poll::Pending if ready < 1000 => assert!(count.get() > 0),
                Poll::Pending => break,
            }
        }
        assert_eq!(ready, 1000);
        assert!(count.get() >= 1000 / 70);
    });
}

#[test]
fn a_kill_and_a_timeout_leave_a_stream_that_can_be_used() {
    bounded(|| {
        let (near, far) = tcp_pair();
        let far = Rc::new(far);
        let read = |far: Rc<TcpStream>| async move {
            let mut byte = [0];
            AsyncReadExt::read_exact(&mut &*far, &mut byte)
                .await
                .unwrap();
            byte[0]
        };
        let gt = spawn(read(Rc::clone(&far)));
        settle();
        gt.kill();
        let left = Timeout::new(SHORT).run(|| block_on(read(Rc::clone(&far))));
        assert!(left.is_err());
        blocking::write(&near, &[3]);
        assert_eq!(block_on(read(far)), 3);
    });
}

#[test]
fn several_buffers_go_in_one_call() {
    bounded(|| {
        let (near, far) = tcp_pair();
        block_on(async {
            let bufs = [IoSlice::new(b"ab"), IoSlice::new(b"cde")];
            let mut writer = &near;
            let wrote = writer.write_vectored(&bufs).await.unwrap();
            assert_eq!(wrote, 5);
            let (mut first, mut second) = ([0; 4], [0; 4]);
            let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            let mut reader = &far;
            assert_eq!(reader.read_vectored(&mut bufs).await.unwrap(), 5);
            assert_eq!((&first, second[0]), (b"abcd", b'e'));
            AsyncWriteExt::close(&mut writer).await.unwrap();
            assert_eq!(reader.read(&mut first).await.unwrap(), 0);
            drop(near);
            AsyncWriteExt::close(&mut reader).await.unwrap();
        });
    });
}

#[test]
fn datagrams_are_awaited_too() {
    bounded(|| {
        let (a, b) = (
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            UdpSocket::bind("127.0.0.1:0").unwrap(),
        );
        let to = b.local_addr().unwrap();
        let from = a.local_addr().unwrap();
        green::spawn_n(move || {
            green::sleep(millis(1));
            a.send_to(b"hello", to).unwrap();
        });
        let mut buf = [0; 16];
        let receive = poll_fn(|cx| b.poll_retry(cx, Direction::Read, |b| b.recv_from(&mut buf)));
        assert_eq!(block_on(receive).unwrap(), (5, from));
    });
}

#[test]
fn hubs_change_under_a_task() {
    bounded(|| {
        let (near, far) = tcp_pair();
        let reader = spawn(async move {
            let mut got = Vec::new();
            AsyncReadExt::read_to_end(&mut &far, &mut got)
                .await
                .unwrap();
            got
        });
        for hub in ["poll", "select", "polling"] {
            settle();
            green::hubs::use_hub(hub).unwrap();
            blocking::write(&near, hub.as_bytes());
            green::sleep(millis(2));
        }
        drop(near);
        assert_eq!(reader.join().unwrap(), b"pollselectpolling");
    });
}

#[test]
fn async_channel_joins_greenthreads_and_threads() {
    bounded(|| {
        let (to_green, from_thread) = async_channel::bounded(2);
        let (to_thread, from_green) = async_channel::bounded(2);
        let thread = std::thread::spawn(move || {
            for n in 0..500 {
                to_green.send_blocking(n).unwrap();
                assert_eq!(from_green.recv_blocking().unwrap(), n * 2);
            }
        });
        let doubles = spawn(async move {
            let mut got = 0;
            while let Ok(n) = from_thread.recv().await {
                to_thread.send(n * 2).await.unwrap();
                got += 1;
            }
            got
        });
        assert_eq!(doubles.join().unwrap(), 500);
        thread.join().unwrap();
    });
}

#[test]
fn a_stream_that_is_bound_to_its_thread_works_there_alone() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    bounded(|| {
        let (near, far) = tcp_pair();
        let (mut near, mut far) = (ThreadBound::new(near), ThreadBound::new(far));
        is_send_and_sync(&near);
        let mut word = [0; 5];
        block_on(async {
            let (written, read) = join!(near.write_all(b"hello"), far.read_exact(&mut word));
            written.unwrap();
            read.unwrap();
        });
        assert_eq!(&word, b"hello");
        // In another thread each call is an error, and it comes back as it was.
        let there = std::thread::spawn(move || {
            assert!(!near.is_here());
            let refused = block_on(near.write(b"x")).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            assert!(near.try_with(|_| ()).is_err());
            near
        });
        let mut near = there.join().unwrap();
        block_on(near.write_all(b"again")).unwrap();
        block_on(far.read_exact(&mut word)).unwrap();
        assert_eq!(&word, b"again");
        // Dropped elsewhere it is closed here, with the next use of another.
        std::thread::spawn(move || drop(near)).join().unwrap();
        let end = spawn(async move { far.read(&mut [0; 8]).await.unwrap() });
        settle();
        let other = ThreadBound::new(());
        assert_eq!(end.join().unwrap(), 0);
        // Inside its own use it is in use.
        other.with(|()| {
            let busy = other.try_with(|()| ()).unwrap_err();
            assert_eq!(busy.kind(), ErrorKind::ResourceBusy);
        });
    });
}
