//! W3C trace context: which trace a call is part of.

use std::fmt;
use std::str::FromStr;

/// How long the text of version 00 is.
const LENGTH: usize = 55;

/// A `traceparent` as [W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header) has it: the trace, the
/// span in it that a call is made in, and whether it is sampled. It is sent with each attempt of the call, and the gateway
/// writes it into its log.
///
/// ```
/// use ron_app_sdk::TraceParent;
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let parent: TraceParent = text.parse()?;
/// assert_eq!(parent.trace_id(), "0af7651916cd43dd8448eb211c80319c");
/// # Ok::<(), ron_app_sdk::TraceParentError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent(Box<str>);

impl TraceParent {
    /// Checks a text.
    ///
    /// # Errors
    /// [`TraceParentError`] names the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, TraceParentError> {
        let mut fields = text.split('-');
        let mut field = |len: usize| {
            let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            let field = fields.next().filter(|field| field.len() == len);
            field.filter(|field| field.bytes().all(is_hex))
        };
        let parts = (field(2), field(32), field(16), field(2));
        let (Some(version), Some(trace), Some(span), Some(_)) = parts else {
            return Err(TraceParentError::Form);
        };
        let is_nothing = |field: &str| field.bytes().all(|b| b == b'0');
        match version {
            "00" if text.len() != LENGTH => Err(TraceParentError::Form),
            "00" if is_nothing(trace) => Err(TraceParentError::NoTrace),
            "00" if is_nothing(span) => Err(TraceParentError::NoSpan),
            "00" => Ok(Self(text.into())),
            _ => Err(TraceParentError::Version),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }

    /// The span in it that the call is made in: 16 hexadecimal digits.
    pub fn parent_id(&self) -> &str {
        &self.0[36..52]
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        Self::new(text)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is not a [`TraceParent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceParentError {
    /// Not four fields of hexadecimal digits.
    #[error("a traceparent is 00, 32, 16 and 2 lower-case hexadecimal digits with - in between")]
    Form,
    /// Another version than 00.
    #[error("a traceparent has version 00")]
    Version,
    /// The trace is all zeros.
    #[error("the trace of a traceparent is not all zeros")]
    NoTrace,
    /// The span is all zeros.
    #[error("the span of a traceparent is not all zeros")]
    NoSpan,
}

/// Says in which trace a call is made that was given none: the place to ask OpenTelemetry, or whatever keeps the
/// application's traces, for the current span. See [`RonAppSdk::set_trace_context`](crate::RonAppSdk::set_trace_context).
///
/// Closures implement it.
pub trait TraceContext: Send + Sync + 'static {
    /// The current trace; `None` where there is none. Called once for each call, within the call's own `sdk.call` span
    /// and on the thread, or in the task, that makes it. The call waits for it: it should not.
    fn current(&self) -> Option<TraceParent>;
}

impl<F> TraceContext for F
where
    F: Fn() -> Option<TraceParent> + Send + Sync + 'static,
{
    fn current(&self) -> Option<TraceParent> {
        self()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn the_rules_hold() {
        let text = format!("00-{TRACE}-{SPAN}-01");
        let parent = TraceParent::new(&text);
        assert_eq!(parent.as_ref().map(TraceParent::as_str), Ok(&*text));
        assert_eq!(parent.as_ref().map(TraceParent::trace_id), Ok(TRACE));
        assert_eq!(parent.as_ref().map(TraceParent::parent_id), Ok(SPAN));
        let (no_trace, no_span) = ("0".repeat(32), "0".repeat(16));
        let upper = TRACE.to_uppercase();
        for (text, error) in [
            (String::new(), TraceParentError::Form),
            (format!("00-{TRACE}-{SPAN}"), TraceParentError::Form),
            (format!("00-{TRACE}-{SPAN}-1"), TraceParentError::Form),
            (format!("00-{TRACE}-{SPAN}-01-"), TraceParentError::Form),
            (format!("00-{TRACE}-{SPAN}-01-x"), TraceParentError::Form),
            (format!("00-{TRACE}-{SPAN}-01\n"), TraceParentError::Form),
            (format!("00-{upper}-{SPAN}-01"), TraceParentError::Form),
            (format!("00-{SPAN}-{TRACE}-01"), TraceParentError::Form),
            (format!("01-{TRACE}-{SPAN}-01"), TraceParentError::Version),
            (format!("ff-{TRACE}-{SPAN}-01"), TraceParentError::Version),
            (
                format!("00-{no_trace}-{SPAN}-01"),
                TraceParentError::NoTrace,
            ),
            (format!("00-{TRACE}-{no_span}-01"), TraceParentError::NoSpan),
        ] {
            assert_eq!(TraceParent::new(&text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_plain(text in "[0-9a-f-]{0,60}|.{0,60}|00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}") {
            if let Ok(parent) = TraceParent::new(&text) {
                prop_assert_eq!(parent.as_str(), &*text);
                prop_assert!(text.len() == LENGTH && text.is_ascii());
                prop_assert_eq!(parent.trace_id().len(), 32);
                prop_assert_eq!(parent.parent_id().len(), 16);
            }
        }
    }
}
