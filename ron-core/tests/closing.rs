//! The end of a client: what is open finishes or is ended, what comes later is refused, nothing is left.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use futures_util::future::join_all;
use ron_app_sdk::{
    blocking, AddrB3, CapabilitySource, ClientStats, ErrorKind, Executed, RonAppSdk,
};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use support::peer::{object_meta, Peer, OK};
use support::{block_on, capability, within, TestGateway, LIMIT};

/// A peer that answers the first call after `after`, and nothing else.
fn slow_peer(after: Duration) -> Peer {
    Peer::after_hello(move |conversation, _| {
        let corr_id = conversation.request()?;
        std::thread::sleep(after);
        conversation.reply(corr_id, OK, &object_meta(b"slow"), b"slow")?;
        conversation.linger()
    })
}

#[test]
fn a_closed_client_refuses_calls_and_says_goodbye() {
    let gateway = TestGateway::start();
    block_on(async {
        let sdk = gateway.sdk().await;
        let clone = sdk.clone();
        sdk.storage_put(capability(), "x".into(), LIMIT, None)
            .await
            .unwrap();
        assert_eq!(sdk.stats().connections, 1);
        assert_eq!(sdk.close(LIMIT).await, 0);
        for sdk in [&sdk, &clone] {
            let error = sdk.storage_put(capability(), "y".into(), LIMIT, None).await;
            let error = error.unwrap_err();
            assert_eq!(
                (error.kind(), error.executed()),
                (ErrorKind::Closed, Executed::No)
            );
            assert_eq!(error.attempts(), 0);
        }
        assert_eq!(sdk.stats(), ClientStats::default());
        assert_eq!(clone.close(LIMIT).await, 0);
    });
    let sdk = gateway.blocking_sdk();
    sdk.storage_put(capability(), b"x", LIMIT, None).unwrap();
    assert_eq!(sdk.close(LIMIT), 0);
    let error = sdk
        .storage_put(capability(), b"y", LIMIT, None)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    let until = Instant::now() + Duration::from_secs(2);
    while gateway.gateway.metrics().connections_open() > 0 {
        assert!(Instant::now() < until, "a connection stays open");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn closing_waits_for_open_calls() {
    let (peer, address) = (slow_peer(Duration::from_millis(200)), AddrB3::of(b"slow"));
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        let call = sdk.storage_get(capability(), address, LIMIT);
        let close = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            sdk.close(LIMIT).await
        };
        let (got, left) = tokio::join!(call, close);
        assert_eq!((got.unwrap(), left), (Bytes::from_static(b"slow"), 0));
    });
    let peer = slow_peer(Duration::from_millis(200));
    let sdk = blocking::RonAppSdk::new(peer.config()).unwrap();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| sdk.storage_get(capability(), address, LIMIT));
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(sdk.close(LIMIT), 0);
        assert_eq!(call.join().unwrap().unwrap(), "slow");
    });
}

/// What is open when the time is up ends at once, and says what is known of it.
#[test]
fn closing_ends_calls_that_take_too_long() {
    let limit = Duration::from_millis(100);
    let peer = slow_peer(LIMIT);
    let (put, many) = (Bytes::from_static(b"x"), 5);
    let check = |error: ron_app_sdk::SdkError| {
        assert_eq!(
            (error.kind(), error.executed()),
            (ErrorKind::Closed, Executed::Unknown)
        );
    };
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        let call = || sdk.storage_put(capability(), put.clone(), LIMIT, None);
        let calls = join_all((0..many).map(|_| call()));
        let close = async {
            tokio::time::sleep(limit).await;
            sdk.close(limit).await
        };
        let start = Instant::now();
        let (ended, left) = tokio::join!(calls, close);
        assert!(start.elapsed() < limit * 2 + Duration::from_millis(500));
        assert_eq!(left, many);
        ended.into_iter().map(Result::unwrap_err).for_each(check);
        assert_eq!(sdk.stats(), ClientStats::default());
    });
    let sdk = blocking::RonAppSdk::new(peer.config()).unwrap();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| sdk.storage_put(capability(), &put, LIMIT, None));
        std::thread::sleep(limit);
        assert_eq!(within(limit, || sdk.close(limit)), 1);
        check(within(limit, || call.join().unwrap().unwrap_err()));
    });
}

/// Also where a call waits for a dial that nobody answers.
#[test]
fn closing_ends_calls_that_wait_for_a_connection() {
    let (done, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let peer = Peer::plain(move |_stream, _| {
        let _ = wait.lock().unwrap().recv();
    });
    let mut config = peer.config();
    config.timeouts.connect = LIMIT;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| sdk.storage_put(capability(), b"x", LIMIT, None)))
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(sdk.close(Duration::ZERO), 3);
        for call in calls {
            let error = within(Duration::ZERO, || call.join().unwrap().unwrap_err());
            assert_eq!(
                (error.kind(), error.executed()),
                (ErrorKind::Closed, Executed::No)
            );
        }
    });
    drop(done);
}

/// A call that waits for its next attempt or for its capability has no connection to be lost.
#[test]
fn closing_ends_calls_between_their_attempts() {
    let (limit, patience) = (Duration::from_millis(100), Duration::from_secs(60));
    let peer = Peer::after_hello(|conversation, _| loop {
        let corr_id = conversation.request()?;
        let meta = r#"{"reason":"rate_limited","executed":"no","retry_after_ms":25000}"#;
        conversation.reply(corr_id, 429, meta, b"")?;
    });
    let (_kept, silent) = mpsc::channel::<()>();
    let silent = std::sync::Mutex::new(silent);
    let provider = CapabilitySource::provider(move || {
        let _ = silent.lock().unwrap().recv_timeout(LIMIT);
        Err("there is none".into())
    });
    let sources = [CapabilitySource::from(capability()), provider];
    for source in &sources {
        block_on(async {
            let sdk = RonAppSdk::new(peer.patient_config()).await.unwrap();
            let call = sdk.storage_put(source, "x".into(), patience, None);
            let close = async {
                tokio::time::sleep(limit).await;
                sdk.close(limit).await
            };
            let start = Instant::now();
            let (ended, left) = tokio::join!(call, close);
            assert!(start.elapsed() < Duration::from_secs(1));
            let error = ended.unwrap_err();
            assert_eq!(
                (error.kind(), error.executed(), left),
                (ErrorKind::Closed, Executed::No, 1)
            );
        });
        let sdk = blocking::RonAppSdk::new(peer.patient_config()).unwrap();
        std::thread::scope(|scope| {
            let call = scope.spawn(|| sdk.storage_put(source, b"x", patience, None));
            std::thread::sleep(limit);
            assert_eq!(within(limit, || sdk.close(limit)), 1);
            let error = within(limit, || call.join().unwrap().unwrap_err());
            assert_eq!(
                (error.kind(), error.executed()),
                (ErrorKind::Closed, Executed::No)
            );
        });
    }
}
