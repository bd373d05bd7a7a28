//! cargo run -p examples --features integrations --example with_axum
//!
//! axum's Router, served by green-http on green's hub; the handler blocks as greenthreads do.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use green::{GreenPool, ureq};

async fn hello(Path(name): Path<String>) -> String {
    green::sleep(Duration::from_millis(50));
    format!("hello, {name}")
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener = green::listen("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = green_http::Server::tower(Router::new().route("/{name}", get(hello)));
    let life = server.lifecycle().clone();
    let serving = green::spawn(move || server.serve(listener));

    let fetch = move |name: &str| -> Result<String, ureq::Error> {
        let url = format!("http://{address}/{name}");
        ureq::agent().get(url).call()?.body_mut().read_to_string()
    };
    for page in GreenPool::new(10).imap(fetch, ["axum", "hub"]) {
        println!("{}", page??);
    }
    life.drain(None);
    serving.join()??;
    Ok(())
}
