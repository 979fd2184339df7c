//! A proxy in front of a server whose sockets a test holds, or that sends back what it gets.

use ron_fault_proxy::FaultProxy;
use std::future::Future;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a machine with other work may add to a time.
pub(crate) const SLACK: Duration = Duration::from_millis(500);
/// How long nothing must happen for a test to believe that nothing will.
pub(crate) const QUIET: Duration = Duration::from_millis(200);

pub(crate) struct Fixture {
    pub(crate) gateway: TcpListener,
    pub(crate) proxy: FaultProxy,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = FaultProxy::start(gateway.local_addr().unwrap())
            .await
            .unwrap();
        Self { gateway, proxy }
    }

    pub(crate) async fn client(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.unwrap()
    }

    /// A connection: the client's socket and the gateway's.
    pub(crate) async fn pair(&self) -> (TcpStream, TcpStream) {
        let client = self.client().await;
        let (gateway, _) = within(self.gateway.accept()).await.unwrap();
        (client, gateway)
    }

    /// A client of a gateway that sends back what it gets.
    pub(crate) async fn echo(&self) -> TcpStream {
        let (client, mut gateway) = self.pair().await;
        tokio::spawn(async move {
            let (mut read, mut write) = gateway.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
        });
        client
    }
}

/// A test that hangs fails.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .unwrap()
}

pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 3) as u8).collect()
}

pub(crate) async fn write(stream: &mut TcpStream, bytes: &[u8]) {
    within(stream.write_all(bytes)).await.unwrap();
}

pub(crate) async fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    within(stream.read_exact(&mut bytes)).await.unwrap();
    bytes
}

/// Everything up to the end of the stream, and how that came: `None` is orderly.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = within(stream.read_to_end(&mut bytes)).await;
    (bytes, end.err().map(|error| error.kind()))
}

/// Nothing comes, and the stream does not end.
pub(crate) async fn assert_quiet(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = tokio::time::timeout(QUIET, stream.read(&mut byte)).await;
    assert!(read.is_err(), "{read:?}");
}

#[track_caller]
pub(crate) fn assert_took(began: Instant, least: Duration) {
    let took = began.elapsed();
    assert!(took >= least && took < least + SLACK, "{took:?}");
}

pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
