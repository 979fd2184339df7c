//! Messages through a real gateway: at least once, fenced, and whole.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use futures_util::FutureExt;
use ron_app_sdk::{
    blocking, DeadReason, ErrorKind, Executed, IdemKey, Mail, Message, Receive, Topic, MAX_BODY,
};
use ron_gateway::faults::{FaultKind, FaultPlan};
use std::time::{Duration, Instant, SystemTime};
use support::{block_on, bytes, capability, TestGateway, LIMIT};

const SHORT: Duration = Duration::from_millis(250);

fn topic() -> Topic {
    Topic::new("orders/new").unwrap()
}

fn receive(max: u16) -> Receive {
    Receive {
        max,
        ..Receive::new(topic())
    }
}

fn send(sdk: &blocking::RonAppSdk, body: impl Into<Bytes>) -> String {
    let mail = Mail::new(topic(), body);
    sdk.mailbox_send(capability(), mail, LIMIT, None)
        .unwrap()
        .id
}

fn take(sdk: &blocking::RonAppSdk, max: u16) -> Vec<Message> {
    sdk.mailbox_receive(capability(), &receive(max), LIMIT)
        .unwrap()
}

fn plan(rules: &str) -> FaultPlan {
    serde_json::from_str(&format!(r#"{{"rules":[{rules}]}}"#)).unwrap()
}

#[test]
fn a_message_arrives_as_it_was_sent() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let before = SystemTime::now() - Duration::from_secs(1);
    for len in [0, 1, 65_536, MAX_BODY] {
        let mail = Mail::new(topic(), bytes(len))
            .attribute("kind", "\"test\" ü")
            .unwrap();
        let receipt = sdk
            .mailbox_send(capability(), mail.clone(), LIMIT, None)
            .unwrap();
        assert!(!receipt.duplicate);
        let [message] = &take(&sdk, 64)[..] else {
            panic!("one message");
        };
        assert_eq!((message.id(), message.attempt), (&*receipt.id, 1));
        assert_eq!(
            (&message.body, &message.attributes),
            (&mail.body, &mail.attributes)
        );
        assert_eq!((message.lease.topic(), message.dead), (&topic(), None));
        assert!(
            message.sent_at > before
                && message.sent_at <= SystemTime::now() + Duration::from_secs(1)
        );
        sdk.mailbox_ack(capability(), &message.lease, LIMIT)
            .unwrap();
    }
    assert!(take(&sdk, 64).is_empty());
}

#[test]
fn messages_come_in_order_and_as_many_as_fit() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let ids: Vec<String> = (0..10).map(|_| send(&sdk, bytes(300_000))).collect();
    let mut received = Vec::new();
    while received.len() < ids.len() {
        let batch = take(&sdk, 64);
        assert!((1..=3).contains(&batch.len()), "{}", batch.len());
        received.extend(batch);
    }
    let received: Vec<&str> = received.iter().map(Message::id).collect();
    assert_eq!(received, ids);
}

#[test]
fn the_same_key_sends_once() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let key = || Some(IdemKey::new("order-17").unwrap());
    let send = |body: &'static str, key| {
        sdk.mailbox_send(capability(), Mail::new(topic(), body), LIMIT, key)
    };
    let first = send("pizza", key()).unwrap();
    let second = send("pizza", key()).unwrap();
    assert_eq!((first.duplicate, second.duplicate), (false, true));
    assert_eq!(first.id, second.id);
    assert_eq!(
        send("pasta", key()).unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(take(&sdk, 64).len(), 1);
}

