//! What a gateway can be told about idempotency.

use crate::engine::LONGEST_CALL;
use std::io;
use std::time::Duration;

/// The shortest window: a record has to outlive every attempt of its call, wherever it was held up.
const LEAST_WINDOW: Duration = {
    let ten_minutes = 600;
    let two_calls = 2 * LONGEST_CALL.as_secs();
    Duration::from_secs(if two_calls > ten_minutes {
        two_calls
    } else {
        ten_minutes
    })
};

/// For how long, and for how many mutations, the gateway remembers what came of an idempotency key.
///
/// Nothing is forgotten before its time: where there is no room left, a mutation under a new key is
/// refused, not executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyLimits {
    /// How long the result of a mutation is kept, from its end. At least 2 h, which is twice the longest
    /// call. Default: 24 h.
    pub window: Duration,
    /// Keys at once, of all subjects; beyond, 503 `unavailable`. Default: 1,000,000.
    pub max_keys: usize,
    /// Keys at once of one subject of a tenant; beyond, 429 `rate_limited`. Default: 100,000.
    pub max_keys_per_subject: usize,
}

impl Default for IdempotencyLimits {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(24 * 60 * 60),
            max_keys: 1_000_000,
            max_keys_per_subject: 100_000,
        }
    }
}

impl IdempotencyLimits {
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.window < LEAST_WINDOW {
            let text = format!(
                "idempotency.window: {:?} is below the least, {LEAST_WINDOW:?}",
                self.window
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(())
    }
}

/// Whether a mutation under an idempotency key is executed once.
///
/// Everything but the default is **for tests of a checker**: it breaks the guarantee, so that a test can
/// show that it would notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deduplication {
    /// It is: the record is made together with the effect.
    #[default]
    Atomic,
    /// It is not: keys are ignored. For tests of a checker: breaks the guarantee.
    Off,
    /// It is unless its reply is lost: the record is made when the reply has been handed to the
    /// connection, and not at all where it is not. For tests of a checker: breaks the guarantee.
    RecordAfterReply,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_window_below_two_calls_is_refused_by_name() {
        let limits = |window| IdempotencyLimits {
            window,
            ..IdempotencyLimits::default()
        };
        assert!(limits(2 * LONGEST_CALL).check().is_ok());
        let short = limits(2 * LONGEST_CALL - Duration::from_secs(1));
        let error = short.check().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with("idempotency.window: "));
    }
}
