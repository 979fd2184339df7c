//! `docs/OBSERVABILITY.md`, the alerts and the dashboard have the metrics that the code has.
//!
//! Its table is written anew where `RON_UPDATE` is set: `RON_UPDATE=1 cargo test -p ron-app-sdk --test
//! observability_document`.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::{ErrorKind, MetricInfo, MetricKind};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "observability_document.rs. -->\n";
const END: &str = "<!-- end -->";

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// The tables of all metrics and of their labels.
fn tables() -> String {
    let mut text =
        "\n| metric | type | labels | what | what to do |\n|---|---|---|---|---|\n".to_owned();
    for info in MetricInfo::all() {
        let labels = info.labels().into_iter();
        let labels: Vec<_> = labels.map(|(name, _)| format!("`{name}`")).collect();
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            info.name,
            info.kind.name(),
            labels.join(", "),
            info.help,
            info.check,
        )
        .unwrap();
    }
    text.push_str("\n| label | of | values |\n|---|---|---|\n");
    let mut seen = Vec::new();
    for info in MetricInfo::all() {
        for (name, values) in info.labels() {
            if seen.contains(&(name, values.clone())) {
                continue;
            }
            let with_it = MetricInfo::all().filter(|other| {
                let mut labels = other.labels().into_iter();
                labels.any(|label| label == (name, values.clone()))
            });
            let with_it: Vec<_> = with_it.map(|other| format!("`{}`", other.name)).collect();
            let shown = shown(&values);
            writeln!(text, "| `{name}` | {} | {shown} |", with_it.join(", ")).unwrap();
            seen.push((name, values));
        }
    }
    text.push('\n');
    text
}

/// The values of a label, with a link in the place of all error kinds.
fn shown(values: &[&str]) -> String {
    let kinds: Vec<_> = ErrorKind::all().map(ErrorKind::name).collect();
    let has_kinds = kinds.iter().all(|kind| values.contains(kind));
    let own = values
        .iter()
        .filter(|value| !has_kinds || !kinds.contains(value));
    let own: Vec<_> = own.map(|value| format!("`{value}`")).collect();
    match has_kinds {
        true => format!("{}, the [error kinds](ERRORS.md)", own.join(", ")),
        false => own.join(", "),
    }
}

#[test]
fn the_document_has_every_metric_and_every_value_of_its_labels() {
    let file = path("docs/OBSERVABILITY.md");
    let text = fs::read_to_string(&file).unwrap();
    let begin = text.find(BEGIN).unwrap() + BEGIN.len();
    let end = begin + text[begin..].find(END).unwrap();
    let expected = format!("{}{}{}", &text[..begin], tables(), &text[end..]);
    if std::env::var_os("RON_UPDATE").is_some() {
        fs::write(&file, &expected).unwrap();
        return;
    }
    assert!(
        text == expected,
        "docs/OBSERVABILITY.md does not have the metrics that the code has; RON_UPDATE=1 writes it anew"
    );
}

/// A metric as a query names it, with what its selector says of labels.
#[derive(Debug, PartialEq)]
struct Selector<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
}

/// Every metric of the SDK that a text names.
fn selectors(text: &str) -> Vec<Selector<'_>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in text.match_indices("sdk_") {
        let name = &text[at..];
        let end = name.find(|c| !is_name(c)).unwrap_or(name.len());
        let (name, rest) = name.split_at(end);
        let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let matchers = inside
            .map_or("", |(inside, _)| inside)
            .split("\",")
            .filter(|m| !m.is_empty());
        let labels = matchers.map(|matcher| {
            let (label, value) = matcher.split_once('=').unwrap();
            let value = value.trim_start_matches(['~', '"']).trim_end_matches('"');
            (label.trim().trim_end_matches('!'), value)
        });
        found.push(Selector {
            name,
            labels: labels.collect(),
        });
    }
    found
}

/// The metric that has a sample of this name.
fn metric_of(name: &str) -> Option<&'static MetricInfo> {
    MetricInfo::all().find(|info| match info.kind {
        MetricKind::Histogram => ["_bucket", "_sum", "_count", ""]
            .iter()
            .any(|suffix| name == format!("{}{suffix}", info.name)),
        _ => name == info.name,
    })
}

