//! Figures that were recorded, and what became of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// Writes baselines anew where it is set.
const UPDATE: &str = "RON_UPDATE";

/// Compares figures with those in a file of this project, one `name = value` on each line. Fails where one is more than
/// `tolerance` percent above what was recorded, or has not been recorded; says where one is lower. With `RON_UPDATE`
/// set, writes the file instead, `comment` first.
///
/// # Errors
/// What is wrong, one line for each figure.
pub fn check(
    path: &str,
    comment: &str,
    figures: &BTreeMap<String, u64>,
    tolerance: u64,
) -> Result<(), String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    let named = |error: std::io::Error| format!("{path}: {error}");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(file.parent().unwrap_or(&file)).map_err(named)?;
        return std::fs::write(&file, format(comment, figures)).map_err(named);
    }
    let recorded = parse(&std::fs::read_to_string(&file).map_err(named)?)
        .map_err(|line| format!("{path}: `{line}` is no `name = value`"))?;
    let (risen, fallen) = compare(&recorded, figures, tolerance);
    for line in fallen {
        // Past the test harness, which shows nothing of a test that passes.
        let _ = writeln!(std::io::stderr(), "{path}: {line}; {UPDATE}=1 records that");
    }
    if risen.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = risen.iter().map(|line| format!("{path}: {line}")).collect();
    Err(lines.join("\n"))
}

fn format(comment: &str, figures: &BTreeMap<String, u64>) -> String {
    let mut text = String::new();
    for line in comment.lines() {
        let _ = writeln!(text, "# {line}");
    }
    for (name, value) in figures {
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

fn parse(text: &str) -> Result<BTreeMap<String, u64>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let figures = lines.map(|line| {
        let figure = line.split_once(" = ").and_then(|(name, value)| {
            let value = value.parse().ok()?;
            Some((name.to_owned(), value))
        });
        figure.ok_or_else(|| line.to_owned())
    });
    figures.collect()
}

/// What has risen too far or does not match, and what has fallen.
fn compare(
    recorded: &BTreeMap<String, u64>,
    figures: &BTreeMap<String, u64>,
    tolerance: u64,
) -> (Vec<String>, Vec<String>) {
    let (mut risen, mut fallen) = (Vec::new(), Vec::new());
    for (name, &value) in figures {
        match recorded.get(name) {
            None => risen.push(format!("{name} is {value}, and was not recorded")),
            Some(&was) if value * 100 > was * (100 + tolerance) => risen.push(format!(
                "{name} is {value}, which is more than {tolerance} % above {was}"
            )),
            Some(&was) if value < was => fallen.push(format!("{name} is {value}, and was {was}")),
            Some(_) => {}
        }
    }
    let gone = recorded.keys().filter(|name| !figures.contains_key(*name));
    risen.extend(gone.map(|name| format!("{name} was recorded, and is not counted any more")));
    (risen, fallen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figures: &[(&str, u64)]) -> BTreeMap<String, u64> {
        let owned = figures.iter().map(|(name, value)| ((*name).into(), *value));
        owned.collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let figures = figures(&[("get.64B", 4), ("put.64B", 5)]);
        assert_eq!(parse(&format("two\nlines", &figures)).unwrap(), figures);
        assert_eq!(parse("get.64B: 4").unwrap_err(), "get.64B: 4");
    }

    #[test]
    fn a_figure_may_rise_by_the_tolerance_and_no_more() {
        let recorded = figures(&[("a", 100), ("b", 4), ("c", 0)]);
        let compare = |a, b, c| {
            let figures = figures(&[("a", a), ("b", b), ("c", c)]);
            compare(&recorded, &figures, 15)
        };
        assert_eq!(compare(115, 4, 0), (vec![], vec![]));
        assert_eq!(compare(116, 5, 1).0.len(), 3);
        assert_eq!(compare(100, 3, 0).1, ["b is 3, and was 4"]);
    }

    #[test]
    fn a_figure_that_comes_or_goes_is_told() {
        let (one, two) = (figures(&[("a", 1)]), figures(&[("a", 1), ("b", 1)]));
        assert_eq!(compare(&one, &two, 15).0.len(), 1);
        assert_eq!(compare(&two, &one, 15).0.len(), 1);
    }
}
