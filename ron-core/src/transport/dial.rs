//! A dial on its way from gateway to gateway, and what stands in its way. No I/O.

use super::connection::{Connection, Failure};
use super::endpoint::Endpoint;
use super::gateways::share;
use super::pool::DialPermit;
use super::proxy::{Problem, Proxy, Refusal};
use super::socket::Socket;
use super::tls::TlsSession;
use super::Dialer;
use crate::error::{ErrorKind, SdkError};
use crate::metrics::IoTimeout;
use crate::telemetry::ConnectionLabel;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was in the way of a connection.
pub(super) enum Obstacle {
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

/// A dial on its way from gateway to gateway.
pub(super) struct Route<'a, S: Socket> {
    dialer: &'a Dialer,
    permit: &'a DialPermit<'a, S>,
    /// `timeouts.connect`
    limit: Duration,
    /// When the connection has to be established.
    pub(super) connect_deadline: Instant,
    /// When the call has to be over.
    deadline: Instant,
    /// Gateways that could not be reached.
    dialled: usize,
}

/// The gateways that are not dialled any more in this dial.
enum Lost {
    This,
    All,
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

impl<'a, S: Socket> Route<'a, S> {
    pub(super) fn new(
        dialer: &'a Dialer,
        permit: &'a DialPermit<'a, S>,
        limit: Duration,
        deadline: Instant,
    ) -> Self {
        Self {
            dialer,
            permit,
            limit,
            connect_deadline: Instant::now() + limit,
            deadline,
            dialled: 0,
        }
    }

    /// The gateway to dial, and until when; `None` where all have been dialled, or the time for it is over.
    pub(super) fn next(&self) -> Option<(&'a Arc<Endpoint>, Instant)> {
        let gateways = self.permit.route().get(self.dialled..)?;
        let now = Instant::now();
        let until = self.connect_deadline.min(self.deadline);
        let left = until.saturating_duration_since(now);
        if left.is_zero() && self.dialled > 0 {
            return None;
        }
        let gateway = gateways.first()?;
        let sharers = if self.may_pass_over() {
            gateways.len()
        } else {
            1
        };
        Some((gateway, now + share(left, sharers)))
    }

    /// A TLS session with this gateway that has not sent anything yet.
    pub(super) fn tls(&self, gateway: &Arc<Endpoint>) -> Result<TlsSession, SdkError> {
        let config = self.dialer.trust.client_config();
        let tls = config.and_then(|config| TlsSession::new(config, gateway));
        tls.inspect_err(|error| self.say_failed(gateway, error.kind()))
    }

    /// What telemetry calls the connection to this gateway.
    pub(super) fn label(&self, gateway: &Arc<Endpoint>) -> ConnectionLabel {
        ConnectionLabel::new(
            gateway,
            self.permit.id().0,
            &self.dialer.metrics,
            &self.dialer.tracing,
        )
    }

    /// The gateway was not reached. The error is the call's, where no other gateway is to be dialled.
    pub(super) fn not_reached(
        &mut self,
        gateway: &Arc<Endpoint>,
        obstacle: Obstacle,
    ) -> Result<(), SdkError> {
        let judged = self.judge(gateway, obstacle);
        let kind = judged
            .as_ref()
            .map_or_else(SdkError::kind, |_| ErrorKind::Transport);
        self.say_failed(gateway, kind);
        let (lost, why) = judged?;
        let left = self.permit.route().get(self.dialled..).unwrap_or_default();
        let lost = match lost {
            Lost::This => left.get(..1).unwrap_or_default(),
            Lost::All => left,
        };
        for gateway in lost {
            self.permit.not_reached(gateway, &why);
        }
        self.dialled += lost.len();
        Ok(())
    }

    /// No gateway was reached.
    pub(super) fn exhausted(self) -> SdkError {
        let is_stopped = self.dialled < self.permit.route().len();
        if is_stopped && Instant::now() >= self.deadline {
            return out_of_time();
        }
        // Also of those that back off since an earlier dial.
        let failures = self.permit.failures();
        let gateways = match failures.len() {
            1 => "the gateway at ",
            _ => "any gateway: ",
        };
        let failures = failures.join("; ");
        SdkError::new(
            ErrorKind::Transport,
            format!("no connection to {gateways}{failures}"),
        )
    }

