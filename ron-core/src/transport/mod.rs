//! Sockets, TLS and the pool: couples a [`session`](crate::session) to a socket.
//!
//! No task, channel or thread stands between a caller and the socket. The [`connection`] is a state machine
//! that its callers share; each of them writes its own frames, and one at a time reads: until its own reply
//! is there, handing others theirs on the way. [`blocking`] and [`asynchronous`] are two thin drivers of it,
//! which differ only in how they wait.

pub(crate) mod asynchronous;
pub(crate) mod blocking;
mod connection;
#[cfg(feature = "internals")]
mod echo;
pub(crate) mod endpoint;
mod outgoing;
mod pool;
mod proxy;
mod resolve;
mod socket;
mod timer;
mod tls;
mod trust;

pub(crate) use connection::{ConnectionId, Content, Exchange, Failure, Reply};

use crate::config::{SdkConfig, Timeouts};
use crate::error::{ErrorKind, SdkError};
use crate::metrics::{IoTimeout, Metrics};
use crate::oap::hello::HelloRequest;
use crate::telemetry::{ConnectionLabel, Tracing};
use connection::Connection;
use endpoint::Endpoint;
use pool::DialPermit;
use proxy::{Isolation, Problem, Proxy, Refusal};
use socket::Socket;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tls::TlsSession;
use trust::Trust;

/// The most calls that one client has open at once, over all its connections.
const MAX_IN_FLIGHT: usize = 1024;

/// How often a call that certainly was not executed changes its connection within one attempt.
const MAX_MOVES: usize = 3;

/// What is needed to open a connection.
struct Dialer {
    endpoint: Arc<Endpoint>,
    proxy: Option<Proxy>,
    trust: Arc<Trust>,
    timeouts: Timeouts,
    pool_max: usize,
    metrics: Metrics,
    tracing: Tracing,
}

/// What was in the way of a connection.
enum Obstacle {
    /// The gateway's name could not be looked up, or the gateway not be reached.
    Gateway(io::Error),
    /// The proxy could not be reached.
    Proxy(io::Error),
    /// The proxy was reached, and did not answer.
    Answer(io::Error),
    Refused(Refusal),
    /// The caller's own thread does not go on.
    Interrupted(SdkError),
}

impl Obstacle {
    /// Whether somebody took too long.
    fn is_timeout(&self) -> bool {
        match self {
            Self::Gateway(error) | Self::Proxy(error) | Self::Answer(error) => {
                error.kind() == io::ErrorKind::TimedOut
            }
            Self::Refused(_) | Self::Interrupted(_) => false,
        }
    }
}

impl From<Problem> for Obstacle {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Refused(refusal) => Self::Refused(refusal),
            Problem::Lost(error) => Self::Answer(error),
        }
    }
}

impl Dialer {
    fn new(config: &SdkConfig, metrics: &Metrics, tracing: &Tracing) -> Result<Self, SdkError> {
        Ok(Self {
            endpoint: Arc::new(config.endpoints()?.remove(0)),
            proxy: Proxy::of(config),
            trust: Arc::new(Trust::new(config.tls.clone())),
            timeouts: config.timeouts.clone(),
            pool_max: config.pool.max,
            metrics: metrics.clone(),
            tracing: tracing.clone(),
        })
    }

    /// A TLS session that has not sent anything yet.
    fn tls(&self) -> Result<TlsSession, SdkError> {
        let config = self.trust.client_config()?;
        TlsSession::new(config, &self.endpoint)
    }

    /// Who may share a connection with a call of this capability.
    fn isolation(&self, token: &[u8]) -> Isolation {
        let proxy = self.proxy.as_ref();
        proxy.map_or_else(Isolation::default, |proxy| proxy.isolation(token))
    }

    /// What telemetry calls a connection.
    fn label(&self, id: ConnectionId) -> ConnectionLabel {
        ConnectionLabel::new(&self.endpoint, id.0, &self.metrics, &self.tracing)
    }

    /// Slots of one connection, so that all of them together stay within [`MAX_IN_FLIGHT`].
    fn slots(&self) -> usize {
        MAX_IN_FLIGHT / self.pool_max
    }

