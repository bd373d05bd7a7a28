use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::support::*;
use hub::*;

#[test]
fn reports_come_for_as_long_as_it_is_ready() {
    on_each(|hub| {
        let (near, far) = pair();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        (&far).write_all(b"xy").unwrap();
        for _ in 0..3 {
            assert_eq!(hub.wait(LONG), [(near.as_raw_fd(), HUB_READ)]);
        }
        (&near).read_exact(&mut [0]).unwrap();
        assert_eq!(hub.wait(LONG), [(near.as_raw_fd(), HUB_READ)]);
        (&near).read_exact(&mut [0]).unwrap();
        assert_eq!(hub.look(), [], "hub {}", hub.name());
    });
}

#[test]
fn a_hang_up_shows_in_what_is_asked_for() {
    on_each(|hub| {
        for interest in [HUB_READ, HUB_WRITE, HUB_READ | HUB_WRITE] {
            let (near, far) = pair();
            assert_eq!(hub.add(&near, interest), 0);
            drop(far);
            let expected = [(near.as_raw_fd(), interest | HUB_HUP)];
            for _ in 0..3 {
                assert_eq!(hub.wait(LONG), expected, "hub {}", hub.name());
            }
            assert_eq!(hub.remove(&near), 0);
        }
    });
}

#[test]
fn the_end_of_a_pipe_is_a_hang_up_and_the_end_of_its_reader_an_error() {
    on_each(|hub| {
        let (reader, writer) = pipe();
        assert_eq!(hub.add(&reader, HUB_READ), 0);
        drop(writer);
        assert_eq!(hub.wait(LONG), [(reader.as_raw_fd(), HUB_READ | HUB_HUP)]);
        assert_eq!(hub.remove(&reader), 0);

        let (reader, writer) = pipe();
        assert_eq!(hub.add(&writer, HUB_WRITE), 0);
        drop(reader);
        assert_eq!(hub.wait(LONG), [(writer.as_raw_fd(), HUB_WRITE | HUB_ERR)]);
    });
}

#[test]
fn a_half_closed_stream_is_readable_and_no_hang_up() {
    on_each(|hub| {
        let (near, far) = pair();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(hub.wait(LONG), [(near.as_raw_fd(), HUB_READ)]);
    });
}

#[test]
fn nothing_asked_for_nothing_told() {
    on_each(|hub| {
        let (near, far) = pair();
        assert_eq!(hub.add(&near, 0), 0);
        drop(far);
        let start = std::time::Instant::now();
        assert_eq!(
            hub.wait(Duration::from_millis(30)),
            [],
            "hub {}",
            hub.name()
        );
        assert!(start.elapsed() >= Duration::from_millis(30));
        assert_eq!(hub.modify(&near, HUB_READ), 0);
        assert_eq!(hub.wait(LONG), [(near.as_raw_fd(), HUB_READ | HUB_HUP)]);
    });
}

fn ready(count: usize, hub: Handle) -> Vec<(UnixStream, UnixStream)> {
    let pairs: Vec<_> = (0..count).map(|_| pair()).collect();
    for (near, far) in &pairs {
        assert_eq!(hub.add(near, HUB_READ), 0);
        (&*far).write_all(b"x").unwrap();
    }
    pairs
}

fn some(hub: Handle, capacity: u32) -> Vec<RawFd> {
    let (count, events) = hub.wait_for(LONG, capacity);
    assert!(count > 0 && count <= capacity as i32, "{count}");
    events.into_iter().map(|(fd, _)| fd).collect()
}

#[test]
fn what_does_not_fit_comes_before_what_was_told() {
    on_each(|hub| {
        let pairs = ready(50, hub);
        for _ in 0..4 {
            // 7 times 7 and 1: each comes once in eight calls, none twice.
            let told: Vec<_> = (0..8).flat_map(|_| some(hub, 7)).collect();
            assert_eq!(told.len(), 50, "hub {}", hub.name());
            assert_eq!(told.iter().collect::<HashSet<_>>().len(), 50);
        }
        let told: HashSet<_> = (0..50).flat_map(|_| some(hub, 1)).collect();
        assert_eq!(told.len(), 50, "hub {}: one at a time", hub.name());
        drop(pairs);
    });
}

#[test]
fn a_wait_fills_the_room_it_is_given() {
    allow_many();
    on_each(|hub| {
        let pairs = ready(3000, hub);
        let mut told = some(hub, 4096);
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), 3000, "hub {}", hub.name());
        // And by a hundred each comes within the calls that it takes.
        let told: HashSet<_> = (0..30).flat_map(|_| some(hub, 100)).collect();
        assert_eq!(told.len(), 3000, "hub {}: by a hundred", hub.name());
        drop(pairs);
    });
}

#[test]
fn what_did_not_fit_is_told_only_if_it_is_ready_still() {
    on_each(|hub| {
        let pairs = ready(4, hub);
        let first = some(hub, 1)[0];
        let mut rest: Vec<_> = pairs
            .iter()
            .filter(|(near, _)| near.as_raw_fd() != first)
            .collect();
        let (removed, drained, disarmed) = (rest.remove(0), rest.remove(0), rest.remove(0));
        assert_eq!(hub.remove(&removed.0), 0);
        (&drained.0).read_exact(&mut [0]).unwrap();
        assert_eq!(hub.modify(&disarmed.0, 0), 0);
        assert_eq!(some(hub, 1), [first], "hub {}", hub.name());
        assert_eq!(some(hub, 4), [first]);
    });
}

#[test]
fn room_is_checked() {
    on_each(|hub| {
        let mut event = HubEvent::default();
        // SAFETY: what is checked first is that there is no room.
        unsafe {
            assert_eq!(hub_wait(hub.0, 0, std::ptr::null_mut(), 1), -libc::EINVAL);
            assert_eq!(hub_wait(hub.0, 0, &mut event, 0), -libc::EINVAL);
            assert_eq!(
                hub_timer_expired(hub.0, 0, std::ptr::null_mut(), 1),
                -libc::EINVAL
            );
        }
    });
}
