use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::Make;
use super::kit::{TRIGGERS, Trial, drain, fill, pair, tcp_pair, write};
use crate::{Interest, Ready, Trigger};

/// The peer is gone: both directions are reported, if they are waited for.
pub fn a_hang_up_makes_both_directions_ready(make: Make<'_>) {
    for trigger in TRIGGERS {
        for interest in [Interest::READ, Interest::WRITE, Interest::BOTH] {
            let mut trial = Trial::new(make);
            let (near, far) = pair();
            fill(&far);
            trial.add(&far, 1, trigger);
            trial.wait(Duration::ZERO);
            trial.arm(&far, 1, interest);
            trial.silent();
            drop(near);
            trial.until(1, interest);
        }
    }
}

/// The peer is gone, and nothing is armed: the hub sleeps.
pub fn a_hang_up_that_nobody_waits_for_does_not_spin(make: Make<'_>) {
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        let (near, far) = pair();
        trial.add(&far, 1, trigger);
        drop(near);
        if trigger == Trigger::Edge {
            trial.wait(Duration::ZERO); // It may give a hint.
        }
        trial.asleep(Duration::from_millis(20));
        trial.arm(&far, 1, Interest::READ);
        if trigger != Trigger::Edge {
            trial.until(1, Interest::READ);
        }
        if trigger == Trigger::Level {
            trial.arm(&far, 1, Interest::NONE);
        } else {
            trial.wait(Duration::ZERO);
        }
        trial.asleep(Duration::from_millis(20));
    }
}

/// A peer that resets the connection makes it readable; reading finds the error.
pub fn a_reset_is_reported(make: Make<'_>) {
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        let mut client = TcpStream::connect(address).expect("a connection");
        let (mut server, _) = listener.accept().expect("its other end");
        server.write_all(b"x").expect("there is room");
        assert_eq!(client.read(&mut [0; 8]).expect("there is data"), 1);
        client
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
        client.write_all(b"never read").expect("there is room");
        trial.add(&client, 1, trigger);
        trial.wait(Duration::ZERO);
        trial.arm(&client, 1, Interest::READ);
        trial.silent();
        server
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
        drop(server); // With unread data in it.
        trial.until(1, Interest::READ);
        let error = client.read(&mut [0; 8]).expect_err("it was reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

/// An error without data makes the descriptor readable; reading finds the error.
pub fn an_error_is_reported(make: Make<'_>) {
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        let (nobody, socket) = refused();
        drop(nobody);
        trial.add(&socket, 1, trigger);
        trial.wait(Duration::ZERO);
        trial.arm(&socket, 1, Interest::READ);
        trial.silent();
        socket.send(b"anybody?").expect("it is sent");
        trial.until(1, Interest::READ);
        let error = socket.recv(&mut [0; 8]).expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}

/// A hub that says so shows a hang-up and an error by their own bits.
pub fn hang_ups_are_shown_if_it_says_so(make: Make<'_>) {
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        if !trial.hub.shows_hang_ups() {
            return;
        }
        let (near, far) = pair();
        trial.add(&far, 1, trigger);
        trial.arm(&far, 1, Interest::READ);
        drop(near);
        assert!(trial.until(1, Interest::READ).has(Ready::HUP));
        let (near, far) = refused();
        trial.add(&far, 2, trigger);
        trial.wait(Duration::ZERO);
        trial.arm(&far, 2, Interest::READ);
        drop(near);
        far.send(b"anybody?").expect("it is sent");
        let mut ready = Ready::NONE;
        while !ready.is_readable() {
            ready = trial.reports().of(2);
        }
        assert!(ready.has(Ready::ERR), "{ready:?}");
    }
}

/// A socket that is connected to another, which is to be dropped.
fn refused() -> (UdpSocket, UdpSocket) {
    let [near, far] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a socket"));
    far.set_nonblocking(true)
        .expect("a socket can be non-blocking");
    far.connect(near.local_addr().expect("its address"))
        .expect("a connection");
    (near, far)
}

/// One urgent byte and nothing else makes a TCP stream readable, with any trigger.
pub fn urgent_data_makes_reading_ready(make: Make<'_>) {
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        let (near, far) = tcp_pair();
        trial.add(&far, 1, trigger);
        trial.wait(Duration::ZERO);
        trial.arm(&far, 1, Interest::READ);
        trial.silent();
        let sent = rustix::net::send(&near, b"!", rustix::net::SendFlags::OOB);
        assert_eq!(sent.expect("there is room"), 1);
        trial.until(1, Interest::READ);
    }
}

fn a_file() -> File {
    let path = std::env::current_exe().expect("this program is a file");
    File::open(path).expect("this program can be read")
}

/// A regular file obeys all triggers, and is ready whenever it is armed.
pub fn a_regular_file_is_always_ready(make: Make<'_>) {
    for trigger in TRIGGERS {
        for interest in [Interest::READ, Interest::WRITE, Interest::BOTH] {
            let mut trial = Trial::new(make);
            let file = a_file();
            trial.add(&file, 1, trigger);
            trial.silent();
            for _ in 0..3 {
                trial.arm(&file, 1, interest);
                let ready = trial.reports().of(1);
                assert_eq!(Interest::answered_by(ready), interest);
                if trigger == Trigger::Level {
                    trial.until(1, interest);
                    trial.arm(&file, 1, Interest::NONE);
                }
                trial.silent();
            }
            trial.arm(&file, 1, interest);
            trial.remove(&file, 1);
            trial.silent();
            trial.add(&file, 2, trigger);
            let again = trial.hub.add(
                std::os::fd::AsFd::as_fd(&file),
                crate::Token::from_raw(3),
                trigger,
            );
            assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
    }
}

/// A file that is always ready does not keep others from being reported.
pub fn a_regular_file_starves_nobody(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (file, (near, far)) = (a_file(), pair());
    trial.add(&file, 1, Trigger::Level);
    trial.arm(&file, 1, Interest::READ);
    trial.add(&far, 2, Trigger::Oneshot);
    trial.arm(&far, 2, Interest::READ);
    assert!(trial.reports().of(2).is_none());
    write(&near, "x");
    let mut ready = Ready::NONE;
    for _ in 0..10 {
        let reports = trial.reports();
        assert!(reports.of(1).is_readable());
        ready |= reports.of(2);
    }
    assert!(ready.is_readable());
    assert_eq!(drain(&far), (1, false));
}
