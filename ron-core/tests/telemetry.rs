//! What a subscriber hears of calls, and what it may do meanwhile.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::{blocking, AddrB3};
use ron_gateway::faults::{Fault, FaultPlan, FaultRule};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};
use std::time::Duration;
use support::capture::Capture;
use support::{block_on, capability, within, TestGateway, LIMIT};
use tracing::subscriber::{set_default, with_default};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Each of these once, into an attempt of its own.
fn once(faults: impl IntoIterator<Item = Fault>) -> FaultPlan {
    let rules = faults
        .into_iter()
        .zip(1..)
        .map(|(fault, attempt)| FaultRule {
            attempt: Some(attempt),
            times: Some(1),
            ..FaultRule::new(fault)
        });
    rules.collect()
}

fn unavailable() -> Fault {
    Fault::ErrorBefore {
        reasons: vec![ron_app_sdk::oap::Reason::Unavailable],
        retry_after_ms: None,
    }
}

/// Of a put whose first attempt fails, over a connection that it dials.
const STORY: [&str; 13] = [
    "sdk.call",
    "sdk.attempt.begun",
    "sdk.connection.opened",
    "sdk.decode",
    "sdk.attempt.ended",
    "sdk.retry",
    "sdk.retry.begun",
    "sdk.attempt.begun",
    "sdk.decode",
    "sdk.attempt.ended",
    // Its end, value by value.
    "sdk.call",
    "sdk.call.ended",
    "sdk.connection.closed",
];

fn assert_tells_the_story(capture: &Capture) {
    let mut names = capture.names();
    names.dedup();
    assert_eq!(names, STORY);
    let said = capture.said();
    let find = |name| said.iter().find(|said| said.name == name).unwrap();
    assert_eq!(find("sdk.call").value("operation"), Some("storage.put"));
    assert_eq!(find("sdk.call").value("request_bytes"), Some("5"));
    let retry = find("sdk.retry");
    assert_eq!(retry.value("outcome"), Some("\"Server\""));
    assert_eq!(retry.value("status"), Some("503"));
    assert_eq!(retry.within, ["sdk.call"]);
    assert_eq!(find("sdk.connection.opened").within, ["sdk.call"]);
    let told = |field| {
        said.iter().rev().find_map(|said| {
            let value = said.value(field).filter(|_| said.name == "sdk.call");
            value.map(str::to_owned)
        })
    };
    assert_eq!(told("outcome").as_deref(), Some("\"ok\""));
    assert_eq!(told("attempts").as_deref(), Some("2"));
    assert_eq!(told("executed").as_deref(), Some("\"yes\""));
    assert!(find("sdk.connection.closed").within.is_empty());
}

#[test]
fn both_clients_tell_the_same_story_of_a_call() {
    let gateway = TestGateway::start();
    let faults = gateway.gateway.faults();
    let subscriber = |capture: &Capture| tracing_subscriber::registry().with(capture.clone());

    faults.arm(once([unavailable()])).unwrap();
    let capture = Capture::default();
    with_default(subscriber(&capture), || {
        let sdk = gateway.blocking_sdk();
        sdk.storage_put(capability(), b"hello", LIMIT, None)
            .unwrap();
    });
    assert_tells_the_story(&capture);

    faults.arm(once([unavailable()])).unwrap();
    let capture = Capture::default();
    let _guard = set_default(subscriber(&capture));
    block_on(async {
        let sdk = gateway.sdk().await;
        sdk.storage_put(capability(), "hello".into(), LIMIT, None)
            .await
            .unwrap();
    });
    assert_tells_the_story(&capture);
}

#[test]
fn what_other_tasks_say_meanwhile_is_not_in_a_calls_span() {
    let gateway = TestGateway::start();
    let late = Fault::LateReply { after_ms: 200 };
    gateway.gateway.faults().arm(once([late])).unwrap();
    let capture = Capture::default();
    let _guard = set_default(tracing_subscriber::registry().with(capture.clone()));
    block_on(async {
        let sdk = gateway.sdk().await;
        let put = sdk.storage_put(capability(), "hello".into(), LIMIT, None);
        let other = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                tracing::info!(name: "other", "the application says something");
            }
        };
        let (put, ()) = tokio::join!(put, other);
        put.unwrap();
    });
    let said = capture.said();
    let others = said.iter().filter(|said| said.name == "other");
    assert_eq!(others.clone().count(), 10);
    assert!(others.clone().all(|other| other.within.is_empty()));
    // They came while the call was waiting.
    let ended = said.iter().position(|said| said.name == "sdk.call.ended");
    let last = said.iter().rposition(|said| said.name == "other");
    assert!(last < ended);
}

/// Makes a call over the same client whenever it hears of a connection.
struct Caller {
    sdk: blocking::RonAppSdk,
    ended: Arc<AtomicUsize>,
}

impl<S: Subscriber> Layer<S> for Caller {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().name().starts_with("sdk.connection") {
            // It may depend on the call that is told about: then it fails in time.
            let (address, limit) = (AddrB3::of(b"hello"), Duration::from_millis(300));
            let _ = within(limit, || {
                self.sdk.storage_head(capability(), address, limit)
            });
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_subscriber_that_uses_the_client_it_listens_to_meets_no_lock() {
    let gateway = TestGateway::start();
    // What is heard first without a subscriber would not be told to those of other threads.
    with_default(tracing_subscriber::registry(), || {
        let sdk = gateway.blocking_sdk();
        sdk.storage_put(capability(), b"hello", LIMIT, None)
            .unwrap();
    });
    let sdk = gateway.blocking_sdk();
    let (capture, calls) = (Capture::default(), Arc::new(AtomicUsize::new(0)));
    let caller = Caller {
        sdk: sdk.clone(),
        ended: Arc::clone(&calls),
    };
    let subscriber = tracing_subscriber::registry()
        .with(capture.clone())
        .with(caller);
    let faults = gateway.gateway.faults();
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        with_default(subscriber, || {
            for fault in [
                Fault::Drain,
                Fault::Reset,
                Fault::CorruptBody,
                unavailable(),
            ] {
                let only_gets = once([fault]).rules.into_iter().map(|rule| FaultRule {
                    operation: Some("storage.get".to_owned()),
                    ..rule
                });
                faults.arm(only_gets.collect()).unwrap();
                let got = sdk.storage_get(capability(), AddrB3::of(b"hello"), LIMIT);
                assert_eq!(got.unwrap(), "hello");
            }
        });
        done.send(()).unwrap();
    });
    // A lock that was held would be waited for without an end.
    ended.recv_timeout(2 * LIMIT).unwrap();
    let names = capture.names();
    for name in ["opened", "drained", "lost", "closed"] {
        let name = format!("sdk.connection.{name}");
        assert!(names.contains(&name.as_str()), "no {name} in {names:?}");
    }
    let names = names
        .iter()
        .filter(|name| name.starts_with("sdk.connection"));
    assert_eq!(calls.load(Ordering::SeqCst), names.count());
}
