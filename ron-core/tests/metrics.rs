//! What calls and connections count, over real sockets.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::oap::{Flags, Reason};
use ron_app_sdk::{
    blocking, AddrB3, CapabilitySource, ErrorKind, Mail, Metrics, MetricsSnapshot, RonAppSdk, Topic,
};
use ron_gateway::faults::{Fault, FaultPlan, FaultRule};
use std::time::Duration;
use support::peer::{Peer, OK, STORAGE};
use support::{block_on, bytes, capability, TestGateway, LIMIT};

/// The sum of the samples with these labels.
fn total(snapshot: &MetricsSnapshot, name: &str, labels: &[(&str, &str)]) -> u64 {
    snapshot.total(name, labels) as u64
}

fn endpoint(name: &'static str) -> (&'static str, &'static str) {
    ("endpoint", name)
}

/// Calls of one operation that ended with this outcome.
fn ended(metrics: &Metrics, name: &'static str, outcome: &str) -> u64 {
    let labels = [endpoint(name), ("outcome", outcome)];
    total(&metrics.snapshot(), "sdk_requests_total", &labels)
}

fn count(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> u64 {
    total(&metrics.snapshot(), name, labels)
}

/// Each of these once, into an attempt of its own.
fn once(faults: impl IntoIterator<Item = Fault>) -> FaultPlan {
    let rules = faults.into_iter().zip(1..);
    let rules = rules.map(|(fault, attempt)| FaultRule {
        attempt: Some(attempt),
        times: Some(1),
        ..FaultRule::new(fault)
    });
    rules.collect()
}

fn unavailable() -> Fault {
    Fault::ErrorBefore {
        reasons: vec![Reason::Unavailable],
        retry_after_ms: None,
    }
}

/// A put that is tried twice, a get and one of nothing.
fn assert_counted(metrics: &Metrics) {
    let snapshot = metrics.snapshot();
    let total = |name, labels: &[(&str, &str)]| total(&snapshot, name, labels);
    let (put, get) = (endpoint("storage.put"), endpoint("storage.get"));
    let ok = [("outcome", "ok"), ("code", "200")];
    assert_eq!(total("sdk_requests_total", &[put, ok[0], ok[1]]), 1);
    assert_eq!(total("sdk_requests_total", &[get, ok[0], ok[1]]), 1);
    let missing = [get, ("outcome", "NotFound"), ("code", "404")];
    assert_eq!(total("sdk_requests_total", &missing), 1);
    assert_eq!(total("sdk_requests_total", &[]), 3);
    assert_eq!(total("sdk_request_latency_seconds_count", &[put]), 1);
    assert_eq!(total("sdk_request_latency_seconds_count", &[get]), 2);
    assert_eq!(total("sdk_inflight_requests", &[]), 0);
    let retried = [put, ("reason", "server")];
    assert_eq!(total("sdk_backoff_retries_total", &retried), 1);
    assert_eq!(total("sdk_backoff_retries_total", &[]), 1);
    // The receipt and the object.
    let verified = [("outcome", "ok")];
    assert_eq!(total("sdk_integrity_verify_total", &verified), 2);
    assert_eq!(total("sdk_integrity_verify_total", &[]), 2);
    assert_eq!(total("sdk_storage_put_bytes_total", &[]), 70_000);
    assert_eq!(total("sdk_storage_get_bytes_total", &[]), 70_000);
    let sum: Duration = snapshot.latencies.iter().map(|latency| latency.sum).sum();
    assert!(sum > Duration::ZERO && sum < LIMIT, "{sum:?}");
}

#[test]
fn both_clients_count_the_same() {
    let gateway = TestGateway::start();
    let (body, nothing) = (bytes(70_000), AddrB3::of(b"nothing"));

    gateway.gateway.faults().arm(once([unavailable()])).unwrap();
    let sdk = gateway.blocking_sdk();
    let calls = sdk.with(capability());
    let address = calls.storage_put(&body).unwrap();
    assert_eq!(calls.storage_get(address).unwrap(), body);
    calls.storage_get(nothing).unwrap_err();
    assert_counted(sdk.metrics());

    gateway.gateway.faults().arm(once([unavailable()])).unwrap();
    let metrics = block_on(async {
        let sdk = gateway.sdk().await;
        let calls = sdk.with(capability());
        let address = calls.storage_put(body.clone()).await.unwrap();
        assert_eq!(calls.storage_get(address).await.unwrap(), body);
        calls.storage_get(nothing).await.unwrap_err();
        sdk.metrics().clone()
    });
    assert_counted(&metrics);
}

#[test]
fn clients_that_share_their_metrics_are_counted_together_and_others_are_not() {
    let gateway = TestGateway::start();
    let metrics = Metrics::new();
    let shared = || blocking::RonAppSdk::with_metrics(gateway.config(), &metrics).unwrap();
    let (one, other, own) = (shared(), shared(), gateway.blocking_sdk());
    for sdk in [&one, &other, &own, &own] {
        sdk.storage_put(capability(), b"x", LIMIT, None).unwrap();
    }
    block_on(async {
        let sdk = RonAppSdk::with_metrics(gateway.config(), &metrics);
        let sdk = sdk.await.unwrap();
        let put = sdk.storage_put(capability(), "x".into(), LIMIT, None);
        put.await.unwrap();
    });
    assert_eq!(ended(&metrics, "storage.put", "ok"), 3);
    assert_eq!(ended(own.metrics(), "storage.put", "ok"), 2);
}

#[test]
fn open_calls_are_in_flight_and_dropped_ones_are_counted_as_such() {
    let peer = Peer::after_hello(|conversation, _| loop {
        conversation.receive()?;
    });
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        let inflight = |name| count(sdk.metrics(), "sdk_inflight_requests", &[endpoint(name)]);
        let (one, other) = (AddrB3::of(b"1"), AddrB3::of(b"2"));
        let calls = sdk.with(capability());
        {
            let mut open = std::pin::pin!(async {
                tokio::join!(calls.storage_get(one), calls.storage_get(other))
            });
            let poll = tokio::time::timeout(Duration::from_millis(50), &mut open).await;
            assert!(poll.is_err());
            assert_eq!(inflight("storage.get"), 2);
            assert_eq!(inflight("storage.put"), 0);
        }
        assert_eq!(inflight("storage.get"), 0);
        assert_eq!(ended(sdk.metrics(), "storage.get", "dropped"), 2);
        let latencies = sdk.metrics().snapshot().latencies;
        assert_eq!(latencies[0].count, 0);
    });
}

