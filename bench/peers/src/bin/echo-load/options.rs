//! The command line.

use std::net::SocketAddr;

#[derive(Clone, Copy)]
pub struct Options {
    pub address: SocketAddr,
    pub server: u32,
    pub active: usize,
    pub idle: usize,
    pub size: usize,
    pub churn: bool,
}

impl Options {
    pub fn from_args(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let address = arguments.next().ok_or("an ADDRESS is missing")?;
        let mut options = Options {
            address: parse("ADDRESS", Some(address))?,
            server: 0,
            active: 64,
            idle: 0,
            size: 64,
            churn: false,
        };
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--churn" => options.churn = true,
                "--server" => options.server = parse(&name, arguments.next())?,
                "--active" => options.active = parse(&name, arguments.next())?,
                "--idle" => options.idle = parse(&name, arguments.next())?,
                "--size" => options.size = parse(&name, arguments.next())?,
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if options.server == 0 {
            return Err("--server PID is missing: its clock is the figure".into());
        }
        if options.active == 0 || options.size < 16 {
            return Err("at least one active connection and 16 bytes are needed".into());
        }
        Ok(options)
    }
}

fn parse<T: std::str::FromStr>(name: &str, value: Option<String>) -> Result<T, String> {
    let value = value.ok_or(format!("{name} needs a value"))?;
    value
        .parse()
        .map_err(|_| format!("{name} cannot be {value:?}"))
}
