//! What a gateway counts.

use crate::engine::Backends;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;

impl Default for CallLabel {
    /// Of a call that was refused before it said what it is.
    fn default() -> Self {
        Self {
            plane: "unknown",
            operation: "unknown",
        }
    }
}

/// A call's labels, without its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallLabel {
    pub(crate) plane: &'static str,
    pub(crate) operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    plane: &'static str,
    operation: &'static str,
    code: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandshakeLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: &'static str,
}

/// Counts the faults that were injected.
#[derive(Clone, Default)]
pub(crate) struct InjectedFaults(Family<KindLabels, Counter>);

impl InjectedFaults {
    pub(crate) fn count(&self, kind: &'static str) {
        self.0.get_or_create(&KindLabels { kind }).inc();
    }
}

/// What came of idempotency keys. Clones count together.
#[derive(Clone, Default)]
pub(crate) struct IdempotencyMetrics {
    pub(crate) replays: Counter,
    pub(crate) mismatches: Counter,
    pub(crate) in_progress: Counter,
    pub(crate) records: Gauge,
}

/// What goes on in the mailbox. Clones count together.
#[derive(Clone, Default)]
pub(crate) struct MailboxMetrics {
    pub(crate) messages: Gauge,
    pub(crate) bytes: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) redeliveries: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) expired: Counter,
}

/// A gateway's counters.
pub struct Metrics {
    registry: Registry,
    connections_accepted: Counter,
    connections_open: Gauge,
    connections_refused: Family<LimitLabels, Counter>,
    handshakes: Family<HandshakeLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    violations: Family<KindLabels, Counter>,
    timeouts: Family<PhaseLabels, Counter>,
    faults: InjectedFaults,
    idempotency: IdempotencyMetrics,
    mailbox: MailboxMetrics,
}

impl Metrics {
    /// Counters of a gateway that counts together with every other one of the same state what becomes of
    /// that.
    pub(crate) fn of(backends: &Backends) -> Self {
        Self::with(backends.idempotency.metrics(), backends.mailbox.metrics())
    }

