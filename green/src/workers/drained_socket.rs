//! A listening socket that takes no new connections, but those that have begun.

use std::net::TcpListener;

/// From now on the system drops what would begin a connection, as if it had been lost on the way: the client sends it
/// again. Handshakes that have begun go on. It may be called again.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn refuse_handshakes(listener: &TcpListener) {
    use socket2::{SockFilter, SockRef};

    // Programs of the packet filter, which sees a packet from its TCP header on.
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const JUMP_IF_SET: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const FLAGS: u32 = 13;
    const SYN: u32 = 2;
    let program = [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    if let Err(error) = SockRef::from(listener).attach_filter(&program) {
        log::debug!("connections that come while {listener:?} is closed may be lost: {error}");
    }
}

/// Nothing is known that would do so here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn refuse_handshakes(_listener: &TcpListener) {}
