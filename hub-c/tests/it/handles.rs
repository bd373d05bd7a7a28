use std::io;
use std::ptr;

use super::support::*;
use hub::*;

/// What every function that takes a handle says of this one.
fn ask_all(hub: *mut Hub) -> Vec<i32> {
    let mut event = HubEvent::default();
    let mut number = 0_i64;
    let mut token = 0_u64;
    // SAFETY: there is room for one of each.
    let unsafe_ones = unsafe {
        [
            hub_wait(hub, 0, &mut event, 1),
            hub_timer_next(hub, &mut number),
            hub_timer_expired(hub, 0, &mut token, 1),
        ]
    };
    let safe_ones = [
        hub_add(hub, 0, HUB_READ),
        hub_modify(hub, 0, HUB_READ),
        hub_remove(hub, 0),
        hub_notify(hub),
        hub_fd(hub),
        hub_after_fork(hub),
        hub_timer_add(hub, 0, 0),
        hub_timer_cancel(hub, 0),
        hub_timer_clear(hub),
        hub_destroy(hub),
    ];
    assert!(hub_name(hub).is_null());
    [&unsafe_ones[..], &safe_ones].concat()
}

#[test]
fn unknown_names_are_einval() {
    for name in [c"kqueue", c"epolls", c"Epoll", c"epoll ", c"\xff"] {
        // SAFETY: it is a C string.
        assert!(unsafe { hub_create(name.as_ptr()) }.is_null());
        assert_eq!(
            io::Error::last_os_error().raw_os_error(),
            Some(libc::EINVAL)
        );
    }
    // SAFETY: NULL is allowed.
    assert!(unsafe { hub_create(ptr::null()) }.is_null());
    assert_eq!(
        io::Error::last_os_error().raw_os_error(),
        Some(libc::EINVAL)
    );
}

#[test]
fn names_are_those_asked_for_and_the_default_is_the_best() {
    for name in NAMES {
        let hub = Handle::new(name);
        assert_eq!(hub.name(), name);
        hub.destroy();
    }
    let hub = Handle::new("");
    let best = match cfg!(any(target_os = "linux", target_os = "android")) {
        true => "epoll",
        false => "polling",
    };
    assert_eq!(hub.name(), best);
    hub.destroy();
}

#[test]
fn null_is_einval_everywhere() {
    assert!(
        ask_all(ptr::null_mut())
            .iter()
            .all(|&said| said == -libc::EINVAL)
    );
}

#[test]
fn a_destroyed_hub_is_ebadf_everywhere() {
    for name in NAMES {
        let hub = Handle::new(name);
        hub.destroy();
        assert!(ask_all(hub.0).iter().all(|&said| said == -libc::EBADF));
        // Also when its place is taken again.
        let next: Vec<Handle> = (0..200).map(|_| Handle::new("poll")).collect();
        assert!(ask_all(hub.0).iter().all(|&said| said == -libc::EBADF));
        assert!(next.iter().all(|hub| hub.name() == "poll"));
        next.into_iter().for_each(Handle::destroy);
    }
}

#[test]
fn what_never_was_a_handle_is_ebadf() {
    let (local, half) = (0_u64, usize::BITS / 2);
    let mut nonsense = vec![usize::MAX, usize::MAX / 2, (&raw const local).addr()];
    // The low half alone never is a handle; the high half could be one of another test.
    nonsense.extend((0..half).map(|bit| 1 << bit));
    nonsense.extend((half + half / 2..usize::BITS).map(|bit| 1 << bit));
    for bits in nonsense {
        let said = ask_all(ptr::without_provenance_mut(bits));
        assert!(
            said.iter().all(|&said| said == -libc::EBADF),
            "{bits:#x}: {said:?}"
        );
    }
}

#[test]
fn many_hubs_live_beside_each_other() {
    allow_many();
    let hubs: Vec<Handle> = (0..300)
        .map(|number| Handle::new(NAMES[number % 4]))
        .collect();
    let pairs: Vec<_> = hubs.iter().map(|_| pair()).collect();
    for (hub, (near, _)) in hubs.iter().zip(&pairs) {
        assert_eq!(hub.add(near, HUB_READ), 0);
    }
    io::Write::write_all(&mut &pairs[77].1, b"x").unwrap();
    for (number, (hub, (near, _))) in hubs.iter().zip(&pairs).enumerate() {
        let expected = (number == 77).then(|| (std::os::fd::AsRawFd::as_raw_fd(near), HUB_READ));
        assert_eq!(hub.look(), Vec::from_iter(expected));
    }
    hubs.into_iter().for_each(Handle::destroy);
}