/// Labels that are the scraper's, or the histogram's own.
const OTHERS: [&str; 3] = ["job", "instance", "le"];

/// What is wrong with a query, if anything.
fn wrong(text: &str) -> Vec<String> {
    let (mut wrong, mut known) = (Vec::new(), OTHERS.to_vec());
    for selector in selectors(text) {
        let Some(info) = metric_of(selector.name) else {
            wrong.push(format!("there is no {}", selector.name));
            continue;
        };
        let labels = info.labels();
        known.extend(labels.iter().map(|(name, _)| *name));
        for (label, value) in selector.labels {
            let values = labels.iter().find(|(name, _)| *name == label);
            match values {
                None if OTHERS.contains(&label) => {}
                None => wrong.push(format!("{} has no label {label}", info.name)),
                Some((_, values)) => {
                    let named = value.split('|').filter(|value| !value.starts_with('$'));
                    for value in named.filter(|value| !values.contains(value)) {
                        wrong.push(format!("{label} of {} is never {value}", info.name));
                    }
                }
            }
        }
    }
    for (_, rest) in text
        .match_indices("by (")
        .map(|(at, by)| text[at..].split_at(by.len()))
    {
        let labels = rest
            .split(')')
            .next()
            .unwrap_or_default()
            .split(',')
            .map(str::trim);
        for label in labels.filter(|label| !known.contains(label)) {
            wrong.push(format!("nothing in the query has the label {label}"));
        }
    }
    wrong
}

#[test]
fn a_query_that_does_not_fit_is_found_out() {
    let fits = r#"sum by (op, job) (rate(sdk_io_timeouts_total{job=~"$job",op=~"read|write",op!="ping"}[5m]))"#;
    assert!(wrong(fits).is_empty(), "{:?}", wrong(fits));
    for (query, why) in [
        (
            "rate(sdk_timeouts_total[5m])",
            "there is no sdk_timeouts_total",
        ),
        (
            "sdk_io_timeouts_total_bucket",
            "there is no sdk_io_timeouts_total_bucket",
        ),
        (
            r#"sdk_io_timeouts_total{kind="read"}"#,
            "sdk_io_timeouts_total has no label kind",
        ),
        (
            r#"sdk_io_timeouts_total{op=~"read|wait"}"#,
            "op of sdk_io_timeouts_total is never wait",
        ),
        (
            "sum by (op) (sdk_inflight_requests)",
            "nothing in the query has the label op",
        ),
    ] {
        assert_eq!(wrong(query), [why]);
    }
}

fn alerts() -> String {
    fs::read_to_string(path("docs/observability/alerts.yaml")).unwrap()
}

#[test]
fn the_alerts_are_about_what_there_is() {
    let text = alerts();
    let rules: Vec<&str> = text.split("- alert: ").skip(1).collect();
    assert_eq!(rules.len(), 5);
    let document = fs::read_to_string(path("docs/OBSERVABILITY.md")).unwrap();
    for rule in rules {
        let name = rule.lines().next().unwrap();
        assert!(!selectors(rule).is_empty(), "{name}");
        assert!(wrong(rule).is_empty(), "{name}: {:?}", wrong(rule));
        let row = format!("| `{name}` |");
        assert!(document.contains(&row), "the document does not have {name}");
    }
}

/// Every `expr` and `query` of a dashboard.
fn queries<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "query" => found.push(text),
                    _ => queries(value, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_what_there_is_and_all_of_it() {
    let text = fs::read_to_string(path("docs/observability/dashboard.json")).unwrap();
    let dashboard = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    let mut shown = BTreeSet::new();
    for query in found {
        assert!(wrong(query).is_empty(), "{query}: {:?}", wrong(query));
        let metrics = selectors(query).into_iter();
        shown.extend(metrics.filter_map(|selector| Some(metric_of(selector.name)?.name)));
    }
    let all: BTreeSet<_> = MetricInfo::all().map(|info| info.name).collect();
    assert_eq!(shown, all);
}
