//! cargo run -p examples --features integrations --example with_redis_async -- redis://127.0.0.1:6379/
//!
//! The async client of redis over a green stream: one connection that many greenthreads share. It asks for streams that
//! are `Send`, so that the stream goes into a `ThreadBound`.

use std::error::Error;

use green::GreenPool;
use green::future::{ThreadBound, block_on, spawn};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, IntoConnectionInfo, RedisResult, cmd};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args()
        .nth(1)
        .ok_or("usage: with_redis_async URL")?;
    let server = url.into_connection_info()?;
    let stream = ThreadBound::new(green::connect(server.addr().to_string())?);
    let config = AsyncConnectionConfig::new().set_response_timeout(None); // by tokio's timer: Timeout does it here
    let settings = server.redis_settings();
    let connecting = MultiplexedConnection::new_with_config(settings, stream, config);
    let (connection, driver) = block_on(connecting)?;
    let driver = spawn(driver);

    let key = format!("green:async:{}", std::process::id());
    let (mut last, name) = (connection.clone(), key.clone());
    let count = move |by: i64| -> RedisResult<i64> {
        let command = cmd("INCRBY").arg(&name).arg(by).to_owned();
        block_on(command.query_async(&mut connection.clone()))
    };
    for counted in GreenPool::new(10).imap(count, [1, 2, 3, 4]) {
        println!("counted to {}", counted??);
    }
    let () = block_on(cmd("DEL").arg(&key).query_async(&mut last))?;
    drop(last);
    driver.join()?;
    Ok(())
}
