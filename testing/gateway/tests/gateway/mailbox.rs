//! The mailbox over the wire. Its rules in time are shown next to its engine.

use crate::support::{eventually, within, Connection, Fixture, MINUTE};
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::oap::{
    EffectReply, Executed, MailboxReceiveReply, MailboxSendReply, Operation, Reason,
    ReceivedMessage, MAX_BODY,
};
use ron_app_sdk::{AddrB3, Attributes, IdemKey, Lease, Topic};
use ron_gateway::{GatewayConfig, MailboxLimits};
use std::borrow::Cow;
use std::time::{Duration, Instant};

pub(crate) fn topic(text: &str) -> Topic {
    Topic::new(text).unwrap()
}

pub(crate) fn send(to: &str) -> Operation<'static> {
    Operation::MailboxSend {
        topic: topic(to),
        attributes: Cow::Owned(Attributes::default()),
    }
}

pub(crate) fn receive(from: &str, max: u16, wait_ms: u32, id: &str) -> Operation<'static> {
    Operation::MailboxReceive {
        topic: topic(from),
        max,
        visibility_ms: 30_000,
        wait_ms,
        receive_id: IdemKey::new(id).unwrap(),
    }
}

pub(crate) fn lease(from: &str, message: &ReceivedMessage) -> Lease {
    Lease::new(topic(from), message.id.clone(), message.lease.clone())
}

async fn ack(connection: &mut Connection, lease: Lease) -> EffectReply {
    let answer = connection.call(Operation::MailboxAck { lease }, b"").await;
    answer.reply()
}

/// What an operation that has an effect says of it.
fn done(replayed: bool) -> EffectReply {
    EffectReply {
        executed: Executed::Yes,
        replayed,
    }
}

#[tokio::test]
async fn a_message_is_sent_received_and_acknowledged() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut connection = fixture.connect().await;
    let mut attributes = Attributes::default();
    attributes.insert("currency", "EUR").unwrap();
    let with_attributes = Operation::MailboxSend {
        topic: topic("orders/new"),
        attributes: Cow::Owned(attributes.clone()),
    };
    let sent = connection.call(with_attributes, b"one pizza").await;
    let sent: MailboxSendReply = sent.reply();
    assert_eq!((sent.executed, sent.replayed), (Executed::Yes, false));
    connection.call(send("orders/new"), &[7; 100_000]).await;

    let answer = connection
        .call(receive("orders/new", 10, 0, "r"), b"")
        .await;
    let received: MailboxReceiveReply = answer.reply();
    assert_eq!(
        (received.executed, received.replayed),
        (Executed::No, false)
    );
    let [one, two] = &received.messages[..] else {
        panic!("{received:?}");
    };
    assert_eq!((one.id.as_str(), one.attempt, one.len), (&*sent.id, 1, 9));
    assert_eq!((&one.attrs, one.dead), (&attributes, None));
    assert_eq!(one.address, AddrB3::of(b"one pizza"));
    assert_eq!(&answer.body[..9], b"one pizza");
    assert_eq!(answer.body[9..], [7; 100_000]);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    assert!(one.sent_at_ms <= now && one.sent_at_ms + 60_000 > now);

    for replayed in [false, true] {
        let acked = ack(&mut connection, lease("orders/new", one)).await;
        assert_eq!(acked, done(replayed));
        let nacked = Operation::MailboxNack {
            lease: lease("orders/new", two),
            delay_ms: 0,
        };
        let nacked: EffectReply = connection.call(nacked, b"").await.reply();
        assert_eq!(nacked, done(replayed));
    }
    let again = connection
        .call(receive("orders/new", 10, 0, "s"), b"")
        .await;
    let again: MailboxReceiveReply = again.reply();
    assert_eq!(
        (&again.messages[0].id, again.messages[0].attempt),
        (&two.id, 2)
    );
    let extended = Operation::MailboxExtend {
        lease: lease("orders/new", &again.messages[0]),
        visibility_ms: 60_000,
    };
    let extended: EffectReply = connection.call(extended, b"").await.reply();
    assert_eq!(extended, done(false));
    let lease = lease("orders/new", two);
    let stale = connection.call(Operation::MailboxAck { lease }, b"").await;
    let stale = stale.error();
    assert_eq!(
        (stale.reason, stale.executed),
        (Reason::StaleLease, Executed::No)
    );

    let metrics = fixture.gateway.metrics();
    assert_eq!(metrics.mailbox_messages(), 1);
    assert_eq!(metrics.mailbox_bytes(), 100_000);
    assert_eq!(metrics.mailbox_redeliveries(), 1);
    assert_eq!(metrics.calls("mailbox", "ack", 200), 2);
    assert_eq!(metrics.calls("mailbox", "ack", 410), 1);
}