#[test]
fn a_lease_is_good_until_its_message_is_delivered_again() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    send(&sdk, "x");
    let briefly = Receive {
        visibility: SHORT,
        wait: Duration::from_secs(5),
        ..receive(1)
    };
    let take = || {
        sdk.mailbox_receive(capability(), &briefly, LIMIT)
            .unwrap()
            .remove(0)
    };
    let stale = |result: Result<(), ron_app_sdk::SdkError>| {
        let error = result.unwrap_err();
        assert_eq!(
            (error.kind(), error.executed()),
            (ErrorKind::StaleLease, Executed::No)
        );
        assert_eq!(error.attempts(), 1);
    };
    let (first, start) = (take(), Instant::now());
    let second = take();
    assert!(start.elapsed() >= SHORT - Duration::from_millis(20));
    assert_eq!((first.attempt, second.attempt), (1, 2));
    stale(sdk.mailbox_ack(capability(), &first.lease, LIMIT));
    stale(sdk.mailbox_extend(capability(), &first.lease, LIMIT, LIMIT));
    stale(sdk.mailbox_nack(capability(), &first.lease, LIMIT, LIMIT));

    // Extended, it stays away for longer; given back, it comes at once, under another lease.
    sdk.mailbox_extend(capability(), &second.lease, Duration::from_secs(60), LIMIT)
        .unwrap();
    let now = Receive {
        wait: Duration::from_millis(400),
        ..briefly.clone()
    };
    assert!(sdk
        .mailbox_receive(capability(), &now, LIMIT)
        .unwrap()
        .is_empty());
    for _ in 0..2 {
        sdk.mailbox_nack(capability(), &second.lease, Duration::ZERO, LIMIT)
            .unwrap();
    }
    let third = take();
    assert_eq!(third.attempt, 3);
    stale(sdk.mailbox_ack(capability(), &second.lease, LIMIT));
    for replayed in [false, true] {
        let calls = sdk.with(capability()).with_report();
        let ((), report) = calls.mailbox_ack(&third.lease).unwrap();
        assert_eq!(
            (report.replayed, report.executed),
            (replayed, Executed::Yes)
        );
    }
}

#[test]
fn a_message_that_nobody_acknowledges_is_moved_once() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let id = send(&sdk, "poison");
    for attempt in 1..=16 {
        let message = take(&sdk, 1).remove(0);
        assert_eq!(message.attempt, attempt);
        sdk.mailbox_nack(capability(), &message.lease, Duration::ZERO, LIMIT)
            .unwrap();
    }
    assert!(take(&sdk, 1).is_empty());
    let dead = Receive {
        max: 64,
        ..Receive::new(topic().dead_letters().unwrap())
    };
    let dead = sdk.mailbox_receive(capability(), &dead, LIMIT).unwrap();
    let [message] = &dead[..] else {
        panic!("{dead:?}");
    };
    assert_eq!((message.id(), &message.body[..]), (&*id, &b"poison"[..]));
    let letter = message.dead.unwrap();
    assert_eq!(
        (letter.reason, letter.deliveries),
        (DeadReason::TooManyDeliveries, 16)
    );
    sdk.mailbox_ack(capability(), &message.lease, LIMIT)
        .unwrap();
}

/// A gateway that waits is not silent: an empty batch comes before the call's limit.
#[test]
fn a_long_poll_ends_with_a_message_or_an_empty_batch() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let waiting = Receive {
        wait: Duration::from_secs(20),
        ..receive(1)
    };
    for limit in [300, 3000] {
        let (limit, start) = (Duration::from_millis(limit), Instant::now());
        let calls = sdk.with(capability()).timeout(limit).with_report();
        let (messages, report) = calls.mailbox_receive(&waiting).unwrap();
        assert_eq!((messages.len(), report.attempts), (0, 1));
        assert!(start.elapsed() >= limit / 2 && start.elapsed() < limit);
    }
    std::thread::scope(|scope| {
        let call = scope.spawn(|| sdk.mailbox_receive(capability(), &waiting, LIMIT).unwrap());
        std::thread::sleep(Duration::from_millis(200));
        let id = send(&sdk, "x");
        let start = Instant::now();
        assert_eq!(call.join().unwrap()[0].id(), id);
        assert!(start.elapsed() < Duration::from_secs(2));
    });
}

