//! `FaultPlan`: which faults to inject, how often, and into what.

use super::fault::{Fault, Stage};
use crate::metrics::CallLabel;
use ron_app_sdk::oap::{HEADER_LEN, MAX_FRAME};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;

/// What `operation` of a rule may name.
const OPERATIONS: [&str; 12] = [
    "storage.put",
    "storage.get",
    "storage.head",
    "edge.get",
    "edge.head",
    "mailbox.send",
    "mailbox.receive",
    "mailbox.ack",
    "mailbox.nack",
    "mailbox.extend",
    "index.resolve",
    "index.publish",
];
const MOST_RULES: usize = 256;
/// Beyond the longest call a delay is a black hole.
const LONGEST_MS: u64 = 3_600_000;
const MOST_FRAMES: u32 = 10_000;
const MOST_BYTES: u64 = 65_536;
/// What rounding may add to probabilities whose sum is 1.
const ROUNDING: f64 = 1e-9;

/// Which faults to inject, how often, and into what.
///
/// ```
/// use ron_gateway::faults::{Fault, FaultPlan, FaultRule};
///
/// let plan = FaultPlan::from_json(
///     r#"{"seed": 7, "rules": [{"fault": "drop_reply", "probability": 0.02, "operation": "storage.put"}]}"#,
/// )?;
/// let same = FaultPlan {
///     seed: Some(7),
///     rules: vec![FaultRule {
///         probability: 0.02,
///         operation: Some("storage.put".to_owned()),
///         ..FaultRule::new(Fault::DropReply)
///     }],
/// };
/// assert_eq!(plan, same);
/// # Ok::<(), ron_gateway::faults::PlanError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// What the random decisions follow from; a random one where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// At most 256. Each has random decisions of its own, unless it shares a coin.
    pub rules: Vec<FaultRule>,
}

/// Reads a fault; a name without parameters stands for the fault with their defaults.
fn fault_or_its_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fault, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let alone = Fault::deserialize(&value);
    let with_defaults = || {
        let name = value.as_str()?;
        Fault::deserialize(serde_json::json!({ name: {} })).ok()
    };
    alone.or_else(|error| with_defaults().ok_or_else(|| D::Error::custom(error)))
}

/// One fault, and when it is injected: into a call that every filter lets through, with a probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What is injected. In JSON, the name alone is enough where every parameter has a default.
    #[serde(deserialize_with = "fault_or_its_name")]
    pub fault: Fault,
    /// How likely, from 0 to 1. Default: 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Only into this operation, such as `storage.put`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only into this attempt of a call, from 1. Over HTTP every attempt is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u8>,
    /// Only into every so manieth of the calls that the filters above let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_nth: Option<u64>,
    /// At most so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Only for so many milliseconds after the plan was armed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// Rules that name the same coin draw once for all of them, so that at most one of them is injected
    /// into a call. Their probabilities must not add up to more than 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coin: Option<String>,
}

fn always() -> f64 {
    1.0
}

impl FaultRule {
    /// The fault for every call.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            probability: 1.0,
            operation: None,
            attempt: None,
            every_nth: None,
            times: None,
            for_ms: None,
            coin: None,
        }
    }

    /// Whether its filters let such a call through.
    pub(super) fn admits(&self, label: CallLabel, attempt: u8) -> bool {
        let is_named = self.operation.as_deref().map_or(true, |name| {
            name.split_once('.') == Some((label.plane, label.operation))
        });
        is_named && self.attempt.map_or(true, |only| only == attempt) && fits(&self.fault, label)
    }

    fn check(&self) -> Result<(), String> {
        let is_probability = (0.0..=1.0).contains(&self.probability);
        require(is_probability, "probability", "must be from 0 to 1")?;
        if let Some(name) = &self.operation {
            let rule = format!("must be one of {}", OPERATIONS.join(", "));
            require(OPERATIONS.contains(&name.as_str()), "operation", &rule)?;
        }
        for (field, is_zero) in [
            ("attempt", self.attempt == Some(0)),
            ("every_nth", self.every_nth == Some(0)),
            ("times", self.times == Some(0)),
            ("for_ms", self.for_ms == Some(0)),
        ] {
            require(!is_zero, field, "must be at least 1")?;
        }
        if self.fault.kind().stage() == Stage::Hello {
            require(self.operation.is_none(), "operation", "HELLO has none")?;
            require(self.attempt.is_none(), "attempt", "HELLO has none")?;
        }
        check_parameters(&self.fault)
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self::new(fault)
    }
}

