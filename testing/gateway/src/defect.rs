//! `Defect`: guarantees that are broken on purpose.

use std::time::Duration;

/// How many newer records a gateway with [`Defect::EarlyEviction`] remembers.
pub(crate) const REMEMBERED_WITH_DEFECT: usize = 64;
/// Which sends a gateway that invents or loses messages does it with: each so manieth.
pub(crate) const EVERY_NTH_SEND: u64 = 200;

/// For how long a gateway with [`Defect::StaleRead`] returns what was there before.
pub(crate) const STALE_FOR: Duration = Duration::from_millis(20);

/// A guarantee that a gateway breaks.
///
/// **For tests of a checker, and never for use**: it lets a test show that it would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// An `ack` ends its message even where that was delivered again since: leases do not fence.
    UnfencedAck,
    /// Messages are hidden for ten times as long as was asked for.
    TenfoldVisibility,
    /// A message that is given up is in its topic's dead letters twice.
    DeadLetterTwice,
    /// With every 200th message another one is delivered, which nobody has sent.
    InventedMessage,
    /// Every 200th message is answered as taken, and lost.
    LostMessage,
    /// Idempotency keys and spent leases are forgotten as soon as there are 64 newer ones.
    EarlyEviction,
    /// For 20 ms after a `publish` with an expected value, a `resolve` returns the value before it.
    StaleRead,
}
