//! A gateway, and what leads to it.

use gwsmoke::options::{Arguments, Command, LoadOptions, SoakOptions};
use gwsmoke::settings::Settings;
use gwsmoke::stop::{stop_channel, Stop, Stopper};
use ron_app_sdk::{SdkConfig, TlsConfig};
use ron_gateway::certificates::{Authority, CertificateRequest, ServerIdentity};
use ron_gateway::faults::FaultPlan;
use ron_gateway::{Backends, Gateway, GatewayConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) settings: Settings,
    pub(crate) ca: PathBuf,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn start(config: GatewayConfig) -> Self {
        let backends = Backends::in_memory(&config).unwrap();
        Self::start_with(config, backends).await
    }

    pub(crate) async fn start_with(config: GatewayConfig, backends: Backends) -> Self {
        let (identity, folder, ca) = identity();
        let gateway = Gateway::start_with(config, identity, backends)
            .await
            .unwrap();
        let capability = gateway.mint("smoke", &[]).unwrap();
        let config = config_of(gateway.address(), ca.clone());
        Self {
            settings: Settings { config, capability },
            gateway,
            ca,
            _folder: folder,
        }
    }

    /// Lets the gateway fail as the JSON plan says.
    pub(crate) fn arm(&self, rules: &str) {
        let plan: FaultPlan =
            FaultPlan::from_json(&format!(r#"{{"seed":1,"rules":{rules}}}"#)).unwrap();
        self.gateway.faults().arm(plan).unwrap();
    }
}

/// A certificate for this machine, and the file with its authority.
pub(crate) fn identity() -> (ServerIdentity, TempDir, PathBuf) {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.certificate_pem()).unwrap();
    let identity = authority.issue(&CertificateRequest::localhost()).unwrap();
    (identity, folder, ca)
}

pub(crate) fn config_of(address: SocketAddr, ca: PathBuf) -> SdkConfig {
    let mut config = SdkConfig {
        gateway_addr: format!("https://{address}"),
        tls: TlsConfig {
            ca: Some(ca),
            ..TlsConfig::default()
        },
        ..SdkConfig::default()
    };
    // What fails is tried again, and need not be waited for.
    config.backoff.base = Duration::from_millis(1);
    config.backoff.cap = Duration::from_millis(20);
    config
}

fn command(line: &str) -> Command {
    let words = ["gwsmoke"].into_iter().chain(line.split_whitespace());
    let arguments = <Arguments as clap::Parser>::try_parse_from(words).unwrap();
    arguments.command.unwrap()
}

pub(crate) fn load_options(line: &str) -> LoadOptions {
    match command(&format!("load {line}")) {
        Command::Load(options) => options,
        Command::Soak(_) => panic!("{line}"),
    }
}

pub(crate) fn soak_options(line: &str) -> SoakOptions {
    match command(&format!("soak {line}")) {
        Command::Soak(options) => options,
        Command::Load(_) => panic!("{line}"),
    }
}

/// Nothing is ended early.
pub(crate) fn never() -> Stop {
    static CHANNEL: OnceLock<(Stopper, Stop)> = OnceLock::new();
    CHANNEL.get_or_init(stop_channel).1.clone()
}
