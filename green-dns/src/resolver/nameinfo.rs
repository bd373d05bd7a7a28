//! `getnameinfo`.

use std::net::{IpAddr, SocketAddr};

use super::found::nothing;
use crate::{
    Error, ErrorKind, NameFlags, Question, RecordKind, Resolve, Says, Transport, reverse_name,
};

pub(crate) fn getnameinfo<R: Resolve + ?Sized>(
    resolver: &R,
    address: &SocketAddr,
    flags: NameFlags,
) -> Result<(String, String), Error> {
    let digits = digits(address);
    let host = if flags.numeric_host {
        if flags.name_required {
            let why = "a name is required, and must not be looked for";
            return Err(Error::new(ErrorKind::NotFound, &digits, why));
        }
        digits
    } else {
        match name_of(resolver, address.ip(), &digits) {
            Ok(name) => name,
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NoData if !flags.name_required => digits,
                _ => return Err(error),
            },
        }
    };
    Ok((host, service(resolver, address.port(), flags)))
}

fn name_of<R: Resolve + ?Sized>(
    resolver: &R,
    address: IpAddr,
    asked: &str,
) -> Result<String, Error> {
    let address = address.to_canonical();
    if let Some(name) = resolver.hosts().name_of(address) {
        return Ok(name.to_owned());
    }
    let question = Question::new(reverse_name(address), RecordKind::Ptr);
    let outcome = resolver.ask(&resolver.conf(), &[question]).pop();
    let name = match outcome {
        Some(Ok(answer)) => match &answer.says {
            Says::Names(names) => names.first().cloned().ok_or(ErrorKind::NoData),
            _ => Err(ErrorKind::NotFound),
        }
        .map_err(nothing),
        Some(Err(failed)) => Err(failed),
        None => Err(nothing(ErrorKind::NotFound)),
    };
    name.map_err(|failed| failed.error(asked))
}

fn service<R: Resolve + ?Sized>(resolver: &R, port: u16, flags: NameFlags) -> String {
    let transport = match flags.datagram {
        true => Transport::Udp,
        false => Transport::Tcp,
    };
    let listed = (!flags.numeric_service).then(|| resolver.services());
    let name = listed
        .as_ref()
        .and_then(|services| services.name(port, transport));
    name.map_or_else(|| port.to_string(), str::to_owned)
}

/// The address with its scope and without its port.
fn digits(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(six) if six.scope_id() != 0 => format!("{}%{}", six.ip(), six.scope_id()),
        _ => address.ip().to_string(),
    }
}
