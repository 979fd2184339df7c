//! Callers who leave at random, while everything around them fails.

use crate::support::leaving::{abandoned, patient_gateway};
use crate::support::{block_on, bytes, capability};
use bytes::Bytes;
use futures_util::future::join_all;
use ron_app_sdk::{AddrB3, Capability, RonAppSdk};
use ron_gateway::faults::{Fault, FaultKind, FaultPlan, FaultRule};
use ron_gateway::GatewayConfig;
use std::future::{poll_fn, Future};
use std::task::Poll;
use std::time::{Duration, Instant};

const CALLERS: u64 = 96;
const CALLS: u64 = 1900;
const LIMIT: Duration = Duration::from_secs(1);

fn faults() -> FaultPlan {
    let error_before = serde_json::from_str(r#"{"error_before": {}}"#).unwrap();
    let error_after = serde_json::from_str(r#"{"error_after": {}}"#).unwrap();
    let rules = [
        (error_before, 0.1),
        (error_after, 0.05),
        (Fault::DropReply, 0.002),
        (Fault::BlackHole, 0.002),
        (Fault::Reset, 0.001),
        (Fault::Drain, 0.001),
        (Fault::DuplicateReply, 0.01),
        (Fault::BadVersion { version: 2 }, 0.0005),
        (Fault::CorruptBody, 0.005),
    ];
    let rule = |(fault, probability)| FaultRule {
        probability,
        ..FaultRule::new(fault)
    };
    FaultPlan {
        seed: Some(7),
        rules: rules.into_iter().map(rule).collect(),
    }
}

/// Calls of which most are dropped at some await; what completes is right or a typed error.
async fn abandon(
    sdk: RonAppSdk,
    capability: Capability,
    seed: u64,
    address: AddrB3,
    object: Bytes,
) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut dropped = 0;
    for _ in 0..CALLS {
        let polls = random.u64(0..4);
        let calls = sdk.with(&capability).timeout(LIMIT);
        let is_dropped = if random.bool() {
            let body = Bytes::from(vec![seed as u8; random.usize(0..20_000)]);
            let expected = AddrB3::of(&body);
            let put = abandoned(calls.storage_put(body), polls).await;
            put.map(|put| put.map_or((), |address| assert_eq!(address, expected)))
                .is_none()
        } else {
            let got = abandoned(calls.storage_get(address), polls).await;
            got.map(|got| got.map_or((), |bytes| assert_eq!(bytes, object)))
                .is_none()
        };
        dropped += u64::from(is_dropped);
    }
    dropped
}

/// After 100,000 calls were left halfway, nothing of them is left: no open call, no slot, no effect twice.
#[test]
fn calls_that_are_left_at_random_leave_nothing_behind() {
    let gateway = patient_gateway(GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    });
    block_on(async {
        let object = Bytes::from(bytes(3000));
        let sdk = gateway.sdk().await;
        let capability = capability();
        let put = sdk.storage_put(&capability, object.clone(), LIMIT, None);
        let address = put.await.unwrap();
        gateway.gateway.faults().arm(faults()).unwrap();
        let callers = (0..CALLERS).map(|caller| {
            let (sdk, object) = (sdk.clone(), object.clone());
            tokio::spawn(abandon(
                sdk,
                capability.clone(),
                caller + 1,
                address,
                object,
            ))
        });
        let dropped = join_all(callers).await;
        let dropped: u64 = dropped.into_iter().map(Result::unwrap).sum();
        assert!(dropped >= 100_000, "only {dropped}");
        assert_eq!(sdk.open_calls(), 0);

        let faults = gateway.gateway.faults();
        for kind in [
            FaultKind::ErrorBefore,
            FaultKind::ErrorAfter,
            FaultKind::DropReply,
            FaultKind::BlackHole,
            FaultKind::Reset,
            FaultKind::Drain,
            FaultKind::DuplicateReply,
            FaultKind::BadVersion,
            FaultKind::CorruptBody,
        ] {
            assert!(faults.fired(kind) > 0, "{kind}");
        }
        faults.disarm();
        // Every slot of every connection is there again: many calls at once, each in its first attempt.
        let began = Instant::now();
        let calls = sdk.with(&capability).with_report();
        for got in join_all((0..200).map(|_| calls.storage_get(address))).await {
            let (bytes, report) = got.unwrap();
            assert_eq!((bytes.len(), report.attempts), (3000, 1));
        }
        assert!(began.elapsed() < Duration::from_secs(2));
        // Cancelled calls are over when the gateway has said so, which the next calls read.
        let settled = Instant::now() + LIMIT;
        while sdk.stats().open_streams > 0 {
            assert!(Instant::now() < settled, "{:?}", sdk.stats());
            calls.storage_get(address).await.unwrap();
        }
        let stats = sdk.stats();
        assert_eq!((stats.open_calls, stats.waiting_calls), (0, 0));
        assert_eq!(stats.unsent_bytes, 0);
    });
    assert!(gateway.gateway.metrics().connections_open() <= 4);
    let ledger = gateway.gateway.ledger().unwrap();
    assert_eq!(ledger.most_effects_of_one_key(), 1);
    assert!(ledger.keys() > 1000);
}

/// Each call gives its slot back, though it is never answered.
#[test]
fn calls_that_are_left_unanswered_give_their_slots_back() {
    let gateway = patient_gateway(GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    });
    let mut config = gateway.config();
    config.pool.max = 1;
    block_on(async {
        let sdk = RonAppSdk::new(config).await.unwrap();
        let capability = capability();
        let put = sdk.storage_put(&capability, "x".into(), LIMIT, None);
        let address = put.await.unwrap();
        let faults = gateway.gateway.faults();
        // Three times as many as the connection has slots.
        for (round, fault) in [Fault::BlackHole, Fault::DropReply, Fault::BlackHole]
            .into_iter()
            .enumerate()
        {
            let kind = fault.kind();
            let fired = faults.fired(kind);
            faults
                .arm(FaultPlan::from_iter([FaultRule::new(fault)]))
                .unwrap();
            let calls = sdk.with(&capability).timeout(LIMIT);
            let get = || Box::pin(abandoned(calls.storage_get(address), u64::MAX));
            let mut left: Vec<_> = (0..60).map(|_| get()).collect();
            let deadline = Instant::now() + LIMIT;
            while faults.fired(kind) < fired + 60 {
                assert!(Instant::now() < deadline, "round {round}");
                for call in &mut left {
                    let pending = poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
                    assert!(pending.await.is_pending());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(sdk.open_calls(), 60);
            drop(left);
            assert_eq!(sdk.open_calls(), 0);
        }
        faults.disarm();
        let calls = sdk.with(&capability).with_report();
        for got in join_all((0..64).map(|_| calls.storage_get(address))).await {
            assert_eq!(got.unwrap().1.attempts, 1);
        }
    });
    assert_eq!(gateway.gateway.metrics().connections_accepted(), 1);
}
