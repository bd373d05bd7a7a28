//! One busy descriptor among many idle ones: what a byte through a socket costs on each hub
//!
//! Every descriptor is armed for reading. The cost of the socket itself is the same for all.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hub_core::{Hub, Interest, Token, Trigger};

#[path = "../tests/common/mod.rs"]
mod common;

fn idle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a byte beside idle descriptors");
    for count in [0, 64, 1000, 8000] {
        for (name, make) in common::HUBS {
            let mut hub: Box<dyn Hub> = make().unwrap();
            let (mut near, mut far) = UnixStream::pair().unwrap();
            let mut register = |socket: &UnixStream, token| {
                let token = Token::from_raw(token);
                hub.add(socket.as_fd(), token, Trigger::Edge).unwrap();
                hub.arm(socket.as_fd(), token, Interest::READ).unwrap();
            };
            register(&far, 0);
            let pairs: Vec<_> = (0..count).map(|_| UnixStream::pair().unwrap()).collect();
            for (token, (_, idle)) in pairs.iter().enumerate() {
                register(idle, 1 + token as u64);
            }
            let mut events = Vec::new();
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    near.write_all(&[1]).unwrap();
                    hub.wait(Some(Duration::from_secs(1)), &mut events).unwrap();
                    assert_eq!(events.len(), 1);
                    events.clear();
                    assert_eq!(far.read(&mut [0; 8]).unwrap(), 1);
                    hub.arm(far.as_fd(), Token::from_raw(0), Interest::READ)
                        .unwrap();
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, idle);
criterion_main!(benches);
