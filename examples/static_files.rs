//! cargo run --release -p examples --features servers --example static_files -- 127.0.0.1:8000 DIRECTORY [HUB]
//!
//! The files of a directory. What is read of the disk does not stop the other connections.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use green::fs::{self, File};
use green::signal::{SIGINT, SIGTERM};
use green_http::{Body, Content, Method, Request, Response, Server, StatusCode, format_date_time};

/// The bytes that `%2f` and its like stand for.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The file that a path means, never one outside of `root`.
fn file(root: &Path, path: &str) -> Option<PathBuf> {
    let decoded = decoded(path)?;
    let inside = Path::new(decoded.strip_prefix('/')?);
    let plain = |component: Component<'_>| matches!(component, Component::Normal(_));
    (!decoded.contains('\0') && inside.components().all(plain)).then(|| root.join(inside))
}

fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("txt" | "md" | "rs" | "toml") => "text/plain; charset=utf-8",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn answer(request: Request<Body>, root: &Path) -> Result<Response, std::io::Error> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(Response::new(StatusCode::METHOD_NOT_ALLOWED).with_header("allow", "GET, HEAD"));
    }
    let Some(mut path) = file(root, request.uri().path()) else {
        return Ok(StatusCode::BAD_REQUEST.into());
    };
    let opened = fs::metadata(&path).and_then(|metadata| {
        if metadata.is_dir() {
            path.push("index.html");
        }
        let file = File::open(&path)?;
        Ok((file.metadata()?, file))
    });
    let (metadata, file) = match opened {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(StatusCode::NOT_FOUND.into());
        }
        Err(error) => return Err(error),
    };
    let modified = format_date_time(metadata.modified()?);
    let known = request.headers().get("if-modified-since");
    if known.is_some_and(|known| known.as_bytes() == modified.as_bytes()) {
        return Ok(StatusCode::NOT_MODIFIED.into());
    }
    let content = Content::sized_reader(file, metadata.len());
    Ok(Response::new(content)
        .with_header("content-type", kind(&path))
        .with_header("last-modified", modified))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or("127.0.0.1:8000".into());
    let root = PathBuf::from(args.next().unwrap_or(".".into()));
    if let Some(hub) = args.next() {
        green::hubs::use_hub(&hub)?;
    }
    let server = Server::new(move |request| answer(request, &root));
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener)?;
    Ok(())
}
