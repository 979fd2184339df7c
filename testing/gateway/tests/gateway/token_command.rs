//! `ron-gateway token`, as a user runs it.

use crate::binary::{gateway, run};
use ron_app_sdk::{Capability, Macaroon, RonAppSdk, SdkConfig, TlsConfig};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

/// Runs `ron-gateway token` with a capability in the environment.
fn token(arguments: &[&str], capability: Option<&str>) -> Output {
    let mut command = gateway(&[&["token"], arguments].concat());
    match capability {
        Some(capability) => command.env("RON_SDK_CAPABILITY", capability),
        None => command.env_remove("RON_SDK_CAPABILITY"),
    };
    command.output().unwrap()
}

fn line(output: Output) -> String {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.trim_end().to_owned()
}

fn complaint(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

/// A file of one root key in a folder.
fn key_file(folder: &Path) -> String {
    let file = folder.join("root.key").to_str().unwrap().to_owned();
    line(token(&["key", "--root-key", &file], None));
    file
}

#[test]
fn a_token_is_minted_narrowed_and_shown_without_its_signature() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path());
    let mint = [
        "mint",
        "--root-key",
        &keys,
        "--subject",
        "alice",
        "--token-id",
        "t-1",
    ];
    let narrow = ["--caveat", "op=storage.get", "--expires-in", "1h"];
    let minted = line(token(&[&mint[..], &narrow].concat(), None));
    let narrowed = line(token(
        &["attenuate", "--caveat", "path^=/a b/"],
        Some(&minted),
    ));
    let shown = line(token(&["show"], Some(&narrowed)));
    let bytes = Capability::from_base64url(&narrowed).unwrap();
    let parsed = Macaroon::parse(bytes.expose()).unwrap();
    let caveat = |at: usize| String::from_utf8(parsed.caveats()[at].identifier().to_vec()).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines,
        [
            "version: 2",
            "location: ron-gateway",
            "key id: k1",
            "subject: alice",
            "token id: t-1",
            "caveat: op=storage.get",
            &format!("caveat: {}", caveat(1)),
            "caveat: path^=/a b/",
            &format!("bytes: {}", bytes.expose().len()),
        ]
    );
    assert!(caveat(1).starts_with("exp<"));
}

#[test]
fn a_token_is_taken_from_the_standard_input_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path());
    let mint = |subject| token(&["mint", "--root-key", &keys, "--subject", subject], None);
    let (alice, bob) = (line(mint("alice")), line(mint("bob")));
    let mut child = gateway(&["token", "show", "--stdin"])
        .env("RON_SDK_CAPABILITY", bob)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{alice}\n").as_bytes()).unwrap();
    drop(stdin);
    let shown = line(child.wait_with_output().unwrap());
    assert!(shown.contains("subject: alice"), "{shown}");
}

#[test]
fn what_cannot_be_done_is_one_line_that_repeats_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path());
    let key = std::fs::read_to_string(&keys).unwrap();
    let again = complaint(token(&["key", "--root-key", &keys], None));
    assert!(again.contains(&keys), "{again}");
    assert_eq!(std::fs::read_to_string(&keys).unwrap(), key);
    let mint = ["mint", "--root-key", &keys, "--subject"];
    for (arguments, capability, why) in [
        (&["show"][..], None, "RON_SDK_CAPABILITY"),
        (&["show"], Some("canary"), "capability"),
        (
            &["attenuate", "--caveat", "op=edge.get"],
            Some("canary"),
            "capability",
        ),
        (&["show", "--stdin"], None, "capability"),
        (&[&mint[..], &["a:b"]].concat(), None, "subject"),
        (
            &[&mint[..], &["a", "--key-id", "other"]].concat(),
            None,
            "no root key",
        ),
        (
            &["mint", "--root-key", "/absent", "--subject", "a"],
            None,
            "/absent",
        ),
        (
            &["revoke", "--revoked", "/absent/list", "--token-id", "a"],
            None,
            "/absent/list",
        ),
        (
            &["revoke", "--revoked", "/absent/list", "--token-id", "a b"],
            None,
            "token id",
        ),
    ] {
        let stderr = complaint(token(arguments, capability));
        assert!(stderr.contains(why), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("canary"), "{stderr}");
    }
    for usage in [
        &["token", "mint", "--subject", "a"][..],
        &["token", "attenuate", "--caveat", "color=red"],
        &["token", "attenuate", "--expires-in", "soon"],
    ] {
        assert_eq!(run(usage).status.code(), Some(2), "{usage:?}");
    }
}

#[tokio::test]
async fn a_running_gateway_lets_its_keys_tokens_pass_until_they_are_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let keys = key_file(folder.path());
    let mint = ["mint", "--root-key", &keys, "--subject", "alice"];
    let revoked = folder.path().join("revoked").to_str().unwrap().to_owned();
    let first = ["revoke", "--revoked", &revoked, "--token-id", "another"];
    line(token(&first, None));
    let directory = folder.path().to_str().unwrap();
    let dev = ["dev", "--listen", "127.0.0.1:0", "--directory", directory];
    let with = ["--root-key", &keys, "--revoked", &revoked];
    let mut child = gateway(&[&dev[..], &with].concat())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut address).unwrap();
    let address = address.trim_end().split_once('=').unwrap().1;

    let capability = line(token(&mint, None));
    let ours = Capability::from_base64url(&capability).unwrap();
    let config = SdkConfig {
        gateway_addr: address.to_owned(),
        tls: TlsConfig {
            ca: Some(folder.path().join("ca.pem")),
            ..TlsConfig::default()
        },
        ..SdkConfig::default()
    };
    let sdk = RonAppSdk::new(config).await.unwrap();
    let limit = Duration::from_secs(10);
    let fetch = || sdk.edge_head(&ours, "/ron/64k", limit);
    fetch().await.unwrap();

    for answer in ["revoked", "already"] {
        let output = token(&["revoke", "--revoked", &revoked], Some(&capability));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && stderr.contains(answer),
            "{stderr}"
        );
    }
    let list = std::fs::read_to_string(&revoked).unwrap();
    assert_eq!(list.lines().count(), 2, "{list}");
    let since = Instant::now();
    let error = loop {
        match fetch().await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => break error,
        }
        assert!(since.elapsed() < limit, "it is still let pass");
    };
    assert!(error.to_string().contains("revoked"), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
}
