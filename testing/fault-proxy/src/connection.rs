//! One connection: two streams of bytes, and what happens to both of them at once.

use crate::counters::Tally;
use crate::faults::{Connections, Faults};
use crate::pump::{Pump, Side};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::ReadHalf;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// What a connection is told.
pub(crate) struct Subscription {
    pub(crate) upstream: SocketAddr,
    pub(crate) faults: watch::Receiver<Faults>,
    pub(crate) killed: watch::Receiver<()>,
    pub(crate) tally: Arc<Tally>,
}

/// How a connection ends, other than by both of its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With RST, to both sides.
    Reset,
    /// With FIN, to both sides.
    Close,
    BlackHole,
    HalfOpen,
}

/// Serves a connection to its end. The proxy's end, and its kill, are this one's too.
pub(crate) async fn serve(mut client: TcpStream, subscription: Subscription) {
    let mut killed = subscription.killed.clone();
    let tally = &subscription.tally;
    let mut upstream = None;
    let is_killed = tokio::select! {
        // A kill comes before what it would race with.
        biased;
        change = killed.changed() => change.is_ok(),
        () = serve_until_end(&mut client, &mut upstream, &subscription) => return,
    };
    if is_killed {
        tally.kills.increment();
    }
    for socket in [Some(client), upstream].iter().flatten() {
        // Ignored where the peer has reset it already.
        let _ = socket.set_zero_linger();
    }
}

async fn serve_until_end(
    client: &mut TcpStream,
    upstream: &mut Option<TcpStream>,
    subscription: &Subscription,
) {
    let mut faults = subscription.faults.clone();
    let tally = &subscription.tally;
    let connections = faults.borrow_and_update().connections;
    match connections {
        Connections::Forward => {}
        Connections::Refuse => {
            tally.refusals.increment();
            let _ = client.set_zero_linger();
            return;
        }
        Connections::Silent => {
            tally.silences.increment();
            return std::future::pending().await;
        }
        Connections::BlackHole => {
            tally.black_holes.increment();
            discard(client.split().0).await;
            return;
        }
        Connections::HalfOpen => {
            tally.half_opens.increment();
            return std::future::pending().await;
        }
    }
    let Ok(connected) = TcpStream::connect(subscription.upstream).await else {
        tally.unreachable.increment();
        let _ = client.set_zero_linger();
        return;
    };
    let upstream = upstream.insert(connected);
    // Without it a slice would wait for the acknowledgement of the one before.
    for socket in [&*client, &*upstream] {
        let _ = socket.set_nodelay(true);
    }
    let end = forward(client, upstream, subscription, &mut faults).await;
    match end {
        None => {}
        Some(End::Reset) => {
            for socket in [client, upstream] {
                let _ = socket.set_zero_linger();
            }
        }
        Some(End::Close) => {
            for socket in [&mut *client, &mut *upstream] {
                let _ = socket.shutdown().await;
            }
            // Closing a socket over unread bytes would send an RST after the FIN.
            discard_both(client, upstream).await;
        }
        Some(End::BlackHole) => {
            tally.black_holes.increment();
            discard_both(client, upstream).await;
        }
        Some(End::HalfOpen) => {
            tally.half_opens.increment();
            std::future::pending().await
        }
    }
}

/// Forwards in both directions; `None` when both sides have ended the connection.
async fn forward(
    client: &mut TcpStream,
    upstream: &mut TcpStream,
    subscription: &Subscription,
    faults: &mut watch::Receiver<Faults>,
) -> Option<End> {
    let (client_read, client_write) = client.split();
    let (upstream_read, upstream_write) = upstream.split();
    let mut to_gateway = Pump::new(Side::ToGateway, Arc::clone(&subscription.tally));
    let mut from_gateway = Pump::new(Side::FromGateway, Arc::clone(&subscription.tally));
    tokio::select! {
        // What was set before a byte arrived holds for it.
        biased;
        end = lost(faults) => Some(end),
        result = async {
            tokio::try_join!(
                to_gateway.run(client_read, upstream_write, subscription.faults.clone()),
                from_gateway.run(upstream_read, client_write, subscription.faults.clone()),
            )
        } => result.err(),
    }
}

/// Waits for a fault that no connection comes back from.
async fn lost(faults: &mut watch::Receiver<Faults>) -> End {
    loop {
        match faults.borrow_and_update().connections {
            Connections::BlackHole => return End::BlackHole,
            Connections::HalfOpen => return End::HalfOpen,
            Connections::Forward | Connections::Refuse | Connections::Silent => {}
        }
        if faults.changed().await.is_err() {
            // The proxy is gone, and the kill that comes with that ends the connection.
            return std::future::pending().await;
        }
    }
}

async fn discard_both(client: &mut TcpStream, upstream: &mut TcpStream) {
    tokio::join!(discard(client.split().0), discard(upstream.split().0));
}

/// Takes what comes, until the peer ends.
async fn discard(mut stream: ReadHalf<'_>) {
    let mut bytes = [0; 4096];
    while matches!(stream.read(&mut bytes).await, Ok(count) if count > 0) {}
}
