//! The report of a soak.

use crate::soak::{Counts, Violation, Violations};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What came of a soak.
#[derive(Clone, Debug, Serialize)]
pub struct SoakReport {
    /// `soak`
    pub mode: &'static str,
    /// Messages that were to be sent per second.
    pub rate: f64,
    /// From the beginning to the end of the last call, in seconds.
    pub elapsed_s: f64,
    /// Whether everything that was left was received at the end. Otherwise, where the soak was ended early, what was
    /// still on its way was not judged.
    pub drained: bool,
    /// How much of everything there was.
    pub counts: Counts,
    /// Messages that were on their way at the end.
    pub open: usize,
    /// Attempts of all calls.
    pub attempts: u64,
    /// Attempts after a call's first.
    pub retries: u64,
    /// Failed calls by the name of their [`ron_app_sdk::ErrorKind`].
    pub errors: BTreeMap<&'static str, u64>,
    /// Faults that the gateway has injected, by kind, where it was asked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub injected: Option<Value>,
    /// Resident bytes of this process when everything had been used once, where the system tells.
    pub memory_first: Option<u64>,
    /// The most since.
    pub memory_most: Option<u64>,
    /// What must not have happened; empty where all is well.
    pub violations: BTreeMap<Violation, Violations>,
}

impl SoakReport {
    /// Whether nothing happened that must not.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            sent,
            refused,
            unknown,
            held_back,
            received,
            received_again,
            acknowledged,
            stale,
            acknowledgement_unknown,
            given_back,
            abandoned,
            dead_letters,
        } = self.counts;
        writeln!(
            f,
            "soak of {:.1} s, {:.2} messages per second\n",
            self.elapsed_s, self.rate
        )?;
        writeln!(
            f,
            "sent          {sent}, {refused} not executed, {unknown} of unknown effect, {held_back} held back"
        )?;
        writeln!(
            f,
            "received      {received}, {received_again} once more, {dead_letters} dead letters"
        )?;
        writeln!(
            f,
            "acknowledged  {acknowledged}, {stale} too late, {acknowledgement_unknown} of unknown effect"
        )?;
        writeln!(
            f,
            "left          {given_back} given back, {abandoned} abandoned"
        )?;
        let judged = if self.drained {
            ""
        } else {
            ", not judged: it was ended early"
        };
        writeln!(f, "on their way  {}{judged}", self.open)?;
        writeln!(
            f,
            "attempts      {}, {} of them retries",
            self.attempts, self.retries
        )?;
        for (kind, count) in &self.errors {
            writeln!(f, "failed        {count} with {kind}")?;
        }
        if let Some(injected) = &self.injected {
            writeln!(f, "faults        {injected}")?;
        }
        if let (Some(first), Some(most)) = (self.memory_first, self.memory_most) {
            let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            let (first, most) = (mebibytes(first), mebibytes(most));
            writeln!(
                f,
                "memory        {first:.1} MiB at the beginning, {most:.1} MiB at most"
            )?;
        }
        if self.violations.is_empty() {
            return writeln!(
                f,
                "\nnothing lost, nothing twice, nothing after its acknowledgement"
            );
        }
        writeln!(f)?;
        for (violation, Violations { count, examples }) in &self.violations {
            writeln!(
                f,
                "VIOLATED  {violation:?}: {count}, such as: {}",
                examples.join("; ")
            )?;
        }
        Ok(())
    }
}
