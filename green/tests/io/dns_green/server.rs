//! A name server that also talks rubbish: messages are put together by hand here, not by the crate that reads them.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use green::net::{TcpListener, TcpStream, UdpSocket};

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const PTR: u16 = 12;
pub(crate) const AAAA: u16 = 28;

pub(crate) const SERVFAIL: u8 = 2;
pub(crate) const NXDOMAIN: u8 = 3;
pub(crate) const REFUSED: u8 = 5;

/// A question as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) id: u16,
    pub(crate) name: String,
    pub(crate) kind: u16,
    /// Name, type and class as they came.
    question: Vec<u8>,
    pub(crate) tcp: bool,
    pub(crate) from: SocketAddr,
}

impl Asked {
    fn read(message: &[u8], from: SocketAddr, tcp: bool) -> Asked {
        assert_eq!(&message[4..12], [0, 1, 0, 0, 0, 0, 0, 0], "one question");
        assert_eq!(message[2], 1, "a query, recursion desired");
        let mut at = 12;
        let mut labels = Vec::new();
        while message[at] != 0 {
            let len = usize::from(message[at]);
            labels.push(String::from_utf8(message[at + 1..=at + len].to_vec()).unwrap());
            at += len + 1;
        }
        assert_eq!(message.len(), at + 5, "nothing behind the question");
        Asked {
            id: u16::from_be_bytes([message[0], message[1]]),
            name: labels.join("."),
            kind: u16::from_be_bytes([message[at + 1], message[at + 2]]),
            question: message[12..].to_vec(),
            tcp,
            from,
        }
    }

    /// An answer, as `change` leaves it.
    pub(crate) fn answer(&self, change: impl FnOnce(&mut Answer)) -> Vec<u8> {
        let mut answer = Answer {
            id: self.id,
            flags: 0x80,
            truncated: false,
            code: 0,
            question: self.question.clone(),
            answers: Vec::new(),
            authorities: Vec::new(),
        };
        change(&mut answer);
        answer.bytes()
    }

    /// An answer with addresses of the kind that was asked for.
    pub(crate) fn addresses(&self, addresses: &[&str], ttl: u32) -> Vec<u8> {
        self.answer(|answer| {
            let addresses = addresses.iter().map(|address| address.parse().unwrap());
            for address in addresses {
                let record = Record::address(&self.name, address, ttl);
                if record.kind == self.kind {
                    answer.answers.push(record);
                }
            }
        })
    }

    pub(crate) fn code(&self, code: u8) -> Vec<u8> {
        self.answer(|answer| answer.code = code)
    }
}

pub(crate) struct Answer {
    pub(crate) id: u16,
    pub(crate) flags: u8,
    pub(crate) truncated: bool,
    pub(crate) code: u8,
    pub(crate) question: Vec<u8>,
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
}

impl Answer {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.push(self.flags | if self.truncated { 2 } else { 0 });
        bytes.push(0x80 | self.code);
        for count in [
            usize::from(!self.question.is_empty()),
            self.answers.len(),
            self.authorities.len(),
            0,
        ] {
            bytes.extend(u16::try_from(count).unwrap().to_be_bytes());
        }
        bytes.extend(&self.question);
        for record in self.answers.iter().chain(&self.authorities) {
            record.write(&mut bytes);
        }
        bytes
    }
}

pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) ttl: u32,
    pub(crate) data: Vec<u8>,
}

impl Record {
    pub(crate) fn address(name: &str, address: IpAddr, ttl: u32) -> Record {
        let (kind, data) = match address {
            IpAddr::V4(address) => (A, address.octets().to_vec()),
            IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
        };
        Record {
            name: name.to_owned(),
            kind,
            ttl,
            data,
        }
    }

    /// CNAME or PTR.
    pub(crate) fn name(name: &str, kind: u16, target: &str, ttl: u32) -> Record {
        let mut data = Vec::new();
        write_name(target, &mut data);
        Record {
            name: name.to_owned(),
            kind,
            ttl,
            data,
        }
    }

    pub(crate) fn soa(zone: &str, ttl: u32, minimum: u32) -> Record {
        let mut data = Vec::new();
        write_name("ns.example", &mut data);
        write_name("root.example", &mut data);
        for number in [1, 7200, 900, 86_400, minimum] {
            data.extend(number.to_be_bytes());
        }
        Record {
            name: zone.to_owned(),
            kind: SOA,
            ttl,
            data,
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        write_name(&self.name, bytes);
        bytes.extend(self.kind.to_be_bytes());
        bytes.extend(1u16.to_be_bytes());
        bytes.extend(self.ttl.to_be_bytes());
        bytes.extend(u16::try_from(self.data.len()).unwrap().to_be_bytes());
        bytes.extend(&self.data);
    }
}

fn write_name(name: &str, bytes: &mut Vec<u8>) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
}

/// A server in greenthreads of the test's own thread.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Rc<RefCell<Vec<Asked>>>,
}

impl Server {
    /// `say` gives what is sent back: any number of messages.
    pub(crate) fn start(say: impl Fn(&Asked) -> Vec<Vec<u8>> + 'static) -> Server {
        Server::start_with(move |asked, _| say(asked))
    }

    /// `say` has the socket as well.
    pub(crate) fn start_with(
        say: impl Fn(&Asked, &Rc<UdpSocket>) -> Vec<Vec<u8>> + 'static,
    ) -> Server {
        let (udp, tcp) = bind();
        let udp = Rc::new(udp);
        let asked = Rc::new(RefCell::new(Vec::new()));
        let address = udp.local_addr().unwrap();
        let say = Rc::new(say);
        let (log, socket, answer) = (Rc::clone(&asked), Rc::clone(&udp), Rc::clone(&say));
        green::spawn_n(move || {
            let mut buf = [0; 1024];
            loop {
                let (len, from) = socket.recv_from(&mut buf).unwrap();
                let asked = Asked::read(&buf[..len], from, false);
                log.borrow_mut().push(asked.clone());
                for message in answer(&asked, &socket) {
                    socket.send_to(&message, from).unwrap();
                }
            }
        });
        let (log, socket) = (Rc::clone(&asked), udp);
        green::spawn_n(move || {
            loop {
                let (mut stream, from) = tcp.accept().unwrap();
                let Some(message) = read_message(&mut stream) else {
                    continue;
                };
                let asked = Asked::read(&message, from, true);
                log.borrow_mut().push(asked.clone());
                for message in say(&asked, &socket) {
                    let len = u16::try_from(message.len()).unwrap();
                    // It may have gone.
                    let _ = stream.write_all(&len.to_be_bytes());
                    let _ = stream.write_all(&message);
                }
            }
        });
        Server { address, asked }
    }

    /// A server that has the same addresses for every name.
    pub(crate) fn of(addresses: &'static [&'static str], ttl: u32) -> Server {
        Server::start(move |asked| vec![asked.addresses(addresses, ttl)])
    }

    pub(crate) fn silent() -> Server {
        Server::start(|_| Vec::new())
    }

    /// How many questions came.
    pub(crate) fn count(&self) -> usize {
        self.asked.borrow().len()
    }

    /// What was asked since the last call, each as `name` or `name/tcp`, without the questions for IPv6.
    pub(crate) fn names(&self) -> Vec<String> {
        let asked = self.asked.take();
        let asked = asked.iter().filter(|asked| asked.kind != AAAA);
        asked
            .map(|asked| format!("{}{}", asked.name, if asked.tcp { "/tcp" } else { "" }))
            .collect()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }
}

/// Both sockets on one port.
fn bind() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both");
}

fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len).ok()?;
    let mut message = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}
