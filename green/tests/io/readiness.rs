//! When a short transfer proves nothing: everything that arrives is found, of every kind of descriptor, by
//! greenthreads and by async code; and what the system says of readiness is not believed for ever.

use std::cell::Cell;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{SHORT, bounded, settle, tcp_pair, times_out};
use green::future::block_on;
use green::net::{Direction, Shutdown, TcpStream, UdpSocket, UnixDatagram, UnixStream};
use green::os::{self, PipeReader};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use socket2::SockRef;

/// How many pieces each source gives at once.
const PIECES: usize = 5;

/// `read` is called by one who waits; when all pieces are there it must get each of them, without another arriving.
/// What `send` gives is kept until then: the end of a stream would wake who has missed something.
fn gets_every_piece<K>(
    mut read: impl FnMut() -> io::Result<usize> + 'static,
    send: impl FnOnce() -> K,
) {
    let got = Rc::new(Cell::new(0));
    let count = Rc::clone(&got);
    let reader = green::spawn(move || {
        while count.get() < PIECES {
            assert!(read().unwrap() > 0);
            count.set(count.get() + 1);
        }
    });
    // It waits, registered and told that there is nothing.
    settle();
    green::sleep(Duration::from_millis(2));
    assert_eq!(got.get(), 0);
    let kept = send();
    let start = std::time::Instant::now();
    while !reader.is_dead() && start.elapsed() < Duration::from_secs(20) {
        green::sleep(Duration::from_millis(1));
    }
    assert_eq!(got.get(), PIECES, "the others are lost");
    reader.join().unwrap();
    drop(kept);
}

/// A terminal, which gives a line at a time.
fn terminal() -> (File, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let pty = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&pty).unwrap();
    unlockpt(&pty).unwrap();
    let name = ptsname(&pty, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let terminal = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    (File::from(pty), terminal)
}

/// The small files of a directory of its own, whose creation inotify tells of.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> Directory {
        let name = format!("green-readiness-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn lines_that_are_pasted_into_a_terminal() {
    bounded(|| {
        let (mut pty, line) = terminal();
        let mut reader = PipeReader::try_from(line).unwrap();
        let read = move || reader.read(&mut [0; 4096]);
        gets_every_piece(read, move || {
            pty.write_all(b"1\n2\n3\n4\n5\n").unwrap();
            pty
        });
    });
}

#[test]
fn lines_of_a_terminal_that_is_left_in_blocking_mode() {
    bounded(|| {
        let (mut pty, line) = terminal();
        let read = move || os::read(&line, &mut [0; 4096]);
        gets_every_piece(read, move || {
            pty.write_all(b"1\n2\n3\n4\n5\n").unwrap();
            pty
        });
    });
}

#[test]
fn a_foreign_pipe_in_packet_mode() {
    bounded(|| {
        let (reader, writer) = pipe_with(PipeFlags::DIRECT | PipeFlags::CLOEXEC).unwrap();
        let mut reader = PipeReader::try_from(reader).unwrap();
        let read = move || reader.read(&mut [0; 4096]);
        gets_every_piece(read, move || {
            for piece in 0..PIECES {
                rustix::io::write(&writer, &[piece as u8; 10]).unwrap();
            }
            writer
        });
    });
}

#[test]
fn a_pipe_of_green_that_is_put_into_packet_mode() {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    bounded(|| {
        let (mut reader, mut writer) = os::pipe().unwrap();
        let flags = fcntl_getfl(&writer).unwrap();
        fcntl_setfl(&writer, flags | OFlags::DIRECT).unwrap();
        let read = move || reader.read(&mut [0; 4096]);
        gets_every_piece(read, move || {
            for piece in 0..PIECES {
                writer.write_all(&[piece as u8; 10]).unwrap();
            }
            writer
        });
    });
}

