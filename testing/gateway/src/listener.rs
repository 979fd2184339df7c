//! Taking connections, within limits, until the gateway drains.

use crate::faults::{ResetSwitch, Socket};
use crate::gateway::Shared;
use crate::http;
use crate::oap;
use crate::phase::{Phase, PhaseWatch};
use crate::write_stall::WriteStall;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::TlsAcceptor;

/// Before the next attempt where the process has run out of something, such as file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// What TLS may hold sealed: a whole batch of output, so that it leaves in one write.
const TLS_BUFFER: usize = 2 * oap::OUTPUT;

/// Accepts until the gateway drains, then waits for the connections.
pub(crate) async fn run(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut phase = shared.phase.clone();
    loop {
        tokio::select! {
            biased;
            () = phase.reached(Phase::Draining) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    if let Some(slot) = Slot::take(&shared, peer.ip().to_canonical()) {
                        connections.spawn(connection(tcp, acceptor.clone(), slot));
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = phase.reached(Phase::Stopping) => {}
        _ = timeout(shared.config.limits.drain, finished) => {}
    }
    connections.shutdown().await;
}

/// Whether accepting failed for the connection at hand only.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn connection(tcp: TcpStream, acceptor: TlsAcceptor, slot: Slot) {
    let shared = &slot.shared;
    // Without it an answer could wait for the acknowledgement of the one before; it cannot fail on a
    // connection that is still there.
    let _ = tcp.set_nodelay(true);
    let reset = ResetSwitch::default();
    let tcp = Socket::new(tcp, reset.clone());
    let (limits, counters) = (&shared.config.limits, Arc::clone(shared));
    let tcp = WriteStall::new(tcp, limits.write_stall, move || {
        counters.metrics.timeout("write");
    });
    let mut phase = shared.phase.clone();
    let handshake = tokio::select! {
        handshake = timeout(limits.handshake, acceptor.accept(tcp)) => handshake,
        // Nothing was asked for yet: there is nothing to wait for.
        () = abandoned(shared, &mut phase) => return,
    };
    let mut stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) => return shared.metrics.handshake("failed"),
        Err(_elapsed) => return shared.metrics.timeout("handshake"),
    };
    let (_, tls) = stream.get_mut();
    tls.set_buffer_limit(Some(TLS_BUFFER));
    shared.metrics.handshake(match tls.handshake_kind() {
        Some(HandshakeKind::Resumed) => "resumed",
        _ => "full",
    });
    if tls.alpn_protocol() == Some(ron_app_sdk::oap::ALPN) {
        oap::serve(stream, Arc::clone(shared), reset).await;
    } else {
        let peer = http::Peer {
            address: slot.address,
            reset,
        };
        http::serve(stream, Arc::clone(shared), peer).await;
    }
}

/// Waits until a handshake is worth nothing any more. A gateway with a successor finishes what has begun, and
/// drains it then: its client was not to notice.
async fn abandoned(shared: &Shared, phase: &mut PhaseWatch) {
    phase.reached(Phase::Draining).await;
    if shared.has_successor() {
        phase.reached(Phase::Stopping).await;
    }
}

/// How many connections there are, in all and by address.
#[derive(Debug, Default)]
pub(crate) struct OpenConnections(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place among those that may be open.
struct Slot {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Slot {
    /// A place, unless a limit is reached.
    fn take(shared: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let limits = &shared.config.limits;
        let mut counts = shared
            .connections
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let from_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.total >= limits.max_connections {
            shared.metrics.connection_refused("total");
            return None;
        }
        if from_address >= limits.max_connections_per_address {
            shared.metrics.connection_refused("address");
            return None;
        }
        counts.total += 1;
        counts.by_address.insert(address, from_address + 1);
        shared.metrics.connection_accepted();
        Some(Self {
            shared: Arc::clone(shared),
            address,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let counts = &self.shared.connections.0;
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(from_address) = counts.by_address.get_mut(&self.address) {
            *from_address -= 1;
            if *from_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
        self.shared.metrics.connection_closed();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::GatewayConfig;
    use crate::engine::Backends;
    use crate::phase::phase_channel;

    #[test]
    fn places_are_counted_by_address_and_in_all_and_given_back() {
        let mut config = GatewayConfig::default();
        config.limits.max_connections = 3;
        config.limits.max_connections_per_address = 2;
        let backends = Backends::in_memory(&config).unwrap();
        let (_phase, watch) = phase_channel();
        let shared = Arc::new(Shared::new(config, backends, watch));
        let take = |address: &str| Slot::take(&shared, address.parse().unwrap());

        let first = take("10.0.0.1").unwrap();
        let _second = take("10.0.0.1").unwrap();
        assert!(take("10.0.0.1").is_none());
        let _third = take("10.0.0.2").unwrap();
        assert!(take("10.0.0.2").is_none());
        assert_eq!(shared.metrics.connections_refused("address"), 1);
        assert_eq!(shared.metrics.connections_refused("total"), 1);

        drop(first);
        assert_eq!(shared.metrics.connections_open(), 2);
        assert!(take("10.0.0.1").is_some());
        let counts = shared.connections.0.lock().unwrap();
        assert_eq!((counts.total, counts.by_address.len()), (2, 2));
    }
}
