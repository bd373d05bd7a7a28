//! cargo run -p examples --features integrations --example with_hyper
//!
//! hyper's server and hyper's client on green's sockets.

use std::error::Error;

use green::future::{Timer, block_on};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};

async fn upper(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::from(body.to_ascii_uppercase())))
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener = green::listen("127.0.0.1:0")?;
    let stream = green::connect(listener.local_addr()?)?;
    let (accepted, _peer) = listener.accept()?;
    let mut http = server::conn::http1::Builder::new();
    let serving = http
        .timer(Timer)
        .serve_connection(accepted, service_fn(upper));
    green::future::spawn(serving);

    let text = block_on(async {
        let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
        green::future::spawn(connection);
        let body: Full<Bytes> = Full::from("from hyper to hyper");
        let request = Request::post("/").header("host", "here").body(body);
        let answer = sender
            .send_request(request.expect("a valid request"))
            .await?;
        Ok::<_, hyper::Error>(answer.into_body().collect().await?.to_bytes())
    })?;
    println!("{}", String::from_utf8(text.to_vec())?);
    Ok(())
}
