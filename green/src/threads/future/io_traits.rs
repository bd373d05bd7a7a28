//! The I/O traits of async libraries, made of [`PollIo`](super::PollIo): for green's sockets here, for the streams of
//! other crates there.

#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio"))]
use crate::net::{TcpStream, UnixStream};

/// Implements futures-io's traits, `futures_io::{AsyncRead, AsyncWrite}`, for a stream with [`PollIo`](crate::future::PollIo),
/// which has an example, and for references to it. The crate that calls it has `futures-io` among its dependencies. The
/// parameters of a generic type stand in braces before it: `green::impl_futures_io!({S: PollIo} Layer<S>)`.
///
/// ```
/// use futures_io::{AsyncRead, AsyncWrite};
/// use green::future::PollIo;
/// # use std::{io::Result, task::{Context, Poll}};
///
/// struct Layer<S>(S);
/// # impl<S: PollIo> PollIo for Layer<S> {
/// #     fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
/// #         self.0.poll_read(cx, buf)
/// #     }
/// #     fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
/// #         self.0.poll_write(cx, buf)
/// #     }
/// #     fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
/// #         self.0.poll_flush(cx)
/// #     }
/// #     fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
/// #         self.0.poll_end(cx)
/// #     }
/// # }
/// green::impl_futures_io!({S: PollIo} Layer<S>);
///
/// fn has_the_traits<S: AsyncRead + AsyncWrite>() {}
/// has_the_traits::<Layer<green::net::TcpStream>>();
/// has_the_traits::<&Layer<green::net::TcpStream>>();
/// ```
#[cfg(feature = "futures-io")]
#[macro_export]
macro_rules! impl_futures_io {
    (@one $({$($generics:tt)*})? $stream:ty) => {
        impl$(<$($generics)*>)? ::futures_io::AsyncRead for $stream {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &mut [u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                $crate::future::PollIo::poll_read(&*self, cx, buf)
            }

            fn poll_read_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                $crate::future::PollIo::poll_read_vectored(&*self, cx, bufs)
            }
        }

        impl$(<$($generics)*>)? ::futures_io::AsyncWrite for $stream {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                $crate::future::PollIo::poll_write(&*self, cx, buf)
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                $crate::future::PollIo::poll_write_vectored(&*self, cx, bufs)
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                $crate::future::PollIo::poll_flush(&*self, cx)
            }

            /// Ends what is written; reading goes on.
            fn poll_close(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                $crate::future::PollIo::poll_end(&*self, cx)
            }
        }
    };
    ($({$($generics:tt)*})? $stream:ty) => {
        $crate::impl_futures_io!(@one $({$($generics)*})? $stream);
        $crate::impl_futures_io!(@one $({$($generics)*})? &$stream);
    };
}

#[cfg(feature = "futures-io")]
impl_futures_io!(TcpStream);
#[cfg(feature = "futures-io")]
impl_futures_io!(UnixStream);

