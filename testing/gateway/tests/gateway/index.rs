//! The index over the wire.

use crate::support::{Answer, Connection, Fixture};
use ron_app_sdk::oap::{EffectReply, Executed, IndexResolveReply, Operation, Reason};
use ron_app_sdk::{AddrB3, Expected, IndexKey};
use ron_gateway::{GatewayConfig, IndexLimits};

pub(crate) fn key(text: &str) -> IndexKey {
    IndexKey::new(text).unwrap()
}

pub(crate) fn publish(to: &str, value: &[u8], expected: Option<Expected>) -> Operation<'static> {
    Operation::IndexPublish {
        key: key(to),
        address: AddrB3::of(value),
        expected,
    }
}

pub(crate) async fn resolve(connection: &mut Connection, name: &str) -> Answer {
    let key = key(name);
    connection.call(Operation::IndexResolve { key }, b"").await
}

fn address(answer: &Answer) -> AddrB3 {
    answer.reply::<IndexResolveReply>().address
}

#[tokio::test]
async fn a_name_stands_for_what_was_published_last() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut connection = fixture.connect().await;
    let absent = resolve(&mut connection, "latest").await.error();
    let refusal = (absent.reason, absent.executed);
    assert_eq!(refusal, (Reason::NotFound, Executed::No));
    for value in [b"1", b"2"] {
        let published = connection.call(publish("latest", value, None), b"").await;
        let published: EffectReply = published.reply();
        assert_eq!(
            (published.executed, published.replayed),
            (Executed::Yes, false)
        );
        let resolved = resolve(&mut connection, "latest").await;
        let reply: IndexResolveReply = resolved.reply();
        assert_eq!(
            (reply.executed, reply.address),
            (Executed::No, AddrB3::of(value))
        );
    }
    connection.tenant_id = 7;
    assert_eq!(resolve(&mut connection, "latest").await.code, 404);
    let metrics = fixture.gateway.metrics();
    assert_eq!(metrics.calls("index", "publish", 200), 2);
    assert_eq!(metrics.calls("index", "resolve", 404), 2);
}

#[tokio::test]
async fn a_publish_can_expect_something_and_is_executed_once_under_its_key() {
    let fixture = Fixture::start(GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    })
    .await;
    let mut connection = fixture.connect().await;
    let (one, two) = (AddrB3::of(b"1"), AddrB3::of(b"2"));
    let first = publish("latest", b"1", Some(Expected::Absent));
    for replayed in [false, true] {
        let answer = connection.call_keyed(&first, "k", b"").await;
        assert_eq!(answer.reply::<EffectReply>().replayed, replayed);
    }
    let refused = connection.call(first, b"").await.error();
    let refusal = (refused.reason, refused.executed);
    assert_eq!(refusal, (Reason::UnexpectedValue, Executed::No));
    for other in [
        publish("latest", b"1", None),
        publish("latest", b"2", Some(Expected::Absent)),
        publish("other", b"1", Some(Expected::Absent)),
    ] {
        let mismatch = connection.call_keyed(&other, "k", b"").await.error();
        assert_eq!(mismatch.reason, Reason::IdempotencyMismatch);
    }

    // A refusal leaves its key free.
    let conditional = publish("latest", b"3", Some(two.into()));
    let refused = connection.call_keyed(&conditional, "l", b"").await.error();
    assert_eq!(refused.reason, Reason::UnexpectedValue);
    assert_eq!(address(&resolve(&mut connection, "latest").await), one);
    connection
        .call(publish("latest", b"2", Some(one.into())), b"")
        .await
        .reply::<EffectReply>();
    let answer = connection.call_keyed(&conditional, "l", b"").await;
    assert!(!answer.reply::<EffectReply>().replayed);
    let ledger = fixture.gateway.ledger().unwrap();
    assert_eq!((ledger.effects_total(), ledger.keys()), (3, 2));
    assert_eq!(ledger.most_effects_of_one_key(), 1);
}

#[tokio::test]
async fn names_are_bounded_and_a_body_is_refused() {
    let fixture = Fixture::start(GatewayConfig {
        index: IndexLimits { max_names: 1 },
        ..GatewayConfig::default()
    })
    .await;
    let mut connection = fixture.connect().await;
    for (name, body, code) in [("a", &b"x"[..], 400), ("a", b"", 200), ("b", b"", 507)] {
        let answer = connection.call(publish(name, b"1", None), body).await;
        assert_eq!(answer.code, code, "{name}");
    }
}
