//! `Gateway`: a listener with its connections, from start to drain.

use crate::capability::MintError;
use crate::certificates::ServerIdentity;
use crate::config::GatewayConfig;
use crate::engine::{Backends, Engine};
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::listener::{self, OpenConnections};
use crate::metrics::Metrics;
use crate::phase::{phase_channel, Phase, PhaseWatch};
use crate::tls;
use ron_app_sdk::Capability;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A running gateway. Dropping it drops its connections; [`Gateway::drain`] lets them finish.
pub struct Gateway {
    address: SocketAddr,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    /// Closed when the listener and every connection have ended.
    ended: watch::Receiver<()>,
    listener: AbortHandle,
}

/// What every connection of a gateway uses.
pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) engine: Engine,
    pub(crate) metrics: Metrics,
    pub(crate) faults: Faults,
    pub(crate) phase: PhaseWatch,
    pub(crate) connections: OpenConnections,
}

impl Shared {
    pub(crate) fn new(config: GatewayConfig, backends: Backends, phase: PhaseWatch) -> Self {
        let metrics = Metrics::of(&backends);
        Self {
            engine: Engine::new(backends, &config),
            config,
            faults: Faults::new(metrics.faults()),
            metrics,
            phase,
            connections: OpenConnections::default(),
        }
    }
}

impl Gateway {
    /// Starts a gateway that keeps its objects in memory, on the current tokio runtime.
    ///
    /// # Errors
    /// Where the configuration breaks a rule, the address cannot be listened on, the identity's key does
    /// not fit its certificate, or the edge folder cannot be read.
    pub async fn start(config: GatewayConfig, identity: ServerIdentity) -> io::Result<Self> {
        let backends = Backends::in_memory(&config)?;
        Self::start_with(config, identity, backends).await
    }

    /// Starts a gateway with its state elsewhere; of the configuration, `storage_limit`, `edge_root`, and
    /// what capabilities are checked by do not count then.
    ///
    /// # Errors
    /// Where the configuration breaks a rule, the address cannot be listened on, or the identity's key
    /// does not fit its certificate.
    pub async fn start_with(
        config: GatewayConfig,
        identity: ServerIdentity,
        backends: Backends,
    ) -> io::Result<Self> {
        let acceptor = tls::acceptor(identity)?;
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let (phase, phase_watch) = phase_channel();
        let shared = Arc::new(Shared::new(config, backends, phase_watch));
        let (end, ended) = watch::channel(());
        let run = listener::run(listener, acceptor, Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // Dropped with the task, however that ends.
            let _end = end;
            run.await;
        });
        Ok(Self {
            address,
            shared,
            phase,
            ended,
            listener: task.abort_handle(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has counted.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// A capability for `subject` that this gateway lets pass where all of `caveats` hold.
    ///
    /// # Errors
    /// Where the subject or a caveat breaks its rule, or the gateway's check of capabilities has no key.
    pub fn mint(&self, subject: &str, caveats: &[&str]) -> Result<Capability, MintError> {
        let minter = self.shared.engine.minter().ok_or(MintError::NoKey)?;
        minter.mint(subject, caveats)
    }

    /// The faults that it injects: none, until a plan is armed.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// The effects that it has counted, where it was [told to](GatewayConfig::ledger).
    pub fn ledger(&self) -> Option<&Ledger> {
        self.shared.engine.ledger()
    }

    /// Takes no new connections and calls, lets open calls finish within
    /// [`Limits::drain`](crate::Limits::drain), and returns when every connection is closed.
    pub async fn drain(&self) {
        self.end(Phase::Draining).await;
    }

    /// Drops every connection, and returns when that is done.
    pub async fn shutdown(&self) {
        self.end(Phase::Stopping).await;
    }

    async fn end(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_later = *now < phase;
            *now = phase.max(*now);
            is_later
        });
        // Nothing is ever sent: an error means that the sender is gone.
        let _ = self.ended.clone().changed().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("address", &self.address)
            .field("metrics", &self.shared.metrics)
            .finish_non_exhaustive()
    }
}
