//! The error table: `docs/ERRORS.md` and the golden list of statuses say what the code does.
//!
//! Both are written anew where `RON_UPDATE` is set: `RON_UPDATE=1 cargo test -p ron-app-sdk --test error_table`.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::{ErrorKind, RetryRule};
use std::fmt::Write;
use std::path::Path;

/// Compares a file of the project with what it should be, or writes it.
fn check(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("RON_UPDATE").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let actual = std::fs::read_to_string(&path).unwrap();
    assert!(
        actual == expected,
        "{} is not what the code says; RON_UPDATE=1 writes it anew",
        path.display()
    );
}

const INTRODUCTION: &str = "\
# Errors

<!-- Generated from the error table in ron-core/src/error/kind.rs; see ron-core/tests/error_table.rs. -->

Every call returns its result or one `SdkError`, which says what went wrong (`kind`), whether the call took effect all
the same (`executed`: no, yes or unknown), how many attempts were made, why there was no further one (`gave_up`), the
gateway's status where it answered, and when it suggests to try again (`retry_after`). Kinds and their numbers are the same
in every language; numbers are never reused, new kinds are appended.

## Kinds

*Effect* is what is known about a mutation that failed in this way; reads have none. *Check* is what to look at first.

| number | kind | statuses | effect | check |
|---:|---|---|---|---|
";

const RETRIES: &str = "
## What is tried again

As long as the call's limit, its attempts (`backoff.max_attempts`, 5) and the client's retry budget allow it.

| what the attempt came to | tried again |
|---|---|
";

const RULES: &str = "
- *If not executed, or repeatable*: every operation whose attempt certainly was not executed (the request's last byte did not
  leave, or the answer says `executed: no`); and in any case a read, a mutation with an idempotency key, and `ack`, `nack` and `extend`, which
  can be repeated as they are. A put, send or publish without a key is never sent a second time once it may have been executed.
- *Once, after a refresh*: where the capability comes from a provider, which is asked for a fresh one.
- *A read once, elsewhere*: at once, on another connection.

The wait after attempt *n* is random between 0 and `min(cap, base · factor^(n−1))`, or somewhat longer than the gateway's
`retry_after`. Where that would outlive the call, or the gateway asks for more than 30 s, the call ends at once with its last
error and `gave_up` says `Deadline`. `DeadlineExceeded` is for time that ran out during an attempt. An attempt whose answer has
not begun a quarter of the call's limit (250 ms to 10 s) after its request was sent is given up, and counts as `Transport`.

The retry budget bounds what a client costs a gateway that fails: 500 tokens; a retry costs 5, or 10 after an attempt that
timed out or brought wrong bytes; a success returns the price of its last retry, or 1 at its first attempt, and one token
comes back every second. Without a token the call ends with its last error, and `gave_up` says `Budget`.
";

#[test]
fn the_document_says_what_the_table_says() {
    let mut text = INTRODUCTION.to_owned();
    for kind in ErrorKind::all() {
        let statuses: Vec<String> = kind
            .statuses()
            .iter()
            .map(|(range, _)| span(range))
            .collect();
        let (number, name) = (kind.number(), kind.name());
        let (effect, check, statuses) = (kind.executed(), kind.check(), statuses.join(", "));
        writeln!(
            text,
            "| {number} | `{name}` | {statuses} | {effect} | {check} |"
        )
        .unwrap();
    }
    text.push_str(RETRIES);
    for kind in ErrorKind::all().filter(|kind| kind.retried() != RetryRule::Never) {
        writeln!(
            text,
            "| `{}`, found by the SDK | {} |",
            kind.name(),
            kind.retried()
        )
        .unwrap();
    }
    for kind in ErrorKind::all() {
        let retried = kind
            .statuses()
            .iter()
            .filter(|(_, rule)| *rule != RetryRule::Never);
        for (range, rule) in retried {
            writeln!(
                text,
                "| `{}`, answered with {} | {rule} |",
                kind.name(),
                span(range)
            )
            .unwrap();
        }
    }
    text.push_str("| anything else | never |\n");
    text.push_str(RULES);
    check("docs/ERRORS.md", &text);
}

fn span(range: &std::ops::RangeInclusive<u16>) -> String {
    match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}–{last}"),
    }
}

#[test]
fn every_status_has_its_kind_and_its_rule() {
    let mut text = "# first last kind retried\n".to_owned();
    let mut first = 0;
    for status in 0..=u16::MAX {
        let class = ErrorKind::of_status(status);
        if status == u16::MAX || ErrorKind::of_status(status + 1) != class {
            let (kind, rule) = class;
            writeln!(text, "{first} {status} {} {rule}", kind.name()).unwrap();
            first = status.wrapping_add(1);
        }
    }
    check("testing/vectors/statuses.txt", &text);
}