#[tokio::test]
async fn a_send_under_a_key_is_one_message() {
    let fixture = Fixture::start(GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    })
    .await;
    let mut connection = fixture.connect().await;
    let first: MailboxSendReply = connection
        .call_keyed(&send("orders"), "k", b"1")
        .await
        .reply();
    let again: MailboxSendReply = connection
        .call_keyed(&send("orders"), "k", b"1")
        .await
        .reply();
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.id, again.id);
    let mut attributes = Attributes::default();
    attributes.insert("a", "b").unwrap();
    let with_attributes = Operation::MailboxSend {
        topic: topic("orders"),
        attributes: Cow::Owned(attributes),
    };
    for (other, body) in [
        (send("orders"), b"2"),
        (send("other"), b"1"),
        (with_attributes, b"1"),
    ] {
        let refused = connection.call_keyed(&other, "k", body).await.error();
        let expected = (Reason::IdempotencyMismatch, Executed::No);
        assert_eq!((refused.reason, refused.executed), expected, "{other:?}");
    }
    // The same text for another operation is another key.
    assert!(!connection.put("k", b"1").await.put().replayed);
    let other: MailboxSendReply = connection.call(send("orders"), b"1").await.reply();
    assert_ne!(other.id, first.id);

    let ledger = fixture.gateway.ledger().unwrap();
    assert_eq!((ledger.effects_total(), ledger.keys()), (3, 2));
    assert_eq!(ledger.most_effects_of_one_key(), 1);
    assert_eq!(fixture.gateway.metrics().mailbox_messages(), 2);
}

#[tokio::test]
async fn a_receive_is_repeated_under_its_id_also_from_another_connection() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut connection = fixture.connect().await;
    for body in [b"1", b"2"] {
        connection.call(send("orders"), body).await;
    }
    let first = connection.call(receive("orders", 1, 0, "r"), b"").await;
    let first: MailboxReceiveReply = first.reply();
    let mut elsewhere = fixture.connect().await;
    let answer = elsewhere.call(receive("orders", 1, 0, "r"), b"").await;
    let again: MailboxReceiveReply = answer.reply();
    assert!(!first.replayed && again.replayed);
    assert_eq!(
        (again.messages, &answer.body[..]),
        (first.messages, &b"1"[..])
    );
    let other = elsewhere.call(receive("orders", 2, 0, "r"), b"").await;
    assert_eq!(other.error().reason, Reason::IdempotencyMismatch);
}

#[tokio::test]
async fn a_receiver_waits_for_a_message_and_not_for_longer_than_it_said() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let (mut receiver, mut sender) = (fixture.connect().await, fixture.connect().await);
    let waiting = || fixture.gateway.metrics().mailbox_waiting();
    let (tag, _) = receiver
        .send(&receive("orders", 1, 20_000, "r"), b"", MINUTE)
        .await;
    eventually(|| waiting() == 1).await;
    sender.call(send("orders"), b"1").await;
    let answer = within(5, receiver.answer(tag)).await;
    assert_eq!(&answer.body[..], b"1");
    assert_eq!(waiting(), 0);

    let began = Instant::now();
    let none = receiver.call(receive("orders", 1, 300, "s"), b"").await;
    let none: MailboxReceiveReply = none.reply();
    assert!(none.messages.is_empty() && !none.replayed);
    assert!(began.elapsed() >= Duration::from_millis(300));
    let late = receiver
        .call_within(receive("orders", 1, 20_000, "t"), b"", 200)
        .await;
    assert_eq!((late.code, late.error().executed), (408, Executed::No));
    assert_eq!(waiting(), 0);
}

#[tokio::test]
async fn a_receiver_who_goes_while_it_waits_has_leased_nothing() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut cancelling = fixture.connect().await;
    let mut leaving = fixture.connect().await;
    let waiting = || fixture.gateway.metrics().mailbox_waiting();
    let patient = |id| receive("orders", 1, 20_000, id);
    let (_, corr_id) = cancelling.send(&patient("r"), b"", MINUTE).await;
    leaving.send(&patient("s"), b"", MINUTE).await;
    eventually(|| waiting() == 2).await;
    cancelling.session.cancel(corr_id);
    cancelling.exchange().await;
    drop(leaving);
    eventually(|| waiting() == 0).await;
    assert_eq!(
        fixture.gateway.metrics().calls("mailbox", "receive", 499),
        1
    );

    let mut connection = fixture.connect().await;
    connection.call(send("orders"), b"1").await;
    let received = connection.call(receive("orders", 1, 0, "t"), b"").await;
    let received: MailboxReceiveReply = received.reply();
    assert_eq!(received.messages[0].attempt, 1);
}

