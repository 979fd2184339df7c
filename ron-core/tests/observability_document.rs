//! `docs/OBSERVABILITY.md` has the metrics that the code has.
//!
//! Its table is written anew where `RON_UPDATE` is set: `RON_UPDATE=1 cargo test -p ron-app-sdk --test
//! observability_document`.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::{ErrorKind, MetricInfo};
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
