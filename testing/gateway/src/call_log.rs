//! A gateway's log of calls: what it is about to execute, and in which trace.

use crate::engine::Call;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Hears of every call that a gateway is about to execute, on the task of its connection: it should not wait.
#[derive(Clone)]
pub struct CallLog(Arc<dyn Fn(&LoggedCall<'_>) + Send + Sync>);

/// A call, without anything that is its caller's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoggedCall<'a> {
    /// The plane that serves it.
    pub plane: &'static str,
    /// Its name within that.
    pub operation: &'static str,
    /// Which attempt it is, from 1.
    pub attempt: u8,
    /// The W3C trace context that it came with, where that is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<&'a str>,
}

impl CallLog {
    /// A log that `hear` keeps.
    pub fn new(hear: impl Fn(&LoggedCall<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(crate) fn say(&self, call: &Call) {
        let label = call.action.label();
        (self.0)(&LoggedCall {
            plane: label.plane,
            operation: label.operation,
            attempt: call.attempt,
            traceparent: call.traceparent.as_ref().map(|parent| parent.as_str()),
        });
    }
}

impl fmt::Debug for CallLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallLog")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_trace_where_there_is_one() {
        let mut call = LoggedCall {
            plane: "storage",
            operation: "put",
            attempt: 2,
            traceparent: None,
        };
        let line = |call: &LoggedCall<'_>| serde_json::to_string(call).unwrap();
        let expected = r#"{"plane":"storage","operation":"put","attempt":2}"#;
        assert_eq!(line(&call), expected);
        call.traceparent = Some("00-1-2-01");
        let expected =
            r#"{"plane":"storage","operation":"put","attempt":2,"traceparent":"00-1-2-01"}"#;
        assert_eq!(line(&call), expected);
    }
}
