//! cargo run --release -p examples --features servers --example axum_server -- 127.0.0.1:8000 [HUB]
//!
//! axum's Router on green's hub, unchanged. What waits as greenthreads do blocks its own connection alone:
//!
//!     curl http://127.0.0.1:8000/hello/you
//!     curl -H 'content-type: application/json' -d '{"numbers": [1, 2, 3]}' http://127.0.0.1:8000/sum
//!     curl http://127.0.0.1:8000/sleep/500

use std::error::Error;
use std::time::Duration;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use green::signal::{SIGINT, SIGTERM};
use green_http::Server;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Numbers {
    numbers: Vec<i64>,
}

#[derive(Serialize)]
struct Sum {
    sum: i64,
}

async fn sum(Json(numbers): Json<Numbers>) -> Json<Sum> {
    let sum = numbers.numbers.iter().sum();
    Json(Sum { sum })
}

async fn sleep(Path(millis): Path<u64>) -> String {
    green::sleep(Duration::from_millis(millis));
    format!("after {millis} ms\n")
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    if let Some(hub) = std::env::args().nth(2) {
        green::hubs::use_hub(&hub)?;
    }
    let router = Router::new()
        .route("/", get(|| async { "Hello, World!" }))
        .route(
            "/hello/{name}",
            get(|Path(name): Path<String>| async move { format!("hello, {name}\n") }),
        )
        .route("/sum", post(sum))
        .route("/sleep/{millis}", get(sleep));
    let server = Server::tower(router);
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener)?;
    Ok(())
}
