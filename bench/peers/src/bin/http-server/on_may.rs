//! may_minihttp with one worker.

use std::io;
use std::net::TcpListener;

use may_minihttp::{HttpServer, HttpService, Request, Response};

#[derive(Clone)]
struct Pages(bytes::Bytes);

impl HttpService for Pages {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        match request.path() {
            "/10k" => response.body_mut().extend_from_slice(&self.0),
            _ => {
                response.header("Content-Type: text/plain");
                response.body("Hello, World!");
            }
        }
        Ok(())
    }
}

pub fn serve(listener: TcpListener) -> io::Result<()> {
    may::config().set_workers(1);
    let address = listener.local_addr()?;
    // It listens for itself; the number is free again.
    drop(listener);
    let server = HttpServer(Pages(super::ten_kilobytes())).start(address)?;
    server
        .join()
        .map_err(|_| io::Error::other("the server has panicked"))
}
