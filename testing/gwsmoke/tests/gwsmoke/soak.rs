//! The soak: its books balance whatever the gateway suffers, and do not where the gateway is wrong.

use crate::support::{never, soak_options, World};
use gwsmoke::report::SoakReport;
use gwsmoke::soak::{run, Violation};
use ron_gateway::faults::FaultKind;
use ron_gateway::{Deduplication, Defect, GatewayConfig, MailboxLimits};

/// Refusals, effects whose answer is lost, late and repeated answers, broken connections.
const FAULTS: &str = r#"[
    {"fault":"error_before","probability":0.05},
    {"fault":"error_after","probability":0.05},
    {"fault":"drop_reply","probability":0.002},
    {"fault":"reset","probability":0.01},
    {"fault":"duplicate_reply","probability":0.02},
    {"fault":{"late_reply":{"after_ms":100}},"probability":0.02}]"#;

async fn soak(config: GatewayConfig, faults: &str, line: &str) -> (World, SoakReport) {
    let world = World::start(config).await;
    world.arm(faults);
    let line = format!("--visibility 400ms {line}");
    let report = run(&soak_options(&line), &world.settings, never())
        .await
        .unwrap();
    println!("{report}");
    (world, report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_balance_under_faults() {
    let (world, report) = soak(GatewayConfig::default(), FAULTS, "--duration 2s --rate 300").await;
    let faults = world.gateway.faults();
    for kind in [
        FaultKind::ErrorBefore,
        FaultKind::ErrorAfter,
        FaultKind::Reset,
        FaultKind::LateReply,
    ] {
        assert!(faults.fired(kind) > 0, "{kind:?}");
    }
    assert!(report.is_clean(), "{report}");
    let counts = report.counts;
    assert!(report.drained && report.open == 0, "{report}");
    assert!(counts.sent > 300 && report.retries > 0, "{report}");
    assert!(
        counts.received_again > 0 && counts.given_back > 0,
        "{report}"
    );
    let ended = counts.acknowledged + counts.acknowledgement_unknown + counts.dead_letters;
    assert!(ended >= counts.sent, "{report}");
    assert_eq!(world.gateway.metrics().mailbox_messages(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_loses_messages_or_makes_them_up_is_found() {
    for (defect, violation) in [
        (Defect::LostMessage, Violation::Lost),
        (Defect::InventedMessage, Violation::Invented),
    ] {
        let config = GatewayConfig {
            defect: Some(defect),
            ..GatewayConfig::default()
        };
        let (_, report) = soak(config, "[]", "--duration 2s --rate 400").await;
        let found: Vec<_> = report
            .violations
            .iter()
            .map(|(kind, found)| (*kind, found.count))
            .collect();
        // Every 200th.
        let expected = report.counts.sent / 200;
        assert!(expected > 0 && !report.is_clean(), "{report}");
        assert_eq!(found, [(violation, expected)], "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_executes_a_send_twice_is_found() {
    let config = GatewayConfig {
        deduplication: Deduplication::Off,
        ..GatewayConfig::default()
    };
    let faults =
        r#"[{"fault":"error_after","operation":"mailbox.send","attempt":1,"probability":0.2}]"#;
    let (_, report) = soak(config, faults, "--duration 1s --rate 200").await;
    let count = |violation| {
        report
            .violations
            .get(&violation)
            .map_or(0, |found| found.count)
    };
    // The second message comes while the first one is there, or later.
    let twice = count(Violation::Duplicated) + count(Violation::AfterAcknowledgement);
    assert!(twice > 10, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_the_gateway_gives_up_are_found_among_the_dead_letters() {
    let config = GatewayConfig {
        mailbox: MailboxLimits {
            max_deliveries: 1,
            ..MailboxLimits::default()
        },
        ..GatewayConfig::default()
    };
    let (_, report) = soak(config, "[]", "--duration 1s --rate 400").await;
    assert!(report.is_clean() && report.drained, "{report}");
    let counts = report.counts;
    assert!(counts.dead_letters > 0, "{report}");
    assert_eq!(
        counts.acknowledged + counts.dead_letters,
        counts.sent,
        "{report}"
    );
}
