//! Injected faults into the mailbox and the index: what comes over the wire, and what has happened.

use crate::http_face::request;
use crate::index::{key, publish, resolve};
use crate::mailbox::{lease, receive, send};
use crate::support::{eventually, Connection, Fixture, MINUTE};
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use ron_app_sdk::oap::{
    EffectReply, Executed, IndexResolveReply, MailboxReceiveReply, MailboxSendReply, Operation,
    Reason,
};
use ron_app_sdk::AddrB3;
use ron_gateway::faults::{Fault, FaultKind, FaultPlan, FaultRule};
use ron_gateway::GatewayConfig;

async fn arm(fixture: &Fixture, operation: &str, fault: Fault) {
    let rule = FaultRule {
        operation: Some(operation.to_owned()),
        times: Some(1),
        ..FaultRule::new(fault)
    };
    let plan = FaultPlan {
        seed: Some(7),
        rules: vec![rule],
    };
    fixture.gateway.faults().arm(plan).unwrap();
}

async fn start() -> (Fixture, Connection) {
    let fixture = Fixture::start(GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    })
    .await;
    let connection = fixture.connect().await;
    (fixture, connection)
}

#[tokio::test]
async fn every_operation_can_fail_before_and_after_it_took_effect() {
    let (fixture, mut connection) = start().await;
    let sent = |n: u8| (send("orders"), vec![n]);
    connection.call(send("orders"), b"0").await;
    let first: MailboxReceiveReply = connection
        .call(receive("orders", 1, 0, "r"), b"")
        .await
        .reply();
    let lease = lease("orders", &first.messages[0]);
    let extend = Operation::MailboxExtend {
        lease: lease.clone(),
        visibility_ms: 60_000,
    };
    let nack = Operation::MailboxNack {
        lease: lease.clone(),
        delay_ms: 60_000,
    };
    for (name, (operation, body), is_mutation) in [
        ("mailbox.send", sent(1), true),
        (
            "mailbox.receive",
            (receive("orders", 1, 0, "s"), vec![]),
            false,
        ),
        ("mailbox.extend", (extend, vec![]), true),
        ("mailbox.nack", (nack, vec![]), true),
        ("index.publish", (publish("a", b"1", None), vec![]), true),
        (
            "index.resolve",
            (Operation::IndexResolve { key: key("a") }, vec![]),
            false,
        ),
    ] {
        let before = Fault::ErrorBefore {
            reasons: vec![Reason::Unavailable],
            retry_after_ms: None,
        };
        arm(&fixture, name, before).await;
        let error = connection.call(operation.clone(), &body).await.error();
        let refusal = (error.reason, error.executed);
        assert_eq!(refusal, (Reason::Unavailable, Executed::No), "{name}");
        let after = Fault::ErrorAfter {
            reasons: vec![Reason::Internal],
            retry_after_ms: None,
        };
        arm(&fixture, name, after).await;
        let error = connection.call(operation.clone(), &body).await.error();
        let in_doubt = if is_mutation {
            Executed::Unknown
        } else {
            Executed::No
        };
        let refusal = (error.reason, error.executed);
        assert_eq!(refusal, (Reason::Internal, in_doubt), "{name}");
        // Once more, as a client would: by its lease or its id it is known to be done.
        let again = connection.call(operation, &body).await;
        assert_eq!(again.code, 200, "{name}");
        if matches!(name, "mailbox.nack" | "mailbox.receive") {
            let meta = String::from_utf8_lossy(&again.meta);
            assert!(meta.contains(r#""replayed":true"#), "{name}: {meta}");
        }
    }
    let faults = fixture.gateway.faults();
    assert_eq!(faults.fired(FaultKind::ErrorBefore), 6);
    assert_eq!(faults.fired(FaultKind::ErrorAfter), 6);
    // Neither of the sends had a key: two messages. The publish had its effect twice.
    assert_eq!(fixture.gateway.ledger().unwrap().effects_total(), 5);
}

#[tokio::test]
async fn a_lost_reply_loses_neither_message_nor_receipt() {
    let (fixture, mut connection) = start().await;
    arm(&fixture, "mailbox.send", Fault::DropReply).await;
    let silent = fixture.gateway.faults();
    connection.send_keyed(&send("orders"), "k", b"1").await;
    eventually(|| silent.fired(FaultKind::DropReply) == 1).await;
    let mut elsewhere = fixture.connect().await;
    let again = elsewhere.call_keyed(&send("orders"), "k", b"1").await;
    assert!(again.reply::<MailboxSendReply>().replayed);

    arm(&fixture, "mailbox.receive", Fault::DropReply).await;
    connection
        .send(&receive("orders", 1, 0, "r"), b"", MINUTE)
        .await;
    eventually(|| silent.fired(FaultKind::DropReply) == 2).await;
    let other = elsewhere.call(receive("orders", 1, 0, "s"), b"").await;
    assert!(other.reply::<MailboxReceiveReply>().messages.is_empty());
    let again = elsewhere.call(receive("orders", 1, 0, "r"), b"").await;
    let again: MailboxReceiveReply = again.reply();
    assert!(again.replayed && again.messages[0].attempt == 1);

    arm(&fixture, "mailbox.ack", Fault::DropReply).await;
    let ack = Operation::MailboxAck {
        lease: lease("orders", &again.messages[0]),
    };
    connection.send(&ack, b"", MINUTE).await;
    eventually(|| silent.fired(FaultKind::DropReply) == 3).await;
    let acked: EffectReply = elsewhere.call(ack, b"").await.reply();
    assert!(acked.replayed);
    assert_eq!(fixture.gateway.ledger().unwrap().effects_total(), 1);
    assert_eq!(fixture.gateway.metrics().mailbox_messages(), 0);
}

#[tokio::test]
async fn what_is_received_or_resolved_comes_back_wrong_in_each_way() {
    let (fixture, mut connection) = start().await;
    for body in [b"12", b"34"] {
        connection.call(send("orders"), body).await;
    }
    let ask = || receive("orders", 2, 0, "r");
    let right = connection
        .call(ask(), b"")
        .await
        .reply::<MailboxReceiveReply>();
    for (fault, body, is_right_address) in [
        (Fault::ShortBody { bytes: 3 }, Some(&b"1"[..]), true),
        (Fault::LongBody { bytes: 2 }, Some(b"1234\0\0"), true),
        (Fault::CorruptBody, None, true),
        (Fault::WrongAddress, Some(b"1234"), false),
    ] {
        let kind = fault.kind();
        let already = fixture.gateway.faults().fired(kind);
        arm(&fixture, "mailbox.receive", fault).await;
        let answer = connection.call(ask(), b"").await;
        let reply: MailboxReceiveReply = answer.reply();
        match body {
            Some(body) => assert_eq!(&answer.body[..], body, "{kind}"),
            None => {
                let pairs = answer.body.iter().zip(b"1234");
                assert_eq!(pairs.filter(|(is, was)| is != was).count(), 1);
            }
        }
        let [first, second] =
            [0, 1].map(|at| reply.messages[at].address == right.messages[at].address);
        assert_eq!((first, second), (is_right_address, true), "{kind}");
        assert_eq!(fixture.gateway.faults().fired(kind), already + 1);
    }
    // Over HTTP the bodies are what is left of them.
    arm(&fixture, "mailbox.receive", Fault::ShortBody { bytes: 3 }).await;
    let document = r#"{"max":2,"receive_id":"r"}"#;
    let headers = format!("Content-Length: {}\r\n", document.len());
    let line = "POST /m/orders/receive";
    let response = request(&fixture, line, &headers, document.as_bytes()).await;
    let batch: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let bodies = [0, 1].map(|at| batch["messages"][at]["body"].as_str().unwrap().to_owned());
    assert_eq!(bodies, [STANDARD.encode("1"), String::new()]);

    connection.call(publish("a", b"1", None), b"").await;
    arm(&fixture, "index.resolve", Fault::WrongAddress).await;
    let wrong: IndexResolveReply = resolve(&mut connection, "a").await.reply();
    let right: IndexResolveReply = resolve(&mut connection, "a").await.reply();
    assert_ne!(wrong.address, right.address);
    assert_eq!(right.address, AddrB3::of(b"1"));
}

#[tokio::test]
async fn what_a_reply_does_not_have_is_not_altered() {
    let (fixture, mut connection) = start().await;
    for fault in [Fault::WrongAddress, Fault::CorruptBody] {
        arm(&fixture, "mailbox.receive", fault).await;
        let answer = connection.call(receive("orders", 1, 0, "r"), b"").await;
        assert!(answer.reply::<MailboxReceiveReply>().messages.is_empty());
    }
    arm(&fixture, "mailbox.send", Fault::WrongReceipt).await;
    connection.call(send("orders"), b"1").await;
    assert_eq!(fixture.gateway.faults().total(), 0);
}
