//! Mailbox and index under everything that can go wrong, judged by what their callers have seen.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use ron_chaos::{index, mailbox, World};
use ron_gateway::faults::FaultKind;
use ron_gateway::GatewayConfig;
use ron_history::mailbox::{MailboxReport, Promises};
use ron_history::Recorder;
use std::time::Duration;

/// Loss after the commit, duplicates, reordering, errors before and after the execution, resets.
const FAULTS: &str = r#"{"seed":11,"rules":[
    {"fault":"error_before","probability":0.02},
    {"fault":"error_after","probability":0.005},
    {"fault":"drop_reply","probability":0.002},
    {"fault":"reset","probability":0.0005},
    {"fault":"duplicate_reply","probability":0.005},
    {"fault":"reorder_replies","probability":0.002},
    {"fault":{"late_reply":{"after_ms":300}},"probability":0.001}]}"#;
/// Between two cuts of every connection.
const CUT: Duration = Duration::from_millis(500);

#[test]
fn no_message_is_lost_and_none_comes_after_its_acknowledgement() {
    let world = World::new(GatewayConfig::default());
    world.arm(FAULTS);
    let (recorder, load) = (Recorder::new(), mailbox::Load::new(200_000, 1));
    let calm = std::sync::atomic::AtomicBool::new(false);
    let cut = |world: &World| {
        if !calm.load(std::sync::atomic::Ordering::Relaxed) {
            world.proxy.kill_connections();
        }
    };
    world.run(CUT, cut, async {
        let sdk = world.sdk().await;
        mailbox::run(sdk.clone(), load, &recorder, || {
            calm.store(true, std::sync::atomic::Ordering::Relaxed);
            world.gateway.faults().disarm();
        })
        .await;
        assert_eq!(sdk.open_calls(), 0);
    });
    let faults = world.gateway.faults();
    for kind in [
        FaultKind::ErrorBefore,
        FaultKind::ErrorAfter,
        FaultKind::DropReply,
        FaultKind::Reset,
        FaultKind::DuplicateReply,
        FaultKind::ReorderReplies,
    ] {
        assert!(faults.fired(kind) > 0, "{kind:?}");
    }
    assert_eq!(world.gateway.ledger().unwrap().most_effects_of_one_key(), 1);
    let promises = Promises {
        // Retries of lost answers take as long as they take.
        redelivered_within: None,
        ..Promises::default()
    };
    let report = judge(&recorder, &promises);
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.counts.lost, 0);
    assert!(report.counts.acknowledged > 50_000, "{report}");
    assert!(
        report.counts.duplicated > 0 && report.counts.stale > 0 && report.counts.dead_letters > 0,
        "{report}"
    );
}

fn judge(recorder: &Recorder, promises: &Promises) -> MailboxReport {
    let report = ron_history::mailbox::check(&recorder.history(), promises);
    println!("{report}");
    report
}

#[test]
fn names_are_linearizable() {
    let world = World::new(GatewayConfig::default());
    world.arm(FAULTS);
    let recorder = Recorder::new();
    world.run(CUT, |world| world.proxy.kill_connections(), async {
        index::run(world.sdk().await, index::Load::new(50_000, 1), &recorder).await;
    });
    assert_eq!(world.gateway.ledger().unwrap().most_effects_of_one_key(), 1);
    let report = ron_history::index::check(&recorder.history()).unwrap();
    println!("{report}");
    assert!(report.violations.is_empty(), "{report}");
    assert!(
        report.counts.published > 1000 && report.counts.conflicts > 1000,
        "{report}"
    );
}
