//! cargo run -p examples --features greened --example with_redis_client -- redis://127.0.0.1:6379/
//!
//! The client of redis, which opens sockets of its own and blocks, unchanged: after `monkey_patch` ten consumers wait for
//! a list at once, on one thread, and a producer fills it.

use std::error::Error;

use green::GreenPool;
use redis::{Client, Commands, RedisResult};

/// Written for threads, and not changed.
fn consume(client: &Client, list: &str) -> RedisResult<(String, i64)> {
    client.get_connection()?.blpop(list, 5.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    green_patch::monkey_patch()?;
    let url = std::env::args()
        .nth(1)
        .ok_or("usage: with_redis_client URL")?;
    let client = Client::open(url)?;
    let list = format!("green:list:{}", std::process::id());

    let (consumer, name) = (client.clone(), list.clone());
    let taken = GreenPool::new(10).imap(move |_| consume(&consumer, &name), 0..10);
    let mut producer = client.get_connection()?;
    for n in 1..=10 {
        let _: i64 = producer.rpush(&list, n)?;
    }
    let mut sum = 0;
    for item in taken {
        sum += item??.1;
    }
    println!("ten items, {sum} in all");
    Ok(())
}
