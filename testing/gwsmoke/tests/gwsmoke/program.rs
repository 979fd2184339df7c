//! The program, as a user runs it.

use crate::support::World;
use ron_canary::Canary;
use ron_gateway::faults::{AdminToken, FaultKind};
use ron_gateway::GatewayConfig;
use rustix::process::{kill_process, Pid, Signal};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program with nothing in its environment.
fn bare(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gwsmoke"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RON_") {
            command.env_remove(name);
        }
    }
    command
}

fn program(world: &World, line: &str) -> Command {
    let mut command = bare(line);
    let token = world.settings.capability.expose_base64url();
    command
        .env("RON_SDK_GATEWAY_ADDR", &world.settings.config.gateway_addr)
        .env("RON_SDK_TLS_CA", &world.ca)
        .env("RON_SDK_CAPABILITY", &*token);
    command
}

/// Runs it while the gateway goes on.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_code_says_whether_all_checks_passed_and_the_report_is_json() {
    let world = World::start(GatewayConfig::default()).await;
    let well = output(program(&world, "--face http")).await;
    assert_eq!(well.status.code(), Some(0));
    assert!(
        text(&well.stdout).ends_with("\n24 checks passed, 0 failed\n"),
        "{}",
        text(&well.stdout)
    );
    world.arm(r#"[{"fault":"corrupt_body","operation":"storage.get"}]"#);
    let broken = output(program(&world, "--face http")).await;
    assert_eq!(broken.status.code(), Some(1));
    let line = "FAILED  http  get: length, bytes, hash and headers: expected 100003 bytes, b3:";
    assert!(
        text(&broken.stdout).contains(line),
        "{}",
        text(&broken.stdout)
    );
    let broken = output(program(&world, "--json")).await;
    assert_eq!(broken.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!(report["mode"], "smoke");
    assert!(report["failed"].as_u64().unwrap() > 5);
    assert_eq!(report["checks"].as_array().unwrap().len(), 46);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_may_be_told_how_many_calls_may_fail() {
    let world = World::start(GatewayConfig::default()).await;
    world.arm(r#"[{"fault":{"error_before":{"reasons":["not_found"]}},"operation":"storage.get","every_nth":2}]"#);
    for (limit, code) in [("", 0), ("--max-failed 60", 0), ("--max-failed 40", 1)] {
        let line = format!("load --duration 200ms --mix get=1 --json {limit}");
        let ended = output(program(&world, &line)).await;
        assert_eq!(ended.status.code(), Some(code), "{limit}");
        let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(report["mode"], "load");
    }
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_connected() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let gateway = format!("https://{}", listener.local_addr().unwrap());
    for (line, named) in [
        ("load --concurrency 0", "--concurrency"),
        ("load --mix get=1,fetch=1", "--mix"),
        ("load --mix range=1 --sizes 0", "--sizes"),
        ("load --objects 10000 --sizes 65536", "--objects"),
        ("soak --faults", "RON_GATEWAY_ADMIN_TOKEN"),
        ("soak --rate 10000 --duration 30days", "--rate"),
        ("--timeout 1ms", "--timeout"),
        ("--gateway http://localhost", "https://"),
        ("--capability-file /absent", "/absent"),
        ("--ca /absent", "/absent"),
    ] {
        let mut command = bare(line);
        let capability = ron_app_sdk::Macaroon::mint(b"root key", "ron", b"identifier").encode();
        let capability = ron_app_sdk::Capability::from_bytes(capability).unwrap();
        command
            .env("RON_SDK_CAPABILITY", &*capability.expose_base64url())
            .env("RON_SDK_GATEWAY_ADDR", &gateway);
        let refused = command.output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{line}: {refused:?}");
        assert!(
            text(&refused.stderr).contains(named),
            "{line}: {}",
            text(&refused.stderr)
        );
        assert!(refused.stdout.is_empty());
        let nobody = listener.accept().unwrap_err().kind();
        assert_eq!(nobody, std::io::ErrorKind::WouldBlock, "{line}");
    }
    let nobody = bare("").output().unwrap();
    assert_eq!(nobody.status.code(), Some(2));
    assert!(text(&nobody.stderr).contains("RON_SDK_CAPABILITY"));
}

/// What the README says after `ron-gateway dev --` is read as the program reads it.
#[test]
fn the_commands_of_the_readme_are_ones() {
    let readme = include_str!("../../README.md");
    let commands = readme.lines().filter_map(|line| {
        let command = line.strip_prefix("ron-gateway dev -- ")?;
        Some(command.split('#').next()?.trim())
    });
    let mut count = 0;
    for command in commands {
        let words = command.split_whitespace();
        let read = <gwsmoke::options::Arguments as clap::Parser>::try_parse_from(words);
        assert!(
            command.starts_with("gwsmoke") && read.is_ok(),
            "{command}: {read:?}"
        );
        count += 1;
    }
    assert!(count >= 5);
}

fn interrupt(child: &Child) {
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(id, Signal::INT).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_ends_a_load_and_a_soak_with_their_reports() {
    let world = World::start(GatewayConfig::default()).await;
    // Calls that are open, and would be for long.
    world.arm(r#"[{"fault":"black_hole","operation":"storage.get","probability":0.01}]"#);
    for line in [
        "load --duration 1h --mix get=1 --json",
        "load --duration 1h --mix get=1 --rate 1000 --json",
        "soak --duration 24h --rate 100 --json",
    ] {
        let begun = || {
            let calls = |plane, operation| world.gateway.metrics().calls(plane, operation, 200);
            let silent = world.gateway.faults().fired(FaultKind::BlackHole);
            (
                calls("storage", "get") + 10 * calls("mailbox", "send"),
                silent,
            )
        };
        let before = begun();
        let mut command = program(&world, line);
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        // Some calls have ended, and of a load one is open that has no end.
        let is_soak = line.starts_with("soak");
        while begun().0 < before.0 + 300 || !is_soak && begun().1 == before.1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let beginning = Instant::now();
        interrupt(&child);
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        let ended = ended.await.unwrap();
        assert!(
            beginning.elapsed() < Duration::from_millis(1100),
            "{line}: {:?}",
            beginning.elapsed()
        );
        assert_eq!(ended.status.code(), Some(0), "{line}");
        let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        if report["mode"] == "soak" {
            assert_eq!(
                (
                    &report["drained"],
                    report["counts"]["sent"].as_u64() > Some(0)
                ),
                (&false.into(), true)
            );
        } else {
            assert_eq!(report["interrupted"], true);
            assert!(report["calls"].as_u64() > Some(100), "{report}");
            assert!(report["unfinished"].as_u64() > Some(0), "{report}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_printed_canary() {
    let token = AdminToken::random().unwrap();
    let world = World::start(GatewayConfig {
        admin_token: Some(token.clone()),
        ..GatewayConfig::default()
    });
    let world = world.await;
    let mut canary = Canary::default();
    let capability = world.settings.capability.expose();
    canary.hide(
        "the capability's signature",
        &capability[capability.len() - 32..],
    );
    canary.hide("the admin token", token.expose().as_bytes());
    let refusals =
        r#"[{"fault":{"error_before":{"reasons":["capability_denied"]}},"probability":0.5}]"#;
    for (line, faults) in [
        ("", "[]"),
        ("", refusals),
        ("--json", refusals),
        (
            "load --duration 300ms --face http --mix put=1,send=1,receive=1,get=1",
            r#"[{"fault":"deep_meta","probability":0.1}]"#,
        ),
        ("load --duration 300ms --json", "[]"),
        ("soak --duration 1s --faults --visibility 300ms", "[]"),
    ] {
        world.arm(faults);
        let mut command = program(&world, line);
        command.env("RON_GATEWAY_ADMIN_TOKEN", token.expose());
        let ended = output(command).await;
        let said = [ended.stdout, ended.stderr].concat();
        canary.assert_absent(line, &said);
        if line.starts_with("soak") {
            assert_eq!(ended.status.code(), Some(0), "{}", text(&said));
            assert!(text(&said).contains("error_before"), "{}", text(&said));
            assert!(
                world.gateway.faults().report().plan.is_none(),
                "they are still armed"
            );
        }
    }
}
