//! The gateway of one scenario.

use crate::protocol::{body, Line};
use crate::scenario::{Asked, Effects, Scenario};
use ron_fault_proxy::ForwardProxy;
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::faults::FaultPlan;
use ron_gateway::{Gateway, GatewayConfig, MailboxLimits};
use serde_json::{json, Value};
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A name of the gateway that a proxy alone knows (RFC 6761, section 6.4).
const NAME: &str = "gateway.invalid";

const AUTHORITY: &str = "ca.pem";
const CLIENT_CERTIFICATE: &str = "client.pem";
const CLIENT_KEY: &str = "client.key";

/// A gateway of its own, and what its client needs to know.
pub(crate) struct World {
    gateway: Option<Gateway>,
    proxy: Option<ForwardProxy>,
    runtime: Runtime,
    folder: TempDir,
    port: u16,
    address: String,
    capability: String,
}

impl World {
    pub(crate) fn start(scenario: &Scenario) -> Result<Self, String> {
        start(scenario).map_err(|error| format!("no gateway: {error}"))
    }

    /// A setting's text, in which `{proxy}` is the proxy's address, `{port}` the gateway's port, and `{client_cert}`
    /// and `{client_key}` are the files of a client's certificate.
    pub(crate) fn fill_in(&self, text: &str) -> String {
        let proxy = self.proxy.as_ref();
        let proxy = proxy.map_or_else(String::new, |proxy| proxy.address().to_string());
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        text.replace("{proxy}", &proxy)
            .replace("{port}", &self.port.to_string())
            .replace("{client_cert}", &file(CLIENT_CERTIFICATE))
            .replace("{client_key}", &file(CLIENT_KEY))
    }

    /// What an agent makes a client with.
    pub(crate) fn client(&self) -> Line {
        Line::new("client")
            .with("capability", &self.capability)
            .with("config.gateway_addr", &self.address)
            .with("config.tls.ca", self.authority().display())
    }

    /// Where the gateway is, as a setting says it.
    pub(crate) fn address(&self) -> &str {
        &self.address
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
    pub(crate) fn check(&self, scenario: &Scenario) -> Result<(), String> {
        if let Some(proxy) = &self.proxy {
            let told = proxy.asked().into_iter().map(|asked| Asked {
                host: asked.host,
                user: asked.credentials.map(|(user, _)| user),
            });
            let found: Vec<Asked> = told.collect();
            if found != scenario.proxy_saw {
                let expected = &scenario.proxy_saw;
                return Err(format!("proxy_saw: {found:?} instead of {expected:?}"));
            }
        }
        self.check_gateway(&scenario.gateway_saw)
    }

    fn check_gateway(&self, expected: &Effects) -> Result<(), String> {
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
            (
                "connections",
                expected.connections,
                Some(gateway.metrics().connections_accepted()),
            ),
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
        self.folder.path().join(AUTHORITY)
    }
}

fn start(scenario: &Scenario) -> Result<World, Box<dyn std::error::Error>> {
    let settings = &scenario.gateway;
    let folder = tempfile::tempdir()?;
    let edge = folder.path().join("edge");
    std::fs::create_dir(&edge)?;
    for (path, text) in &settings.edge {
        std::fs::write(edge.join(path), body(text)?)?;
    }
    let authority = Authority::new()?;
    let ca = folder.path().join(AUTHORITY);
    std::fs::write(&ca, authority.certificate_pem())?;
    if settings.client_certificates {
        let client = authority.issue_client(&CertificateRequest::localhost())?;
        std::fs::write(
            folder.path().join(CLIENT_CERTIFICATE),
            client.certificate_pem,
        )?;
        std::fs::write(folder.path().join(CLIENT_KEY), client.key_pem)?;
    }
    let mut mailbox = MailboxLimits::default();
    mailbox.max_deliveries = settings.max_deliveries.unwrap_or(mailbox.max_deliveries);
    let config = GatewayConfig {
        edge_root: Some(edge),
        client_ca: settings.client_certificates.then_some(ca),
        mailbox,
        ledger: true,
        ..GatewayConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let mut request = CertificateRequest::localhost();
    request.names.push(NAME.to_owned());
    let identity = authority.issue(&request)?;
    let gateway = runtime.block_on(Gateway::start(config, identity))?;
    let caveats: Vec<&str> = settings.caveats.iter().map(String::as_str).collect();
    let capability = gateway.mint("conformance", &caveats)?;
    let proxy = match &scenario.proxy {
        Some(behaviour) => {
            let proxy = ForwardProxy::start(gateway.address())?;
            proxy.set(behaviour.clone().into());
            Some(proxy)
        }
        None => None,
    };
    Ok(World {
        address: format!("https://{}", gateway.address()),
        capability: capability.expose_base64url().to_string(),
        port: gateway.address().port(),
        gateway: Some(gateway),
        proxy,
        runtime,
        folder,
    })
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
    }
}
