//! The program tells no capability, idempotency key or payload, whatever it is made to do.

use crate::binary::{gateway, signal};
use crate::http_face::request_to;
use crate::support::connector;
use ron_app_sdk::blocking::RonAppSdk;
use ron_app_sdk::{SdkConfig, TlsConfig};
use ron_canary::{plan, Secrets, OPERATIONS};
use ron_gateway::faults::FaultKind;
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;

/// A gateway process, and everything that it says.
struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<Vec<u8>>,
    address: SocketAddr,
    ca: PathBuf,
    admin_token: String,
    /// What it has printed, and what it has answered.
    output: Vec<u8>,
    answers: Vec<u8>,
}

impl Program {
    fn start(secrets: &Secrets, folder: &Path) -> Self {
        let root_key = folder.join("root.key");
        secrets.write_root_key(&root_key).unwrap();
        let edge_root = folder.join("edge");
        std::fs::create_dir(&edge_root).unwrap();
        secrets.write_edge_root(&edge_root).unwrap();
        let mut child = gateway(&["dev", "--listen", "127.0.0.1:0"])
            .arg("--root-key")
            .arg(root_key)
            .arg("--edge-root")
            .arg(edge_root)
            .arg("--directory")
            .arg(folder)
            .env("RUST_BACKTRACE", "full")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || read_all(stderr));
        let mut output = Vec::new();
        let mut variable = |name: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            output.extend_from_slice(line.as_bytes());
            let value = line.strip_prefix(&format!("export {name}=")).unwrap();
            value.trim().to_owned()
        };
        let url = variable("RON_SDK_GATEWAY_ADDR");
        for name in ["RON_SDK_TLS_CA", "RON_SDK_CAPABILITY"] {
            variable(name);
        }
        let admin_token = variable("RON_GATEWAY_ADMIN_TOKEN");
        Self {
            address: url.strip_prefix("https://").unwrap().parse().unwrap(),
            ca: folder.join("ca.pem"),
            child,
            stdout,
            stderr,
            admin_token,
            output,
            answers: Vec::new(),
        }
    }

    /// Two attempts, and little patience.
    fn config(&self) -> SdkConfig {
        let mut config = SdkConfig {
            gateway_addr: format!("https://{}", self.address),
            overall_timeout: Duration::from_millis(900),
            tls: TlsConfig {
                ca: Some(self.ca.clone()),
                ..TlsConfig::default()
            },
            ..SdkConfig::default()
        };
        config.timeouts.connect = Duration::from_millis(300);
        config.timeouts.read = Duration::from_millis(150);
        config.backoff.base = Duration::from_millis(1);
        config.backoff.cap = Duration::from_millis(5);
        config.backoff.max_attempts = 2;
        config
    }

    /// Makes every operation at once; what comes of it is for the SDK's own tests to say.
    fn calls(&self, secrets: &Secrets) {
        let sdk = RonAppSdk::new(self.config()).unwrap();
        let calls = sdk.with(&secrets.capability);
        let calls = calls.idempotency_key(secrets.key.clone());
        std::thread::scope(|scope| {
            for operation in OPERATIONS {
                let calls = calls.clone();
                scope.spawn(move || (operation.blocking)(&calls, secrets.inputs));
            }
        });
    }

    /// Asks over HTTP, remembers the answer and returns its body.
    fn ask(&mut self, line: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let root = CertificateDer::from_pem_file(&self.ca).unwrap();
        let headers = format!("{headers}Content-Length: {}\r\n", body.len());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connector = connector(&root, &[b"http/1.1"]);
        let answer = request_to(&connector, self.address, line, &headers, body);
        let answer = runtime.block_on(answer);
        self.answers.extend_from_slice(answer.head.as_bytes());
        self.answers.extend_from_slice(&answer.body);
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    fn administer(&mut self, method: &str, body: &[u8]) -> String {
        let bearer = format!("Authorization: Bearer {}\r\n", self.admin_token);
        let (status, state) = self.ask(&format!("{method} /admin/faults"), &bearer, body);
        assert_eq!(status, 200, "{state}");
        state
    }

    /// Ends it, and returns what it has printed to the last word.
    fn end(mut self) -> Vec<u8> {
        signal(&self.child, Signal::TERM);
        self.stdout.read_to_end(&mut self.output).unwrap();
        let stderr = self.stderr.join().unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        assert!(!stderr.is_empty());
        self.output.extend(stderr);
        self.output
    }
}

fn read_all(mut stderr: ChildStderr) -> Vec<u8> {
    let mut bytes = Vec::new();
    stderr.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_program_tells_no_secret_over_every_operation_and_fault() {
    let secrets = Secrets::new();
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(&secrets, folder.path());
    program.calls(&secrets);
    for kind in FaultKind::ALL {
        let plan = serde_json::to_vec(&plan(*kind)).unwrap();
        program.administer("PUT", &plan);
        program.calls(&secrets);
    }
    let state = program.administer("DELETE", b"");
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    for kind in FaultKind::ALL {
        assert!(state["fired"][kind.name()].as_u64() > Some(0), "{kind}");
    }

    // Over HTTP, with all that can be wrong with a put.
    let token = secrets.capability.expose_base64url();
    let (token, key, payload) = (&*token, secrets.key.expose(), secrets.inputs.payload);
    let long = key.repeat(2);
    for (scheme, token, key, payload, expected) in [
        ("Ron ", token.as_str(), key, payload, 200),
        ("Ron ", token, key, &payload[1..], 409),
        ("Ron ", &token[1..], key, payload, 403),
        ("Ron ", &token[..token.len() - 3], key, payload, 403),
        ("", token, key, payload, 403),
        ("Ron ", token, &long, payload, 400),
    ] {
        let headers = format!("Authorization: {scheme}{token}\r\nIdempotency-Key: {key}\r\n");
        let (status, answer) = program.ask("POST /put", &headers, payload);
        assert_eq!(status, expected, "{answer}");
    }
    let metrics = program.ask("GET /metrics", "", b"").1;
    assert!(metrics.contains("ron_gateway_faults_injected_total"));

    let answers = std::mem::take(&mut program.answers);
    secrets
        .canary
        .assert_absent("its answers over HTTP", &answers);
    secrets
        .canary
        .assert_absent("what it prints", &program.end());
}
