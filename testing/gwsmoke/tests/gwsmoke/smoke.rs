//! The smoke checks: all pass where all is well, and each finds what it is there for.

use crate::support::{config_of, identity, World};
use gwsmoke::options::{Face, Faces};
use gwsmoke::report::SmokeReport;
use gwsmoke::settings::Settings;
use gwsmoke::smoke::{self, State, Verdict};
use ron_app_sdk::oap::ErrorReply;
use ron_gateway::capability::{CapabilityCheck, Clock, Grant};
use ron_gateway::{Backends, Deduplication, GatewayConfig};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) async fn check(settings: &Settings, faces: Faces) -> SmokeReport {
    let mut observed = Vec::new();
    let mut observe = |verdict: &Verdict| observed.push(verdict.to_string());
    let report = smoke::run(settings, faces, &mut observe).await.unwrap();
    let lines: Vec<String> = report.checks.iter().map(Verdict::to_string).collect();
    assert_eq!(observed, lines);
    report
}

/// What failed over a face.
fn failed(report: &SmokeReport, face: Face) -> Vec<&'static str> {
    let failed = report
        .checks
        .iter()
        .filter(|verdict| verdict.state == State::Failed);
    failed
        .filter(|verdict| verdict.face == face)
        .map(|verdict| verdict.check)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_checks_pass_where_all_is_well() {
    let world = World::start(GatewayConfig::default()).await;
    let report = check(&world.settings, Faces::Both).await;
    assert_eq!(report.failed, 0, "{:#?}", report.checks);
    assert_eq!(report.passed, 46);
    let names: HashSet<_> = report
        .checks
        .iter()
        .map(|verdict| (verdict.face.to_string(), verdict.check))
        .collect();
    assert_eq!(names.len(), 46);
    for (faces, checks) in [(Faces::Oap, 21), (Faces::Http, 24)] {
        let report = check(&world.settings, faces).await;
        assert_eq!((report.passed, report.failed), (checks, 0));
    }
    // Both read the gateway's own state, and leave no message behind.
    assert!(world.gateway.metrics().calls("storage", "get", 206) >= 20);
    assert_eq!(world.gateway.metrics().mailbox_messages(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_found_by_the_checks_that_are_there_for_it() {
    let world = World::start(GatewayConfig::default()).await;
    for (fault, operation, over_oap, over_http) in [
        (
            r#""wrong_receipt""#,
            "storage.put",
            &["put: the address is the object's"][..],
            &["put: the receipt has address and size"][..],
        ),
        (
            r#""corrupt_body""#,
            "storage.get",
            &["get: length, bytes and hash"],
            &["get: length, bytes, hash and headers"],
        ),
        (
            r#""short_body""#,
            "storage.get",
            &["get: length, bytes and hash"],
            &["get: length, bytes, hash and headers"],
        ),
        (
            r#""wrong_address""#,
            "storage.head",
            &["head: size and address"],
            &["head: size and headers, no body"],
        ),
        (
            r#"{"status":{"code":204}}"#,
            "storage.head",
            &["a missing object is not found"],
            &["head: size and headers, no body"],
        ),
        (
            r#""wrong_range""#,
            "storage.get",
            &["range: the first bytes", "range: the middle"],
            &["range: the last bytes", "range: from one byte to the end"],
        ),
        (
            r#"{"status":{"code":200}}"#,
            "storage.get",
            &["range: past the end, cut to it"],
            &["range: past the end, cut to it"],
        ),
        (
            r#""long_body""#,
            "storage.get",
            &["an empty object"],
            &["an empty object"],
        ),
        (
            r#"{"error_before":{"reasons":["schema_violation"]}}"#,
            "storage.get",
            &[
                "a missing object is not found",
                "range: out of bounds is refused",
            ],
            &[
                "a missing object is not found",
                "range: several are the whole object",
            ],
        ),
        (
            r#""corrupt_body""#,
            "edge.get",
            &["edge: get, head and range"],
            &["edge: get, head and range"],
        ),
        (
            r#""corrupt_body""#,
            "mailbox.receive",
            &["mailbox: send, receive, acknowledge"],
            &["mailbox: send, receive, acknowledge"],
        ),
        (
            r#""wrong_address""#,
            "index.resolve",
            &["index: publish, resolve, conflict"],
            &["index: publish, resolve, conflict"],
        ),
    ] {
        world.arm(&format!(
            r#"[{{"fault":{fault},"operation":"{operation}"}}]"#
        ));
        let report = check(&world.settings, Faces::Both).await;
        for (face, expected) in [(Face::Oap, over_oap), (Face::Http, over_http)] {
            let failed = failed(&report, face);
            for check in expected {
                assert!(failed.contains(check), "{fault} {operation}: {failed:?}");
            }
            // And nothing is blamed that has nothing to do with it.
            assert!(failed.len() < 16, "{fault} {operation}: {failed:?}");
        }
    }
}

/// Lets everything pass.
struct Careless(Arc<dyn CapabilityCheck>);

impl CapabilityCheck for Careless {
    fn check(&self, tenant_id: u128, _capability: &[u8]) -> Result<Grant, ErrorReply> {
        Ok(Grant::unrestricted(tenant_id, "anybody"))
    }

    fn minter(&self) -> Option<ron_gateway::capability::Minter> {
        self.0.minter()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_lets_pass_what_it_must_not_is_found() {
    let config = GatewayConfig::default();
    let mut backends = Backends::in_memory(&config).unwrap();
    backends.capabilities = Arc::new(Careless(Arc::clone(&backends.capabilities)));
    let careless = World::start_with(config, backends).await;
    let refusals = [
        "an expired capability is refused",
        "a capability for something else is refused",
        "a forged capability is refused",
    ];
    let report = check(&careless.settings, Faces::Both).await;
    assert_eq!(failed(&report, Face::Oap), refusals);
    let over_http = [&["no capability is refused"], &refusals[..]].concat();
    assert_eq!(failed(&report, Face::Http), over_http);

    let repeats = World::start(GatewayConfig {
        deduplication: Deduplication::Off,
        clock: Clock::new(|| 0),
        ..GatewayConfig::default()
    });
    let report = check(&repeats.await.settings, Faces::Both).await;
    for face in [Face::Oap, Face::Http] {
        let expected = [
            "an expired capability is refused",
            "a repeated put is executed once",
        ];
        assert_eq!(failed(&report, face), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_answer_is_one_failed_check_of_each_face() {
    let (_identity, _folder, ca) = identity();
    // Nobody listens on it any more.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let world = World::start(GatewayConfig::default()).await;
    let settings = Settings {
        config: config_of(address, ca),
        capability: world.settings.capability.clone(),
    };
    let beginning = Instant::now();
    let report = check(&settings, Faces::Both).await;
    assert!(beginning.elapsed() < Duration::from_secs(6));
    assert_eq!(failed(&report, Face::Oap), ["the gateway answers"]);
    assert_eq!(failed(&report, Face::Http), ["healthz, readyz and version"]);
    assert_eq!(report.checks.len(), 2);
    assert!(report.checks[0].got.as_ref().unwrap().contains("Transport"));
}
