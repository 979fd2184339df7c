//! Ending a connection with a reset, from above TLS.

use rustix::fd::AsFd;
use rustix::net::sockopt::set_socket_linger;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Asks for a connection to be reset. Whoever serves it looks at the switch and drops its [`Socket`].
#[derive(Clone, Debug, Default)]
pub(crate) struct ResetSwitch(Arc<AtomicBool>);

impl ResetSwitch {
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits beside what makes the request, in the same task: it wakes nobody by itself.
    pub(crate) async fn requested(&self) {
        poll_fn(|_| match self.is_requested() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

/// A socket that is reset when it is dropped, if that was requested.
#[derive(Debug)]
pub(crate) struct Socket<S: AsFd> {
    stream: S,
    reset: ResetSwitch,
}

impl<S: AsFd> Socket<S> {
    pub(crate) fn new(stream: S, reset: ResetSwitch) -> Self {
        Self { stream, reset }
    }
}

impl<S: AsFd> Drop for Socket<S> {
    fn drop(&mut self) {
        if self.reset.is_requested() {
            // Closing with a linger time of zero sends RST. Where the socket is dead already, so be it.
            let _ = set_socket_linger(&self.stream, Some(Duration::ZERO));
        }
    }
}

impl<S: AsFd + AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsFd + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn a_socket_is_reset_where_that_was_requested_and_closed_where_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for is_reset in [true, false] {
            let mut client = TcpStream::connect(listener.local_addr().unwrap())
                .await
                .unwrap();
            let switch = ResetSwitch::default();
            let socket = Socket::new(listener.accept().await.unwrap().0, switch.clone());
            if is_reset {
                switch.request();
            }
            drop(socket);
            let read = client.read(&mut [0]).await;
            assert_eq!(
                read.map_err(|error| error.kind()),
                match is_reset {
                    true => Err(io::ErrorKind::ConnectionReset),
                    false => Ok(0),
                }
            );
        }
    }
}
