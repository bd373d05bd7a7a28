//! The same over TLS.

use std::time::Duration;

use green::Timeout;
use green::server::StreamServer;
use green_tls::{Acceptor, Connector, Identity, TlsListener, wrap};
use green_ws::{Deflate, Message, Options, accept, client, connect, connect_tls, handler};

use crate::common::{bounded, noise, tcp_pair};

fn identity() -> (Acceptor, Connector) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key).unwrap()).unwrap();
    let connector = Connector::builder()
        .roots_from_pem(&certificate)
        .unwrap()
        .build()
        .unwrap();
    (acceptor, connector)
}

#[test]
fn wss_is_served_and_asked_for() {
    bounded(|| {
        let (acceptor, connector) = identity();
        let echo = handler(Options::new().deflate(Deflate::new()), |socket| {
            while let Some(message) = socket.receive()? {
                socket.send(message)?;
            }
            Ok::<(), green_ws::Error>(())
        });
        let listener = TlsListener::new(green::listen("127.0.0.1:0").unwrap(), acceptor);
        let server = StreamServer::new(listener, echo);
        server.start();
        let port = server.listener().get_ref().local_addr().unwrap().port();
        let address = format!("wss://localhost:{port}/");
        let options = Options::new().deflate(Deflate::new());
        let socket = connect_tls(&address, &connector, &options).unwrap();
        for len in [0, 100, 300_000] {
            socket.send(noise(len, 3)).unwrap();
            assert!(socket.receive().unwrap() == Some(Message::from(noise(len, 3))));
        }
        socket.close(1000, "").unwrap();
        // The authorities of the public web do not vouch for it.
        assert!(connect(&address, &options).is_err());
    });
}

/// Whatever is cut short, in the WebSocket or in the TLS below, what comes is whole messages.
#[test]
fn a_send_that_is_cut_short_leaves_no_half_frame_and_no_half_record() {
    bounded(|| {
        let (acceptor, connector) = identity();
        let (near, far) = tcp_pair();
        let server = green::spawn(move || {
            let socket = accept(wrap(far, &acceptor).unwrap(), &Options::new()).unwrap();
            let mut got = Vec::new();
            while let Some(message) = socket.receive().unwrap() {
                let bytes = message.into_bytes();
                let seed = u32::from_be_bytes(*bytes.first_chunk().unwrap());
                assert!(
                    bytes[4..] == noise(bytes.len() - 4, seed),
                    "a message was torn"
                );
                got.push(seed);
                if got.len() % 2 == 0 {
                    green::sleep(Duration::from_millis(1));
                }
            }
            got
        });
        let near = wrap(near, (&connector, "localhost")).unwrap();
        let near = client(near, "wss://localhost/", &Options::new()).unwrap();
        let (mut sent, mut cuts) = (Vec::new(), 0);
        for seed in 0..60_u32 {
            let mut bytes = seed.to_be_bytes().to_vec();
            bytes.extend(noise(500_000, seed));
            let limit = Duration::from_micros(u64::from(seed % 7) * 400 + 50);
            match Timeout::new(limit).run(|| near.send(bytes)) {
                Ok(done) => done.map(|()| sent.push(seed)).unwrap(),
                Err(_) => cuts += 1,
            }
        }
        near.close(1000, "").unwrap();
        let got = server.join().unwrap();
        assert!(cuts > 0, "no send was cut short");
        assert!(
            got.is_sorted_by(|a, b| a < b),
            "twice, or in another order: {got:?}"
        );
        assert!(
            sent.iter().all(|seed| got.contains(seed)),
            "{sent:?} but {got:?}"
        );
    });
}