#[test]
fn one_event_of_inotify_after_the_other() {
    use rustix::fs::inotify;
    bounded(|| {
        let directory = Directory::new();
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&watch, &directory.0, inotify::WatchFlags::CREATE).unwrap();
        let mut reader = PipeReader::try_from(watch).unwrap();
        // Room for one event with a short name, and a half.
        let read = move || reader.read(&mut [0; 48]);
        let path = directory.0.clone();
        gets_every_piece(read, move || {
            for piece in 0..PIECES {
                File::create(path.join(piece.to_string())).unwrap();
            }
        });
    });
}

/// A socket whose messages stay apart, taken for a TCP stream: its type says nothing of what it is.
#[test]
fn a_socket_that_only_seems_to_be_a_stream() {
    bounded(|| {
        let (near, far) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let mut near = TcpStream::from(near);
        let read = move || near.read(&mut [0; 4096]);
        gets_every_piece(read, move || {
            for piece in 0..PIECES {
                rustix::io::write(&far, &[piece as u8; 10]).unwrap();
            }
            far
        });
    });
}

/// Sends bytes, each piece with a descriptor, so that a read ends behind each of them.
fn send_with_descriptors(far: &UnixStream) {
    for piece in 0..PIECES {
        let mut space = [MaybeUninit::uninit(); 64];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let passed = [far.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&passed)));
        let bytes = [piece as u8; 10];
        let sent = far.retry(Direction::Write, |far| {
            Ok(sendmsg(
                far,
                &[IoSlice::new(&bytes)],
                &mut control,
                SendFlags::empty(),
            )?)
        });
        assert_eq!(sent.unwrap(), 10);
    }
}

#[test]
fn bytes_between_descriptors_that_are_passed() {
    bounded(|| {
        let (mut near, far) = UnixStream::pair().unwrap();
        let read = move || near.read(&mut [0; 4096]);
        gets_every_piece(read, move || {
            send_with_descriptors(&far);
            far
        });
    });
}

#[test]
fn bytes_behind_the_mark_of_urgent_data() {
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let reader = green::spawn(move || read_behind_the_mark(|buf| (&near).read(buf)));
        settle();
        green::sleep(Duration::from_millis(2));
        send_urgent(&mut far);
        assert_eq!(reader.join().unwrap(), b"abcdef");
        drop(far);
    });
}

fn send_urgent(far: &mut TcpStream) {
    far.write_all(b"abc").unwrap();
    assert_eq!(SockRef::from(&*far).send_out_of_band(b"!").unwrap(), 1);
    far.write_all(b"def").unwrap();
}

fn read_behind_the_mark(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Vec<u8> {
    let mut text = Vec::new();
    let mut buf = [0; 100];
    while text.len() < 6 {
        let n = read(&mut buf).unwrap();
        assert!(n > 0);
        text.extend_from_slice(&buf[..n]);
    }
    text
}

/// More buffers than the system takes in one call.
const MANY: usize = 3000;

fn many_buffers_go(mut reader: impl Read, mut writer: impl Write + 'static) {
    let writes = green::spawn(move || {
        let data: Vec<u8> = (0..MANY).map(|n| n as u8).collect();
        let mut sent = 0;
        while sent < MANY {
            let bufs: Vec<_> = data[sent..].chunks(1).map(IoSlice::new).collect();
            sent += writer.write_vectored(&bufs).unwrap();
        }
        // Kept open: the end of the stream would wake who has lost an edge.
        writer
    });
    let mut got = 0;
    let mut data = vec![0; MANY];
    while got < MANY {
        let mut bufs: Vec<_> = data[got..].chunks_mut(1).map(IoSliceMut::new).collect();
        got += reader.read_vectored(&mut bufs).unwrap();
    }
    assert!((0..MANY).all(|n| data[n] == n as u8));
    drop(writes.join().unwrap());
}

#[test]
fn more_buffers_than_the_system_takes() {
    bounded(|| {
        let (reader, writer) = os::pipe().unwrap();
        many_buffers_go(reader, writer);
        let (reader, writer) = UnixStream::pair().unwrap();
        many_buffers_go(reader, writer);
        let (reader, writer) = tcp_pair();
        many_buffers_go(reader, writer);
    });
}

/// Both are woken by one piece of data. The second must not find out by a call that blocks the thread.
#[test]
fn two_readers_of_one_descriptor_in_blocking_mode() {
    bounded(|| {
        green::debug::allow_multiple_waiters(true);
        let (reader, writer) = io::pipe().unwrap();
        let reader = Rc::new(reader);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let reader = Rc::clone(&reader);
                green::spawn(move || os::read(&*reader, &mut [0; 10]).unwrap())
            })
            .collect();
        settle();
        os::write(&writer, b"abc").unwrap();
        // Would it block, nobody could write this.
        green::sleep(Duration::from_millis(20));
        assert_eq!(readers.iter().filter(|reader| reader.is_dead()).count(), 1);
        os::write(&writer, b"defgh").unwrap();
        let mut got: Vec<_> = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect();
        got.sort_unstable();
        assert_eq!(got, [3, 5]);
        green::debug::allow_multiple_waiters(false);
    });
}

