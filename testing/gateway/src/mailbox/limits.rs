//! What a gateway can be told about its mailbox.

use std::io;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Beyond it, a time is as good as never.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How often and for how long a gateway delivers messages, and how many it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxLimits {
    /// How often a message is delivered before it is moved to its topic's dead letters. At least 1;
    /// below 3, a lost reply may be enough to give a message up. Default: 16.
    pub max_deliveries: u32,
    /// How long a message lives, from its arrival; at most 10 years. Default: 7 days.
    pub retention: Duration,
    /// How long a dead letter lives, from its move; at most 10 years. Default: 14 days.
    pub dead_retention: Duration,
    /// Messages at once, dead letters included; beyond, a send is answered 507 `storage_full`.
    /// Default: 1,000,000.
    pub max_messages: usize,
    /// Bytes of bodies and attributes at once; beyond, 507 `storage_full`. Default: 1 GiB.
    pub max_bytes: u64,
    /// Topics that have messages or waiting receivers; a send to one more is answered 507
    /// `storage_full`. A topic without either takes no memory. Default: 100,000.
    pub max_topics: usize,
    /// Batches that are remembered by their `receive_id`; beyond, the one that would be forgotten next
    /// makes room, and a repetition of its receive gets other messages. Default: 200,000.
    pub max_batches: usize,
    /// How long it is remembered that a lease was spent; at most 10 years. Default: 24 h.
    pub spent_window: Duration,
    /// Spent leases that are remembered; beyond, the oldest makes room, and a repetition of its `nack`
    /// is answered 410 `stale_lease`. Default: 1,000,000.
    pub max_spent_leases: usize,
    /// Receivers that wait for a message; one more is answered 503 `unavailable`. Default: 10,000.
    pub max_waiting: usize,
}

impl Default for MailboxLimits {
    fn default() -> Self {
        Self {
            max_deliveries: 16,
            retention: 7 * DAY,
            dead_retention: 14 * DAY,
            max_messages: 1_000_000,
            max_bytes: 1 << 30,
            max_topics: 100_000,
            max_batches: 200_000,
            spent_window: DAY,
            max_spent_leases: 1_000_000,
            max_waiting: 10_000,
        }
    }
}

impl MailboxLimits {
    pub(crate) fn check(&self) -> io::Result<()> {
        let invalid = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if self.max_deliveries == 0 {
            return invalid("mailbox.max_deliveries: 0 is below the least, 1".to_owned());
        }
        for (field, time) in [
            ("retention", self.retention),
            ("dead_retention", self.dead_retention),
            ("spent_window", self.spent_window),
        ] {
            if time > LONGEST {
                return invalid(format!("mailbox.{field}: {time:?} is above {LONGEST:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_rule_is_refused_by_name() {
        assert!(MailboxLimits::default().check().is_ok());
        let never = MailboxLimits {
            max_deliveries: 0,
            ..MailboxLimits::default()
        };
        let endless = MailboxLimits {
            dead_retention: Duration::MAX,
            ..MailboxLimits::default()
        };
        for (limits, field) in [(never, "max_deliveries"), (endless, "dead_retention")] {
            let error = limits.check().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with(&format!("mailbox.{field}: ")));
        }
    }
}
