//! The load, against a gateway that counts as well.

use crate::support::{load_options, never, World};
use gwsmoke::load::{run, Operation};
use gwsmoke::report::{LoadReport, OperationRow};
use ron_gateway::{Gateway, GatewayConfig};

fn row(report: &LoadReport, operation: Operation) -> &OperationRow {
    let mut rows = report.operations.iter();
    rows.find(|row| row.operation == operation).unwrap()
}

/// What an operation is at the gateway, and the status of its success.
fn at_gateway(operation: Operation) -> (&'static str, &'static str, u16) {
    match operation {
        Operation::Get => ("storage", "get", 200),
        Operation::Head => ("storage", "head", 200),
        Operation::Range => ("storage", "get", 206),
        Operation::Put => ("storage", "put", 200),
        Operation::Edge => ("edge", "get", 200),
        Operation::Send => ("mailbox", "send", 200),
        Operation::Receive => ("mailbox", "receive", 200),
        Operation::Ack => ("mailbox", "ack", 200),
        Operation::Resolve => ("index", "resolve", 200),
        Operation::Publish => ("index", "publish", 200),
    }
}

fn counted(gateway: &Gateway, operation: Operation) -> u64 {
    let (plane, name, status) = at_gateway(operation);
    gateway.metrics().calls(plane, name, status)
}

const EVERYTHING: &str = "get=3,head=3,range=3,put=3,edge=3,send=3,receive=3,resolve=3,publish=3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_called_over_both_faces_and_counted_as_the_gateway_counts() {
    for face in ["oap", "http"] {
        let world = World::start(GatewayConfig::default()).await;
        let line = format!(
            "--face {face} --mix {EVERYTHING} --sizes 1=2,4096=1 --objects 3 --concurrency 6 --duration 500ms --seed 5"
        );
        let report = run(&load_options(&line), &world.settings, never())
            .await
            .unwrap();
        assert_eq!((report.failed, report.unfinished), (0, 0), "{report}");
        assert_eq!((report.attempts, report.retries), (report.calls, 0));
        for operation in Operation::ALL {
            let row = row(&report, operation);
            let (least, at_gateway) = (row.calls, counted(&world.gateway, operation));
            // The objects and names are stored before, and what is left is taken out after it.
            let beside = match operation {
                Operation::Put => 6,
                Operation::Publish => 16,
                Operation::Receive | Operation::Ack => at_gateway - least.min(at_gateway),
                _ => 0,
            };
            assert_eq!(at_gateway, least + beside, "{face} {operation}\n{report}");
            assert!(row.latency_us.unwrap().p50 > 0.0 && row.failed_latency_us.is_none());
        }
        let messages = row(&report, Operation::Receive).messages.unwrap();
        assert_eq!(messages, row(&report, Operation::Ack).calls);
        assert_eq!(world.gateway.metrics().mailbox_messages(), 0);
        let edge = row(&report, Operation::Edge);
        assert_eq!(edge.bytes, edge.calls * 65_536);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_loop_makes_as_many_calls_as_are_due() {
    let world = World::start(GatewayConfig::default()).await;
    let options = load_options("--rate 300 --duration 500ms --mix get=1 --sizes 64");
    let report = run(&options, &world.settings, never()).await.unwrap();
    assert_eq!(
        (report.calls + report.missed, report.failed),
        (150, 0),
        "{report}"
    );
    assert!(report.elapsed_s >= 0.49, "{report}");
    assert!(report.start_delay_us.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_and_retries_are_told_by_operation_and_kind() {
    let world = World::start(GatewayConfig::default()).await;
    // Never tried again, and tried again.
    world.arm(
        r#"[{"fault":{"error_before":{"reasons":["not_found"]}},"operation":"storage.head"},
            {"fault":"error_before","operation":"storage.get","attempt":1,"every_nth":10}]"#,
    );
    let options = load_options("--mix get=1,head=1 --sizes 64 --duration 300ms --concurrency 2");
    let report = run(&options, &world.settings, never()).await.unwrap();
    let (get, head) = (row(&report, Operation::Get), row(&report, Operation::Head));
    assert_eq!(head.failed, head.calls);
    assert!(head.latency_us.is_none() && head.failed_latency_us.is_some());
    let [error] = &report.errors[..] else {
        panic!("{report}")
    };
    assert_eq!(
        (error.operation, error.kind, error.count),
        (Operation::Head, "NotFound", head.calls)
    );
    assert_eq!((get.failed, get.attempts), (0, get.calls + get.retries));
    let injected = world.gateway.faults().report().rules[1].hits;
    assert!(
        injected > 0 && get.retries == injected,
        "{injected}\n{report}"
    );
    assert!(report.failed_percent() > 10.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_are_failures_over_both_faces() {
    let world = World::start(GatewayConfig::default()).await;
    for face in ["oap", "http"] {
        world.gateway.faults().disarm();
        world.arm(r#"[{"fault":"corrupt_body","operation":"storage.get"}]"#);
        let line = format!(
            "--face {face} --mix get=1,range=1 --sizes 64 --duration 200ms --concurrency 2"
        );
        let report = run(&load_options(&line), &world.settings, never())
            .await
            .unwrap();
        assert_eq!(report.failed, report.calls, "{report}");
        assert!(
            report
                .errors
                .iter()
                .all(|error| error.kind == "IntegrityMismatch"),
            "{report}"
        );
        assert_eq!(report.errors.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_cannot_be_prepared_is_not_begun() {
    let world = World::start(GatewayConfig::default()).await;
    world.arm(
        r#"[{"fault":{"error_before":{"reasons":["storage_full"]}},"operation":"storage.put"}]"#,
    );
    let options = load_options("--mix get=1 --duration 10s");
    let error = run(&options, &world.settings, never())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("put") && error.contains("507"), "{error}");
}