    /// Why no connection came about, given the call's own limit.
    fn dial_failed(&self, obstacle: Obstacle, deadline: Instant) -> SdkError {
        let is_out_of_time = |error: &io::Error| {
            error.kind() == io::ErrorKind::TimedOut && Instant::now() >= deadline
        };
        if obstacle.is_timeout() && Instant::now() < deadline {
            self.metrics.timed_out(IoTimeout::Connect);
        }
        match (obstacle, &self.proxy) {
            (Obstacle::Interrupted(error), _) => error,
            // What a proxy has answered is said, however late it is.
            (Obstacle::Refused(refusal), Some(proxy)) => proxy.refused(&self.endpoint, &refusal),
            (Obstacle::Refused(_), None) => self.unreachable(&io::ErrorKind::Other.into()),
            (Obstacle::Gateway(error) | Obstacle::Proxy(error) | Obstacle::Answer(error), _)
                if is_out_of_time(&error) =>
            {
                out_of_time()
            }
            (Obstacle::Proxy(error), Some(proxy)) => {
                proxy.lost(&self.endpoint, &error, false, self.timeouts.connect)
            }
            (Obstacle::Answer(error), Some(proxy)) => {
                proxy.lost(&self.endpoint, &error, true, self.timeouts.connect)
            }
            (Obstacle::Gateway(error) | Obstacle::Proxy(error) | Obstacle::Answer(error), _) => {
                self.unreachable(&error)
            }
        }
    }

    fn unreachable(&self, error: &io::Error) -> SdkError {
        let why = match error.kind() {
            io::ErrorKind::TimedOut => {
                format!(
                    "no answer within timeouts.connect ({:?})",
                    self.timeouts.connect
                )
            }
            io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
            _ => error.to_string(),
        };
        SdkError::new(
            ErrorKind::Transport,
            format!("no connection to the gateway at {}: {why}", self.endpoint),
        )
    }
}

/// Reports a dial. One that its caller's own limit or thread has ended says nothing to those who go on.
fn finish_dial<S: Socket>(
    dialer: &Dialer,
    permit: DialPermit<'_, S>,
    dialed: Result<Connection<S>, Failure>,
    fallback: Option<Arc<Connection<S>>>,
) -> Result<Arc<Connection<S>>, Failure> {
    if let Err(failure) = &dialed {
        let label = dialer.label(permit.id());
        label.dial_failed(failure.error.kind(), permit.elapsed());
    }
    match dialed {
        Err(failure)
            if matches!(
                failure.error.kind(),
                ErrorKind::DeadlineExceeded | ErrorKind::Cancelled
            ) =>
        {
            Err(failure)
        }
        dialed => permit.finish(dialed, fallback),
    }
}

/// The call's time was over before there was a connection.
fn out_of_time() -> SdkError {
    SdkError::new(
        ErrorKind::DeadlineExceeded,
        "the call's time ran out while connecting to the gateway",
    )
}

/// What this SDK says about itself.
fn hello() -> HelloRequest {
    HelloRequest::new(concat!("ron-app-sdk/", env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The call's time is over, and the proxy has answered all the same.
    #[test]
    fn what_a_proxy_has_answered_is_not_masked_by_the_calls_limit() {
        let dialer = Dialer::new(&SdkConfig::over_tor(), &Metrics::new(), &Tracing::new(true));
        let dialer = dialer.unwrap();
        let over = Instant::now();
        let refused = Obstacle::Refused(Refusal::Failed("answered 1".into()));
        let error = dialer.dial_failed(refused, over);
        assert_eq!(error.kind(), ErrorKind::TorUnavailable);
        let closed = Obstacle::Answer(io::ErrorKind::UnexpectedEof.into());
        let error = dialer.dial_failed(closed, over);
        assert_eq!(error.kind(), ErrorKind::TorUnavailable);
        let silent = Obstacle::Answer(io::ErrorKind::TimedOut.into());
        let error = dialer.dial_failed(silent, over);
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    }
}
