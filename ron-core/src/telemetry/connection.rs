//! The events of one connection.
//!
//! A connection is driven by its callers, so that its events come in the span of the call that met with them.

use super::{micros, outcome, Tracing, TARGET};
use crate::error::ErrorKind;
use crate::metrics::Metrics;
use crate::transport::endpoint::Endpoint;
use std::sync::Arc;
use std::time::Duration;
use tracing::debug;

/// Which connection: the gateway, and a number that counts the client's dials from 1. And what it is counted by.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLabel {
    gateway: Arc<Endpoint>,
    number: u64,
    metrics: Metrics,
    tracing: Tracing,
}

/// Something that befell a connection. Collected under its lock, and [said](ConnectionLabel::say) after that.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionEvent {
    /// HELLO was answered, and allows so many calls at once.
    Opened { slots: usize, elapsed: Duration },
    /// It failed, with so many calls on it.
    Lost {
        error: ErrorKind,
        established: bool,
        calls: usize,
    },
    /// The gateway wants it to take no more calls.
    Drained,
    /// It was silent, and was asked for a sign of life within this time.
    Probed { limit: Duration },
    /// The client closed it.
    Closed,
}

impl ConnectionLabel {
    pub(crate) fn new(
        gateway: &Arc<Endpoint>,
        number: u64,
        metrics: &Metrics,
        tracing: &Tracing,
    ) -> Self {
        Self {
            gateway: Arc::clone(gateway),
            number,
            metrics: metrics.clone(),
            tracing: tracing.clone(),
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn gateway(&self) -> &Arc<Endpoint> {
        &self.gateway
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// No TCP connection came about.
    pub(crate) fn dial_failed(&self, error: ErrorKind, elapsed: Duration) {
        if !self.tracing.is_enabled() {
            return;
        }
        debug!(
            name: "sdk.dial.failed",
            target: TARGET,
            gateway = %self.gateway,
            connection = self.number,
            outcome = outcome(Some(error)),
            elapsed_us = micros(elapsed),
            "the gateway could not be dialled"
        );
    }

    pub(crate) fn say(&self, event: ConnectionEvent) {
        if !self.tracing.is_enabled() {
            return;
        }
        let (gateway, connection) = (&*self.gateway, self.number);
        match event {
            ConnectionEvent::Opened { slots, elapsed } => debug!(
                name: "sdk.connection.opened",
                target: TARGET,
                %gateway,
                connection,
                slots,
                elapsed_us = micros(elapsed),
                "a connection is open"
            ),
            ConnectionEvent::Lost {
                error,
                established,
                calls,
            } => debug!(
                name: "sdk.connection.lost",
                target: TARGET,
                %gateway,
                connection,
                outcome = outcome(Some(error)),
                established,
                calls,
                "a connection is lost"
            ),
            ConnectionEvent::Drained => debug!(
                name: "sdk.connection.drained",
                target: TARGET,
                %gateway,
                connection,
                "a connection takes no more calls"
            ),
            ConnectionEvent::Probed { limit } => debug!(
                name: "sdk.connection.probed",
                target: TARGET,
                %gateway,
                connection,
                limit_us = micros(limit),
                "a connection is silent and has to prove itself"
            ),
            ConnectionEvent::Closed => debug!(
                name: "sdk.connection.closed",
                target: TARGET,
                %gateway,
                connection,
                "a connection is closed"
            ),
        }
    }
}
