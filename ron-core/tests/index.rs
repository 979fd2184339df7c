//! Names through a real gateway.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::future::join_all;
use ron_app_sdk::{AddrB3, ErrorKind, Executed, Expected, IndexKey};
use ron_gateway::faults::FaultKind;
use std::sync::atomic::{AtomicU32, Ordering};
use support::{block_on, capability, TestGateway, LIMIT};

fn name() -> IndexKey {
    IndexKey::new("releases.latest").unwrap()
}

#[test]
fn a_name_stands_for_what_was_published_last() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let resolve = || sdk.index_resolve(capability(), &name(), LIMIT);
    let calls = sdk.with(capability()).with_report();
    assert_eq!(resolve().unwrap_err().kind(), ErrorKind::NotFound);
    let [one, two] = [AddrB3::of(b"1"), AddrB3::of(b"2")];
    for (address, expected) in [
        (one, Some(Expected::Absent)),
        (two, Some(one.into())),
        (one, None),
        (one, Some(one.into())),
    ] {
        let ((), report) = calls.index_publish(&name(), address, expected).unwrap();
        assert_eq!((report.executed, report.replayed), (Executed::Yes, false));
        assert_eq!(resolve().unwrap(), address);
    }
    for expected in [Expected::Absent, two.into()] {
        let error = calls
            .index_publish(&name(), two, Some(expected))
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.executed()),
            (ErrorKind::Conflict, Executed::No)
        );
        assert_eq!(resolve().unwrap(), one);
    }
    let error = sdk
        .index_publish(capability(), &name(), "b3:12", None, LIMIT, None)
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::SchemaViolation, 0)
    );
}

/// Many callers go up the same steps, each by a swap that only one of them can make: none is lost and none is made
/// twice, whatever becomes of answers.
#[test]
fn compare_and_set_is_made_once() {
    const STEPS: u32 = 60;
    let gateway = TestGateway::start();
    let plan = r#"{"seed":7,"rules":[{"fault":"drop_reply","operation":"index.publish","probability":0.05},
        {"fault":{"error_before":{}},"probability":0.1}]}"#;
    let faults = gateway.gateway.faults();
    faults.arm(serde_json::from_str(plan).unwrap()).unwrap();
    let (swaps, step) = (AtomicU32::new(0), |n: u32| AddrB3::of(&n.to_be_bytes()));
    block_on(async {
        let sdk = gateway.sdk().await;
        let (calls, name) = (sdk.with(capability()), name());
        calls
            .index_publish(&name, step(0), Some(Expected::Absent))
            .await
            .unwrap();
        let climb = || async {
            for at in 0..STEPS {
                let expected = Some(step(at).into());
                match calls.index_publish(&name, step(at + 1), expected).await {
                    Ok(()) => drop(swaps.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
                }
            }
        };
        join_all((0..8).map(|_| climb())).await;
        assert_eq!(calls.index_resolve(&name).await.unwrap(), step(STEPS));
    });
    assert_eq!(swaps.load(Ordering::Relaxed), STEPS);
    assert!(faults.fired(FaultKind::DropReply) > 0);
}
