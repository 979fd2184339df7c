//! What came of each check.

use crate::options::Face;
use bytes::Bytes;
use ron_app_sdk::{AddrB3, ErrorKind, SdkError};
use serde::Serialize;
use std::fmt::{self, Debug, Display};
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// What was expected and what came instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// In a few words.
    pub expected: String,
    /// In a few words, without any secret.
    pub got: String,
}

/// What a check returns.
pub type Result<T = ()> = std::result::Result<T, Mismatch>;

/// Hears of each verdict as it comes.
pub type Observer<'a> = &'a mut (dyn FnMut(&Verdict) + Send);

/// What came of a check.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Over which face.
    pub face: Face,
    /// What was checked.
    pub check: &'static str,
    /// What came of it.
    pub state: State,
    /// What was expected, where that did not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What came instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: f64,
}

/// Whether a check found what it expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It did.
    Ok,
    /// It did not.
    Failed,
}

/// Runs checks one after the other.
pub struct Checks<'a> {
    face: Face,
    verdicts: Vec<Verdict>,
    observe: Observer<'a>,
}

impl<'a> Checks<'a> {
    /// Without a verdict yet.
    pub fn new(observe: Observer<'a>) -> Self {
        Self {
            face: Face::Oap,
            verdicts: Vec::new(),
            observe,
        }
    }

    /// The next checks are of this face.
    pub fn turn_to(&mut self, face: Face) {
        self.face = face;
    }

    /// Runs a check. Returns whether it passed.
    pub async fn run(&mut self, check: &'static str, future: impl Future<Output = Result>) -> bool {
        let beginning = Instant::now();
        let result = future.await;
        let elapsed = beginning.elapsed();
        self.add(check, result, elapsed)
    }

    fn add(&mut self, check: &'static str, result: Result, elapsed: Duration) -> bool {
        let (state, mismatch) = match result {
            Ok(()) => (State::Ok, None),
            Err(mismatch) => (State::Failed, Some(mismatch)),
        };
        let (expected, got) = match mismatch {
            Some(Mismatch { expected, got }) => (Some(expected), Some(got)),
            None => (None, None),
        };
        let verdict = Verdict {
            face: self.face,
            check,
            state,
            expected,
            got,
            elapsed_ms: elapsed.as_secs_f64() * 1e3,
        };
        (self.observe)(&verdict);
        self.verdicts.push(verdict);
        state == State::Ok
    }

    /// What came of all of them.
    pub fn into_verdicts(self) -> Vec<Verdict> {
        self.verdicts
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Failed => "FAILED",
        };
        write!(f, "{state:<6}  {:<4}  {}", self.face, self.check)?;
        match (&self.expected, &self.got) {
            (Some(expected), Some(got)) => write!(f, ": expected {expected}, got {got}"),
            _ => Ok(()),
        }
    }
}

/// Expects a part of an answer to be this.
pub(super) fn equal<T: PartialEq + Display>(what: &str, expected: T, got: T) -> Result {
    if expected == got {
        return Ok(());
    }
    Err(Mismatch {
        expected: format!("{what} {expected}"),
        got: format!("{got}"),
    })
}

/// Expects these bytes; says of others how many they are and what they hash to.
pub(super) fn same_bytes(expected: &[u8], got: &[u8]) -> Result {
    let describe = |bytes: &[u8]| format!("{} bytes, {}", bytes.len(), AddrB3::of(bytes));
    if expected == got {
        return Ok(());
    }
    Err(Mismatch {
        expected: describe(expected),
        got: describe(got),
    })
}

/// Expects a call to succeed.
pub(super) fn success<T>(result: std::result::Result<T, impl Display>) -> Result<T> {
    result.map_err(|error| Mismatch {
        expected: "success".into(),
        got: error.to_string(),
    })
}

/// Expects a refusal of this kind: with this status where the gateway is to refuse, without one where the SDK is.
pub(super) fn refusal<T: Describe>(
    result: std::result::Result<T, SdkError>,
    kind: ErrorKind,
    status: Option<u16>,
) -> Result {
    let expected = match status {
        Some(status) => format!("{} ({status})", kind.name()),
        None => format!("{} before anything is sent", kind.name()),
    };
    match result {
        Err(error) if error.kind() == kind && error.status() == status => Ok(()),
        Err(error) => Err(Mismatch {
            expected,
            got: error.to_string(),
        }),
        Ok(answer) => Err(Mismatch {
            expected,
            got: format!("success: {}", answer.describe()),
        }),
    }
}

/// What an answer is, in a few words and without its bytes.
pub(super) trait Describe {
    fn describe(&self) -> String;
}

impl Describe for Bytes {
    fn describe(&self) -> String {
        format!("{} bytes", self.len())
    }
}

/// Everything else has no bytes in its `Debug`.
macro_rules! describe_by_debug {
    ($($answer:ty),*) => {
        $(impl Describe for $answer {
            fn describe(&self) -> String {
                let shown: &dyn Debug = self;
                format!("{shown:?}")
            }
        })*
    };
}

describe_by_debug!(
    (),
    AddrB3,
    ron_app_sdk::ObjectInfo,
    ron_app_sdk::UnverifiedRange
);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_verdict_is_a_line_that_says_what_was_expected_and_what_came() {
        let mut lines = Vec::new();
        let mut observe = |verdict: &Verdict| lines.push(verdict.to_string());
        let mut checks = Checks::new(&mut observe);
        assert!(checks.run("get: the bytes", async { Ok(()) }).await);
        checks.turn_to(Face::Http);
        let wrong = async { equal("status", 206, 200) };
        assert!(!checks.run("range: the middle", wrong).await);
        let verdicts = checks.into_verdicts();
        assert_eq!(
            lines,
            [
                "ok      oap   get: the bytes",
                "FAILED  http  range: the middle: expected status 206, got 200",
            ]
        );
        let json = serde_json::to_value(&verdicts[1]).unwrap();
        assert_eq!(
            (&json["state"], &json["got"]),
            (&"failed".into(), &"200".into())
        );
    }

    #[test]
    fn other_bytes_are_told_by_number_and_hash_and_not_shown() {
        let error = same_bytes(b"abc", b"canary").unwrap_err();
        assert!(error.expected.starts_with("3 bytes, b3:"), "{error:?}");
        assert_eq!(error.got, format!("6 bytes, {}", AddrB3::of(b"canary")));
    }
}