#[test]
fn calls_that_are_refused_before_they_begin_are_counted_by_why() {
    let sdk = blocking::RonAppSdk::new(ron_app_sdk::SdkConfig::default()).unwrap();
    let address = AddrB3::of(b"x");
    let error = sdk.storage_head(capability(), address, Duration::ZERO);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
    sdk.close(LIMIT);
    let error = sdk.storage_head(capability(), address, LIMIT);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(ended(sdk.metrics(), "storage.head", "Config"), 1);
    assert_eq!(ended(sdk.metrics(), "storage.head", "Closed"), 1);
    assert_eq!(count(sdk.metrics(), "sdk_inflight_requests", &[]), 0);
}

#[test]
fn what_the_cache_has_is_a_success_without_an_answer() {
    let gateway = TestGateway::start();
    let mut config = gateway.config();
    config.cache.enabled = true;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let calls = sdk.with(capability());
    let address = calls.storage_put(b"hello").unwrap();
    for _ in 0..3 {
        calls.storage_get(address).unwrap();
    }
    let requests = |code| {
        let labels = [endpoint("storage.get"), ("outcome", "ok"), ("code", code)];
        count(sdk.metrics(), "sdk_requests_total", &labels)
    };
    assert_eq!((requests("200"), requests("none")), (1, 2));
    assert_eq!(count(sdk.metrics(), "sdk_storage_get_bytes_total", &[]), 5);
}

#[test]
fn wrong_bytes_and_what_follows_them_are_counted() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let calls = sdk.with(capability());
    let address = calls.storage_put(b"hello").unwrap();
    let corrupt = once([Fault::CorruptBody]);
    gateway.gateway.faults().arm(corrupt).unwrap();
    assert_eq!(calls.storage_get(address).unwrap(), "hello");
    let metrics = sdk.metrics();
    let verified = |outcome| {
        count(
            metrics,
            "sdk_integrity_verify_total",
            &[("outcome", outcome)],
        )
    };
    assert_eq!((verified("ok"), verified("mismatch")), (2, 1));
    let reason = [("reason", "integrity_mismatch")];
    assert_eq!(count(metrics, "sdk_backoff_retries_total", &reason), 1);
}

#[test]
fn what_is_not_verified_is_not_counted_as_verified() {
    let gateway = TestGateway::start();
    let mut config = gateway.config();
    config.cache.verify_puts = false;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let calls = sdk.with(capability());
    let address = calls.storage_put(b"hello").unwrap();
    let range = ron_app_sdk::ByteRange::new(1, 3).unwrap();
    calls.storage_get_range(address, range).unwrap();
    let metrics = sdk.metrics();
    assert_eq!(count(metrics, "sdk_integrity_verify_total", &[]), 0);
    assert_eq!(count(metrics, "sdk_storage_get_bytes_total", &[]), 3);
    let labels = [endpoint("storage.get"), ("code", "206")];
    assert_eq!(count(metrics, "sdk_requests_total", &labels), 1);
}

