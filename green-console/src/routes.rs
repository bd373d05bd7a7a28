//! Which path is answered by what.

use std::rc::Rc;
use std::time::Duration;

use green_http::{Body, Content, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::access::Access;
use crate::inside::{Inside, RecordingTurn};
use crate::parameters::Parameters;
use crate::{metrics, profile, snapshot, trace};

/// Seconds that something is recorded for, unless the request says otherwise, and at most.
const SECONDS: u64 = 5;
const MOST_SECONDS: u64 = 60;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The page, which uses nothing from elsewhere: path, type, content.
const PAGE: [(&str, &str, &str); 6] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("page/console.html"),
    ),
    (
        "/console.css",
        "text/css; charset=utf-8",
        include_str!("page/console.css"),
    ),
    (
        "/console.js",
        "text/javascript; charset=utf-8",
        include_str!("page/console.js"),
    ),
    (
        "/charts.js",
        "text/javascript; charset=utf-8",
        include_str!("page/charts.js"),
    ),
    (
        "/tables.js",
        "text/javascript; charset=utf-8",
        include_str!("page/tables.js"),
    ),
    (
        "/words.js",
        "text/javascript; charset=utf-8",
        include_str!("page/words.js"),
    ),
];

pub(crate) fn answer(inside: &Rc<Inside>, access: &Access, request: &Request<Body>) -> Response {
    let path = request.uri().path();
    if path == "/kill" {
        return match *request.method() {
            Method::POST => kill(access, request),
            _ => method("POST"),
        };
    }
    if let Some((_, kind, text)) = PAGE.iter().find(|(page, _, _)| *page == path) {
        return reading(request, || typed(kind, *text));
    }
    let parameters = Parameters::of(request);
    match path {
        "/json" => reading(request, || value(&snapshot::snapshot(inside, &parameters))),
        "/history" => reading(request, || value(&json!(*inside.history.borrow()))),
        "/greenthread" => reading(request, || one(inside, &parameters)),
        "/metrics" => reading(request, || typed(metrics::TYPE, metrics::text(inside))),
        "/trace" => reading(request, || record(inside, &parameters, trace)),
        "/profile" => reading(request, || record(inside, &parameters, profile)),
        _ => (StatusCode::NOT_FOUND, "There is no such page.\n").into(),
    }
}

/// Answers a request that changes nothing.
fn reading(request: &Request<Body>, answer: impl FnOnce() -> Response) -> Response {
    match *request.method() {
        Method::GET | Method::HEAD => answer(),
        _ => method("GET, HEAD"),
    }
}

fn method(allowed: &'static str) -> Response {
    Response::from(StatusCode::METHOD_NOT_ALLOWED).with_header(header::ALLOW, allowed)
}

fn typed(kind: &'static str, content: impl Into<Content>) -> Response {
    Response::from(content.into()).with_header(header::CONTENT_TYPE, kind)
}

fn value(value: &Value) -> Response {
    typed(JSON, value.to_string())
}

fn one(inside: &Inside, parameters: &Parameters) -> Response {
    let Some(id) = parameters.number("id") else {
        return (StatusCode::BAD_REQUEST, "Which one? /greenthread?id=7\n").into();
    };
    match snapshot::one(inside, id) {
        Some(found) => value(&found),
        None => none(id),
    }
}

fn none(id: u64) -> Response {
    let text = format!("No greenthread {id} lives in this thread.\n");
    (StatusCode::NOT_FOUND, text).into()
}

fn kill(access: &Access, request: &Request<Body>) -> Response {
    if let Some(refusal) = access.refuse_kill(request) {
        return refusal;
    }
    let id = Parameters::of(request).number("id");
    let Some(id) = id.filter(|&id| id != 0) else {
        let text = "Which one? POST /kill?id=7. The thread's own greenthread, 0, is not killed: end the program.\n";
        return (StatusCode::BAD_REQUEST, text).into();
    };
    if id == green::current_id() {
        return (StatusCode::BAD_REQUEST, "That one answers this request.\n").into();
    }
    let Some(greenthread) = green::debug::greenthread(id) else {
        return none(id);
    };
    log::warn!("greenthread {id} is killed by the console");
    greenthread.kill();
    value(&json!({ "greenthread": id, "ended": greenthread.is_dead() }))
}

/// Answers with a recording of the next seconds.
fn record(
    inside: &Rc<Inside>,
    parameters: &Parameters,
    make: fn(&Inside, &Parameters, Duration, RecordingTurn) -> Response,
) -> Response {
    let seconds = match parameters.get("seconds") {
        None => Some(SECONDS),
        Some(_) => parameters
            .number("seconds")
            .filter(|seconds| (1..=MOST_SECONDS).contains(seconds)),
    };
    let Some(seconds) = seconds else {
        let text = format!("seconds is a number from 1 to {MOST_SECONDS}.\n");
        return (StatusCode::BAD_REQUEST, text).into();
    };
    match inside.try_record() {
        Some(turn) => make(inside, parameters, Duration::from_secs(seconds), turn),
        None => (StatusCode::CONFLICT, "Somebody else records just now.\n").into(),
    }
}

fn trace(
    inside: &Inside,
    _parameters: &Parameters,
    time: Duration,
    turn: RecordingTurn,
) -> Response {
    let about = trace::About::new(&inside.thread);
    let content = Content::written(move |out| {
        let recorded = trace::record(time, out)?;
        drop(turn);
        trace::write(&recorded, &about, out)
    });
    typed(JSON, content).with_header(
        header::CONTENT_DISPOSITION,
        "attachment; filename=\"green-trace.json\"",
    )
}

fn profile(
    _inside: &Inside,
    parameters: &Parameters,
    time: Duration,
    turn: RecordingTurn,
) -> Response {
    let by_place = parameters.get("by") == Some("place");
    let runs = profile::sample(time);
    drop(turn);
    match profile::folded(runs, by_place) {
        Ok(text) => typed(TEXT, text),
        Err(error) => Response::from(Err::<Response, _>(error)),
    }
}
