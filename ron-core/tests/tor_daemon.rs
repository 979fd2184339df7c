//! Over a real `tor`: how it is spoken to is how it wants to be spoken to.
//!
//! `cargo test -p ron-app-sdk --test tor_daemon -- --ignored` runs it; it needs `tor`, and no network: without one, Tor
//! has no circuit, and says so.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::{blocking, AddrB3, ErrorKind, Executed, RonAppSdk, SdkConfig};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{block_on, capability, TestGateway};

/// A daemon with a folder of its own, which ends with this.
struct Tor {
    child: Child,
    socks: SocketAddr,
    log: std::sync::mpsc::Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Tor {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let socks = free.local_addr().unwrap();
        drop(free);
        let mut child = Command::new("tor")
            .args(["--ignore-missing-torrc", "-f"])
            .arg(folder.path().join("torrc"))
            .arg("--DataDirectory")
            .arg(folder.path().join("data"))
            .arg("--SocksPort")
            .arg(socks.to_string())
            // Says which name was asked for, and by whom.
            .args(["--SafeLogging", "0", "--Log", "info stdout"])
            // Without circuits it says so soon.
            .args(["--SocksTimeout", "3"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (said, log) = std::sync::mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let tor = Self {
            child,
            socks,
            log,
            _folder: folder,
        };
        let began = Instant::now();
        while TcpStream::connect(tor.socks).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "it does not listen"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        tor
    }

    fn said(&self) -> String {
        self.log.try_iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Tor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names that no exit can know: with a network too, Tor answers that there is no such host.
const NAME: &str = "https://gateway.invalid:8443";

#[ignore = "needs tor: see scripts/test_deep.sh"]
#[test]
fn a_real_tor_is_asked_by_name_and_its_failure_is_tor_unavailable() {
    let tor = Tor::start();
    let gateway = TestGateway::start();
    let mut config = SdkConfig {
        gateway_addr: NAME.to_owned(),
        tls: gateway.config().tls,
        ..SdkConfig::over_tor()
    };
    config.tor.socks_addr = tor.socks;
    config.timeouts.connect = Duration::from_secs(10);
    let (limit, address) = (Duration::from_secs(15), AddrB3::of(b"x"));
    let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
    let threads = sdk.storage_get(capability(), address, limit).unwrap_err();
    let tasks = block_on(async {
        let sdk = RonAppSdk::new(config.clone()).await.unwrap();
        sdk.storage_get(capability(), address, limit).await
    });
    for error in [threads, tasks.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::TorUnavailable, "{error}");
        assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
        // It took the user, whatever it then could not do.
        assert!(!error.to_string().contains("may not be Tor"), "{error}");
    }
    let said = tor.said();
    assert!(said.contains("gateway.invalid"), "{said}");
}
