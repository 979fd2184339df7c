//! A plan from environment variables.

use super::fault::Fault;
use super::plan::{FaultPlan, FaultRule};
use ron_app_sdk::oap::Reason;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::str::FromStr;

/// What every variable about faults begins with.
const PREFIX: &str = "RON_GATEWAY_FAULT_";
/// What the faults share of which at most one meets a call.
const COIN: &str = "outcome";

/// The names after [`PREFIX`].
const NAMES: [&str; 10] = [
    "5XX",
    "5XX_AFTER",
    "429",
    "TIMEOUT",
    "RESET",
    "LATENCY",
    "CORRUPT",
    "RETRY_AFTER_MS",
    "SEED",
    "RULES",
];

/// The name of a variable about faults, where there is one among these.
pub fn first_variable<'a>(names: impl IntoIterator<Item = &'a OsStr>) -> Option<&'a OsStr> {
    let is_ours = |name: &&OsStr| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
    names.into_iter().find(is_ours)
}

impl FaultPlan {
    /// The plan that environment variables describe, or `None` where they ask for no fault.
    ///
    /// # Errors
    /// [`VariableError`], also for a variable that only looks like one of ours.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Option<Self>, VariableError> {
        let mut values = BTreeMap::new();
        for (name, value) in variables {
            let name = name.to_string_lossy();
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if !NAMES.contains(&rest) {
                let known = NAMES.map(|name| format!("{PREFIX}{name}")).join(", ");
                return Err(refuse(
                    rest,
                    &format!("there is no such variable; there are {known}"),
                ));
            }
            let Some(value) = value.to_str() else {
                return Err(refuse(rest, "must be text"));
            };
            values.insert(rest.to_owned(), value.to_owned());
        }
        let plan = Variables(values).plan()?;
        Ok((!plan.rules.is_empty()).then_some(plan))
    }
}

/// The values by the names after the prefix.
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn plan(&self) -> Result<FaultPlan, VariableError> {
        let retry_after_ms = self.number("RETRY_AFTER_MS", "must be a number of milliseconds")?;
        let outcomes = [
            (
                "5XX",
                vec![Fault::ErrorBefore {
                    reasons: vec![
                        Reason::Internal,
                        Reason::BadGateway,
                        Reason::Unavailable,
                        Reason::GatewayTimeout,
                    ],
                    retry_after_ms,
                }],
            ),
            (
                "5XX_AFTER",
                vec![Fault::ErrorAfter {
                    reasons: vec![Reason::Internal],
                    retry_after_ms: None,
                }],
            ),
            ("429", vec![Fault::RateLimited { retry_after_ms }]),
            ("TIMEOUT", vec![Fault::BlackHole, Fault::DropReply]),
            ("RESET", vec![Fault::Reset]),
        ];
        let mut rules = Vec::new();
        for (name, faults) in outcomes {
            let Some(probability) = self.probability(name)? else {
                continue;
            };
            let share = probability / faults.len() as f64;
            rules.extend(faults.into_iter().map(|fault| FaultRule {
                probability: share,
                coin: Some(COIN.to_owned()),
                ..FaultRule::new(fault)
            }));
            let so_far = FaultPlan { seed: None, rules };
            so_far.check().map_err(|_| {
                refuse(
                    name,
                    "the probabilities of all outcomes add up to more than 1",
                )
            })?;
            rules = so_far.rules;
        }
        if retry_after_ms.is_some() && !self.0.contains_key("5XX") && !self.0.contains_key("429") {
            return Err(refuse(
                "RETRY_AFTER_MS",
                "says nothing without RON_GATEWAY_FAULT_5XX or RON_GATEWAY_FAULT_429",
            ));
        }
        rules.extend(self.latency()?);
        if let Some(probability) = self.probability("CORRUPT")? {
            rules.push(FaultRule {
                probability,
                ..FaultRule::new(Fault::CorruptBody)
            });
        }
        rules.extend(self.rules()?);
        Ok(FaultPlan {
            seed: self.number("SEED", "must be a number below 2^64")?,
            rules,
        })
    }

    fn latency(&self) -> Result<Option<FaultRule>, VariableError> {
        const RULE: &str = "must be p50/p90/p99 in milliseconds, ascending, such as 20/80/400";
        let Some(text) = self.0.get("LATENCY") else {
            return Ok(None);
        };
        let parts: Result<Vec<u64>, _> = text.split('/').map(u64::from_str).collect();
        let Ok([p50_ms, p90_ms, p99_ms]) = parts.as_deref() else {
            return Err(refuse("LATENCY", RULE));
        };
        let rule = FaultRule::new(Fault::Latency {
            p50_ms: *p50_ms,
            p90_ms: *p90_ms,
            p99_ms: *p99_ms,
        });
        let plan = FaultPlan::from_iter([rule.clone()]);
        plan.check().map_err(|_| refuse("LATENCY", RULE))?;
        Ok(Some(rule))
    }

    fn rules(&self) -> Result<Vec<FaultRule>, VariableError> {
        let Some(text) = self.0.get("RULES") else {
            return Ok(Vec::new());
        };
        let refuse = |error: String| refuse("RULES", &format!("must be a list of rules: {error}"));
        let rules = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let plan = FaultPlan { seed: None, rules };
        plan.check().map_err(|error| refuse(error.to_string()))?;
        Ok(plan.rules)
    }

    fn probability(&self, name: &str) -> Result<Option<f64>, VariableError> {
        let rule = "must be a probability, from 0 to 1";
        match self.number(name, rule)? {
            Some(probability) if !(0.0..=1.0).contains(&probability) => Err(refuse(name, rule)),
            probability => Ok(probability),
        }
    }

    fn number<N: FromStr>(&self, name: &str, rule: &str) -> Result<Option<N>, VariableError> {
        let value = self.0.get(name);
        let parse = |text: &String| text.parse().map_err(|_| refuse(name, rule));
        value.map(parse).transpose()
    }
}

