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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// A running gateway. Dropping it drops its connections; [`Gateway::drain`] lets them finish.
pub struct Gateway {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    /// The listening socket once more, for a successor, as long as this gateway takes connections.
    socket: Mutex<Option<std::net::TcpListener>>,
    phase: watch::Sender<Phase>,
    /// Closed when the listener and every connection have ended.
    ended: watch::Receiver<()>,
    listener: AbortHandle,
}

/// What every connection of a gateway uses.
pub(crate) struct Shared {
    pub(crate) config: Arc<GatewayConfig>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) faults: Faults,
    pub(crate) phase: PhaseWatch,
    pub(crate) connections: OpenConnections,
    has_successor: AtomicBool,
}

impl Shared {
    pub(crate) fn new(config: GatewayConfig, backends: Backends, phase: PhaseWatch) -> Self {
        let metrics = Metrics::of(&backends);
        Self {
            engine: Arc::new(Engine::new(backends, &config)),
            config: Arc::new(config),
            faults: Faults::new(metrics.faults()),
            metrics: Arc::new(metrics),
            phase,
            connections: OpenConnections::default(),
            has_successor: AtomicBool::new(false),
        }
    }

    /// The same for another listener: all but the connections and the phase.
    fn succeeded_by(&self, phase: PhaseWatch) -> Self {
        self.has_successor.store(true, Ordering::Release);
        Self {
            config: Arc::clone(&self.config),
            engine: Arc::clone(&self.engine),
            metrics: Arc::clone(&self.metrics),
            faults: self.faults.clone(),
            phase,
            connections: OpenConnections::default(),
            has_successor: AtomicBool::new(false),
        }
    }

    /// Whether another gateway takes connections in the place of this one.
    pub(crate) fn has_successor(&self) -> bool {
        self.has_successor.load(Ordering::Acquire)
    }
}

impl Gateway {
    /// Starts a gateway that keeps its state in memory, on the current tokio runtime.
    ///
    /// # Errors
    /// Where the configuration breaks a rule, the address cannot be listened on, the identity's key does
    /// not fit its certificate, or the edge folder cannot be read.
    pub async fn start(config: GatewayConfig, identity: ServerIdentity) -> io::Result<Self> {
        let backends = Backends::in_memory(&config)?;
        Self::start_with(config, identity, backends).await
    }

    /// Starts a gateway with its state elsewhere, or shared with other gateways. Of the configuration, what
    /// describes that state does not count then: its limits, the edge folder, what capabilities are checked by,
    /// what is broken for tests, and the ledger.
    ///
    /// # Errors
    /// Where the address cannot be listened on, or the identity's key does not fit its certificate.
    pub async fn start_with(
        config: GatewayConfig,
        identity: ServerIdentity,
        backends: Backends,
    ) -> io::Result<Self> {
        let acceptor = tls::acceptor(identity, config.client_ca.as_deref())?;
        let socket = TcpListener::bind(config.listen).await?.into_std()?;
        let shared = |phase| Shared::new(config, backends, phase);
        Self::listen(socket, acceptor, shared)
    }

    /// Starts a gateway in the place of this one, on the current tokio runtime: on the same socket, so that no
    /// connection is lost in between, and with the same state, configuration, identity, counters and faults.
    /// Both take connections until this one is [drained](Self::drain), which then also lets those finish whose
    /// handshake has begun.
    ///
    /// ```
    /// # use ron_gateway::certificates::{Authority, CertificateRequest};
    /// # use ron_gateway::{Gateway, GatewayConfig};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let identity = Authority::new()?.issue(&CertificateRequest::localhost())?;
    /// # let gateway = Gateway::start(GatewayConfig::default(), identity).await?;
    /// let successor = gateway.successor()?;
    /// gateway.drain().await;
    /// assert_eq!(successor.address(), gateway.address());
    /// # Ok(()) })
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where this gateway takes no connections any more, or the process has no file descriptor left.
    pub fn successor(&self) -> io::Result<Self> {
        let socket = match &*self.socket() {
            Some(socket) => socket.try_clone()?,
            None => {
                return Err(io::Error::other(
                    "the gateway takes no connections any more",
                ))
            }
        };
        let shared = |phase| self.shared.succeeded_by(phase);
        Self::listen(socket, self.acceptor.clone(), shared)
    }

    fn listen(
        socket: std::net::TcpListener,
        acceptor: TlsAcceptor,
        shared: impl FnOnce(PhaseWatch) -> Shared,
    ) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let listener = TcpListener::from_std(socket.try_clone()?)?;
        let (phase, phase_watch) = phase_channel();
        let shared = Arc::new(shared(phase_watch));
        let (end, ended) = watch::channel(());
        let run = listener::run(listener, acceptor.clone(), Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // Dropped with the task, however that ends.
            let _end = end;
            run.await;
        });
        Ok(Self {
            address,
            shared,
            acceptor,
            socket: Mutex::new(Some(socket)),
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

    fn socket(&self) -> MutexGuard<'_, Option<std::net::TcpListener>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn end(&self, phase: Phase) {
        drop(self.socket().take());
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