    /// Which gateways an obstacle keeps the dial from, and why; or the error with which it ends.
    fn judge(
        &self,
        gateway: &Arc<Endpoint>,
        obstacle: Obstacle,
    ) -> Result<(Lost, String), SdkError> {
        if obstacle.is_timeout() {
            if Instant::now() >= self.deadline {
                return Err(out_of_time());
            }
            self.dialer.metrics.timed_out(IoTimeout::Connect);
        }
        let limit = match self.permit.route().len() {
            2.. if self.may_pass_over() => "in its share of timeouts.connect".to_owned(),
            _ => format!("within timeouts.connect ({:?})", self.limit),
        };
        let is_timeout = obstacle.is_timeout();
        match (obstacle, &self.dialer.proxy) {
            (Obstacle::Interrupted(error), _) => Err(error),
            // What a proxy has answered is said, however late it is.
            (Obstacle::Refused(refusal), Some(proxy)) => {
                Ok((Lost::This, proxy.refused(gateway, &refusal)?))
            }
            // The others are behind it too. But a new attempt may come through where one packet was lost.
            (Obstacle::Proxy(error), Some(proxy)) => {
                let lost = if is_timeout { Lost::This } else { Lost::All };
                Ok((lost, proxy.lost(gateway, &error, false, &limit)?))
            }
            // It says nothing while it connects to a gateway, and some say nothing where they cannot.
            (Obstacle::Answer(error), Some(proxy)) => {
                Ok((Lost::This, proxy.lost(gateway, &error, true, &limit)?))
            }
            (Obstacle::Gateway(error) | Obstacle::Proxy(error) | Obstacle::Answer(error), _) => {
                Ok((Lost::This, unreachable(&error, &limit)))
            }
            (Obstacle::Refused(_), None) => {
                let error = io::ErrorKind::Other.into();
                Ok((Lost::This, unreachable(&error, &limit)))
            }
        }
    }

    /// Whether a gateway that is not reached is followed by the next one. With Tor the dial ends, so that nothing hides
    /// that Tor is unavailable.
    fn may_pass_over(&self) -> bool {
        let proxy = self.dialer.proxy.as_ref();
        !proxy.is_some_and(Proxy::is_tor)
    }

