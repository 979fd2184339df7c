//! Guarantees that are broken on purpose, as a client sees them.

use crate::index::{key, publish};
use crate::mailbox::{lease, receive, send, topic};
use crate::support::{Connection, Fixture, MINUTE};
use ron_app_sdk::oap::{
    EffectReply, IndexResolveReply, MailboxReceiveReply, MailboxSendReply, Operation,
};
use ron_app_sdk::{AddrB3, IdemKey};
use ron_gateway::{Defect, GatewayConfig};
use std::collections::HashMap;
use std::time::Duration;

async fn start(defect: Option<Defect>) -> (Fixture, Connection) {
    let config = GatewayConfig {
        defect,
        ledger: true,
        ..GatewayConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let connection = fixture.connect().await;
    (fixture, connection)
}

/// Receives one message, hidden for 250 ms.
async fn receive_shortly(connection: &mut Connection, id: &str) -> MailboxReceiveReply {
    let receive = Operation::MailboxReceive {
        topic: topic("orders"),
        max: 1,
        visibility_ms: 250,
        wait_ms: 0,
        receive_id: IdemKey::new(id).unwrap(),
    };
    connection.call(receive, b"").await.reply()
}

#[tokio::test]
async fn a_lease_that_was_overtaken_ends_its_message() {
    for (defect, code) in [(None, 410), (Some(Defect::UnfencedAck), 200)] {
        let (_fixture, mut connection) = start(defect).await;
        connection.call(send("orders"), b"1").await;
        let first = receive_shortly(&mut connection, "r").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let second = receive_shortly(&mut connection, "s").await;
        assert_eq!(second.messages[0].attempt, 2);
        let lease = lease("orders", &first.messages[0]);
        let acked = connection.call(Operation::MailboxAck { lease }, b"").await;
        assert_eq!(acked.code, code, "{defect:?}");
    }
}

#[tokio::test]
async fn a_message_is_hidden_for_longer_than_was_asked_for() {
    for (defect, count) in [(None, 1), (Some(Defect::TenfoldVisibility), 0)] {
        let (_fixture, mut connection) = start(defect).await;
        connection.call(send("orders"), b"1").await;
        receive_shortly(&mut connection, "r").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let again = receive_shortly(&mut connection, "s").await;
        assert_eq!(again.messages.len(), count, "{defect:?}");
    }
}

#[tokio::test]
async fn keys_are_forgotten_too_early() {
    for (defect, effects) in [(None, 70), (Some(Defect::EarlyEviction), 71)] {
        let (fixture, mut connection) = start(defect).await;
        for number in 0..70 {
            let key = number.to_string();
            connection.call_keyed(&send("orders"), &key, b"1").await;
        }
        let again = connection.call_keyed(&send("orders"), "0", b"1").await;
        let again: MailboxSendReply = again.reply();
        assert_eq!(again.replayed, defect.is_none());
        let ledger = fixture.gateway.ledger().unwrap();
        assert_eq!(ledger.effects_total(), effects, "{defect:?}");
    }
}

#[tokio::test]
async fn a_name_is_read_as_it_was_before() {
    for defect in [None, Some(Defect::StaleRead)] {
        let (_fixture, mut connection) = start(defect).await;
        let one = AddrB3::of(b"1");
        let mut stale = 0;
        // Often, for a machine that is busy with something else meanwhile.
        for _ in 0..50 {
            connection.call(publish("a", b"1", None), b"").await;
            // Both at once, so that little time is between them.
            let second = publish("a", b"2", Some(one.into()));
            let (published, _) = connection.send(&second, b"", MINUTE).await;
            let resolve = Operation::IndexResolve { key: key("a") };
            let (resolved, _) = connection.send(&resolve, b"", MINUTE).await;
            connection.answer(published).await.reply::<EffectReply>();
            let resolved = connection.answer(resolved).await;
            stale += u32::from(resolved.reply::<IndexResolveReply>().address == one);
        }
        assert_eq!(stale > 0, defect.is_some(), "{stale}");
    }
}

/// How often each body was received, of 250 messages.
async fn received(defect: Option<Defect>) -> HashMap<Vec<u8>, u32> {
    let (_fixture, mut connection) = start(defect).await;
    for number in 0..250u16 {
        let body = number.to_be_bytes();
        connection
            .call(send("orders"), &body)
            .await
            .reply::<MailboxSendReply>();
    }
    let mut received = HashMap::new();
    for id in 0..5 {
        let answer = connection
            .call(receive("orders", 64, 0, &id.to_string()), b"")
            .await;
        let mut rest = &answer.body[..];
        for message in answer.reply::<MailboxReceiveReply>().messages {
            let (body, more) = rest.split_at(message.len as usize);
            rest = more;
            *received.entry(body.to_vec()).or_default() += 1;
        }
    }
    received
}

#[tokio::test]
async fn messages_are_invented_and_lost() {
    let right = received(None).await;
    assert_eq!((right.len(), right.values().max()), (250, Some(&1)));
    let invented = received(Some(Defect::InventedMessage)).await;
    assert!(right.keys().all(|body| invented.contains_key(body)));
    assert_eq!(invented.len(), 251);
    let lost = received(Some(Defect::LostMessage)).await;
    assert_eq!(lost.len(), 249);
    assert!(lost.keys().all(|body| right.contains_key(body)));
}
