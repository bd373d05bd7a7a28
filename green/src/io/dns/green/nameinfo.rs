//! `getnameinfo`.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use super::services::Transport;
use super::wire::{Kind, Question, Says, reverse_name};
use super::{Failed, Green, nothing};
use crate::dns::{Error, ErrorKind, NameFlags};

impl Green {
    pub(in crate::io::dns) fn getnameinfo(
        &self,
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
            match self.within(&digits, || self.name_of(address.ip(), &digits)) {
                Ok(name) => name,
                Err(error) => match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NoData if !flags.name_required => digits,
                    _ => return Err(error),
                },
            }
        };
        Ok((host, self.service(address.port(), flags)))
    }

    fn name_of(&self, address: IpAddr, asked: &str) -> Result<String, Error> {
        let address = address.to_canonical();
        if let Some(name) = self.hosts.get().name_of(address) {
            return Ok(name);
        }
        let question = Question {
            name: reverse_name(address),
            kind: Kind::Ptr,
        };
        let outcome = self.resolve(&self.conf.get(), &[question]).pop();
        let name: Result<String, Rc<Failed>> = match outcome {
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

    fn service(&self, port: u16, flags: NameFlags) -> String {
        let transport = if flags.datagram {
            Transport::Udp
        } else {
            Transport::Tcp
        };
        let listed = (!flags.numeric_service).then(|| self.services.get());
        let name = listed
            .as_ref()
            .and_then(|services| services.name(port, transport));
        name.map_or_else(|| port.to_string(), str::to_owned)
    }
}

/// The address with its scope and without its port.
fn digits(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(six) if six.scope_id() != 0 => format!("{}%{}", six.ip(), six.scope_id()),
        _ => address.ip().to_string(),
    }
}