    fn with(idempotency: IdempotencyMetrics, mailbox: MailboxMetrics) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("ron_gateway"),
            connections_accepted: Counter::default(),
            connections_open: Gauge::default(),
            connections_refused: Family::default(),
            handshakes: Family::default(),
            calls: Family::default(),
            violations: Family::default(),
            timeouts: Family::default(),
            faults: InjectedFaults::default(),
            idempotency,
            mailbox,
        };
        let registry = &mut metrics.registry;
        registry.register(
            "connections_accepted",
            "Connections taken, before their handshake",
            metrics.connections_accepted.clone(),
        );
        registry.register(
            "connections_open",
            "Connections at the moment",
            metrics.connections_open.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once, by the limit that they exceeded",
            metrics.connections_refused.clone(),
        );
        registry.register(
            "handshakes",
            "TLS handshakes: full, resumed or failed",
            metrics.handshakes.clone(),
        );
        registry.register(
            "calls",
            "Calls answered, over OAP and HTTP",
            metrics.calls.clone(),
        );
        registry.register(
            "oap_violations",
            "Connections closed because the client broke the protocol",
            metrics.violations.clone(),
        );
        registry.register(
            "timeouts",
            "Connections closed because the client was too slow, by what it was too slow with",
            metrics.timeouts.clone(),
        );
        registry.register(
            "faults_injected",
            "Faults injected on demand, by kind",
            metrics.faults.0.clone(),
        );
        registry.register(
            "idempotency_replays",
            "Mutations answered with the recorded result of an earlier attempt",
            metrics.idempotency.replays.clone(),
        );
        registry.register(
            "idempotency_mismatches",
            "Mutations refused because their idempotency key came with another request before",
            metrics.idempotency.mismatches.clone(),
        );
        registry.register(
            "idempotency_in_progress",
            "Mutations refused because the same one was being executed for longer than they waited",
            metrics.idempotency.in_progress.clone(),
        );
        registry.register(
            "idempotency_records",
            "Idempotency keys that are remembered",
            metrics.idempotency.records.clone(),
        );
        registry.register(
            "mailbox_messages",
            "Messages that are kept, dead letters included",
            metrics.mailbox.messages.clone(),
        );
        registry.register(
            "mailbox_bytes",
            "Bytes of their bodies and attributes",
            metrics.mailbox.bytes.clone(),
        );
        registry.register(
            "mailbox_waiting",
            "Receivers that wait for a message",
            metrics.mailbox.waiting.clone(),
        );
        registry.register(
            "mailbox_redeliveries",
            "Deliveries of messages that had been delivered before",
            metrics.mailbox.redeliveries.clone(),
        );
        registry.register(
            "mailbox_dead_letters",
            "Messages that were moved to their topic's dead letters",
            metrics.mailbox.dead_letters.clone(),
        );
        registry.register(
            "mailbox_expired",
            "Messages that were forgotten because their time was over",
            metrics.mailbox.expired.clone(),
        );
        metrics
    }

    /// Connections taken so far, before their handshake.
    pub fn connections_accepted(&self) -> u64 {
        self.connections_accepted.get()
    }

    /// Connections at the moment.
    pub fn connections_open(&self) -> u64 {
        self.connections_open.get().try_into().unwrap_or_default()
    }

    /// Connections closed at once because of a limit: `total` or `address`.
    pub fn connections_refused(&self, limit: &'static str) -> u64 {
        let labels = LimitLabels { limit };
        self.connections_refused.get_or_create(&labels).get()
    }

    /// TLS handshakes of a kind: `full`, `resumed` or `failed`.
    pub fn handshakes(&self, kind: &'static str) -> u64 {
        let labels = HandshakeLabels { kind };
        self.handshakes.get_or_create(&labels).get()
    }

    /// Calls answered with `code`, by plane (`storage`, `edge`, `mailbox`, `index`, or `unknown`) and
    /// operation (its name in that plane, or `unknown`).
    pub fn calls(&self, plane: &'static str, operation: &'static str, code: u16) -> u64 {
        let labels = CallLabels {
            plane,
            operation,
            code: u32::from(code),
        };
        self.calls.get_or_create(&labels).get()
    }

    /// Connections closed because of a protocol violation, by its
    /// [kind](ron_app_sdk::session::Violation::kind).
    pub fn violations(&self, kind: &'static str) -> u64 {
        let labels = KindLabels { kind };
        self.violations.get_or_create(&labels).get()
    }

    /// Connections closed because the client was too slow: `handshake`, `hello`, `frame`, `idle`, `write`.
    pub fn timeouts(&self, phase: &'static str) -> u64 {
        let labels = PhaseLabels { phase };
        self.timeouts.get_or_create(&labels).get()
    }

    /// Mutations answered with the recorded result of an earlier attempt.
    pub fn idempotency_replays(&self) -> u64 {
        self.idempotency.replays.get()
    }

    /// Mutations refused because their idempotency key came with another request before.
    pub fn idempotency_mismatches(&self) -> u64 {
        self.idempotency.mismatches.get()
    }

    /// Mutations refused because the same one was being executed for longer than they waited.
    pub fn idempotency_in_progress(&self) -> u64 {
        self.idempotency.in_progress.get()
    }

    /// Idempotency keys that are remembered. Those whose time is over are forgotten with the next
    /// mutation under a key.
    pub fn idempotency_records(&self) -> u64 {
        self.idempotency
            .records
            .get()
            .try_into()
            .unwrap_or_default()
    }

    /// Messages that are kept, dead letters included.
    pub fn mailbox_messages(&self) -> u64 {
        let messages = self.mailbox.messages.get();
        messages.try_into().unwrap_or_default()
    }

    /// Bytes of their bodies and attributes.
    pub fn mailbox_bytes(&self) -> u64 {
        self.mailbox.bytes.get().try_into().unwrap_or_default()
    }

    /// Receivers that wait for a message.
    pub fn mailbox_waiting(&self) -> u64 {
        self.mailbox.waiting.get().try_into().unwrap_or_default()
    }

    /// Deliveries of messages that had been delivered before.
    pub fn mailbox_redeliveries(&self) -> u64 {
        self.mailbox.redeliveries.get()
    }

    /// Messages that were moved to their topic's dead letters.
    pub fn mailbox_dead_letters(&self) -> u64 {
        self.mailbox.dead_letters.get()
    }

    /// Messages that were forgotten because their time was over.
    pub fn mailbox_expired(&self) -> u64 {
        self.mailbox.expired.get()
    }

    /// Everything, in the Prometheus text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn faults(&self) -> InjectedFaults {
        self.faults.clone()
    }

    pub(crate) fn connection_accepted(&self) {
        self.connections_accepted.inc();
        self.connections_open.inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.connections_open.dec();
    }

    pub(crate) fn connection_refused(&self, limit: &'static str) {
        let labels = LimitLabels { limit };
        self.connections_refused.get_or_create(&labels).inc();
    }

    pub(crate) fn handshake(&self, kind: &'static str) {
        let labels = HandshakeLabels { kind };
        self.handshakes.get_or_create(&labels).inc();
    }

    pub(crate) fn call(&self, label: CallLabel, code: u16) {
        let labels = CallLabels {
            plane: label.plane,
            operation: label.operation,
            code: u32::from(code),
        };
        self.calls.get_or_create(&labels).inc();
    }

    pub(crate) fn violation(&self, kind: &'static str) {
        let labels = KindLabels { kind };
        self.violations.get_or_create(&labels).inc();
    }

    pub(crate) fn timeout(&self, phase: &'static str) {
        let labels = PhaseLabels { phase };
        self.timeouts.get_or_create(&labels).inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("connections_accepted", &self.connections_accepted())
            .field("connections_open", &self.connections_open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_read_back_and_written_as_text() {
        let metrics = Metrics::with(IdempotencyMetrics::default(), MailboxMetrics::default());
        let label = CallLabel {
            plane: "storage",
            operation: "put",
        };
        metrics.call(label, 200);
        metrics.call(label, 200);
        metrics.call(label, 507);
        metrics.connection_accepted();
        metrics.connection_closed();
        assert_eq!(metrics.calls("storage", "put", 200), 2);
        assert_eq!(metrics.connections_accepted(), 1);
        assert_eq!(metrics.connections_open(), 0);
        let text = metrics.text();
        let line = r#"ron_gateway_calls_total{plane="storage",operation="put",code="507"} 1"#;
        assert!(text.contains(line), "{text}");
    }
}
