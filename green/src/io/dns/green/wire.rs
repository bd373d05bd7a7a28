//! Messages: questions and answers as they go over the network, by hickory's protocol crate.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};

use super::name::Name;

/// How many names an answer may lead through: `a` is another name for `b`, `b` for `c`.
pub(super) const LONGEST_CHAIN: usize = 16;

/// What is asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    A,
    Aaaa,
    Ptr,
}

/// A question to a name server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// As [`Name`] has it.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// A question ready to be sent. Another one is made for each time that it is sent.
#[derive(Debug)]
pub(super) struct Sent {
    id: u16,
    query: Query,
    pub(super) bytes: Vec<u8>,
}

/// What a name server said.
#[derive(Debug)]
pub(super) enum Reply {
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// From the name that was asked for to the canonical one.
    pub(super) chain: Vec<String>,
    pub(super) says: Says,
    /// For how long that is so.
    pub(super) ttl: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Addresses(Vec<IpAddr>),
    Names(Vec<String>),
    /// The last name of the chain must be asked for.
    Elsewhere,
    NoName,
    NoData,
}

/// The name under which the names of an address are kept.
pub(super) fn reverse_name(address: IpAddr) -> String {
    text(&WireName::from(address))
}

impl Question {
    /// With a random number.
    ///
    /// # Errors
    /// If the name does not fit into a message.
    pub(super) fn send(&self) -> Result<Sent, String> {
        let labels = self.name.split('.').map(str::as_bytes);
        let name = WireName::from_labels(labels).map_err(|error| error.to_string())?;
        let query = Query::query(name, self.kind.record_type());
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(query.clone());
        Ok(Sent {
            id: message.metadata.id,
            bytes: message.to_vec().map_err(|error| error.to_string())?,
            query,
        })
    }
}

impl Kind {
    fn record_type(self) -> RecordType {
        match self {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Ptr => RecordType::PTR,
        }
    }
}

impl Sent {
    /// Reads what came back. `None` says that it is no answer to this question, or none that anybody can read: it may
    /// come from anyone.
    pub(super) fn reply(&self, bytes: &[u8]) -> Option<Reply> {
        let mut decoder = BinDecoder::new(bytes);
        let Header { metadata, counts } = Header::read(&mut decoder).ok()?;
        if metadata.id != self.id
            || metadata.message_type != MessageType::Response
            || metadata.op_code != OpCode::Query
            || counts.queries != 1
        {
            return None;
        }
        let query = Query::read(&mut decoder).ok()?;
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
