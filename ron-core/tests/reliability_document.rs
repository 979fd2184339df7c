//! Every test that `docs/RELIABILITY.md` names exists.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/RELIABILITY.md");
    fs::read_to_string(path).unwrap()
}

/// What stands in backticks and is `file::function`.
fn named_tests(text: &str) -> BTreeSet<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let tests = quoted.filter_map(|text| text.split_once("::"));
    tests.filter(|(file, _)| file.ends_with(".rs")).collect()
}

/// Whether a file has a test of this name, written out or in `proptest!`.
fn has_test(source: &str, function: &str) -> bool {
    let signature = format!("fn {function}(");
    source.match_indices(&signature).any(|(at, _)| {
        let before = source[..at].trim_end().trim_end_matches("async").trim_end();
        let attribute = before.rsplit('\n').next().unwrap_or_default().trim();
        attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test")
    })
}

#[test]
fn every_test_that_the_document_names_exists() {
    let text = document();
    let tests = named_tests(&text);
    assert!(tests.len() > 80, "{}", tests.len());
    let core = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, function) in tests {
        let root = if file.starts_with("testing/") {
            core.join("..")
        } else {
            core.to_owned()
        };
        let source = fs::read_to_string(root.join(file));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(has_test(&source, function), "{file}::{function}");
    }
}

/// No row without a test, and no number twice.
#[test]
fn every_row_of_the_document_has_its_number_and_its_test() {
    let text = document();
    let mut numbers = BTreeSet::new();
    for line in text
        .lines()
        .filter(|line| line.starts_with("| G") || line.starts_with("| F"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(!named_tests(cells[cells.len() - 1]).is_empty(), "{line}");
        assert!(numbers.insert(cells[0].to_owned()), "{line}");
    }
    let count = |letter| {
        numbers
            .iter()
            .filter(|number| number.starts_with(letter))
            .count()
    };
    assert!(count('G') >= 25 && count('F') >= 45, "{numbers:?}");
}