/// After an ICMP error the system says that there is something for as long as its queue of errors holds it.
fn ready_for_ever() -> UdpSocket {
    // Closed at once: nobody listens there.
    let nobody = UdpSocket::bind("127.0.0.1:0").and_then(|gone| gone.local_addr());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open for as long as `socket` lives, and the option is an int, as its length says.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_RECVERR,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    socket.connect(nobody.unwrap()).unwrap();
    socket.send(b"x").unwrap();
    let refused = socket.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    socket
}

#[test]
fn a_deadline_holds_though_the_system_goes_on_saying_ready() {
    bounded(|| {
        let socket = ready_for_ever();
        socket.set_read_timeout(Some(SHORT)).unwrap();
        for _ in 0..3 {
            times_out(|| socket.recv(&mut [0; 8]));
            times_out(|| socket.recv_from(&mut [0; 8]));
        }
    });
}

/// Its task is woken now and then, not all the time.
#[test]
fn async_code_that_is_woken_in_vain_is_woken_less_often() {
    bounded(|| {
        let socket = ready_for_ever();
        let mut polls = 0;
        let received = poll_fn(|cx| {
            polls += 1;
            socket.poll_retry(cx, Direction::Read, |socket| socket.recv(&mut [0; 8]))
        });
        let time = Duration::from_millis(100);
        let received = green::Timeout::silent(time, || block_on(received));
        assert!(received.is_none());
        assert!(polls < 60, "{polls} polls in a tenth of a second");
    });
}

