//! The harness as people run it, on as little work as there can be.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::process::Command;

fn harness() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ron-overhead"))
}

#[test]
fn every_client_that_can_has_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("out").join("overhead.json");
    let output = harness()
        .args([
            "--rounds=2",
            "--turn-ms=1",
            "--payload=64,200000",
            "--callers=1,3",
        ])
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let clients = |callers: u64| {
        let rows = rows.iter().filter(|row| row["clients"] == callers);
        let rows = rows.filter(|row| row["work"] == "put" && row["payload"] == 200_000);
        rows.count()
    };
    // One of them cannot be shared.
    assert!(clients(1) >= 10);
    assert_eq!(clients(3), clients(1) - 1);
    assert_eq!(rows.len(), 4 * (clients(1) + clients(3)));
    for row in &rows {
        for field in [
            "p50_us",
            "p95_us",
            "p99_us",
            "ops_s",
            "ratio_p50",
            "rss_kib",
        ] {
            assert!(row[field].as_f64().unwrap() > 0.0, "{field} of {row}");
        }
        assert_eq!(row["core"].is_null(), row["clients"] == 3);
        assert_eq!(row["rounds"], 2);
    }
    assert!(json.with_file_name("get-latency.svg").is_file());
    assert!(json.with_file_name("put-throughput.svg").is_file());
}

#[test]
fn a_ratio_above_its_limit_fails_the_run() {
    let run = |limit: &str| {
        harness()
            .args(["--rounds=1", "--turn-ms=1", "--payload=64", "--callers=1"])
            .args(["--work=get", "--clients=sdk-blocking", "--at-most", limit])
            .output()
            .unwrap()
    };
    assert!(run("sdk-blocking=1000").status.success());
    let output = run("sdk-blocking=0.001");
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("is above 0.001"), "{text}");
    // A limit for what was not measured is a mistake.
    assert!(!run("tasks=1000").status.success());
}

#[test]
fn waiting_callers_are_measured_and_let_go() {
    let output = harness()
        .args(["memory", "--waiting=200", "--calls=200"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("200 callers waiting"), "{text}");
}

#[test]
fn every_kind_of_process_starts() {
    let output = harness().args(["cold-start", "--rounds=1"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("sdk-async"), "{text}");
}

#[test]
fn callers_are_counted() {
    let run = |limit: &str| {
        harness()
            .args(["fairness", "--seconds=1", "--callers=4", "--payload=64"])
            .args(["--clients=sdk-blocking", "--at-most", limit])
            .output()
            .unwrap()
    };
    let output = run("1000");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text
        .lines()
        .find_map(|line| line.strip_prefix("sdk-blocking"));
    let counts = row.unwrap().split_whitespace().take(2);
    let counts: Vec<u64> = counts.map(|count| count.parse().unwrap()).collect();
    assert!(counts[0] >= counts[1] && counts[1] > 0, "{text}");
    // Nobody is served half as often as himself.
    let output = run("0.5");
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("not served alike"), "{text}");
}
