//! Whether a client is ready: what it knows, and what it finds out when asked to.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::{blocking, AddrB3, Check, ErrorKind, Readiness, RonAppSdk, SdkConfig};
use std::net::TcpListener;
use std::time::Duration;
use support::peer::Peer;
use support::{block_on, capability, within, TestGateway, LIMIT};

fn states(readiness: &Readiness) -> [&'static str; 3] {
    readiness.checks().map(|(_, check)| check.state())
}

fn failure(check: &Check) -> ErrorKind {
    check.error().unwrap().kind()
}

const READY: [&str; 3] = ["ok", "not_applicable", "ok"];
const UNKNOWN: [&str; 3] = ["ok", "not_applicable", "unknown"];
const FAILED: [&str; 3] = ["ok", "not_applicable", "failed"];

#[test]
fn a_client_that_has_not_connected_does_not_know_and_does_not_ask() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let config = SdkConfig {
        gateway_addr: format!("https://{}", listener.local_addr().unwrap()),
        ..SdkConfig::default()
    };
    let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
    assert_eq!(states(&sdk.ready()), UNKNOWN);
    assert!(!sdk.ready().is_ready());
    let sdk = block_on(RonAppSdk::new(config)).unwrap();
    assert_eq!(states(&sdk.ready()), UNKNOWN);
    assert!(listener.accept().is_err(), "it has connected");
}

#[test]
fn a_probe_finds_out_and_a_client_remembers() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    for _ in 0..3 {
        let found = sdk.probe(LIMIT).unwrap();
        assert_eq!(states(&found), READY);
        assert!(found.is_ready() && sdk.ready().is_ready());
        assert_eq!(sdk.stats().connections, 1);
    }
    block_on(async {
        let sdk = gateway.sdk().await;
        assert!(sdk.probe(None).await.unwrap().is_ready());
        assert!(sdk.ready().is_ready());
        // So does a call.
        let other = gateway.sdk().await;
        let nothing = AddrB3::of(b"");
        let _ = other.storage_head(capability(), nothing, LIMIT).await;
        assert_eq!(states(&other.ready()), READY);
    });
    let labels = [("endpoint", "control.hello"), ("outcome", "ok")];
    let probes = sdk.metrics().snapshot();
    assert_eq!(probes.total("sdk_requests_total", &labels), 3.0);
}

#[test]
fn a_gateway_that_has_gone_is_found_out_by_a_probe_and_by_calls() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    assert!(sdk.probe(LIMIT).unwrap().is_ready());
    gateway.kill();
    let limit = Duration::from_secs(1);
    let found = within(limit, || sdk.probe(limit)).unwrap();
    assert_eq!(states(&found), FAILED);
    assert_eq!(failure(&found.transport), ErrorKind::Transport);
    assert_eq!(states(&sdk.ready()), FAILED);
}

/// A peer that answers HELLO and then nothing looks well until it is asked again.
#[test]
fn a_connection_that_is_open_and_dead_is_found_out_and_replaced() {
    let peer = Peer::after_hello(|conversation, _| conversation.linger());
    let sdk = blocking::RonAppSdk::new(peer.patient_config()).unwrap();
    assert!(sdk.probe(LIMIT).unwrap().is_ready());
    assert_eq!(peer.connections(), 1);
    assert!(sdk.ready().is_ready());
    // To connect again does not look.
    sdk.connect(LIMIT).unwrap();
    assert_eq!(peer.connections(), 1);
    assert!(sdk.probe(LIMIT).unwrap().is_ready());
    assert_eq!(peer.connections(), 2, "the dead connection was trusted");
    let timeouts = sdk.metrics().snapshot();
    let ping = [("op", "ping")];
    assert_eq!(timeouts.total("sdk_io_timeouts_total", &ping), 1.0);
}

#[test]
fn many_probes_and_calls_at_once_disturb_each_other_in_nothing() {
    let gateway = TestGateway::start();
    block_on(async {
        let sdk = gateway.sdk().await;
        let calls = sdk.with(capability());
        let address = calls.storage_put("hello").await.unwrap();
        let round = |_| async {
            let (found, got) = tokio::join!(sdk.probe(LIMIT), calls.storage_get(address));
            assert!(found.unwrap().is_ready());
            assert_eq!(got.unwrap(), "hello");
        };
        futures_util::future::join_all((0..10).map(round)).await;
        assert_eq!(sdk.stats().connections, 1);
        assert_eq!(sdk.open_calls(), 0);
    });
}

#[test]
fn the_check_fails_whose_fault_it_is() {
    let gateway = TestGateway::start();
    let mut config = gateway.config();
    config.tls.ca = Some("/nonexistent/ca.pem".into());
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let found = sdk.probe(LIMIT).unwrap();
    assert_eq!(states(&found), ["failed", "not_applicable", "unknown"]);
    assert_eq!(failure(&found.config), ErrorKind::Config);

    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let mut config = SdkConfig::over_tor();
    config.tor.socks_addr = nobody;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    assert_eq!(states(&sdk.ready()), ["ok", "unknown", "unknown"]);
    let found = sdk.probe(LIMIT).unwrap();
    assert_eq!(states(&found), ["ok", "failed", "unknown"]);
    assert_eq!(failure(&found.tor), ErrorKind::TorUnavailable);
    assert_eq!(states(&sdk.ready()), ["ok", "failed", "unknown"]);
}

#[test]
fn a_closed_client_is_not_ready_and_a_wrong_limit_is_refused() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let error = sdk.probe(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(sdk.probe(LIMIT).unwrap().is_ready());
    sdk.close(LIMIT);
    assert_eq!(failure(&sdk.ready().transport), ErrorKind::Closed);
    let found = sdk.probe(LIMIT).unwrap();
    assert_eq!(failure(&found.transport), ErrorKind::Closed);
}
