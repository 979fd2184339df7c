//! Which trace a call is part of: told by its caller or by the application's own place for that, sent with each attempt,
//! and seen in the gateway's log.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::{blocking, ErrorKind, RonAppSdk, SdkConfig, TraceParent};
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::faults::{Fault, FaultRule};
use ron_gateway::{CallLog, GatewayConfig};
use std::sync::{Arc, Mutex};
use support::capture::Capture;
use support::{block_on, capability, TestGateway, LIMIT};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;

const ONE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-00";

fn trace(text: &str) -> TraceParent {
    text.parse().unwrap()
}

/// Attempt and trace of each call, as the gateway's log has them.
type Log = Arc<Mutex<Vec<(u8, Option<String>)>>>;

fn gateway() -> (TestGateway, Log) {
    let log = Log::default();
    let lines = Arc::clone(&log);
    let config = GatewayConfig {
        call_log: Some(CallLog::new(move |call| {
            let trace = call.traceparent.map(str::to_owned);
            lines.lock().unwrap().push((call.attempt, trace));
        })),
        ..GatewayConfig::default()
    };
    let gateway = TestGateway::start_with(config, &CertificateRequest::localhost());
    (gateway, log)
}

fn take(log: &Log) -> Vec<(u8, Option<String>)> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn of(attempt: u8, text: &str) -> (u8, Option<String>) {
    (attempt, Some(text.to_owned()))
}

#[test]
fn a_calls_trace_goes_with_each_attempt_into_the_gateways_log() {
    let (gateway, log) = gateway();
    let fail_once = || {
        let reasons = vec![ron_app_sdk::oap::Reason::Unavailable];
        let rule = FaultRule {
            times: Some(1),
            ..FaultRule::new(Fault::ErrorBefore {
                reasons,
                retry_after_ms: None,
            })
        };
        gateway
            .gateway
            .faults()
            .arm([rule].into_iter().collect())
            .unwrap();
    };
    fail_once();
    let sdk = gateway.blocking_sdk();
    let calls = sdk.with(capability()).traceparent(trace(ONE));
    calls.storage_put(b"hello").unwrap();
    assert_eq!(take(&log), [of(1, ONE), of(2, ONE)]);
    sdk.storage_put(capability(), b"hello", LIMIT, None)
        .unwrap();
    assert_eq!(take(&log), [(1, None)]);
    fail_once();
    block_on(async {
        let sdk = gateway.sdk().await;
        let calls = sdk.with(capability()).traceparent(trace(OTHER));
        calls.storage_put("hello").await.unwrap();
    });
    assert_eq!(take(&log), [of(1, OTHER), of(2, OTHER)]);
}

#[test]
fn who_is_not_told_asks_the_application_within_the_calls_own_span() {
    let (gateway, log) = gateway();
    let spans = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&spans);
    let ask = move || {
        let current = tracing::Span::current();
        seen.lock()
            .unwrap()
            .push(current.metadata().map(|span| span.name()));
        Some(trace(ONE))
    };
    with_default(tracing_subscriber::registry(), || {
        let sdk = gateway.blocking_sdk();
        sdk.set_trace_context(ask.clone()).unwrap();
        let twice = sdk.clone().set_trace_context(|| None).unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::Config);
        let calls = sdk.with(capability());
        calls.storage_put(b"hello").unwrap();
        calls
            .traceparent(trace(OTHER))
            .storage_put(b"hello")
            .unwrap();
        block_on(async {
            let sdk = gateway.sdk().await;
            sdk.set_trace_context(ask).unwrap();
            let put = sdk.storage_put(capability(), "hello".into(), LIMIT, None);
            put.await.unwrap();
        });
    });
    assert_eq!(take(&log), [of(1, ONE), of(1, OTHER), of(1, ONE)]);
    // Whoever is told does not ask.
    assert_eq!(*spans.lock().unwrap(), [Some("sdk.call"); 2]);
}

#[test]
fn without_tracing_nothing_is_told_to_anybody() {
    let (gateway, log) = gateway();
    let rule = FaultRule {
        times: Some(2),
        ..FaultRule::new(Fault::ErrorBefore {
            reasons: vec![ron_app_sdk::oap::Reason::Unavailable],
            retry_after_ms: None,
        })
    };
    let config = || {
        let mut config: SdkConfig = gateway.config();
        config.tracing.enabled = false;
        gateway
            .gateway
            .faults()
            .arm([rule.clone()].into_iter().collect())
            .unwrap();
        config
    };
    let capture = Capture::default();
    with_default(tracing_subscriber::registry().with(capture.clone()), || {
        let sdk = blocking::RonAppSdk::new(config()).unwrap();
        sdk.set_trace_context(|| panic!("it is asked")).unwrap();
        let calls = sdk.with(capability()).traceparent(trace(ONE));
        calls.storage_put(b"hello").unwrap();
        sdk.connect(LIMIT).unwrap();
        drop(sdk);
        block_on(async {
            let sdk = RonAppSdk::new(config()).await.unwrap();
            let calls = sdk.with(capability()).traceparent(trace(ONE));
            calls.storage_put("hello").await.unwrap();
        });
    });
    let said = capture.said();
    let ours = said.iter().filter(|said| said.name.starts_with("sdk."));
    assert_eq!(ours.count(), 0, "{:?}", capture.names());
    let lines = take(&log);
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|(_, trace)| trace.is_none()), "{lines:?}");
}
