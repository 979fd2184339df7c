//! Real gateways, and peers that misbehave, for tests over real sockets.
#![allow(dead_code)] // each test uses its share

pub(crate) mod capture;
pub(crate) mod leaving;
pub(crate) mod listener;
pub(crate) mod peer;
pub(crate) mod silent;

use ron_app_sdk::{blocking, Capability, RonAppSdk, SdkConfig, TlsConfig};
use ron_gateway::capability::KeyRing;
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::{Backends, Gateway, GatewayConfig, Limits};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A limit that no test is meant to reach.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A gateway on a runtime of its own, so that tests may block.
pub(crate) struct TestGateway {
    pub(crate) gateway: Gateway,
    pub(crate) trust: Trust,
    runtime: Runtime,
}

/// An authority and the file that makes an SDK trust it.
pub(crate) struct Trust {
    pub(crate) authority: Authority,
    folder: TempDir,
}

impl Trust {
    pub(crate) fn new() -> Self {
        let authority = Authority::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.certificate_pem()).unwrap();
        Self { authority, folder }
    }

    /// Settings that trust the authority and name a gateway at `address`.
    pub(crate) fn config(&self, address: SocketAddr) -> SdkConfig {
        SdkConfig {
            gateway_addr: format!("https://{address}"),
            tls: TlsConfig {
                ca: Some(self.folder.path().join("ca.pem")),
                ..TlsConfig::default()
            },
            ..SdkConfig::default()
        }
    }
}

impl TestGateway {
    pub(crate) fn start() -> Self {
        Self::start_with(GatewayConfig::default(), &CertificateRequest::localhost())
    }

    pub(crate) fn start_with(config: GatewayConfig, request: &CertificateRequest) -> Self {
        Self::start_on(config, request, |_| {})
    }

    /// With another store or check than the configured one.
    pub(crate) fn start_on(
        mut config: GatewayConfig,
        request: &CertificateRequest,
        change: impl FnOnce(&mut Backends),
    ) -> Self {
        let trust = Trust::new();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        if config.root_keys.is_empty() {
            config.root_keys = root_keys();
        }
        config.limits.max_connections_per_address = Limits::default().max_connections;
        let identity = trust.authority.issue(request).unwrap();
        let mut backends = Backends::in_memory(&config).unwrap();
        change(&mut backends);
        let start = Gateway::start_with(config, identity, backends);
        let gateway = runtime.block_on(start).unwrap();
        Self {
            gateway,
            trust,
            runtime,
        }
    }

    pub(crate) fn config(&self) -> SdkConfig {
        self.trust.config(self.gateway.address())
    }

    pub(crate) async fn sdk(&self) -> RonAppSdk {
        RonAppSdk::new(self.config()).await.unwrap()
    }

    pub(crate) fn blocking_sdk(&self) -> blocking::RonAppSdk {
        blocking::RonAppSdk::new(self.config()).unwrap()
    }

    /// Lets open calls finish and stops.
    pub(crate) fn shut_down(self) {
        self.runtime.block_on(self.gateway.shutdown());
    }

    /// Stops at once, as a crash would.
    pub(crate) fn kill(self) {
        drop(self.gateway);
        self.runtime.shutdown_background();
    }
}

/// What every test gateway checks capabilities with.
pub(crate) fn root_keys() -> KeyRing {
    let mut keys = KeyRing::default();
    keys.add("test", b"a root key of the tests, 32 long")
        .unwrap();
    keys
}

/// A capability that every test gateway lets pass.
pub(crate) fn capability() -> Capability {
    let minter = root_keys().minter(None).unwrap();
    minter.mint("tester", &[]).unwrap()
}

/// Bytes that differ from place to place.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// Runs `work` and checks that it took no longer than `limit`, with slack for a busy machine.
pub(crate) fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    assert!(
        took < limit + Duration::from_millis(500),
        "took {took:?} of {limit:?}"
    );
    result
}

/// Runs a future on a runtime with one thread.
pub(crate) fn block_on<T>(future: impl std::future::Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}