#[tokio::test]
async fn leases_that_run_out_and_delays_that_end_wake_who_waits() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut connection = fixture.connect().await;
    connection.call(send("orders"), b"1").await;
    let short = Operation::MailboxReceive {
        topic: topic("orders"),
        max: 1,
        visibility_ms: 250,
        wait_ms: 0,
        receive_id: IdemKey::new("r").unwrap(),
    };
    let began = Instant::now();
    connection.call(short, b"").await;
    let patient = |id| receive("orders", 1, 20_000, id);
    let again = within(5, connection.call(patient("s"), b"")).await;
    let again: MailboxReceiveReply = again.reply();
    assert_eq!(again.messages[0].attempt, 2);
    assert!(began.elapsed() >= Duration::from_millis(250));

    let nack = Operation::MailboxNack {
        lease: lease("orders", &again.messages[0]),
        delay_ms: 200,
    };
    let began = Instant::now();
    connection.call(nack, b"").await;
    let again = within(5, connection.call(patient("t"), b"")).await;
    let again: MailboxReceiveReply = again.reply();
    assert_eq!(again.messages[0].attempt, 3);
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_message_nobody_can_handle_ends_among_the_dead_letters() {
    let config = GatewayConfig {
        mailbox: MailboxLimits {
            max_deliveries: 2,
            ..MailboxLimits::default()
        },
        ..GatewayConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let mut connection = fixture.connect().await;
    let sent: MailboxSendReply = connection.call(send("orders"), b"1").await.reply();
    for id in ["r", "s"] {
        let received = connection.call(receive("orders", 1, 0, id), b"").await;
        let received: MailboxReceiveReply = received.reply();
        let nack = Operation::MailboxNack {
            lease: lease("orders", &received.messages[0]),
            delay_ms: 0,
        };
        connection.call(nack, b"").await.reply::<EffectReply>();
    }
    let dead = connection
        .call(receive("orders.dead", 9, 0, "t"), b"")
        .await;
    let dead: MailboxReceiveReply = dead.reply();
    let [letter] = &dead.messages[..] else {
        panic!("{dead:?}");
    };
    assert_eq!((letter.id.as_str(), letter.attempt), (&*sent.id, 1));
    let meta = serde_json::to_string(&letter.dead).unwrap();
    assert_eq!(meta, r#"{"reason":"too_many_deliveries","deliveries":2}"#);
    assert_eq!(fixture.gateway.metrics().mailbox_dead_letters(), 1);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let config = GatewayConfig {
        mailbox: MailboxLimits {
            max_messages: 1,
            ..MailboxLimits::default()
        },
        ..GatewayConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let mut connection = fixture.connect().await;
    let token = Token::new("1.x").unwrap();
    let unknown = || Lease::new(topic("orders"), token.clone(), token.clone());
    let with_body = Operation::MailboxAck { lease: unknown() };
    for (operation, body, code) in [
        (send("orders.dead"), &b"1"[..], 400),
        (send(&"t".repeat(124)), b"1", 400),
        (receive("orders", 0, 0, "r"), b"", 400),
        (receive("orders", 65, 0, "r"), b"", 400),
        (receive("orders", 1, 20_001, "r"), b"", 400),
        (receive("orders", 1, 0, "r"), b"x", 400),
        (with_body, b"x", 400),
        (Operation::MailboxAck { lease: unknown() }, b"", 410),
        (send("orders"), b"fits", 200),
        (send("orders"), b"one too many", 507),
    ] {
        let answer = connection.call(operation.clone(), body).await;
        assert_eq!(answer.code, code, "{operation:?}");
        if code != 200 {
            assert_eq!(answer.error().executed, Executed::No);
        }
    }
    // What cannot be asked for at all is not a matter of time.
    let late = connection
        .call_within(receive("orders", 0, 0, "r"), b"", 0)
        .await;
    assert_eq!(late.code, 400);
}

#[tokio::test]
async fn a_batch_fits_one_envelope() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut connection = fixture.connect().await;
    let half = vec![7; MAX_BODY / 2];
    for _ in 0..3 {
        connection.call(send("orders"), &half).await;
    }
    for (id, count) in [("r", 2), ("s", 1)] {
        let answer = connection.call(receive("orders", 64, 0, id), b"").await;
        let received: MailboxReceiveReply = answer.reply();
        assert_eq!(received.messages.len(), count);
        assert_eq!(answer.body.len(), count * half.len());
    }
    for _ in 0..70 {
        connection.call(send("small"), b"x").await;
    }
    let answer = connection.call(receive("small", 64, 0, "t"), b"").await;
    assert_eq!(answer.reply::<MailboxReceiveReply>().messages.len(), 64);
    assert_eq!(answer.body.len(), 64);
}
