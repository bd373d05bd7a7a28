use std::io;
use std::net::Shutdown;

use green::net::Stream;

use crate::TlsStream;

/// For what TLS carries, and for TLS within TLS.
impl<S: Stream> Stream for TlsStream<S> {
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        TlsStream::try_read(self, buf)
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        TlsStream::try_write(self, buf)
    }

    fn readable(&self) -> io::Result<()> {
        TlsStream::readable(self)
    }

    fn writable(&self) -> io::Result<()> {
        TlsStream::writable(self)
    }

    fn flush(&self) -> io::Result<()> {
        self.flush_all()
    }

    fn is_flushed(&self) -> bool {
        self.is_flushed_below()
    }

    fn send_at_once(&self) {
        self.get_ref().send_at_once();
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        TlsStream::shutdown(self, how)
    }

    fn close(&self) {
        TlsStream::close(self);
    }
}