#[test]
fn capabilities_that_do_not_do_are_counted_by_why() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let failures = |reason| {
        let labels = [("reason", reason)];
        count(sdk.metrics(), "sdk_auth_failures_total", &labels)
    };
    let expired = once([Fault::CapabilityExpired]);
    gateway.gateway.faults().arm(expired).unwrap();
    let provider = CapabilitySource::provider(|| Ok(capability()));
    let topic = Topic::new("t").unwrap();
    let send = |source: &CapabilitySource| {
        sdk.mailbox_send(source, Mail::new(topic.clone(), "x"), LIMIT, None)
    };
    send(&provider).unwrap();
    assert_eq!(failures("expired"), 1);
    let reason = [("reason", "capability_expired")];
    let retries = count(sdk.metrics(), "sdk_backoff_retries_total", &reason);
    assert_eq!(retries, 1);

    let narrow = capability().attenuate("topic=other").unwrap();
    let denied = send(&narrow.into()).unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::CapabilityDenied);
    assert_eq!((failures("expired"), failures("denied")), (1, 1));

    let broken = CapabilitySource::provider(|| Err("out of order".into()));
    send(&broken).unwrap_err();
    assert_eq!(failures("provider"), 1);
    assert_eq!(ended(sdk.metrics(), "mailbox.send", "ok"), 1);
}

#[test]
fn what_the_gateway_takes_too_long_with_is_counted_by_what_it_is() {
    let timeouts = |metrics: &Metrics, op| count(metrics, "sdk_io_timeouts_total", &[("op", op)]);
    let address = AddrB3::of(b"x");
    let limit = Duration::from_secs(2);

    // Nothing answers a request: the attempt is given up, and so is the connection, which owes a sign of life.
    let silent = Peer::after_hello(|conversation, number| {
        conversation.receive()?;
        std::thread::sleep(Duration::from_secs(if number == 0 { 5 } else { 0 }));
        Ok(())
    });
    let mut config = silent.patient_config();
    config.backoff.max_attempts = 2;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    sdk.storage_head(capability(), address, limit).unwrap_err();
    assert!(timeouts(sdk.metrics(), "answer") >= 1);
    let reason = [("reason", "attempt_timeout")];
    let retries = count(sdk.metrics(), "sdk_backoff_retries_total", &reason);
    assert_eq!(retries, 1);

    // An answer that stops halfway.
    let halting = Peer::after_hello(|conversation, _| {
        let frame = conversation.receive()?;
        let (flags, corr_id) = (Flags::RESP.with(Flags::START), frame.header.corr_id);
        conversation.send(flags, OK, STORAGE, corr_id, Some("{}"), b"")?;
        std::thread::sleep(Duration::from_secs(5));
        Ok(())
    });
    let mut config = halting.config();
    config.timeouts.read = Duration::from_millis(100);
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let error = sdk.storage_head(capability(), address, limit).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stalled);
    assert_eq!(timeouts(sdk.metrics(), "read"), 1);
    assert_eq!(timeouts(sdk.metrics(), "connect"), 0);

    // A peer that accepts and says nothing.
    let mute = Peer::plain(|_stream, _| std::thread::sleep(Duration::from_secs(5)));
    let mut config = mute.config();
    config.timeouts.connect = Duration::from_millis(100);
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    sdk.storage_head(capability(), address, limit).unwrap_err();
    assert_eq!(timeouts(sdk.metrics(), "connect"), 1);
}

#[test]
fn a_peer_that_breaks_the_protocol_is_counted_by_how() {
    let peer = Peer::after_hello(|conversation, _| {
        let frame = conversation.receive()?;
        conversation.reply(frame.header.corr_id + 1000, OK, "{}", b"")
    });
    let sdk = blocking::RonAppSdk::new(peer.config()).unwrap();
    let error = sdk.storage_head(capability(), AddrB3::of(b"x"), LIMIT);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::OapViolation);
    let violations = |kind| {
        let labels = [("kind", kind)];
        count(sdk.metrics(), "sdk_oap_violations_total", &labels)
    };
    assert_eq!(violations("never_issued"), 1);
    assert_eq!(count(sdk.metrics(), "sdk_oap_violations_total", &[]), 1);
}
