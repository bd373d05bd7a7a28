//! cargo run -p examples --features integrations --example with_tokio_postgres -- postgres://USER@127.0.0.1:5432/NAME
//!
//! tokio-postgres over a green stream, by `connect_raw`: none of tokio's runtime. Ten queries wait at once.

use std::error::Error;
use std::rc::Rc;

use green::GreenPool;
use green::future::{block_on, spawn};
use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args()
        .nth(1)
        .ok_or("usage: with_tokio_postgres URL")?;
    let config: Config = url.parse()?;
    let [Host::Tcp(host)] = config.get_hosts() else {
        return Err("the address names no host".into());
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let stream = green::connect((host.as_str(), port))?;
    let (client, connection) = block_on(config.connect_raw(stream, NoTls))?;
    let driver = spawn(connection);

    let client = Rc::new(client);
    let asking = Rc::clone(&client);
    let double = move |n: i32| {
        let query = "SELECT 2 * $1::int FROM pg_sleep(0.01)";
        block_on(asking.query_one(query, &[&n]))?.try_get::<_, i32>(0)
    };
    for doubled in GreenPool::new(10).imap(double, 1..=10) {
        println!("{}", doubled??);
    }
    drop(client);
    Ok(driver.join()??)
}
