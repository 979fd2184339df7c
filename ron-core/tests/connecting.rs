//! A connection without a call: HELLO's answer is waited for, and nothing else is sent.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::future::join_all;
use ron_app_sdk::blocking::{self, interruptible};
use ron_app_sdk::{AddrB3, ErrorKind, Executed, GaveUp, RonAppSdk, SdkConfig, SdkError};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::peer::{forever, object_meta, Peer, PeerTls, OK};
use support::{block_on, capability, within, TestGateway, LIMIT};

/// What comes of it with either client.
fn both(
    config: &SdkConfig,
    limit: Option<Duration>,
) -> [Result<ron_app_sdk::CallReport, SdkError>; 2] {
    let waiting = block_on(async {
        let sdk = RonAppSdk::new(config.clone()).await.unwrap();
        sdk.connect(limit).await
    });
    let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
    [waiting, sdk.connect(limit)]
}

#[test]
fn hello_is_answered_and_nothing_is_asked_for() {
    let (say, said) = mpsc::channel();
    let peer = Peer::after_hello(move |conversation, _| {
        // Ends with the first frame after HELLO, or with the connection.
        let _ = say.send(conversation.receive().is_ok());
        Ok(())
    });
    for result in both(&peer.config(), None) {
        let report = result.unwrap();
        assert_eq!((report.attempts, report.replayed), (1, false));
        assert_eq!(report.executed, Executed::No);
        assert!(!said.recv_timeout(LIMIT).unwrap(), "it has asked something");
    }
}

#[test]
fn the_connection_is_kept_for_calls_and_for_the_next_time() {
    let gateway = TestGateway::start();
    block_on(async {
        let sdk = gateway.sdk().await;
        for _ in 0..3 {
            sdk.connect(LIMIT).await.unwrap();
            assert_eq!(sdk.stats().connections, 1);
        }
        sdk.storage_put(capability(), "x".into(), LIMIT, None)
            .await
            .unwrap();
        assert_eq!(sdk.stats().connections, 1);
    });
    let sdk = gateway.blocking_sdk();
    for _ in 0..3 {
        sdk.connect(LIMIT).unwrap();
        assert_eq!(sdk.stats().connections, 1);
    }
    sdk.storage_put(capability(), b"x", LIMIT, None).unwrap();
    assert_eq!((sdk.stats().connections, sdk.open_calls()), (1, 0));
    assert_eq!(gateway.gateway.metrics().connections_accepted(), 2);
}

/// Whoever reads the socket tells the others of HELLO's answer.
#[test]
fn many_wait_for_one_handshake_together_with_calls() {
    let object = b"object";
    let slow = || {
        Peer::tls(PeerTls::default(), |conversation, _| {
            thread::sleep(Duration::from_millis(150));
            conversation.hello(64)?;
            loop {
                let corr_id = conversation.request()?;
                conversation.reply(corr_id, OK, &object_meta(object), object)?;
            }
        })
    };
    let (peer, address) = (slow(), AddrB3::of(object));
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        let connects = join_all((0..20).map(|_| sdk.connect(LIMIT)));
        let calls = join_all((0..4).map(|_| sdk.storage_get(capability(), address, LIMIT)));
        let (connected, got) = tokio::join!(connects, calls);
        connected.into_iter().for_each(|result| {
            result.unwrap();
        });
        got.into_iter()
            .for_each(|got| assert_eq!(got.unwrap(), &object[..]));
    });
    assert_eq!(peer.connections(), 1);
    let peer = slow();
    let sdk = peer.sdk();
    thread::scope(|scope| {
        let connects: Vec<_> = (0..8).map(|_| scope.spawn(|| sdk.connect(LIMIT))).collect();
        let call = scope.spawn(|| sdk.storage_get(capability(), address, LIMIT));
        for connect in connects {
            connect.join().unwrap().unwrap();
        }
        assert_eq!(call.join().unwrap().unwrap(), &object[..]);
    });
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_gateway_that_is_not_there_is_tried_again_within_the_limit() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut config = SdkConfig {
        gateway_addr: format!("https://{address}"),
        ..SdkConfig::default()
    };
    config.backoff.max_attempts = 2;
    for result in both(&config, Some(LIMIT)) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert_eq!(
            (error.attempts(), error.gave_up()),
            (2, Some(GaveUp::Attempts))
        );
        assert_eq!(error.executed(), Executed::No);
    }
}

