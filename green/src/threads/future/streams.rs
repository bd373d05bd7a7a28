//! The I/O traits of async libraries, on green's streams and on references to them.

/// Calls `$implement` for each type that gets the traits.
macro_rules! for_streams {
    ($implement:ident) => {
        $implement!(crate::net::TcpStream);
        $implement!(&crate::net::TcpStream);
        $implement!(crate::net::UnixStream);
        $implement!(&crate::net::UnixStream);
    };
}

pub(super) use for_streams;
