//! Scenarios as they are written down: see the folder's README.

use ron_fault_proxy::Forwarding;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What is done, and what has to come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// What an agent has to be able to do besides calls.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    #[serde(default)]
    pub(crate) gateway: GatewaySettings,
    /// A proxy that is told where to go, and what it does.
    pub(crate) proxy: Option<Proxy>,
    /// What the gateway injects from the beginning.
    #[serde(default)]
    pub(crate) faults: Vec<Value>,
    /// Settings of the client, by their names.
    #[serde(default)]
    pub(crate) client: BTreeMap<String, Value>,
    /// What the error has to say where no client can be made with these settings.
    pub(crate) client_error: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) gateway_saw: Effects,
    #[serde(default)]
    pub(crate) proxy_saw: Vec<Asked>,
}

/// What a proxy does with whoever comes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proxy {
    Serve,
    Demand { user: String, password: String },
    Refuse(u16),
    Silent,
    HangUp,
}

impl From<Proxy> for Forwarding {
    fn from(proxy: Proxy) -> Self {
        match proxy {
            Proxy::Serve => Self::Serve,
            Proxy::Demand { user, password } => Self::Demand(user, password),
            Proxy::Refuse(code) => Self::Refuse(code),
            Proxy::Silent => Self::Silent,
            Proxy::HangUp => Self::HangUp,
        }
    }
}

/// Where a proxy was to connect to, and as whom.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) host: String,
    pub(crate) user: Option<String>,
}

/// How the gateway is started.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewaySettings {
    /// Objects of the edge plane: paths without a slash at their beginning, and bodies.
    #[serde(default)]
    pub(crate) edge: BTreeMap<String, String>,
    /// Of the client's capability.
    #[serde(default)]
    pub(crate) caveats: Vec<String>,
    pub(crate) max_deliveries: Option<u32>,
    /// Whether it takes only clients with a certificate.
    #[serde(default)]
    pub(crate) client_certificates: bool,
}

/// One call, or something else that happens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    #[serde(rename = "do")]
    pub(crate) verb: String,
    #[serde(default)]
    pub(crate) with: BTreeMap<String, Value>,
    /// What the result has to say.
    pub(crate) ok: Option<BTreeMap<String, Value>>,
    /// What the error has to say.
    pub(crate) error: Option<BTreeMap<String, Value>>,
    /// Fields of the result that later steps use, by the names that they give them.
    #[serde(default)]
    pub(crate) save: BTreeMap<String, String>,
    /// Of the step `faults`: what the gateway injects from now on.
    #[serde(default)]
    pub(crate) faults: Vec<Value>,
}

/// What has happened at the gateway in the end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Effects {
    pub(crate) effects: Option<u64>,
    pub(crate) most_effects_of_one_key: Option<u64>,
    pub(crate) faults: Option<u64>,
    pub(crate) connections: Option<u64>,
}

/// All scenarios of a folder, in the order of the files' names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Scenario>, String> {
    let read =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = read.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    let mut scenarios: Vec<Scenario> = Vec::new();
    for file in files {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|error| told(&error))?;
        let read: Vec<Scenario> = serde_json::from_str(&text).map_err(|error| told(&error))?;
        for scenario in read {
            if scenarios.iter().any(|known| known.name == scenario.name) {
                return Err(told(&format_args!("{} is there twice", scenario.name)));
            }
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}
