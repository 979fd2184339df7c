//! Threads that give up their blocking calls.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::blocking::{interruptible, RonAppSdk};
use ron_app_sdk::{
    AddrB3, CapabilitySource, ErrorKind, Executed, Receive, SdkConfig, SdkError, Topic,
};
use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};
use support::peer::Peer;
use support::{capability, TestGateway, LIMIT};

thread_local! {
    static INTERRUPTED_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

fn is_interrupted() -> bool {
    INTERRUPTED_AT.get().is_some_and(|at| Instant::now() >= at)
}

/// Interrupts a call 150 ms after its begin; returns how it ended. It has to end soon after.
fn interrupted<T: std::fmt::Debug>(call: impl FnOnce() -> Result<T, SdkError>) -> SdkError {
    let begin = Instant::now();
    INTERRUPTED_AT.set(Some(begin + Duration::from_millis(150)));
    let error = interruptible(is_interrupted, call).unwrap_err();
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(150), "{took:?}");
    // 150 ms, 100 ms until it asks, and slack.
    assert!(took < Duration::from_millis(800), "{took:?}");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    error
}

fn long_poll() -> Receive {
    Receive {
        wait: Duration::from_secs(9),
        ..Receive::new(Topic::new("nothing").unwrap())
    }
}

#[test]
fn a_call_that_waits_for_its_answer_ends_and_leaves_the_connection_whole() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let error = interrupted(|| sdk.mailbox_receive(capability(), &long_poll(), LIMIT));
    assert_eq!((error.executed(), error.attempts()), (Executed::No, 1));
    assert_eq!(sdk.open_calls(), 0);
    // Outside of the function, nobody asks.
    let address = sdk.storage_put(capability(), b"x", LIMIT, None).unwrap();
    assert_eq!(sdk.storage_get(capability(), address, LIMIT).unwrap(), "x");
    assert_eq!(sdk.stats().connections, 1);
}

#[test]
fn a_mutation_that_was_sent_may_have_been_executed() {
    let peer = Peer::after_hello(|conversation, _| {
        conversation.request()?;
        conversation.linger()
    });
    let sdk = RonAppSdk::new(peer.config()).unwrap();
    let error = interrupted(|| sdk.storage_put(capability(), b"x", LIMIT, None));
    assert_eq!((error.executed(), error.attempts()), (Executed::Unknown, 1));
}

#[test]
fn a_thread_whose_reply_another_one_reads_ends_too() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    thread::scope(|scope| {
        // The first one reads the socket, and the second one waits for it.
        let reader = scope.spawn(|| {
            let limit = Duration::from_secs(2);
            sdk.mailbox_receive(capability(), &long_poll(), limit)
        });
        thread::sleep(Duration::from_millis(50));
        interrupted(|| sdk.mailbox_receive(capability(), &long_poll(), LIMIT));
        assert!(reader.join().unwrap().unwrap().is_empty());
    });
}

#[test]
fn a_call_between_two_attempts_ends() {
    let mut config = SdkConfig {
        // Nothing listens there.
        gateway_addr: "https://127.0.0.1:9".into(),
        ..SdkConfig::default()
    };
    config.backoff.base = Duration::from_secs(10);
    let sdk = RonAppSdk::new(config).unwrap();
    let address = AddrB3::of(b"x");
    // Whatever the delay is that the SDK draws: it fits.
    let limit = Duration::from_secs(60);
    let error = interrupted(|| sdk.storage_get(capability(), address, limit));
    assert_eq!(error.executed(), Executed::No);
    assert!(error.attempts() >= 1);
}

#[test]
fn a_call_that_waits_for_its_capability_ends() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let slow = CapabilitySource::provider(|| {
        thread::sleep(Duration::from_secs(2));
        Ok(capability())
    });
    let error = interrupted(|| sdk.storage_get(&slow, AddrB3::of(b"x"), LIMIT));
    assert_eq!((error.executed(), error.attempts()), (Executed::No, 0));
}
