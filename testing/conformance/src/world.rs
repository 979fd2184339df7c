//! The gateway of one scenario.

use crate::protocol::{body, Line};
use crate::scenario::{Effects, GatewaySettings};
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::faults::FaultPlan;
use ron_gateway::{Gateway, GatewayConfig, MailboxLimits};
use serde_json::{json, Value};
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A gateway of its own, and what its client needs to know.
pub(crate) struct World {
    gateway: Option<Gateway>,
    runtime: Runtime,
    folder: TempDir,
    address: String,
    capability: String,
}

impl World {
    pub(crate) fn start(settings: &GatewaySettings) -> Result<Self, String> {
        start(settings).map_err(|error| format!("no gateway: {error}"))
    }

    /// What an agent makes a client with.
    pub(crate) fn client(&self) -> Line {
        Line::new("client")
            .with("capability", &self.capability)
            .with("config.gateway_addr", &self.address)
            .with("config.tls.ca", self.authority().display())
    }

    pub(crate) fn arm(&self, rules: &[Value]) -> Result<(), String> {
        let Some(gateway) = &self.gateway else {
            return Err("the gateway was stopped".to_owned());
        };
        let plan = json!({ "seed": 1, "rules": rules });
        let plan: FaultPlan = serde_json::from_value(plan).map_err(|error| error.to_string())?;
        gateway
            .faults()
            .arm(plan)
            .map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Ends the gateway at once, as a crash would.
    pub(crate) fn stop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            self.runtime.block_on(gateway.shutdown());
        }
    }

    /// Compares what has happened with what had to.
    pub(crate) fn check(&self, expected: &Effects) -> Result<(), String> {
        let Some(gateway) = &self.gateway else {
            return Ok(());
        };
        let ledger = gateway.ledger();
        for (what, expected, found) in [
            (
                "effects",
                expected.effects,
                ledger.map(|ledger| ledger.effects_total()),
            ),
            (
                "most_effects_of_one_key",
                expected.most_effects_of_one_key,
                ledger.map(|ledger| ledger.most_effects_of_one_key()),
            ),
            ("faults", expected.faults, Some(gateway.faults().total())),
        ] {
            if expected.is_some() && expected != found {
                return Err(format!(
                    "gateway_saw.{what}: {found:?} instead of {expected:?}"
                ));
            }
        }
        Ok(())
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

fn start(settings: &GatewaySettings) -> Result<World, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let edge = folder.path().join("edge");
    std::fs::create_dir(&edge)?;
    for (path, text) in &settings.edge {
        std::fs::write(edge.join(path), body(text)?)?;
    }
    let authority = Authority::new()?;
    std::fs::write(folder.path().join("ca.pem"), authority.certificate_pem())?;
    let mut mailbox = MailboxLimits::default();
    mailbox.max_deliveries = settings.max_deliveries.unwrap_or(mailbox.max_deliveries);
    let config = GatewayConfig {
        edge_root: Some(edge),
        mailbox,
        ledger: true,
        ..GatewayConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let identity = authority.issue(&CertificateRequest::localhost())?;
    let gateway = runtime.block_on(Gateway::start(config, identity))?;
    let caveats: Vec<&str> = settings.caveats.iter().map(String::as_str).collect();
    let capability = gateway.mint("conformance", &caveats)?;
    Ok(World {
        address: format!("https://{}", gateway.address()),
        capability: capability.expose_base64url().to_string(),
        gateway: Some(gateway),
        runtime,
        folder,
    })
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
    }
}
