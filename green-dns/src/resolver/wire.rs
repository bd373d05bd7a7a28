//! Messages: questions and answers as they go over the network, by hickory's protocol crate.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Header, Message, MessageType, OpCode, Query as WireQuery, ResponseCode};
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};

use crate::Name;

/// How many names an answer may lead through: `a` is another name for `b`, `b` for `c`.
pub const LONGEST_CHAIN: usize = 16;

/// What is asked of a name: a type of records.
///
/// ```
/// use green_dns::{Question, RecordKind};
///
/// let both = [RecordKind::A, RecordKind::Aaaa].map(|kind| Question::new("www.example", kind));
/// assert_eq!((both[0].name == both[1].name, both[0] == both[1]), (true, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name of an address.
    Ptr,
}

/// A question to a name server.
///
/// ```
/// use green_dns::{Question, RecordKind, reverse_name};
///
/// let whose = Question::new(reverse_name([192, 0, 2, 1].into()), RecordKind::Ptr);
/// assert_eq!(whose.name, "1.2.0.192.in-addr.arpa");
/// let query = whose.query(4711)?; // A message with that number.
/// assert!(query.bytes().len() > whose.name.len());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// As [`Name::text`] has it.
    pub name: String,
    /// What is asked of it.
    pub kind: RecordKind,
}

/// A question ready to be sent. Another one is made for each time that it is sent.
///
/// ```
/// use green_dns::{Question, RecordKind};
///
/// let query = Question::new("www.example", RecordKind::A).query(4711)?;
/// assert_eq!(query.bytes()[..2], 4711u16.to_be_bytes());
/// assert!(query.reply(b"nonsense, perhaps from somebody else").is_none());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub struct Query {
    id: u16,
    query: WireQuery,
    bytes: Vec<u8>,
}

/// What a name server said.
///
/// ```
/// use green_dns::{Question, RecordKind, Reply};
///
/// let query = Question::new("www.example", RecordKind::A).query(4711)?;
/// let mut refusal = query.bytes().to_vec();
/// refusal[2] |= 0x80; // An answer,
/// refusal[3] |= 5; // and that of a server that refuses.
/// match query.reply(&refusal) {
///     Some(Reply::Answer(answer)) => println!("{:?}", answer.says),
///     Some(Reply::Truncated) => println!("ask again over TCP"),
///     Some(refused) => println!("ask another server: {refused:?}"),
///     None => unreachable!("it is the reply to this question"),
/// }
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub enum Reply {
    /// The answer, which may be that there is nothing.
    Answer(Answer),
    /// The whole answer must be fetched over TCP.
    Truncated,
    /// The server says that it has failed.
    Failed,
    /// The server will not say, and has this to say instead.
    Refused(String),
    /// It is the answer to this question, and makes no sense.
    Garbled(String),
}

/// What is known of a name.
///
/// ```
/// use green_dns::{Answer, Says};
/// use std::time::Duration;
///
/// let answer = Answer {
///     chain: vec!["www.example".into(), "web.example".into()],
///     says: Says::Addresses(vec![[192, 0, 2, 7].into()]),
///     ttl: Duration::from_secs(60),
/// };
/// assert!(answer.has_addresses());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// From the name that was asked for to the canonical one.
    pub chain: Vec<String>,
    /// What the answer says of the last of these names.
    pub says: Says,
    /// How long the answer holds.
    pub ttl: Duration,
}

impl Answer {
    /// True if it has addresses.
    pub fn has_addresses(&self) -> bool {
        matches!(self.says, Says::Addresses(_))
    }
}

/// What an answer says.
///
/// ```
/// use green_dns::Says;
///
/// fn is_final(says: &Says) -> bool {
///     !matches!(says, Says::Elsewhere)
/// }
/// assert!(is_final(&Says::NoName) && !is_final(&Says::Elsewhere));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// These addresses, each once.
    Addresses(Vec<IpAddr>),
    /// These names.
    Names(Vec<String>),
    /// The last name of the chain must be asked for.
    Elsewhere,
    /// No such name exists.
    NoName,
    /// The name exists, and has nothing of the kind.
    NoData,
}

/// The name under which the names of an address are kept.
///
/// ```
/// assert_eq!(green_dns::reverse_name([192, 0, 2, 1].into()), "1.2.0.192.in-addr.arpa");
/// ```
pub fn reverse_name(address: IpAddr) -> String {
    text(&WireName::from(address))
}

impl Question {
    /// Asks for the records of this kind that `name` has.
    pub fn new(name: impl Into<String>, kind: RecordKind) -> Question {
        let name = name.into();
        Question { name, kind }
    }

    /// The message, with `id` as its number. Draw that anew for each, so that others cannot guess it: an answer
    /// counts only if it has the same.
    ///
    /// # Errors
    /// Says why the name does not fit into a message.
    pub fn query(&self, id: u16) -> Result<Query, String> {
        let labels = self.name.split('.').map(str::as_bytes);
        let name = WireName::from_labels(labels).map_err(|error| error.to_string())?;
        let query = WireQuery::query(name, self.kind.record_type());
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(query.clone());
        Ok(Query {
            id,
            bytes: message.to_vec().map_err(|error| error.to_string())?,
            query,
        })
    }
}

impl RecordKind {
    fn record_type(self) -> RecordType {
        match self {
            RecordKind::A => RecordType::A,
            RecordKind::Aaaa => RecordType::AAAA,
            RecordKind::Ptr => RecordType::PTR,
        }
    }
}