fn refuse(name: &str, rule: &str) -> VariableError {
    VariableError {
        name: format!("{PREFIX}{name}"),
        rule: rule.to_owned(),
    }
}

/// An environment variable that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {rule}")]
pub struct VariableError {
    /// The variable.
    pub name: String,
    /// What it breaks.
    pub rule: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<FaultPlan>, VariableError> {
        let named = |(name, value): &(&str, &str)| (format!("{PREFIX}{name}").into(), value.into());
        FaultPlan::from_variables(variables.iter().map(named))
    }

    #[test]
    fn one_draw_decides_between_the_outcomes() {
        let plan = read(&[("5XX", "0.2"), ("TIMEOUT", "0.02"), ("SEED", "7")])
            .unwrap()
            .unwrap();
        assert_eq!(plan.seed, Some(7));
        let probabilities: Vec<f64> = plan.rules.iter().map(|rule| rule.probability).collect();
        assert_eq!(probabilities, [0.2, 0.01, 0.01]);
        assert!(plan
            .rules
            .iter()
            .all(|rule| rule.coin.as_deref() == Some(COIN)));
        assert_eq!(plan.rules[1].fault, Fault::BlackHole);
        assert_eq!(plan.rules[2].fault, Fault::DropReply);
    }

    #[test]
    fn what_combines_with_an_outcome_has_a_coin_of_its_own() {
        let rules = r#"[{"fault":"wrong_receipt","times":1}]"#;
        let plan = read(&[("LATENCY", "1/2/3"), ("CORRUPT", "0.5"), ("RULES", rules)])
            .unwrap()
            .unwrap();
        let faults: Vec<Fault> = plan.rules.iter().map(|rule| rule.fault.clone()).collect();
        let latency = Fault::Latency {
            p50_ms: 1,
            p90_ms: 2,
            p99_ms: 3,
        };
        assert_eq!(faults, [latency, Fault::CorruptBody, Fault::WrongReceipt]);
        assert!(plan.rules.iter().all(|rule| rule.coin.is_none()));
    }

    #[test]
    fn a_refusal_names_the_variable_and_its_rule() {
        for (variables, name, rule) in [
            (&[("5XX", "lots")][..], "5XX", "from 0 to 1"),
            (&[("5XX", "1.5")], "5XX", "from 0 to 1"),
            (&[("5XX", "NaN")], "5XX", "from 0 to 1"),
            (&[("5XX", "0.7"), ("RESET", "0.4")], "RESET", "more than 1"),
            (&[("LATENCY", "1/2")], "LATENCY", "p50/p90/p99"),
            (&[("LATENCY", "3/2/1")], "LATENCY", "ascending"),
            (&[("SEED", "-1")], "SEED", "2^64"),
            (&[("RETRY_AFTER_MS", "5")], "RETRY_AFTER_MS", "without"),
            (&[("RULES", "[{}]")], "RULES", "fault"),
            (&[("4XX", "0.2")], "4XX", "no such variable"),
        ] {
            let error = read(variables).unwrap_err();
            assert_eq!(error.name, format!("{PREFIX}{name}"));
            assert!(error.to_string().contains(rule), "{error}");
        }
    }

    #[test]
    fn other_variables_are_no_concern_of_ours() {
        let path = (OsString::from("PATH"), OsString::from("/bin"));
        assert_eq!(FaultPlan::from_variables([path]), Ok(None));
        assert_eq!(read(&[("SEED", "1")]), Ok(None));
        let names = [OsStr::new("PATH"), OsStr::new("RON_GATEWAY_FAULT_X")];
        assert_eq!(first_variable(names), Some(names[1]));
        assert_eq!(first_variable([names[0]]), None);
    }

    proptest! {
        #[test]
        fn no_value_makes_the_reading_panic(which in 0..NAMES.len(), value: String) {
            let _ = read(&[(NAMES[which], &value)]);
        }
    }
}
