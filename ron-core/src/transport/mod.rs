//! Sockets, TLS and the pool: couples a [`session`](crate::session) to a socket.
//!
//! No task, channel or thread stands between a caller and the socket. The [`connection`] is a state machine
//! that its callers share; each of them writes its own frames, and one at a time reads: until its own reply
//! is there, handing others theirs on the way. [`blocking`] and [`asynchronous`] are two thin drivers of it,
//! which differ only in how they wait.

pub(crate) mod asynchronous;
pub(crate) mod blocking;
mod connection;
mod dial;
#[cfg(feature = "internals")]
mod echo;
pub(crate) mod endpoint;
mod gateways;
mod outgoing;
mod pool;
mod proxy;
mod race;
mod resolve;
mod socket;
mod timer;
mod tls;
mod trust;

pub(crate) use connection::{ConnectionId, Content, Exchange, Failure, Reply};

use crate::config::{SdkConfig, Timeouts};
use crate::error::SdkError;
use crate::metrics::Metrics;
use crate::oap::hello::HelloRequest;
use crate::telemetry::Tracing;
use dial::{finish_dial, out_of_time, Obstacle, Route};
use endpoint::Endpoint;
use gateways::Gateways;
use proxy::{Isolation, Proxy};
use std::sync::Arc;
use trust::Trust;

/// The most calls that one client has open at once, over all its connections.
const MAX_IN_FLIGHT: usize = 1024;

/// How often a call that certainly was not executed changes its connection within one attempt.
const MAX_MOVES: usize = 3;

/// What is needed to open a connection.
struct Dialer {
    /// The preferred gateway first.
    endpoints: Vec<Arc<Endpoint>>,
    proxy: Option<Proxy>,
    trust: Arc<Trust>,
    timeouts: Timeouts,
    pool_max: usize,
    metrics: Metrics,
    tracing: Tracing,
}

impl Dialer {
    fn new(config: &SdkConfig, metrics: &Metrics, tracing: &Tracing) -> Result<Self, SdkError> {
        Ok(Self {
            endpoints: config.endpoints()?.into_iter().map(Arc::new).collect(),
            proxy: Proxy::of(config),
            trust: Arc::new(Trust::new(config.tls.clone())),
            timeouts: config.timeouts.clone(),
            pool_max: config.pool.max,
            metrics: metrics.clone(),
            tracing: tracing.clone(),
        })
    }

    /// Its gateways, of which none has been dialled.
    fn gateways(&self) -> Gateways {
        Gateways::new(&self.endpoints)
    }

    /// The preferred gateway.
    fn preferred(&self) -> &Endpoint {
        // There is always a first one.
        &self.endpoints[0]
    }

    /// Who may share a connection with a call of this capability.
    fn isolation(&self, token: &[u8]) -> Isolation {
        let proxy = self.proxy.as_ref();
        proxy.map_or_else(Isolation::default, |proxy| proxy.isolation(token))
    }

    /// Slots of one connection, so that all of them together stay within [`MAX_IN_FLIGHT`].
    fn slots(&self) -> usize {
        MAX_IN_FLIGHT / self.pool_max
    }
}

/// What this SDK says about itself.
fn hello() -> HelloRequest {
    HelloRequest::new(concat!("ron-app-sdk/", env!("CARGO_PKG_VERSION")))
}
