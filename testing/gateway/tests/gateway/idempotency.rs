//! One effect per idempotency key, over both faces.

use crate::http_face;
use crate::support::{eventually, gated, identity_of, within, Fixture};
use ron_app_sdk::oap::{Executed, Operation, Reason, StoragePutReply};
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::{Deduplication, Gateway, GatewayConfig, IdempotencyLimits, Ledger};
use std::time::Duration;

fn counting() -> GatewayConfig {
    GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    }
}

fn ledger(fixture: &Fixture) -> &Ledger {
    fixture.gateway.ledger().unwrap()
}

fn not_replayed(mut receipt: StoragePutReply) -> StoragePutReply {
    assert!(receipt.replayed);
    receipt.replayed = false;
    receipt
}

#[tokio::test]
async fn a_second_put_under_a_key_is_answered_with_the_firsts_receipt() {
    let fixture = Fixture::start(counting()).await;
    let mut connection = fixture.connect().await;
    let first = connection.put("k", b"object").await.put();
    assert!(!first.replayed);
    let again = connection.put("k", b"object").await.put();
    assert_eq!(not_replayed(again), first);
    let mut elsewhere = fixture.connect().await;
    let again = elsewhere.put("k", b"object").await.put();
    assert_eq!(not_replayed(again), first);
    assert_eq!(ledger(&fixture).effects_total(), 1);

    let other = connection.put("k", b"another").await.error();
    let refusal = (other.reason, other.executed);
    assert_eq!(refusal, (Reason::IdempotencyMismatch, Executed::No));
    let other_key = connection.put("K", b"object").await.put();
    assert!(!other_key.replayed);

    let ledger = ledger(&fixture);
    assert_eq!((ledger.effects_total(), ledger.keys()), (2, 2));
    assert_eq!(ledger.most_effects_of_one_key(), 1);
    let metrics = fixture.gateway.metrics();
    assert_eq!(metrics.idempotency_replays(), 2);
    assert_eq!(metrics.idempotency_mismatches(), 1);
    assert_eq!(metrics.idempotency_records(), 2);
}

#[tokio::test]
async fn without_a_key_every_put_is_executed() {
    let fixture = Fixture::start(counting()).await;
    let mut connection = fixture.connect().await;
    for _ in 0..2 {
        let put = connection.call(Operation::StoragePut, b"object").await;
        assert!(!put.put().replayed);
    }
    let ledger = ledger(&fixture);
    assert_eq!((ledger.effects_total(), ledger.keys()), (2, 0));
}

#[tokio::test]
async fn http_has_the_same_keys() {
    let fixture = Fixture::start(counting()).await;
    let put = |body: &'static [u8]| {
        let headers = format!("Content-Length: {}\r\nIdempotency-Key: k\r\n", body.len());
        let fixture = &fixture;
        async move { http_face::request(fixture, "POST /put", &headers, body).await }
    };
    let first = put(b"object").await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let first: StoragePutReply = serde_json::from_slice(&first.body).unwrap();
    let again = put(b"object").await;
    assert_eq!(again.status, 200);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let again = serde_json::from_slice(&again.body).unwrap();
    assert_eq!(not_replayed(again), first);
    let other = put(b"another").await;
    assert_eq!(other.status, 409);
    assert_eq!(other.reason(), Reason::IdempotencyMismatch);

    let mut connection = fixture.connect().await;
    let over_oap = connection.put("k", b"object").await.put();
    assert_eq!(not_replayed(over_oap), first);
    assert_eq!(ledger(&fixture).effects_total(), 1);
}

#[tokio::test]
async fn a_put_is_executed_to_its_end_whatever_its_callers_do() {
    let (fixture, gate) = gated(counting()).await;
    let mut gone = fixture.connect().await;
    gone.send_put("k", b"object").await;
    let mut connection = fixture.connect().await;
    eventually(|| fixture.gateway.metrics().idempotency_records() == 1).await;
    drop(gone);
    let (waiting, _) = connection.send_put("k", b"object").await;
    let busy = connection.answer(waiting).await.error();
    let refusal = (busy.reason, busy.executed, busy.retry_after_ms);
    let in_progress = Reason::IdempotencyInProgress;
    assert_eq!(refusal, (in_progress, Executed::Unknown, Some(100)));

    let (_, corr_id) = connection.send_put("K", b"object").await;
    eventually(|| fixture.gateway.metrics().idempotency_records() == 2).await;
    connection.session.cancel(corr_id);
    connection.exchange().await;
    assert_eq!(fixture.gateway.metrics().calls("storage", "put", 499), 1);

    gate.add_permits(2);
    for key in ["k", "K"] {
        let receipt = within(5, connection.put(key, b"object")).await.put();
        assert!(receipt.replayed, "{key}");
    }
    assert_eq!(ledger(&fixture).effects_total(), 2);
    assert_eq!(ledger(&fixture).most_effects_of_one_key(), 1);
}

#[tokio::test]
async fn the_negative_controls_are_noticed_by_the_ledger() {
    let config = GatewayConfig {
        deduplication: Deduplication::Off,
        ..counting()
    };
    let fixture = Fixture::start(config).await;
    let mut connection = fixture.connect().await;
    for _ in 0..2 {
        assert!(!connection.put("k", b"object").await.put().replayed);
    }
    assert_eq!(ledger(&fixture).most_effects_of_one_key(), 2);

    // Over a connection that loses nothing there is nothing to notice.
    let config = GatewayConfig {
        deduplication: Deduplication::RecordAfterReply,
        ..counting()
    };
    let fixture = Fixture::start(config).await;
    let mut connection = fixture.connect().await;
    let first = connection.put("k", b"object").await.put();
    let again = connection.put("k", b"object").await.put();
    assert_eq!(not_replayed(again), first);
    assert_eq!(ledger(&fixture).most_effects_of_one_key(), 1);
}

#[tokio::test]
async fn a_window_that_a_call_can_outlive_is_refused() {
    let identity = identity_of(&Authority::new().unwrap(), &CertificateRequest::localhost());
    let config = GatewayConfig {
        idempotency: IdempotencyLimits {
            window: Duration::from_secs(60),
            ..IdempotencyLimits::default()
        },
        ..GatewayConfig::default()
    };
    let error = Gateway::start(config, identity).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_subject_with_too_many_keys_is_refused_and_its_records_stay() {
    let config = GatewayConfig {
        idempotency: IdempotencyLimits {
            max_keys_per_subject: 1,
            ..IdempotencyLimits::default()
        },
        ..counting()
    };
    let fixture = Fixture::start(config).await;
    let mut connection = fixture.connect().await;
    connection.put("k", b"object").await.put();
    let refusal = connection.put("K", b"object").await.error();
    let expected = (Reason::RateLimited, Executed::No);
    assert_eq!((refusal.reason, refusal.executed), expected);
    assert!(connection.put("k", b"object").await.put().replayed);
    assert_eq!(ledger(&fixture).effects_total(), 1);
}