/// Implements tokio's traits, `tokio::io::{AsyncRead, AsyncWrite}`, for a stream with [`PollIo`](crate::future::PollIo),
/// which has an example, and for references to it. The crate that calls it has `tokio` among its dependencies. The
/// parameters of a generic type stand in braces before it: `green::impl_tokio_io!({S: PollIo} Layer<S>)`.
///
/// ```
/// use tokio::io::{AsyncRead, AsyncWrite};
/// use green::future::PollIo;
/// # use std::{io::Result, task::{Context, Poll}};
///
/// struct Layer<S>(S);
/// # impl<S: PollIo> PollIo for Layer<S> {
/// #     fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
/// #         self.0.poll_read(cx, buf)
/// #     }
/// #     fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
/// #         self.0.poll_write(cx, buf)
/// #     }
/// #     fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
/// #         self.0.poll_flush(cx)
/// #     }
/// #     fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
/// #         self.0.poll_end(cx)
/// #     }
/// # }
/// green::impl_tokio_io!({S: PollIo} Layer<S>);
///
/// fn has_the_traits<S: AsyncRead + AsyncWrite>() {}
/// has_the_traits::<Layer<green::net::TcpStream>>();
/// has_the_traits::<&Layer<green::net::TcpStream>>();
/// ```
#[cfg(feature = "tokio")]
#[macro_export]
macro_rules! impl_tokio_io {
    (@one $({$($generics:tt)*})? $stream:ty) => {
        impl$(<$($generics)*>)? ::tokio::io::AsyncRead for $stream {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &mut ::tokio::io::ReadBuf<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let unfilled = buf.initialize_unfilled();
                let read = $crate::future::PollIo::poll_read(&*self, cx, unfilled);
                read.map_ok(|len| buf.advance(len))
            }
        }

        impl$(<$($generics)*>)? ::tokio::io::AsyncWrite for $stream {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                $crate::future::PollIo::poll_write(&*self, cx, buf)
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                $crate::future::PollIo::poll_write_vectored(&*self, cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                $crate::future::PollIo::poll_flush(&*self, cx)
            }

            /// Ends what is written; reading goes on.
            fn poll_shutdown(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                $crate::future::PollIo::poll_end(&*self, cx)
            }
        }
    };
    ($({$($generics:tt)*})? $stream:ty) => {
        $crate::impl_tokio_io!(@one $({$($generics)*})? $stream);
        $crate::impl_tokio_io!(@one $({$($generics)*})? &$stream);
    };
}

#[cfg(feature = "tokio")]
impl_tokio_io!(TcpStream);
#[cfg(feature = "tokio")]
impl_tokio_io!(UnixStream);

/// Implements hyper's traits, `hyper::rt::{Read, Write}`, for a stream with [`PollIo`](crate::future::PollIo), which has
/// an example, and for references to it. The crate that calls it has `hyper` among its dependencies. The parameters of a
/// generic type stand in braces before it: `green::impl_hyper_io!({S: PollIo} Layer<S>)`.
///
/// ```
/// use hyper::rt::{Read, Write};
/// use green::future::PollIo;
/// # use std::{io::Result, task::{Context, Poll}};
///
/// struct Layer<S>(S);
/// # impl<S: PollIo> PollIo for Layer<S> {
/// #     fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
/// #         self.0.poll_read(cx, buf)
/// #     }
/// #     fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
/// #         self.0.poll_write(cx, buf)
/// #     }
/// #     fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
/// #         self.0.poll_flush(cx)
/// #     }
/// #     fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
/// #         self.0.poll_end(cx)
/// #     }
/// # }
/// green::impl_hyper_io!({S: PollIo} Layer<S>);
///
/// fn has_the_traits<S: Read + Write>() {}
/// has_the_traits::<Layer<green::net::TcpStream>>();
/// has_the_traits::<&Layer<green::net::TcpStream>>();
/// ```
#[cfg(feature = "hyper")]
#[macro_export]
macro_rules! impl_hyper_io {
    (@one $({$($generics:tt)*})? $stream:ty) => {
        impl$(<$($generics)*>)? ::hyper::rt::Read for $stream {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                mut buf: ::hyper::rt::ReadBufCursor<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let limit = buf.remaining();
                $crate::future::PollIo::poll_read_with(&*self, cx, limit, |bytes| buf.put_slice(bytes))
            }
        }

        impl$(<$($generics)*>)? ::hyper::rt::Write for $stream {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                $crate::future::PollIo::poll_write(&*self, cx, buf)
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                $crate::future::PollIo::poll_write_vectored(&*self, cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                $crate::future::PollIo::poll_flush(&*self, cx)
            }

            /// Ends what is written; reading goes on.
            fn poll_shutdown(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                $crate::future::PollIo::poll_end(&*self, cx)
            }
        }
    };
    ($({$($generics:tt)*})? $stream:ty) => {
        $crate::impl_hyper_io!(@one $({$($generics)*})? $stream);
        $crate::impl_hyper_io!(@one $({$($generics)*})? &$stream);
    };
}

#[cfg(feature = "hyper")]
impl_hyper_io!(TcpStream);
#[cfg(feature = "hyper")]
impl_hyper_io!(UnixStream);
