//! When a gateway that could not be reached is dialled again.

use super::random::Random;
use std::time::{Duration, Instant};

const BASE: Duration = Duration::from_millis(250);
const CAP: Duration = Duration::from_secs(10);

/// Back-off between a client's dials of one gateway: `U(0, min(10 s, 0.25 s · 2^k))` after `k` + 1 failures in a row.
#[derive(Debug, Default)]
pub(crate) struct DialBackoff {
    failures: u32,
    not_before: Option<Instant>,
}

/// When a call may dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextDial {
    Now,
    At(Instant),
    /// The last dial has failed, and another one would come too late for the call.
    TooLate,
}

impl DialBackoff {
    /// When a call may dial that gives up on a gateway it cannot reach at `dial_by`.
    pub(crate) fn next(&self, now: Instant, dial_by: Instant) -> NextDial {
        match self.not_before {
            None => NextDial::Now,
            Some(not_before) if not_before.max(now) > dial_by => NextDial::TooLate,
            Some(not_before) if not_before > now => NextDial::At(not_before),
            Some(_) => NextDial::Now,
        }
    }

    /// A dial has failed, or its connection before HELLO was answered: when the next one may begin.
    pub(crate) fn failed(&mut self, now: Instant, random: &Random) -> Instant {
        let longest = BASE.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let not_before = now + random.up_to(longest.min(CAP));
        self.not_before = Some(not_before);
        self.failures = self.failures.saturating_add(1);
        not_before
    }

    /// When the next dial may begin, where the last one has failed.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// HELLO was answered.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_wait_longer_up_to_the_cap() {
        let (random, start) = (Random::seeded(3), Instant::now());
        let mut longest = [Duration::ZERO; 40];
        let never = start + Duration::from_secs(3600);
        for _ in 0..2000 {
            let mut backoff = DialBackoff::default();
            assert_eq!(backoff.next(start, start), NextDial::Now);
            for longest in &mut longest {
                backoff.failed(start, &random);
                if let NextDial::At(at) = backoff.next(start, never) {
                    *longest = (*longest).max(at - start);
                    assert_eq!(backoff.next(start, start), NextDial::TooLate);
                    assert_eq!(backoff.next(at, at), NextDial::Now);
                    assert_eq!(backoff.next(at + BASE, at), NextDial::TooLate);
                }
            }
            backoff.succeeded();
            assert_eq!(backoff.next(never, start), NextDial::Now);
        }
        for (failures, longest) in longest.into_iter().enumerate() {
            let bound = CAP.min(BASE * (1 << failures.min(10)));
            assert!(
                longest <= bound && longest > bound * 9 / 10,
                "{longest:?} of {bound:?}"
            );
        }
    }
}
