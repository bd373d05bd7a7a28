use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::support::*;
use hub::*;

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

/// The one report that there is.
fn event(hub: Handle) -> HubEvent {
    let mut event = HubEvent::default();
    // SAFETY: there is room for one event.
    let count = unsafe { hub_wait(hub.0, 60_000_000_000, &mut event, 1) };
    assert_eq!(count, 1, "hub {}", hub.name());
    event
}

#[test]
fn reports_bring_data_back() {
    on_each(|hub| {
        let ((near, far), address) = (pair(), u64::MAX - 5);
        let fd = near.as_raw_fd();
        assert_eq!(hub_set_data(hub.0, fd, 1), -libc::ENOENT);
        assert_eq!(hub_add_with(hub.0, fd, HUB_READ, address), 0);
        (&far).write_all(b"x").unwrap();
        let ready = HUB_READ;
        for data in [address, 0, 7] {
            assert_eq!(hub_set_data(hub.0, fd, data), 0);
            assert_eq!(event(hub), HubEvent { fd, ready, data });
        }
        // Whatever changes the interest leaves it alone.
        for (interest, ready) in [
            (HUB_WRITE, HUB_WRITE),
            (HUB_READ | HUB_ONESHOT, HUB_READ),
            (HUB_WRITE | HUB_ONESHOT, HUB_WRITE),
            (HUB_READ, HUB_READ),
        ] {
            assert_eq!(hub.modify(&near, interest), 0);
            let data = 7;
            assert_eq!(event(hub), HubEvent { fd, ready, data });
        }
        assert_eq!(hub.remove(&near), 0);
        assert_eq!(hub.add(&near, HUB_READ), 0);
        assert_eq!(event(hub).data, 0);
    });
}

#[test]
fn a_oneshot_is_reported_once_for_each_time_it_is_asked_for() {
    on_each(|hub| {
        let (near, far) = pair();
        let fd = near.as_raw_fd();
        (&far).write_all(b"x").unwrap();
        assert_eq!(hub.add(&near, HUB_READ | HUB_ONESHOT), 0);
        for _ in 0..3 {
            assert_eq!(hub.look(), [(fd, HUB_READ)], "hub {}", hub.name());
            assert_eq!(hub.look(), []);
            (&far).write_all(b"x").unwrap();
            assert_eq!(hub.wait(Duration::from_millis(5)), []);
            assert_eq!(hub.modify(&near, HUB_READ | HUB_ONESHOT), 0);
        }
        // The direction that was not reported stays; what is not wanted any more goes.
        let both = HUB_READ | HUB_WRITE | HUB_ONESHOT;
        assert_eq!(hub.modify(&near, both), 0);
        assert_eq!(hub.look(), [(fd, HUB_READ | HUB_WRITE)]);
        assert_eq!(hub.modify(&near, both), 0);
        assert_eq!(hub.modify(&near, HUB_WRITE | HUB_ONESHOT), 0);
        assert_eq!(hub.look(), [(fd, HUB_WRITE)], "hub {}", hub.name());
        assert_eq!(hub.add(&near, HUB_READ), -libc::EEXIST);
        assert_eq!(hub.look(), []);
    });
}

#[test]
fn a_oneshot_that_does_not_fit_is_not_lost() {
    on_each(|hub| {
        let pairs: Vec<_> = (0..20).map(|_| pair()).collect();
        for (near, far) in &pairs {
            (&*far).write_all(b"x").unwrap();
            assert_eq!(hub.add(near, HUB_READ | HUB_ONESHOT), 0);
        }
        let told: Vec<_> = (0..4).flat_map(|_| hub.wait_for(LONG, 5).1).collect();
        let mut fds: Vec<_> = told.into_iter().map(|(fd, _)| fd).collect();
        fds.sort_unstable();
        fds.dedup();
        assert_eq!(fds.len(), 20, "hub {}", hub.name());
        assert_eq!(hub.look(), []);
    });
}

#[test]
fn an_edge_is_heard_of_again_when_it_is_asked_for_after_eagain() {
    on_each(|hub| {
        let (near, far) = pair();
        assert_eq!(hub.add(&near, HUB_READ | HUB_EDGE), 0);
        for _ in 0..5 {
            (&far).write_all(b"x").unwrap();
            let report = (near.as_raw_fd(), HUB_READ);
            assert_eq!(hub.wait(LONG), [report], "hub {}", hub.name());
            assert_eq!(hub.look(), []);
            (&near).read_exact(&mut [0]).unwrap();
            let empty = (&near).read(&mut [0]).unwrap_err();
            assert_eq!(empty.kind(), std::io::ErrorKind::WouldBlock);
            assert_eq!(hub.modify(&near, HUB_READ | HUB_EDGE), 0);
            assert_eq!(hub.look(), []);
        }
    });
}

#[test]
fn the_end_of_the_peers_writing_is_shown_to_who_asks() {
    on_each(|hub| {
        let (near, far) = pair();
        let fd = near.as_raw_fd();
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        assert_eq!(hub.look(), [(fd, HUB_READ)]);
        assert_eq!(hub.modify(&near, HUB_READ | HUB_RDHUP), 0);
        assert_eq!(
            hub.look(),
            [(fd, HUB_READ | HUB_RDHUP)],
            "hub {}",
            hub.name()
        );
        assert_eq!(hub.modify(&near, HUB_READ), 0);
        assert_eq!(hub.look(), [(fd, HUB_READ)]);
    });
}

#[test]
fn urgent_data_is_readable_and_shown_to_who_asks() {
    on_each(|hub| {
        let (near, far) = tcp();
        let fd = near.as_raw_fd();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        // SAFETY: one byte is there.
        let sent = unsafe { libc::send(far.as_raw_fd(), c"!".as_ptr().cast(), 1, libc::MSG_OOB) };
        assert_eq!(sent, 1);
        assert_eq!(hub.wait(LONG), [(fd, HUB_READ)], "hub {}", hub.name());
        assert_eq!(hub.modify(&near, HUB_READ | HUB_PRI), 0);
        assert_eq!(hub.look(), [(fd, HUB_READ | HUB_PRI)], "hub {}", hub.name());
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    on_each(|hub| {
        let (near, _far) = pair();
        for interest in [
            HUB_RDHUP,
            HUB_PRI | HUB_WRITE,
            HUB_READ | HUB_ONESHOT | HUB_EDGE,
            HUB_READ | 128,
        ] {
            assert_eq!(hub.add(&near, interest), -libc::EINVAL);
        }
        assert_eq!(hub.add(&near, HUB_ONESHOT), 0, "nothing yet");
        assert_eq!(hub.look(), []);
    });
}

#[test]
fn the_version_is_that_of_the_crate() {
    let version = hub_version();
    let parts = [version >> 16, version >> 8 & 255, version & 255];
    let text = parts.map(|part| part.to_string()).join(".");
    assert_eq!(text, env!("CARGO_PKG_VERSION"));
}
