//! One operation of each library, as its documentation says, and nothing of green.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::sleep;

use mysql::prelude::Queryable;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use site::databases;

use super::{OPERATION, Operation, local, threads};

type Made = Result<Operation, Box<dyn Error>>;

/// The operation of that name, with the server that it needs.
pub(crate) fn operation(name: &str) -> Made {
    match name {
        "tcp" => tcp(),
        "curl" => curl(),
        "ureq" => ureq("127.0.0.1"),
        "localhost" => ureq("localhost"),
        "redis" => redis(),
        "postgres" => postgres(),
        "mysql" => mysql(),
        "reqwest" => reqwest_one(),
        "reqwest-each" => reqwest_each(),
        "rustls" => rustls(),
        "tungstenite" => tungstenite(),
        "command" => Ok(command()),
        "sleep" => Ok(Rc::new(|| {
            sleep(OPERATION);
            Ok(())
        })),
        _ => threads::operation(name).ok_or_else(|| "no such operation".into()),
    }
}

fn address(server: &str) -> Result<String, Box<dyn Error>> {
    databases::address(server).ok_or_else(|| "its server does not run: services/up".into())
}

fn tcp() -> Made {
    let address = local::echo()?;
    Ok(Rc::new(move || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"ping")?;
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        assert_eq!(&bytes, b"ping");
        Ok(())
    }))
}

fn ureq(host: &str) -> Made {
    let url = format!("http://{host}:{}/", local::http()?.port());
    Ok(Rc::new(move || {
        let text = ureq::get(&url).call()?.body_mut().read_to_string()?;
        assert_eq!(text, "hello");
        Ok(())
    }))
}

/// In C.
fn curl() -> Made {
    let url = format!("http://{}/", local::http()?);
    Ok(Rc::new(move || {
        let mut text = Vec::new();
        let mut easy = curl::easy::Easy::new();
        easy.url(&url)?;
        let mut transfer = easy.transfer();
        transfer.write_function(|data| {
            text.extend_from_slice(data);
            Ok(data.len())
        })?;
        transfer.perform()?;
        drop(transfer);
        assert_eq!(text, b"hello");
        Ok(())
    }))
}

fn redis() -> Made {
    let client = redis::Client::open(address("redis")?)?;
    Ok(Rc::new(move || {
        let mut connection = client.get_connection()?;
        let nothing: Option<(String, String)> = redis::cmd("BLPOP")
            .arg("an empty list")
            .arg(OPERATION.as_secs_f64())
            .query(&mut connection)?;
        assert_eq!(nothing, None);
        Ok(())
    }))
}

fn postgres() -> Made {
    let address = address("postgres")?;
    Ok(Rc::new(move || {
        let mut client = postgres::Client::connect(&address, postgres::NoTls)?;
        client.query("SELECT pg_sleep($1)", &[&OPERATION.as_secs_f64()])?;
        Ok(())
    }))
}

fn mysql() -> Made {
    let opts = mysql::Opts::from_url(&address("mysql")?)?;
    Ok(Rc::new(move || {
        let mut connection = mysql::Conn::new(opts.clone())?;
        let sleep = format!("SELECT SLEEP({})", OPERATION.as_secs_f64());
        let slept: Option<u8> = connection.query_first(sleep)?;
        assert_eq!(slept, Some(0));
        Ok(())
    }))
}

/// One client, whose own thread does the I/O.
fn reqwest_one() -> Made {
    let url = format!("http://{}/", local::http()?);
    let client = reqwest::blocking::Client::new();
    Ok(Rc::new(move || {
        assert_eq!(client.get(&url).send()?.text()?, "hello");
        Ok(())
    }))
}

/// A client, and so a thread, for each operation.
fn reqwest_each() -> Made {
    let url = format!("http://{}/", local::http()?);
    Ok(Rc::new(move || {
        assert_eq!(reqwest::blocking::get(&url)?.text()?, "hello");
        Ok(())
    }))
}

fn rustls() -> Made {
    let (address, roots) = local::tls()?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    Ok(Rc::new(move || {
        let name = ServerName::try_from("localhost")?;
        let session = ClientConnection::new(Arc::clone(&config), name)?;
        let mut stream = StreamOwned::new(session, TcpStream::connect(address)?);
        stream.write_all(b"ping")?;
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        assert_eq!(&bytes, b"ping");
        Ok(())
    }))
}

fn tungstenite() -> Made {
    let address = local::websocket()?;
    Ok(Rc::new(move || {
        let stream = TcpStream::connect(address)?;
        let (mut socket, _) = tungstenite::client(format!("ws://{address}/"), stream)?;
        socket.send("ping".into())?;
        assert_eq!(socket.read()?.into_text()?, "ping");
        Ok(())
    }))
}

fn command() -> Operation {
    Rc::new(|| {
        let seconds = OPERATION.as_secs_f64().to_string();
        let output = Command::new("sleep").arg(seconds).output()?;
        assert!(output.status.success());
        Ok(())
    })
}