#[test]
fn a_datagram_socket_whose_reading_is_shut_down_gives_nothing_more() {
    bounded(|| {
        let (near, _far) = UnixDatagram::pair().unwrap();
        near.shutdown(Shutdown::Read).unwrap();
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 0);
        let (got, from) = near.recv_from(&mut [0; 8]).unwrap();
        assert!(got == 0 && from.is_unnamed());
        // By one who waits, here and at a clone, and once more.
        let (near, _far) = UnixDatagram::pair().unwrap();
        let near = Rc::new(near);
        let (same, clone) = (Rc::clone(&near), near.try_clone().unwrap());
        let here = green::spawn(move || same.recv(&mut [0; 8]).unwrap());
        let there = green::spawn(move || (clone.recv(&mut [0; 8]).unwrap(), clone));
        settle();
        near.shutdown(Shutdown::Read).unwrap();
        assert_eq!(here.join().unwrap(), 0);
        let (got, clone) = there.join().unwrap();
        assert_eq!(got, 0);
        assert_eq!(clone.recv(&mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn a_datagram_sender_hears_of_a_shutdown() {
    bounded(|| {
        let (near, _far) = UnixDatagram::pair().unwrap();
        let near = Rc::new(near);
        let same = Rc::clone(&near);
        let sender = green::spawn(move || {
            loop {
                if let Err(error) = same.send(&[0; 1024]) {
                    break error.kind();
                }
            }
        });
        settle();
        assert!(!sender.is_dead());
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(sender.join().unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_udp_socket_whose_reading_is_shut_down_gives_nothing_more() {
    bounded(|| {
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        let near = Rc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        near.connect(far.local_addr().unwrap()).unwrap();
        let same = Rc::clone(&near);
        let reader = green::spawn(move || same.recv(&mut [0; 8]).unwrap());
        settle();
        SockRef::from(&*near).shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 0);
        let error = near.recv_from(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

/// A stream of either kind.
trait Stream: Sized + 'static {
    fn both() -> (Self, Self);
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn shutdown_safe(&self, how: Shutdown) -> io::Result<()>;
    fn close(&self);
}

macro_rules! stream {
    ($stream:ident, $pair:expr) => {
        impl Stream for $stream {
            fn both() -> (Self, Self) {
                $pair
            }
            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                $stream::shutdown(self, how)
            }
            fn shutdown_safe(&self, how: Shutdown) -> io::Result<()> {
                $stream::shutdown_safe(self, how)
            }
            fn close(&self) {
                $stream::close(self)
            }
        }
    };
}

stream!(TcpStream, tcp_pair());
stream!(UnixStream, UnixStream::pair().unwrap());

fn a_shutdown_wakes<S: Stream>(how: Shutdown)
where
    for<'a> &'a S: Read + Write,
{
    let (near, far) = S::both();
    let near = Rc::new(near);
    let (writing, reading) = (Rc::clone(&near), Rc::clone(&near));
    let writer = green::spawn(move || (&*writing).write_all(&[0; 16 << 20]).unwrap_err().kind());
    let reader = green::spawn(move || (&*reading).read(&mut [0; 8]).unwrap());
    settle();
    green::sleep(Duration::from_millis(2));
    near.shutdown(how).unwrap();
    if how != Shutdown::Read {
        assert_eq!(writer.join().unwrap(), ErrorKind::BrokenPipe);
        // And who comes later need not wait to hear of it.
        assert!((&*near).write_all(&[0; 8]).is_err());
    } else {
        settle();
        assert!(!writer.is_dead());
        writer.kill();
    }
    if how != Shutdown::Write {
        assert_eq!(reader.join().unwrap(), 0);
        assert_eq!((&*near).read(&mut [0; 8]).unwrap(), 0);
    } else {
        // Who waits in the other direction waits on, and gets what comes.
        settle();
        assert!(!reader.is_dead());
        (&far).write_all(b"abc").unwrap();
        assert_eq!(reader.join().unwrap(), 3);
    }
}

#[test]
fn a_shutdown_wakes_those_who_wait() {
    bounded(|| {
        for how in [Shutdown::Read, Shutdown::Write, Shutdown::Both] {
            a_shutdown_wakes::<TcpStream>(how);
            a_shutdown_wakes::<UnixStream>(how);
        }
    });
}

fn a_second_end_is_no_error<S: Stream>()
where
    for<'a> &'a S: Read + Write,
{
    let (near, far) = S::both();
    near.shutdown_safe(Shutdown::Both).unwrap();
    near.shutdown_safe(Shutdown::Both).unwrap();
    far.shutdown_safe(Shutdown::Both).unwrap();
    near.close();
    near.shutdown_safe(Shutdown::Both).unwrap();
    let closed = near.shutdown(Shutdown::Both).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::NotConnected);
}

#[test]
fn a_connection_that_is_over_can_be_shut_down_safely() {
    bounded(|| {
        a_second_end_is_no_error::<TcpStream>();
        a_second_end_is_no_error::<UnixStream>();
    });
}

#[test]
#[expect(clippy::zombie_processes, reason = "it is waited for by number")]
fn a_socket_becomes_the_stream_of_a_child() {
    use std::process::{Command, Stdio};
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let output = near.try_clone().unwrap();
        // It reads and writes, as it would a file: a descriptor that does not block.
        let child = Command::new("cat")
            .stdin(Stdio::try_from(near).unwrap())
            .stdout(Stdio::try_from(output).unwrap())
            .spawn()
            .unwrap();
        green::sleep(Duration::from_millis(20));
        far.write_all(b"through a child").unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        far.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through a child");
        assert!(os::waitpid(child.id()).unwrap().success());
        let (unix, _far) = UnixStream::pair().unwrap();
        unix.close();
        let closed = Stdio::try_from(unix).err().unwrap();
        assert_eq!(closed.kind(), ErrorKind::NotConnected);
    });
}

/// The same under the traits of async libraries.
#[cfg(feature = "futures-io")]
mod by_async_code {
    use futures_util::io::{AsyncReadExt, AsyncWriteExt};
    use green::future::spawn;

    use super::*;

    #[test]
    fn bytes_between_descriptors_that_are_passed() {
        bounded(|| {
            let (mut near, far) = UnixStream::pair().unwrap();
            let read = move || block_on(AsyncReadExt::read(&mut near, &mut [0; 4096]));
            gets_every_piece(read, move || {
                send_with_descriptors(&far);
                far
            });
        });
    }

    #[test]
    fn bytes_behind_the_mark_of_urgent_data() {
        bounded(|| {
            let (mut near, mut far) = tcp_pair();
            let read =
                move || read_behind_the_mark(|buf| block_on(AsyncReadExt::read(&mut near, buf)));
            let reader = green::spawn(read);
            settle();
            green::sleep(Duration::from_millis(2));
            send_urgent(&mut far);
            assert_eq!(reader.join().unwrap(), b"abcdef");
            drop(far);
        });
    }

    #[test]
    fn more_buffers_than_the_system_takes() {
        bounded(|| {
            let (mut reader, mut writer) = tcp_pair();
            let writes = spawn(async move {
                let data = vec![7; MANY];
                let mut sent = 0;
                while sent < MANY {
                    let bufs: Vec<_> = data[sent..].chunks(1).map(IoSlice::new).collect();
                    let more = AsyncWriteExt::write_vectored(&mut writer, &bufs);
                    sent += more.await.unwrap();
                }
                writer
            });
            let mut data = vec![0; MANY];
            block_on(async {
                let mut got = 0;
                while got < MANY {
                    let mut bufs: Vec<_> = data[got..].chunks_mut(1).map(IoSliceMut::new).collect();
                    let more = AsyncReadExt::read_vectored(&mut reader, &mut bufs);
                    got += more.await.unwrap();
                }
            });
            assert!(data.iter().all(|&byte| byte == 7));
            drop(writes.join().unwrap());
        });
    }

    #[test]
    fn a_shutdown_wakes_tasks_that_wait() {
        bounded(|| {
            let (near, _far) = UnixStream::pair().unwrap();
            let near = Rc::new(near);
            let (writing, reading) = (Rc::clone(&near), Rc::clone(&near));
            let writer = spawn(async move {
                let data = vec![0; 16 << 20];
                let mut near = &*writing;
                let written = AsyncWriteExt::write_all(&mut near, &data);
                written.await.unwrap_err().kind()
            });
            let reader = spawn(async move {
                let read = AsyncReadExt::read(&mut &*reading, &mut [0; 8]).await;
                read.unwrap()
            });
            settle();
            near.shutdown(Shutdown::Write).unwrap();
            assert_eq!(writer.join().unwrap(), ErrorKind::BrokenPipe);
            settle();
            assert!(!reader.is_dead());
            near.shutdown(Shutdown::Read).unwrap();
            assert_eq!(reader.join().unwrap(), 0);
        });
    }
}
