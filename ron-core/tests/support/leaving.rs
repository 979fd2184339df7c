//! Callers who leave before their calls have ended.

use super::TestGateway;
use ron_app_sdk::session::ServerLimits;
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::GatewayConfig;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::task::Poll;

/// Polls a future at most `polls` times, then drops it. `None` where it was not ready by then.
pub(crate) async fn abandoned<T>(future: impl Future<Output = T>, polls: u64) -> Option<T> {
    let mut left = polls;
    let mut future = pin!(future);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A gateway on which cancelling often is no reason to drain.
pub(crate) fn patient_gateway(mut config: GatewayConfig) -> TestGateway {
    config.limits.session = ServerLimits {
        max_cancels_per_second: u32::MAX,
        ..ServerLimits::default()
    };
    TestGateway::start_with(config, &CertificateRequest::localhost())
}