impl Query {
    /// The message to send. Over TCP its length goes before it, in two bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads a message that came back. `None` says that it is no answer to this question, or not readable: it may
    /// come from anyone.
    pub fn reply(&self, bytes: &[u8]) -> Option<Reply> {
        let mut decoder = BinDecoder::new(bytes);
        let Header { metadata, counts } = Header::read(&mut decoder).ok()?;
        if metadata.id != self.id
            || metadata.message_type != MessageType::Response
            || metadata.op_code != OpCode::Query
            || counts.queries != 1
        {
            return None;
        }
        let query = WireQuery::read(&mut decoder).ok()?;
        if query != self.query {
            return None;
        }
        if metadata.truncation {
            return Some(Reply::Truncated);
        }
        let no_name = match metadata.response_code {
            ResponseCode::NoError => false,
            ResponseCode::NXDomain => true,
            ResponseCode::ServFail => return Some(Reply::Failed),
            code => return Some(Reply::Refused(code.to_string())),
        };
        // What is beside the answer is nothing that was asked for, so nobody looks at it.
        let records = (|| {
            let answers = records(&mut decoder, counts.answers)?;
            let authorities = records(&mut decoder, counts.authorities)?;
            Ok((answers, authorities))
        })();
        let (answers, authorities) = match records {
            Ok(records) => records,
            Err(error) => {
                let error: DecodeError = error;
                return Some(Reply::Garbled(error.to_string()));
            }
        };
        Some(self.read(&answers, &authorities, no_name))
    }

    fn read(&self, answers: &[Record], authorities: &[Record], no_name: bool) -> Reply {
        let mut name = self.query.name.clone();
        let mut chain = vec![name.clone()];
        let mut least = u32::MAX;
        while let Some((next, ttl)) = alias(answers, &name) {
            if chain.len() == LONGEST_CHAIN {
                return Reply::Garbled("it leads through too many names".to_owned());
            }
            least = least.min(ttl);
            name = next.clone();
            chain.push(name.clone());
        }
        let aliased = chain.len() > 1;
        let kind = self.query.query_type;
        let mut names = Vec::new();
        for name in &chain {
            match host(name) {
                Some(name) => names.push(name),
                // Reverse zones that are shared out have a slash in their names (RFC 2317).
                None if kind == RecordType::PTR => names.push(text(name)),
                None => return Reply::Garbled(format!("{name} is no name of a host")),
            }
        }
        let mut addresses = Vec::new();
        let mut hosts = Vec::new();
        for record in of(answers, &name, kind) {
            match &record.data {
                RData::A(address) => add(&mut addresses, address.0.into()),
                RData::AAAA(address) => add(&mut addresses, address.0.into()),
                // Nobody should have to cope with what is no name of a host.
                RData::PTR(target) => hosts.extend(host(target)),
                _ => continue,
            }
            least = least.min(ttl(record));
        }
        let says = match (addresses.is_empty(), hosts.is_empty()) {
            (false, _) => Says::Addresses(addresses),
            (true, false) => Says::Names(hosts),
            (true, true) => {
                let soa = authorities.iter().find_map(soa);
                if aliased && soa.is_none() && !no_name {
                    Says::Elsewhere
                } else {
                    // Without that record nobody may remember it (RFC 2308).
                    least = least.min(soa.unwrap_or(0));
                    if no_name { Says::NoName } else { Says::NoData }
                }
            }
        };
        Reply::Answer(Answer {
            chain: names,
            says,
            ttl: Duration::from_secs(least.into()),
        })
    }
}

fn records(decoder: &mut BinDecoder<'_>, count: u16) -> Result<Vec<Record>, DecodeError> {
    let (records, _, _) = Message::read_records(decoder, usize::from(count), false, OpCode::Query)?;
    Ok(records)
}

fn of<'a>(
    records: &'a [Record],
    name: &'a WireName,
    kind: RecordType,
) -> impl Iterator<Item = &'a Record> {
    records.iter().filter(move |record| {
        record.record_type() == kind && record.dns_class == DNSClass::IN && record.name == *name
    })
}

/// What `name` is another name for.
fn alias<'a>(records: &'a [Record], name: &'a WireName) -> Option<(&'a WireName, u32)> {
    of(records, name, RecordType::CNAME).find_map(|record| match &record.data {
        RData::CNAME(target) => Some((&target.0, ttl(record))),
        _ => None,
    })
}

/// For how long nothing is known (RFC 2308).
fn soa(record: &Record) -> Option<u32> {
    match &record.data {
        RData::SOA(soa) => Some(ttl(record).min(soa.minimum)),
        _ => None,
    }
}

/// In seconds; what is out of range is nothing (RFC 2181).
fn ttl(record: &Record) -> u32 {
    if record.ttl > i32::MAX.cast_unsigned() {
        return 0;
    }
    record.ttl
}

fn text(name: &WireName) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    text.trim_end_matches('.').to_owned()
}

/// As text, if it can be a name of a host.
fn host(name: &WireName) -> Option<String> {
    let name = Name::parse(&name.to_ascii()).ok()?;
    Some(name.text().to_owned())
}

fn add(addresses: &mut Vec<IpAddr>, address: IpAddr) {
    if !addresses.contains(&address) {
        addresses.push(address);
    }
}
