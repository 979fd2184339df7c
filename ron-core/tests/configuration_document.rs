//! `docs/CONFIGURATION.md` lists every setting as the code has it. With `RON_WRITE_DOCS=1`, this writes what differs.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::{SdkConfig, Setting, SettingKind};
use std::fmt::Write as _;
use std::path::Path;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIGURATION.md");

/// A text with one part replaced, which stands between two comments.
fn with_part(document: &str, name: &str, part: &str) -> String {
    let begin = format!("<!-- {name}: generated -->\n");
    let end = format!("<!-- end of {name} -->");
    let (before, rest) = document.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{part}\n{end}{after}")
}

/// `timeouts.connectMs`
fn option_of_node(name: &str) -> String {
    let mut words = name.split('_');
    let mut option = words.next().unwrap().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        write!(option, "{}{rest}", first.to_uppercase()).unwrap();
    }
    option
}

/// With the unit that a reader thinks in.
fn milliseconds(text: &str) -> String {
    let millis: u64 = text.parse().unwrap();
    let (number, unit) = match millis {
        0 => (0, "ms"),
        _ if millis % 3_600_000 == 0 => (millis / 3_600_000, "h"),
        _ if millis % 60_000 == 0 => (millis / 60_000, "min"),
        _ if millis % 1000 == 0 => (millis / 1000, "s"),
        _ => (millis, "ms"),
    };
    format!("{number} {unit}")
}

fn readable(setting: Setting, text: &str) -> String {
    match setting.kind() {
        SettingKind::Duration => {
            let (least, most) = text.split_once(" to ").unwrap_or((text, text));
            if least == most {
                return format!("`{text}` ({})", milliseconds(text));
            }
            format!(
                "{least} to {most} ({} to {})",
                milliseconds(least),
                milliseconds(most)
            )
        }
        _ => text.to_owned(),
    }
}

fn table() -> String {
    let mut table = String::from(
        "| setting, variable | Python, Node | default | allowed | what it is |\n|---|---|---|---|---|\n",
    );
    for setting in SdkConfig::settings() {
        let name = setting.name();
        let (default, range) = (setting.default(), setting.range());
        let default = match (setting.kind(), &*default) {
            (_, "") => "–".to_owned(),
            (SettingKind::Duration, default) => readable(setting, default),
            (_, default) => format!("`{default}`"),
        };
        writeln!(
            table,
            "| `{name}`<br>`{}` | `{}`<br>`{}` | {default} | {} | {} |",
            setting.variable(),
            name.replace('.', "_"),
            option_of_node(name),
            readable(setting, &range),
            setting.description(),
        )
        .unwrap();
    }
    table
}

/// Every setting at its default, or what it looks like where it has none, as a file would set it.
fn sample() -> String {
    let (mut sample, mut table) = (String::from("```toml\n"), "");
    // What is in no table comes before all tables.
    let (within, plain): (Vec<_>, Vec<_>) =
        SdkConfig::settings().partition(|setting| setting.name().contains('.'));
    for setting in plain.into_iter().chain(within) {
        let name = match setting.name().split_once('.') {
            Some((part, name)) => {
                if part != table {
                    writeln!(sample, "\n[{part}]").unwrap();
                    table = part;
                }
                name
            }
            None => setting.name(),
        };
        let default = setting.default();
        let value = match setting.kind() {
            SettingKind::List => "[]".to_owned(),
            _ if default.is_empty() => {
                writeln!(sample, "# {name} = \"…\"").unwrap();
                continue;
            }
            SettingKind::Text | SettingKind::Path | SettingKind::Choice => format!("{default:?}"),
            _ => default,
        };
        writeln!(sample, "{name} = {value}").unwrap();
    }
    sample.push_str("```\n");
    sample
}

#[test]
fn the_document_lists_every_setting_as_it_is() {
    let written = std::fs::read_to_string(DOCUMENT).unwrap();
    let document = with_part(&written, "settings", &table());
    let document = with_part(&document, "sample", &sample());
    if std::env::var_os("RON_WRITE_DOCS").is_some() {
        std::fs::write(DOCUMENT, &document).unwrap();
        return;
    }
    assert!(
        written == document,
        "{} is not what the settings are: run this test with RON_WRITE_DOCS=1",
        Path::new(DOCUMENT).display()
    );
}

#[test]
fn the_sample_sets_the_defaults() {
    let sample = sample();
    let toml = sample
        .trim_start_matches("```toml")
        .trim_end_matches("```\n");
    assert_eq!(SdkConfig::from_toml(toml).unwrap(), SdkConfig::default());
    for setting in SdkConfig::settings() {
        let name = setting.name().rsplit('.').next().unwrap();
        assert!(sample.contains(&format!("{name} = ")), "{name}");
    }
}
