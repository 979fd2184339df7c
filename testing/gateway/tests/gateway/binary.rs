//! The binary, as a user runs it.

use crate::support::{connector, tls};
use rustix::process::{kill_process, Pid, Signal};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

pub(crate) fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ron-gateway"));
    command.args(arguments).stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    gateway(arguments).output().unwrap()
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

#[test]
fn a_command_runs_with_the_variables_and_its_exit_code_is_ours() {
    let script = r#"echo "$RON_SDK_GATEWAY_ADDR"; grep -c BEGIN "$RON_SDK_TLS_CA"; echo ${#RON_SDK_CAPABILITY}; echo "$RON_SDK_TLS_CA"; exit 3"#;
    let output = run(&["dev", "--listen", "127.0.0.1:0", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(3));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    let [address, certificates, token_length, ca] = lines[..] else {
        panic!("{stdout}");
    };
    assert!(
        address.starts_with("https://127.0.0.1:") && !address.ends_with(":0"),
        "{address}"
    );
    assert_eq!(certificates, "1");
    assert!(token_length.parse::<usize>().unwrap() > 80);
    assert!(
        !Path::new(ca).exists(),
        "the temporary folder is still there"
    );
}

#[test]
fn a_command_that_a_signal_ends_is_reported_as_a_shell_would() {
    let output = run(&[
        "dev",
        "--listen",
        "127.0.0.1:0",
        "--",
        "sh",
        "-c",
        "kill -9 $$",
    ]);
    assert_eq!(output.status.code(), Some(137));
}

#[test]
fn a_signal_ends_the_command_too() {
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done";
    let mut child = gateway(&["dev", "--listen", "127.0.0.1:0", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[tokio::test]
async fn the_printed_variables_lead_to_the_gateway_until_a_signal_comes() {
    let folder = tempfile::tempdir().unwrap();
    for end in [Signal::TERM, Signal::INT] {
        let directory = folder.path().join("made on demand");
        let mut child = gateway(&["dev", "--listen", "127.0.0.1:0", "--directory"])
            .arg(&directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut variable = |name: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(&format!("export {name}="))
                .unwrap()
                .to_owned()
        };
        let address = variable("RON_SDK_GATEWAY_ADDR");
        let ca = variable("RON_SDK_TLS_CA");
        let capability = variable("RON_SDK_CAPABILITY");
        assert!(ron_app_sdk::Capability::from_base64url(&capability).is_ok());
        assert_eq!(variable("RON_GATEWAY_ADMIN_TOKEN").len(), 64);
        assert_eq!(
            ca,
            format!(
                "'{}'",
                directory.canonicalize().unwrap().join("ca.pem").display()
            )
        );

        let root = CertificateDer::from_pem_file(directory.join("ca.pem")).unwrap();
        let address = address.strip_prefix("https://").unwrap().parse().unwrap();
        tls(&connector(&root, &[b"ron/1"]), address).await.unwrap();

        signal(&child, end);
        let mut rest = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut rest)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(rest.contains(&format!("listening on {address}")), "{rest}");
        assert!(lines.next().is_none(), "more than four lines");
    }
}

#[test]
fn what_cannot_be_done_is_one_line_and_its_code() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, code, complaint) in [
        (&["dev", "--listen", &taken][..], 1, &taken[..]),
        (
            &["dev", "--listen", "127.0.0.1:0", "--edge-root", "/absent"],
            1,
            "/absent",
        ),
        (
            &["dev", "--listen", "127.0.0.1:0", "--", "/absent/program"],
            1,
            "cannot run /absent/program",
        ),
        (
            &[
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--certificate",
                "/absent.pem",
                "--key",
                "x",
                "--root-key",
                "x",
            ],
            1,
            "/absent.pem",
        ),
        (
            &[
                "dev",
                "--listen",
                "127.0.0.1:0",
                "--root-key",
                "/absent.key",
            ],
            1,
            "/absent.key",
        ),
        (
            &[
                "dev",
                "--listen",
                "127.0.0.1:0",
                "--revoked",
                "/absent.list",
            ],
            1,
            "/absent.list",
        ),
    ] {
        let output = run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(complaint), "{stderr}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(run(&["dev", "--listen", "nowhere"]).status.code(), Some(2));
    let keyless = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--certificate",
        "x",
        "--key",
        "x",
    ];
    assert_eq!(run(&keyless).status.code(), Some(2));
}

#[test]
fn faults_are_read_from_the_environment_and_never_in_silence() {
    let listen = ["--listen", "127.0.0.1:0"];
    let run = |arguments: &[&str], (name, value): (&str, &str)| {
        let output = gateway(arguments).env(name, value).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), stderr)
    };
    let rate = ("RON_GATEWAY_FAULT_5XX", "0.2");
    let serve = [
        "serve",
        listen[0],
        listen[1],
        "--certificate",
        "/absent",
        "--key",
        "x",
        "--root-key",
        "x",
    ];
    let (code, stderr) = run(&serve, rate);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains(rate.0) && stderr.contains("--faults"),
        "{stderr}"
    );
    let (_, stderr) = run(&[&serve[..], &["--faults"]].concat(), rate);
    assert!(
        stderr.contains("/absent") && !stderr.contains(rate.0),
        "{stderr}"
    );

    let dev = ["dev", listen[0], listen[1], "--", "sh", "-c"];
    for variable in [
        ("RON_GATEWAY_FAULT_5XX", "2"),
        ("RON_GATEWAY_FAULT_LATENCY", "fast"),
        ("RON_GATEWAY_FAULT_RULES", "[{}]"),
        ("RON_GATEWAY_FAULT_5XXX", "0.2"),
    ] {
        let (code, stderr) = run(&[&dev[..], &["true"]].concat(), variable);
        assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
        assert!(stderr.contains(&format!("{}: ", variable.0)), "{stderr}");
    }
    let script = "test ${#RON_GATEWAY_ADMIN_TOKEN} = 64";
    let (code, stderr) = run(&[&dev[..], &[script]].concat(), rate);
    assert_eq!(code, Some(0));
    assert!(stderr.contains("RON_GATEWAY_FAULT_SEED="), "{stderr}");
}
