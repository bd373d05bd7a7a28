//! cargo run -p examples --features integrations --example with_redis -- redis://127.0.0.1:6379/
//!
//! The crate redis without its own sockets: its commands and its parser over a green stream, blocking.

use std::error::Error;
use std::io::Write;

use green::net::TcpStream;
use redis::{Cmd, FromRedisValue, IntoConnectionInfo, Parser, cmd};

struct Redis {
    stream: TcpStream,
    parser: Parser,
}

impl Redis {
    fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Box<dyn Error>> {
        self.stream.write_all(&command.get_packed_command())?;
        let answer = self.parser.parse_value(&mut self.stream)?.extract_error()?;
        Ok(redis::from_redis_value(answer)?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: with_redis URL")?;
    let stream = green::connect(url.into_connection_info()?.addr().to_string())?;
    let mut redis = Redis {
        stream,
        parser: Parser::new(),
    };
    let key = format!("green:{}", std::process::id());
    let () = redis.ask(cmd("SET").arg(&key).arg(41).arg("EX").arg(60))?;
    let count: i64 = redis.ask(cmd("INCR").arg(&key))?;
    let () = redis.ask(cmd("DEL").arg(&key))?;
    println!("counted to {count}");
    Ok(())
}