impl<R: Into<FaultRule>> FromIterator<R> for FaultPlan {
    fn from_iter<I: IntoIterator<Item = R>>(rules: I) -> Self {
        Self {
            seed: None,
            rules: rules.into_iter().map(Into::into).collect(),
        }
    }
}

impl FaultPlan {
    /// Reads a plan strictly and checks it.
    ///
    /// # Errors
    /// [`PlanError`]: what is wrong, and in which rule.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let plan: Self =
            serde_json::from_str(text).map_err(|error| PlanError(error.to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    /// The plan as JSON.
    pub fn to_json(&self) -> String {
        // Neither a map with other keys than strings nor a serialiser of our own can fail here.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Checks what the types leave open.
    ///
    /// # Errors
    /// [`PlanError`]: what is wrong, and in which rule.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.rules.len() > MOST_RULES {
            return Err(PlanError(format!("rules: at most {MOST_RULES}")));
        }
        let mut coins: HashMap<&str, f64> = HashMap::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let named = |error| PlanError(format!("rules[{index}].{error}"));
            rule.check().map_err(named)?;
            if let Some(coin) = &rule.coin {
                let sum = coins.entry(coin).or_default();
                *sum += rule.probability;
                require(
                    *sum <= 1.0 + ROUNDING,
                    "probability",
                    "the rules of a coin must not add up to more than 1",
                )
                .map_err(named)?;
            }
        }
        Ok(())
    }
}

/// Whether the fault can be injected into such a call at all.
fn fits(fault: &Fault, label: CallLabel) -> bool {
    match fault {
        Fault::CorruptBody | Fault::ShortBody { .. } | Fault::LongBody { .. } => {
            matches!(label.operation, "get" | "receive")
        }
        Fault::WrongRange => label.operation == "get",
        Fault::WrongReceipt => label.operation == "put",
        Fault::WrongAddress => {
            matches!(label.operation, "get" | "head" | "receive" | "resolve")
        }
        _ => true,
    }
}

fn check_parameters(fault: &Fault) -> Result<(), String> {
    let frames = |count: u32, least: u32| {
        let rule = format!("must be from {least} to {MOST_FRAMES}");
        require((least..=MOST_FRAMES).contains(&count), "count", &rule)
    };
    let time = |ms: u64, field: &str| require(ms <= LONGEST_MS, field, "must be at most an hour");
    match fault {
        Fault::Latency {
            p50_ms,
            p90_ms,
            p99_ms,
        } => {
            time(*p99_ms, "p99_ms")?;
            require(p50_ms <= p90_ms, "p90_ms", "must not be below p50_ms")?;
            require(p90_ms <= p99_ms, "p99_ms", "must not be below p90_ms")
        }
        Fault::ErrorBefore { reasons, .. } | Fault::ErrorAfter { reasons, .. } => {
            require(!reasons.is_empty(), "reasons", "must name at least one")
        }
        Fault::LateReply { after_ms } => time(*after_ms, "after_ms"),
        Fault::ShortBody { bytes } | Fault::LongBody { bytes } => require(
            (1..=MOST_BYTES).contains(bytes),
            "bytes",
            "must be from 1 to 65536",
        ),
        Fault::Status { code } => require(
            (100..=999).contains(code),
            "code",
            "must be from 100 to 999",
        ),
        Fault::ReorderReplies { count, within_ms } => {
            frames(*count, 2)?;
            time(*within_ms, "within_ms")
        }
        Fault::MisdirectedReply { within_ms } => time(*within_ms, "within_ms"),
        Fault::StrayReply { count }
        | Fault::LateAfterCancel { count }
        | Fault::EmptyFrames { count }
        | Fault::PingFlood { count } => frames(*count, 1),
        Fault::BadLength { len } => {
            let is_good = (HEADER_LEN..=MAX_FRAME).contains(&(*len as usize));
            require(!is_good, "len", "must be below 38 or above 1048576")
        }
        Fault::BadVersion { version } => require(*version != 1, "version", "must not be 1"),
        Fault::ReservedFlag { bits } => require(
            *bits != 0 && bits & 0xff == 0,
            "bits",
            "must be undefined ones, from 256 up",
        ),
        Fault::StalledFrame { len } => require(
            (HEADER_LEN + 1..=MAX_FRAME).contains(&(*len as usize)),
            "len",
            "must be from 39 to 1048576",
        ),
        _ => Ok(()),
    }
}

fn require(holds: bool, field: &str, rule: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{field}: {rule}"))
    }
}

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(String);

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
