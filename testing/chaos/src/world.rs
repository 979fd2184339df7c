//! A gateway, a network in front of it, and clients.

use ron_app_sdk::{Capability, RonAppSdk, SdkConfig, TlsConfig};
use ron_fault_proxy::{BlockingFaultProxy, FaultProxy};
use ron_gateway::capability::KeyRing;
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::faults::FaultPlan;
use ron_gateway::{Gateway, GatewayConfig};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A gateway on a runtime of its own, behind a proxy that can cut connections.
pub struct World {
    /// The gateway.
    pub gateway: Gateway,
    /// The network in front of it.
    pub proxy: BlockingFaultProxy,
    config: SdkConfig,
    runtime: Runtime,
    _folder: TempDir,
}

fn root_keys() -> KeyRing {
    let mut keys = KeyRing::default();
    keys.add("chaos", b"a root key of the tests, 32 long")
        .unwrap();
    keys
}

/// A capability for everything.
pub fn capability() -> Capability {
    root_keys()
        .minter(None)
        .unwrap()
        .mint("chaos", &[])
        .unwrap()
}

impl World {
    /// A gateway with these settings.
    pub fn new(mut config: GatewayConfig) -> Self {
        config.root_keys = root_keys();
        config.ledger = true;
        config.limits.max_connections_per_address = config.limits.max_connections;
        let authority = Authority::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.certificate_pem()).unwrap();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let identity = authority.issue(&CertificateRequest::localhost()).unwrap();
        let gateway = runtime.block_on(Gateway::start(config, identity)).unwrap();
        let proxy = FaultProxy::start_blocking(gateway.address()).unwrap();
        let config = SdkConfig {
            gateway_addr: format!("https://{}", proxy.address()),
            tls: TlsConfig {
                ca: Some(ca),
                ..TlsConfig::default()
            },
            ..SdkConfig::default()
        };
        Self {
            gateway,
            proxy,
            config,
            runtime,
            _folder: folder,
        }
    }

    /// Lets the gateway fail as the JSON plan says.
    pub fn arm(&self, plan: &str) {
        let plan: FaultPlan = serde_json::from_str(plan).unwrap();
        self.gateway.faults().arm(plan).unwrap();
    }

    /// A client of it.
    pub async fn sdk(&self) -> RonAppSdk {
        RonAppSdk::new(self.config.clone()).await.unwrap()
    }

    /// Puts another gateway in the place of this one, as a rolling restart does: it listens on the same socket and has
    /// the same state before the old one lets its open calls finish and goes.
    pub fn restart(&mut self) {
        let successor = {
            let _entered = self.runtime.enter();
            self.gateway.successor().unwrap()
        };
        let old = std::mem::replace(&mut self.gateway, successor);
        self.runtime.spawn(async move { old.drain().await });
    }

    /// Runs `callers`, while `disturb` is done again and again in pauses of `pause`.
    pub fn run<T: Send>(
        &self,
        pause: Duration,
        disturb: impl Fn(&Self) + Sync,
        callers: impl std::future::Future<Output = T>,
    ) -> T {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (done, over) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let disturb = &disturb;
            scope.spawn(move || {
                while over
                    .recv_timeout(pause)
                    .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
                {
                    disturb(self);
                }
            });
            let result = runtime.block_on(callers);
            drop(done);
            result
        })
    }
}
