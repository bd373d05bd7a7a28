//! cargo run -p examples --features integrations --example with_tower
//!
//! A stack of tower's layers around a service, served by green-http on green's hub.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response};
use green::ureq;
use http_body_util::Full;
use tower::ServiceBuilder;

async fn answer(request: Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = format!("you asked for {}", request.uri().path());
    Ok(Response::new(Full::from(text)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let service = ServiceBuilder::new()
        .timeout(Duration::from_secs(5))
        .concurrency_limit(100)
        .map_response(|mut response: Response<_>| {
            let by = HeaderValue::from_static("a layer");
            response.headers_mut().insert("x-added-by", by);
            response
        })
        .map_request(|request: Request<_>| request.map(Body::new))
        .service_fn(answer);
    let listener = green::listen("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    green::spawn_n(move || drop(green_http::Server::tower(service).serve(listener)));

    let mut page = ureq::agent().get(format!("http://{address}/here")).call()?;
    let added = page.headers()["x-added-by"].to_str()?.to_owned();
    println!("{}, by {added}", page.body_mut().read_to_string()?);
    Ok(())
}