/// Whoever stops waiting has taken nothing.
#[test]
fn a_receive_that_is_dropped_while_it_waits_leases_nothing() {
    let gateway = TestGateway::start();
    block_on(async {
        let sdk = gateway.sdk().await;
        let waiting = Receive {
            wait: Duration::from_secs(20),
            ..receive(1)
        };
        for _ in 0..5 {
            let call = sdk.mailbox_receive(capability(), &waiting, LIMIT);
            let dropped = tokio::time::timeout(Duration::from_millis(50), call).await;
            assert!(dropped.is_err());
        }
        // The gateway has heard of it once a later call has been answered.
        let mail = Mail::new(topic(), "x");
        sdk.mailbox_send(capability(), mail, LIMIT, None)
            .await
            .unwrap();
        let message = sdk
            .mailbox_receive(capability(), &waiting, LIMIT)
            .await
            .unwrap();
        assert_eq!(message[0].attempt, 1);
        assert!(sdk
            .mailbox_receive(capability(), &receive(1), LIMIT)
            .now_or_never()
            .is_none());
    });
}

#[test]
fn a_batch_whose_answer_is_lost_comes_again_under_the_same_leases() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let faults = gateway.gateway.faults();
    for fault in ["drop_reply", "reset", "error_after", "corrupt_body"] {
        let ids = [send(&sdk, "one"), send(&sdk, "two")];
        let rule = format!(r#"{{"fault":"{fault}","operation":"mailbox.receive","times":1}}"#);
        faults.arm(plan(&rule)).unwrap();
        let calls = sdk.with(capability()).with_report();
        let (messages, report) = calls.mailbox_receive(&receive(2)).unwrap();
        assert_eq!((report.attempts, report.replayed), (2, true), "{fault}");
        let received: Vec<&str> = messages.iter().map(Message::id).collect();
        assert_eq!(received, ids, "{fault}");
        for message in &messages {
            assert_eq!(message.attempt, 1, "{fault}");
            sdk.mailbox_ack(capability(), &message.lease, LIMIT)
                .unwrap();
        }
        faults.disarm();
    }
    assert!(faults.fired(FaultKind::CorruptBody) == 1 && faults.fired(FaultKind::Reset) == 1);
}

/// What is lost after the effect is found out by the next attempt.
#[test]
fn sends_and_acknowledgements_are_made_once_whatever_is_lost() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    for fault in ["drop_reply", "reset", "error_after"] {
        let rule = |operation: &str| {
            format!(r#"{{"fault":"{fault}","operation":"mailbox.{operation}","times":1}}"#)
        };
        let rules = ["send", "ack", "extend"].map(rule).join(",");
        gateway.gateway.faults().arm(plan(&rules)).unwrap();
        let calls = sdk.with(capability()).with_report();
        let (receipt, report) = calls.mailbox_send(Mail::new(topic(), "x")).unwrap();
        assert_eq!((report.attempts, report.replayed), (2, true), "{fault}");
        assert!(receipt.duplicate);
        let message = take(&sdk, 64);
        assert_eq!(message.len(), 1, "{fault}");
        let lease = &message[0].lease;
        let ((), report) = calls.mailbox_extend(lease, LIMIT).unwrap();
        assert_eq!(report.attempts, 2, "{fault}");
        let ((), report) = calls.mailbox_ack(lease).unwrap();
        assert_eq!((report.attempts, report.replayed), (2, true), "{fault}");
    }
}

#[test]
fn a_capability_for_one_topic_names_it() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    send(&sdk, "x");
    let one = capability().attenuate("topic=orders/new").unwrap();
    let messages = sdk.mailbox_recv(&one, LIMIT).unwrap();
    assert_eq!(messages.len(), 1);
    sdk.mailbox_ack(&one, &messages[0].lease, LIMIT).unwrap();
    let limit = Duration::from_millis(300);
    assert!(sdk.mailbox_recv(&one, limit).unwrap().is_empty());
    let provided = one.clone();
    let source = ron_app_sdk::CapabilitySource::provider(move || Ok(provided.clone()));
    assert!(sdk.mailbox_recv(&source, limit).unwrap().is_empty());
    let error = sdk.mailbox_recv(capability(), limit).unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Config, 0));

    // It is for no other topic, and for nothing else.
    let other = Receive::new(Topic::new("orders").unwrap());
    let denied = sdk.mailbox_receive(&one, &other, LIMIT).unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::CapabilityDenied);
    let denied = sdk.storage_put(&one, b"x", LIMIT, None).unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::CapabilityDenied);
}