#[test]
fn one_that_does_not_say_hello_costs_the_limit_and_no_more() {
    let silent = Peer::tls(PeerTls::default(), |_, _| {
        forever();
        Ok(())
    });
    let limit = Duration::from_millis(200);
    within(limit * 2, || {
        for result in both(&silent.config(), Some(limit)) {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
            assert_eq!(error.executed(), Executed::No);
        }
    });
    let mut config = silent.config();
    config.timeouts.connect = Duration::from_millis(100);
    for result in both(&config, Some(LIMIT)) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        assert!(error.to_string().contains("timeouts.connect"), "{error}");
    }
}

#[test]
fn something_else_that_answers_is_told_apart() {
    let refusing = Peer::tls(PeerTls::default(), |conversation, _| {
        conversation.hello_with(400, br#"{"reason":"unsupported_version","executed":"no"}"#)?;
        conversation.linger()
    });
    for result in both(&refusing.patient_config(), None) {
        let error = result.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::OapViolation, 1)
        );
    }
    let gateway = TestGateway::start();
    let mut config = gateway.config();
    config.tls.ca = None;
    for result in both(&config, None) {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Tls);
    }
}

#[test]
fn a_connection_that_has_ended_is_replaced() {
    let peer = Peer::after_hello(|conversation, number| match number {
        0 => Ok(()),
        _ => conversation.linger(),
    });
    let sdk = peer.sdk();
    let until = Instant::now() + LIMIT;
    // Until the end of the first one has arrived, it is as good as any.
    while peer.connections() < 2 {
        assert!(Instant::now() < until, "it is not replaced");
        sdk.connect(LIMIT).unwrap();
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(sdk.connect(LIMIT).unwrap().attempts, 1);
    assert_eq!(sdk.stats().connections, 1);
}

#[test]
fn a_closed_client_and_a_limit_out_of_range_do_no_io() {
    let peer = Peer::after_hello(|conversation, _| conversation.linger());
    for limit in [Duration::ZERO, Duration::from_secs(3601)] {
        for result in both(&peer.config(), Some(limit)) {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Config);
        }
    }
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        sdk.close(LIMIT).await;
        let error = sdk.connect(None).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Closed, 0));
    });
    let sdk = peer.sdk();
    sdk.close(LIMIT);
    assert_eq!(sdk.connect(None).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(peer.connections(), 0);
}

#[test]
fn closing_ends_those_who_wait_for_hello() {
    let silent = Peer::tls(PeerTls::default(), |_, _| {
        forever();
        Ok(())
    });
    block_on(async {
        let sdk = RonAppSdk::new(silent.config()).await.unwrap();
        let close = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            sdk.close(Duration::ZERO).await
        };
        let (connected, left) = tokio::join!(sdk.connect(LIMIT), close);
        assert_eq!(
            (connected.unwrap_err().kind(), left),
            (ErrorKind::Closed, 1)
        );
    });
    let sdk = silent.sdk();
    thread::scope(|scope| {
        let connect = scope.spawn(|| sdk.connect(LIMIT));
        let until = Instant::now() + LIMIT;
        while sdk.stats().connections == 0 {
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(sdk.close(Duration::ZERO), 1);
        let error = within(Duration::from_millis(500), || connect.join().unwrap());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
    });
}

#[test]
fn one_that_is_given_up_leaves_the_handshake_to_others() {
    let peer = Peer::tls(PeerTls::default(), |conversation, _| {
        thread::sleep(Duration::from_millis(200));
        conversation.hello(64)?;
        conversation.linger()
    });
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        let given_up = tokio::time::timeout(Duration::from_millis(50), sdk.connect(LIMIT));
        let (given_up, connected) = tokio::join!(given_up, sdk.connect(LIMIT));
        assert!(given_up.is_err());
        connected.unwrap();
        assert_eq!(sdk.open_calls(), 0);
    });
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_thread_is_interrupted_while_it_waits() {
    let silent = Peer::tls(PeerTls::default(), |_, _| {
        forever();
        Ok(())
    });
    let mut config = silent.config();
    config.timeouts.connect = LIMIT;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let error = within(Duration::from_millis(300), || {
        interruptible(|| true, || sdk.connect(LIMIT)).unwrap_err()
    });
    assert_eq!(
        (error.kind(), error.executed()),
        (ErrorKind::Cancelled, Executed::No)
    );
}
