//! Faults that the environment asks for.

use crate::say;
use ron_gateway::faults::{first_variable, AdminToken, FaultPlan};
use ron_gateway::Gateway;
use std::ffi::OsString;

/// The variable that carries the token of the gateway's admin call.
pub(crate) const ADMIN_TOKEN: &str = "RON_GATEWAY_ADMIN_TOKEN";

/// What a gateway that may inject faults starts with.
pub(crate) struct Injection {
    pub(crate) token: AdminToken,
    plan: Option<FaultPlan>,
}

impl Injection {
    /// Reads the environment; the error names the variable and its rule.
    pub(crate) fn from_environment() -> Result<Self, String> {
        let plan = FaultPlan::from_variables(std::env::vars_os());
        Ok(Self {
            token: AdminToken::random().map_err(|error| error.to_string())?,
            plan: plan.map_err(|error| error.to_string())?,
        })
    }

    /// Puts the plan into force, if there is one, and tells its seed.
    pub(crate) fn arm(&mut self, gateway: &Gateway) -> Result<(), String> {
        if let Some(plan) = self.plan.take() {
            let rules = plan.rules.len();
            let seed = gateway
                .faults()
                .arm(plan)
                .map_err(|error| error.to_string())?;
            say(&format!(
                "injects faults: {rules} rules, RON_GATEWAY_FAULT_SEED={seed}"
            ));
        }
        Ok(())
    }
}

/// Refuses where the environment asks for faults.
pub(crate) fn refuse_variables() -> Result<(), String> {
    let names: Vec<OsString> = std::env::vars_os().map(|(name, _)| name).collect();
    match first_variable(names.iter().map(OsString::as_os_str)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "{} is set, and without --faults there are none: unset it",
            name.to_string_lossy()
        )),
    }
}
