//! The report of the smoke checks.

use crate::settings::Settings;
use crate::smoke::{State, Verdict};
use serde::Serialize;
use std::fmt;

/// What came of the checks.
#[derive(Clone, Debug, Serialize)]
pub struct SmokeReport {
    /// `smoke`
    pub mode: &'static str,
    /// Which gateway.
    pub gateway: String,
    /// How many checks passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// Each of them, in their order.
    pub checks: Vec<Verdict>,
}

impl SmokeReport {
    /// What came of these checks.
    pub fn new(settings: &Settings, checks: Vec<Verdict>) -> Self {
        let is_ok = |verdict: &&Verdict| verdict.state == State::Ok;
        let passed = checks.iter().filter(is_ok).count();
        Self {
            mode: "smoke",
            gateway: settings.config.gateway_addr.clone(),
            passed,
            failed: checks.len() - passed,
            checks,
        }
    }
}

impl fmt::Display for SmokeReport {
    /// The sum, set off from the checks: each of them was a line of its own when it came.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} checks passed, {} failed", self.passed, self.failed)
    }
}
