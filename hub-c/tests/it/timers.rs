use super::support::*;
use hub::*;

fn next(hub: Handle) -> Option<i64> {
    let mut deadline = 0;
    // SAFETY: there is room for one.
    match unsafe { hub_timer_next(hub.0, &mut deadline) } {
        0 => None,
        1 => Some(deadline),
        said => panic!("{}", error(said)),
    }
}

fn expired(hub: Handle, now: i64, capacity: u32) -> Vec<u64> {
    let mut tokens = vec![0; capacity as usize];
    // SAFETY: there is room for `capacity`.
    let count = unsafe { hub_timer_expired(hub.0, now, tokens.as_mut_ptr(), capacity) };
    assert!(count >= 0, "{}", error(count));
    tokens.truncate(count as usize);
    tokens
}

#[test]
fn timers_come_by_deadline_and_as_many_as_fit() {
    on_each(|hub| {
        assert_eq!((next(hub), expired(hub, i64::MAX, 4)), (None, vec![]));
        for (deadline, token) in [(30, 3), (10, 1), (20, 2), (10, 11), (-5, u64::MAX)] {
            assert_eq!(hub_timer_add(hub.0, deadline, token), 0);
        }
        assert_eq!(hub_timer_add(hub.0, 99, 3), -libc::EEXIST);
        assert_eq!(next(hub), Some(-5));
        assert_eq!(expired(hub, -6, 4), []);
        assert_eq!(expired(hub, 20, 2), [u64::MAX, 1]);
        assert_eq!(expired(hub, 20, 2), [11, 2], "what did not fit");
        assert_eq!(hub_timer_cancel(hub.0, 2), -libc::ENOENT);
        assert_eq!(hub_timer_cancel(hub.0, 3), 0);
        assert_eq!(next(hub), None);
        assert_eq!(hub_timer_add(hub.0, 1, 3), 0, "the token is free again");
        assert_eq!(hub_timer_add(hub.0, 2, 4), 0);
        assert_eq!(hub_timer_clear(hub.0), 2);
        assert_eq!(hub_timer_clear(hub.0), 0);
        assert_eq!(expired(hub, i64::MAX, 4), []);
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { hub_timer_next(hub.0, std::ptr::null_mut()) }, 0);
    });
}

#[test]
fn timers_do_not_end_a_wait() {
    let hub = Handle::new("");
    assert_eq!(hub_timer_add(hub.0, i64::MIN, 1), 0);
    let start = std::time::Instant::now();
    assert_eq!(hub.wait(std::time::Duration::from_millis(20)), []);
    assert!(start.elapsed() >= std::time::Duration::from_millis(20));
    hub.destroy();
}
