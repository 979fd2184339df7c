//! A socket that fails when its peer takes no byte for too long.
//!
//! It sits below TLS, so that progress means bytes that the kernel took, and serves both faces alike.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{ready, Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{sleep, Instant, Sleep};

/// A stream whose writes fail with [`io::ErrorKind::TimedOut`] where none succeeds for `limit`.
#[derive(Debug)]
pub(crate) struct WriteStall<S, F> {
    stream: S,
    limit: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    on_stall: F,
}

impl<S, F> WriteStall<S, F> {
    /// `on_stall` is called when the limit is exceeded.
    pub(crate) fn new(stream: S, limit: Duration, on_stall: F) -> Self {
        Self {
            stream,
            limit,
            alarm: None,
            is_waiting: false,
            on_stall,
        }
    }
}

impl<S: Unpin, F: Fn() + Unpin> WriteStall<S, F> {
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.is_waiting = false;
            return result;
        }
        let limit = self.limit;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.is_waiting {
            self.is_waiting = true;
            let now = Instant::now();
            let due = now
                .checked_add(limit)
                .unwrap_or(now + Duration::from_secs(1 << 30));
            alarm.as_mut().reset(due);
        }
        ready!(alarm.as_mut().poll(cx));
        (self.on_stall)();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin, F: Fn() + Unpin> AsyncRead for WriteStall<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin, F: Fn() + Unpin> AsyncWrite for WriteStall<S, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, result)
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
    use std::cell::Cell;
    use tokio::io::{duplex, AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let limit = Duration::from_millis(100);
        let stalls = Cell::new(0);
        let (near, mut far) = duplex(8);
        let mut near = WriteStall::new(near, limit, || stalls.set(stalls.get() + 1));
        let slow_reader = async {
            for _ in 0..6 {
                tokio::time::sleep(limit / 2).await;
                far.read_exact(&mut [0; 4]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(near.write_all(&[0; 32]), slow_reader);
        written.unwrap();
        assert_eq!(stalls.get(), 0);

        let error = near.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!((error.kind(), stalls.get()), (io::ErrorKind::TimedOut, 1));
    }
}
