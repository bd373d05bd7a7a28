//! cargo run --release -p examples --features servers --example reverse_proxy -- 127.0.0.1:8080 127.0.0.1:8000 [HUB]
//!
//! Passes what it is asked for on to another server, and the answers back, piece by piece as they come. SIGTERM lets
//! what is under way finish.

use std::error::Error;
use std::time::Duration;

use green::signal::{SIGINT, SIGTERM};
use green_http::{
    Body, Content, HeaderMap, Request, RequestExt, Response, Server, StatusCode, header,
};
use ureq::{Agent, SendBody};

/// Fields that belong to one connection (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is passed on of the fields.
fn end_to_end(mut fields: HeaderMap) -> HeaderMap {
    let named: Vec<String> = fields
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_owned()))
        .collect();
    for name in HOP_BY_HOP
        .into_iter()
        .chain(named.iter().map(String::as_str))
    {
        fields.remove(name);
    }
    fields
}

fn pass_on(
    request: Request<Body>,
    agent: &Agent,
    behind: &str,
) -> Result<Response, Box<dyn Error>> {
    let peer = request.peer().ip().map(|address| address.ip().to_string());
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut inward = Request::builder()
        .method(head.method)
        .uri(format!("http://{behind}{path}"));
    let mut fields = end_to_end(head.headers);
    fields.remove(header::EXPECT);
    if let Some(peer) = peer {
        fields.append("x-forwarded-for", peer.parse()?);
    }
    let none = body.is_empty();
    if none {
        fields.remove(header::CONTENT_LENGTH);
    }
    inward.headers_mut().ok_or("a bad address")?.extend(fields);
    let body = match none {
        true => SendBody::none(),
        false => SendBody::from_owned_reader(body),
    };
    let (head, body) = agent.run(inward.body(body)?)?.into_parts();
    let content = match body.content_length() {
        Some(length) => Content::sized_reader(body.into_reader(), length),
        None => Content::reader(body.into_reader()),
    };
    let mut answer = Response::new(content).with_status(head.status);
    *answer.headers_mut() = end_to_end(head.headers);
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(answer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or("127.0.0.1:8080".into());
    let behind = args.next().unwrap_or("127.0.0.1:8000".into());
    if let Some(hub) = args.next() {
        green::hubs::use_hub(&hub)?;
    }
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .max_redirects(0)
        .build();
    let agent = green::ureq::agent_with(config);
    let server = Server::new(move |request| match pass_on(request, &agent, &behind) {
        Ok(answer) => answer,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into(),
    });
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener)?;
    Ok(())
}
