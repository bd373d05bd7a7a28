//! cargo run -p examples --features integrations --example with_reqwest
//!
//! A library that needs tokio's runtime: reqwest's async client runs on a thread of tokio's, greenthreads await it.

use std::error::Error;
use std::thread;

use green::GreenPool;
use green::future::block_on;

/// A runtime of tokio that runs in a thread of its own, until the program ends.
fn tokio_thread() -> std::io::Result<tokio::runtime::Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    Ok(handle)
}

fn main() -> Result<(), Box<dyn Error>> {
    let site = site::serve(|path| Some(format!("this is {path}")))?;
    let (tokio, client) = (
        tokio_thread()?,
        reqwest::Client::builder().no_proxy().build()?,
    );
    let fetch = move |n: u32| {
        let request = client.get(format!("http://{site}/page/{n}"));
        let answer = tokio.spawn(async move { request.send().await?.text().await });
        block_on(answer) // this greenthread waits, the others run
    };
    for page in GreenPool::new(5).imap(fetch, 1..=5) {
        println!("{}", page???);
    }
    Ok(())
}
