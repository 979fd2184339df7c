//! The scenarios hold in Rust, and a scenario that does not hold fails the run.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn run(scenarios: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_ron-conformance");
    let mut command = Command::new(program);
    command.arg("run").arg("--scenarios").arg(scenarios);
    for client in ["async", "blocking"] {
        command
            .arg("--agent")
            .arg(format!("{program} agent {client}"));
    }
    command.args(arguments).output().unwrap()
}

fn written() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))
}

#[test]
fn every_scenario_holds_with_both_clients() {
    let output = run(written(), &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("2 languages, 0 failed"), "{text}");
}

/// A setting without a scenario in which it is wrong is not done yet.
#[test]
fn each_setting_is_refused_in_a_scenario() {
    let text = std::fs::read_to_string(written().join("settings.json")).unwrap();
    let scenarios: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    for setting in ron_app_sdk::SdkConfig::settings() {
        let refused = scenarios
            .iter()
            .find(|scenario| scenario["client_error"]["message"]["names"] == setting.name());
        let refused = refused.unwrap_or_else(|| panic!("no scenario refuses {}", setting.name()));
        assert_eq!(refused["client_error"]["kind"], "Config");
        assert!(!refused["client"][setting.name()].is_null(), "{refused}");
        let said = refused["client_error"]["message"]["contains"]
            .as_array()
            .unwrap();
        assert_eq!(said[1], setting.range(), "{refused}");
        let value = match &refused["client"][setting.name()] {
            serde_json::Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        assert!(value.ends_with(said[0].as_str().unwrap()), "{refused}");
    }
}

#[test]
fn what_does_not_hold_fails_the_run_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let put = |ok: &str, saw: &str| {
        format!(
            r#"{{"name": "put", "steps": [{{"do": "storage_put", "with": {{"body": "text:x"}}, {ok}}}], "gateway_saw": {{{saw}}}}}"#
        )
    };
    for (scenario, why) in [
        (
            put(r#""ok": {"attempts": 2}"#, ""),
            r#"attempts is Some("1") instead of 2"#,
        ),
        (
            put(r#""ok": {"attempts": {"at_least": 2}}"#, ""),
            "instead of",
        ),
        (put(r#""ok": {"status": 200}"#, ""), "status is None"),
        (put(r#""error": {}"#, ""), "not error but"),
        (
            put(r#""ok": {}"#, r#""effects": 2"#),
            "effects: Some(1) instead of Some(2)",
        ),
        (put(r#""ok": {}"#, r#""faults": 1"#), "faults: Some(0)"),
    ] {
        std::fs::write(folder.path().join("a.json"), format!("[{scenario}]")).unwrap();
        let output = run(folder.path(), &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{text}");
        assert!(
            text.contains("2 failed") && text.contains(why),
            "{why}: {text}"
        );
    }
    std::fs::write(folder.path().join("a.json"), "[]").unwrap();
    assert!(!run(folder.path(), &[]).status.success());
    std::fs::write(folder.path().join("a.json"), r#"[{"name": "x"}]"#).unwrap();
    assert!(!run(folder.path(), &[]).status.success());
}