    fn say_failed(&self, gateway: &Arc<Endpoint>, kind: ErrorKind) {
        self.label(gateway).dial_failed(kind, self.permit.elapsed());
    }
}

/// Reports a dial. One that its caller's own limit or thread has ended says nothing to those who go on.
pub(super) fn finish_dial<S: Socket>(
    permit: DialPermit<'_, S>,
    dialed: Result<Connection<S>, Failure>,
    fallback: Option<Arc<Connection<S>>>,
) -> Result<Arc<Connection<S>>, Failure> {
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
pub(super) fn out_of_time() -> SdkError {
    SdkError::new(
        ErrorKind::DeadlineExceeded,
        "the call's time ran out while connecting to the gateway",
    )
}

fn unreachable(error: &io::Error, limit: &str) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => format!("no answer {limit}"),
        io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::SdkConfig;
    use crate::metrics::Metrics;
    use crate::retry::Random;
    use crate::telemetry::Tracing;
    use crate::transport::pool::{Acquired, Pool};
    use crate::transport::proxy::Isolation;
    use crate::transport::socket::ThreadSocket;

    const LIMIT: Duration = Duration::from_secs(3);

    /// What becomes of a dial of three gateways that meets with this at the first one, and until when that one had time.
    fn dial<T>(
        config: SdkConfig,
        deadline: Instant,
        obstacle: Obstacle,
        then: impl FnOnce(Result<(), SdkError>, Route<'_, ThreadSocket>, Duration) -> T,
    ) -> T {
        let config = SdkConfig {
            gateway_addr: "https://a".into(),
            fallback_addrs: vec!["https://b".into(), "https://c".into()],
            ..config
        };
        let dialer = Dialer::new(&config, &Metrics::new(), &Tracing::new(true)).unwrap();
        let random = Arc::new(Random::seeded(1));
        let pool = Pool::<ThreadSocket>::new(&config, dialer.gateways(), random);
        let now = Instant::now();
        let mut wait = pool.wait((), Isolation::default(), now + LIMIT);
        let waker = futures_util::task::noop_waker_ref();
        let Acquired::Dial(permit, None) = wait.acquire(now, waker) else {
            panic!("it is not asked to dial");
        };
        let mut route = Route::new(&dialer, &permit, LIMIT, deadline);
        let (gateway, until) = route.next().unwrap();
        let result = route.not_reached(gateway, obstacle);
        then(result, route, until.saturating_duration_since(now))
    }

    fn through_a_proxy() -> SdkConfig {
        let mut config = SdkConfig::default();
        config.set("proxy", "socks5h://proxy:1080").unwrap();
        config
    }

    fn later() -> Instant {
        Instant::now() + 2 * LIMIT
    }

    /// The call's time is over, and the proxy has answered all the same.
    #[test]
    fn what_a_proxy_has_answered_is_not_masked_by_the_calls_limit() {
        for (obstacle, kind) in [
            (
                Obstacle::Refused(Refusal::Failed("answered 1".into())),
                ErrorKind::TorUnavailable,
            ),
            (
                Obstacle::Answer(io::ErrorKind::UnexpectedEof.into()),
                ErrorKind::TorUnavailable,
            ),
            (
                Obstacle::Answer(io::ErrorKind::TimedOut.into()),
                ErrorKind::DeadlineExceeded,
            ),
        ] {
            let over = Instant::now();
            dial(SdkConfig::over_tor(), over, obstacle, |result, _, _| {
                assert_eq!(result.unwrap_err().kind(), kind);
            });
        }
    }

    #[test]
    fn with_tor_no_gateway_is_passed_over_and_the_first_one_has_all_the_time() {
        let refused = Obstacle::Refused(Refusal::Failed("answered 5".into()));
        dial(
            SdkConfig::over_tor(),
            later(),
            refused,
            |result, _, time| {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::TorUnavailable);
                assert!(time > LIMIT / 2, "{time:?}");
            },
        );
    }

    #[test]
    fn a_gateway_that_a_proxy_does_not_reach_is_passed_over() {
        for obstacle in [
            Obstacle::Refused(Refusal::Failed("answered 5".into())),
            Obstacle::Answer(io::ErrorKind::TimedOut.into()),
            Obstacle::Proxy(io::ErrorKind::TimedOut.into()),
        ] {
            dial(
                through_a_proxy(),
                later(),
                obstacle,
                |result, route, time| {
                    result.unwrap();
                    assert_eq!(route.next().unwrap().0.to_string(), "b:443");
                    assert!(time < LIMIT / 2, "{time:?}");
                },
            );
        }
    }

    #[test]
    fn a_proxy_that_is_not_there_is_every_gateways_obstacle() {
        let refused = Obstacle::Proxy(io::ErrorKind::ConnectionRefused.into());
        dial(through_a_proxy(), later(), refused, |result, route, _| {
            result.unwrap();
            assert!(route.next().is_none());
            let error = route.exhausted();
            assert_eq!(error.kind(), ErrorKind::Transport);
            for name in ["a:443", "b:443", "c:443"] {
                let said = format!("{name}: the proxy at proxy:1080 could not be reached");
                assert!(error.to_string().contains(&said), "{error}");
            }
        });
    }

    #[test]
    fn a_proxy_that_does_not_allow_the_gateway_ends_the_dial() {
        for refusal in [
            Refusal::Forbidden("answered 2".into()),
            Refusal::Credentials,
        ] {
            let refused = Obstacle::Refused(refusal);
            dial(through_a_proxy(), later(), refused, |result, _, _| {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Config);
            });
        }
    }
}
