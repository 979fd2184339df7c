//! The judge finds each bug that a gateway is given on purpose, within 20,000 calls; and nothing in one without.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use ron_chaos::{index, mailbox, World};
use ron_gateway::{Deduplication, Defect, GatewayConfig};
use ron_history::index::{IndexReport, IndexRule};
use ron_history::mailbox::{MailboxReport, MailboxRule, Promises};
use ron_history::Recorder;
use std::time::Duration;

const CALLS: u64 = 15_000;
/// Short, so that messages come back while the others are still at it.
const VISIBILITY: Duration = Duration::from_millis(300);
/// Longer than ten times that.
const PATIENCE: Duration = Duration::from_millis(3500);
/// Replies that are lost after the commit, and replies that come late: what makes callers repeat themselves.
const LOSSES: &str = r#"{"seed":3,"rules":[
    {"fault":"error_after","probability":0.02},
    {"fault":"drop_reply","probability":0.003}]}"#;

fn mailbox_with(
    defect: Option<Defect>,
    deduplication: Deduplication,
    losses: bool,
) -> MailboxReport {
    let world = World::new(GatewayConfig {
        defect,
        deduplication,
        ..GatewayConfig::default()
    });
    if losses {
        world.arm(LOSSES);
    }
    let recorder = Recorder::new();
    world.run(Duration::from_secs(60), |_| {}, async {
        // Many who come too late show whether leases fence them. They leave much to be taken out at the end.
        let (calls, late_percent) = match defect {
            Some(Defect::UnfencedAck) => (9000, 20),
            _ => (CALLS, 1),
        };
        let load = mailbox::Load {
            visibility: VISIBILITY,
            patience: PATIENCE,
            late_percent,
            ..mailbox::Load::new(calls, 5)
        };
        let calm = || world.gateway.faults().disarm();
        mailbox::run(world.sdk().await, load, &recorder, calm).await;
    });
    let history = recorder.history();
    assert!(history.calls() <= 20_000, "{} calls", history.calls());
    let promises = Promises {
        // Ten times the visibility is so late; a busy machine is not.
        redelivered_within: (!losses).then_some(5 * VISIBILITY),
        ..Promises::default()
    };
    let report = ron_history::mailbox::check(&history, &promises);
    println!("{defect:?} {deduplication:?}: {report}");
    report
}

fn index_with(defect: Option<Defect>) -> IndexReport {
    let world = World::new(GatewayConfig {
        defect,
        ..GatewayConfig::default()
    });
    let recorder = Recorder::new();
    world.run(Duration::from_secs(60), |_| {}, async {
        index::run(world.sdk().await, index::Load::new(CALLS, 5), &recorder).await;
    });
    let report = ron_history::index::check(&recorder.history()).unwrap();
    println!("{defect:?}: {report}");
    report
}

fn finds(report: &MailboxReport, rule: MailboxRule) {
    assert!(
        report.violations.count(rule) > 0,
        "{rule} is not found to be violated: {report}"
    );
}

#[test]
fn without_a_defect_nothing_is_found() {
    for losses in [false, true] {
        let report = mailbox_with(None, Deduplication::Atomic, losses);
        assert!(report.violations.is_empty(), "{report}");
    }
    let report = index_with(None);
    assert!(report.violations.is_empty(), "{report}");
}

#[test]
fn each_defect_of_a_mailbox_is_found() {
    let atomic = Deduplication::Atomic;
    for (defect, losses, rule) in [
        (Defect::UnfencedAck, true, MailboxRule::Fencing),
        (Defect::TenfoldVisibility, false, MailboxRule::Redelivery),
        (Defect::DeadLetterTwice, false, MailboxRule::DeadLetters),
        (Defect::InventedMessage, false, MailboxRule::NoInvention),
        (Defect::LostMessage, false, MailboxRule::NoLoss),
        (Defect::EarlyEviction, true, MailboxRule::Identity),
    ] {
        finds(&mailbox_with(Some(defect), atomic, losses), rule);
    }
}

/// A send whose answer was lost is sent again, and taken again.
#[test]
fn a_gateway_that_forgets_keys_is_found() {
    for deduplication in [Deduplication::Off, Deduplication::RecordAfterReply] {
        finds(
            &mailbox_with(None, deduplication, true),
            MailboxRule::Identity,
        );
    }
}

#[test]
fn a_stale_read_is_found() {
    let report = index_with(Some(Defect::StaleRead));
    assert!(
        report.violations.count(IndexRule::NoStaleRead) > 0,
        "{report}"
    );
}
