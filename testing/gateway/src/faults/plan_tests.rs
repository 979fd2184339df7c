//! What a plan may say and what not.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::faults::FaultKind;
use proptest::prelude::*;
use ron_app_sdk::oap::Reason;

fn refusal(text: &str) -> String {
    FaultPlan::from_json(text).unwrap_err().to_string()
}

/// A plan of one rule, by the JSON of its fields.
fn rule(fields: &str) -> String {
    format!(r#"{{"rules":[{{{fields}}}]}}"#)
}

#[test]
fn a_refused_plan_says_what_is_wrong_and_where() {
    for (fields, complaint) in [
        (
            r#""fault":"reset","probability":1.1"#,
            "rules[0].probability",
        ),
        (
            r#""fault":"reset","probability":-0.1"#,
            "rules[0].probability",
        ),
        (
            r#""fault":"reset","operation":"storage.putt""#,
            "storage.put,",
        ),
        (r#""fault":"reset","every_nth":0"#, "rules[0].every_nth"),
        (r#""fault":"reset","attempt":0"#, "rules[0].attempt"),
        (r#""fault":"reset","attempt":256"#, "256"),
        (r#""fault":"reset","times":0"#, "rules[0].times"),
        (r#""fault":"reset","for_ms":0"#, "rules[0].for_ms"),
        (r#""fault":"reset","chance":1"#, "chance"),
        (r#""fault":"resett""#, "resett"),
        (r#""probability":1"#, "fault"),
        (r#""fault":{"error_before":{"reasons":[]}}"#, "reasons"),
        (
            r#""fault":{"error_before":{"reasons":["teapot"]}}"#,
            "teapot",
        ),
        (
            r#""fault":{"latency":{"p50_ms":9,"p90_ms":8,"p99_ms":9}}"#,
            "p90_ms",
        ),
        (
            r#""fault":{"latency":{"p50_ms":1,"p90_ms":2,"p99_ms":3600001}}"#,
            "p99_ms",
        ),
        (r#""fault":{"latency":{"p50_ms":1,"p90_ms":2}}"#, "p99_ms"),
        (r#""fault":{"bad_length":{"len":38}}"#, "len"),
        (r#""fault":{"bad_version":{"version":1}}"#, "version"),
        (r#""fault":{"reserved_flag":{"bits":257}}"#, "bits"),
        (r#""fault":{"status":{"code":99}}"#, "code"),
        (r#""fault":{"reorder_replies":{"count":1}}"#, "count"),
        (r#""fault":"hello_silence","operation":"edge.get""#, "HELLO"),
    ] {
        let error = refusal(&rule(fields));
        assert!(error.contains(complaint), "{fields}: {error}");
    }
    assert!(refusal("{}").contains("rules"));
    assert!(refusal(r#"{"rules":[],"seed":-1}"#).contains("-1"));
    assert!(refusal(r#"{"rules":[],"rules":[]}"#).contains("duplicate"));
}

#[test]
fn every_operation_can_be_named() {
    for name in OPERATIONS {
        let named = rule(&format!(r#""fault":"reset","operation":"{name}""#));
        assert!(FaultPlan::from_json(&named).is_ok(), "{name}");
    }
}

#[test]
fn the_rules_of_a_coin_share_one_draw() {
    let half = r#"{"fault":"reset","probability":0.5,"coin":"a"}"#;
    let more = half.replace("0.5", "0.6");
    let plan = |second: &str| format!(r#"{{"rules":[{half},{second}]}}"#);
    assert!(FaultPlan::from_json(&plan(half)).is_ok());
    assert!(refusal(&plan(&more)).contains("rules[1].probability"));
    let other = more.replace(r#""a""#, r#""b""#);
    assert!(FaultPlan::from_json(&plan(&other)).is_ok());
}

#[test]
fn every_kind_can_be_named_alone_or_with_its_parameters() {
    for kind in FaultKind::ALL {
        let forms = [format!(r#""{kind}""#), format!(r#"{{"{kind}":{{}}}}"#)];
        let plans = forms.map(|form| FaultPlan::from_json(&rule(&format!(r#""fault":{form}"#))));
        let is_latency = *kind == FaultKind::Latency;
        assert!(is_latency || plans.iter().any(Result::is_ok), "{kind}");
        for plan in plans.into_iter().flatten() {
            assert_eq!(plan.rules[0].fault.kind(), *kind);
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    let reasons = prop::collection::vec(
        prop::sample::select(vec![
            Reason::Internal,
            Reason::RateLimited,
            Reason::StorageFull,
        ]),
        1..4,
    );
    let hint = prop::option::of(any::<u64>());
    prop_oneof![
        (reasons.clone(), hint.clone()).prop_map(|(reasons, retry_after_ms)| {
            Fault::ErrorBefore {
                reasons,
                retry_after_ms,
            }
        }),
        (reasons, hint.clone()).prop_map(|(reasons, retry_after_ms)| {
            Fault::ErrorAfter {
                reasons,
                retry_after_ms,
            }
        }),
        hint.prop_map(|retry_after_ms| Fault::RateLimited { retry_after_ms }),
        (0..10u64, 0..10u64, 0..10u64).prop_map(|(a, b, c)| Fault::Latency {
            p50_ms: a,
            p90_ms: a + b,
            p99_ms: a + b + c,
        }),
        Just(Fault::BlackHole),
        (0..=LONGEST_MS).prop_map(|after_ms| Fault::LateReply { after_ms }),
        (100..=999u16).prop_map(|code| Fault::Status { code }),
        (0..38u32).prop_map(|len| Fault::BadLength { len }),
        any::<u64>().prop_map(|value| Fault::HelloMaxInflight { value }),
    ]
}

fn any_rule() -> impl Strategy<Value = FaultRule> {
    let count = || prop::option::of(1..u64::MAX);
    (
        fault(),
        0..=1000u32,
        prop::option::of(1..=u8::MAX),
        count(),
        count(),
        count(),
    )
        .prop_map(|(fault, thousandths, attempt, every_nth, times, for_ms)| {
            let is_hello = fault.kind().stage() == Stage::Hello;
            FaultRule {
                probability: f64::from(thousandths) / 1000.0,
                attempt: attempt.filter(|_| !is_hello),
                every_nth,
                times,
                for_ms,
                ..FaultRule::new(fault)
            }
        })
}

proptest! {
    #[test]
    fn plans_round_trip(seed: Option<u64>, rules in prop::collection::vec(any_rule(), 0..5)) {
        let plan = FaultPlan { seed, rules };
        prop_assert_eq!(FaultPlan::from_json(&plan.to_json()), Ok(plan));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text: String) {
        let _ = FaultPlan::from_json(&text);
    }

    #[test]
    fn no_plan_with_a_byte_changed_makes_the_parser_panic(
        rules in prop::collection::vec(any_rule(), 1..3), at: usize, byte in 32..127u8,
    ) {
        let mut text = FaultPlan { seed: Some(1), rules }.to_json().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _ = FaultPlan::from_json(&String::from_utf8(text).unwrap());
    }
}

#[test]
fn a_name_alone_is_the_fault_with_its_defaults() {
    let fault =
        |text: &str| FaultPlan::from_json(&rule(text)).map(|plan| plan.rules[0].fault.clone());
    for name in ["error_before", "late_reply", "bad_version", "drop_reply"] {
        let alone = fault(&format!(r#""fault":"{name}""#)).unwrap();
        assert_eq!(alone.kind().name(), name);
    }
    let with = fault(r#""fault":{"late_reply":{}}"#).unwrap();
    assert_eq!(fault(r#""fault":"late_reply""#).unwrap(), with);
    // These have parameters without a default.
    assert!(fault(r#""fault":"latency""#).is_err());
}
