//! `Zone`: from when to when values were certainly there, and which zones cannot both be.
//!
//! After P. B. Gibbons and E. Korach, "Testing Shared Memories", SIAM Journal on Computing 26 (1997): where
//! each value is written once, all that has seen it forms a zone, from the first end of such a call to the
//! last beginning of one. If the end comes first, the value was there all that time. Calls can be put in an
//! order if and only if no two such times overlap, and no other zone lies within one.

use super::calls::{Publish, Resolve};
use crate::call::{Call, CallNumber};

/// A call that has seen or made a value. Its times are sequence numbers, plus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) began: u64,
    /// [`u64::MAX`] where the call may take effect at any later time.
    pub(super) ended: u64,
    /// `None` for what was there before every call.
    pub(super) call: Option<CallNumber>,
    pub(super) is_publish: bool,
}

impl Witness {
    /// Every key has no value at first.
    pub(super) const ORIGIN: Self = Self {
        began: 0,
        ended: 0,
        call: None,
        is_publish: false,
    };

    pub(super) fn of_publish(call: &Call<Publish>) -> Self {
        Self {
            began: call.invoked.sequence.saturating_add(1),
            ended: call
                .answer()
                .map_or(u64::MAX, |(ended, _)| ended.sequence.saturating_add(1)),
            call: Some(call.number()),
            is_publish: true,
        }
    }

    pub(super) fn of_read(call: &Call<Resolve>) -> Self {
        Self {
            began: call.invoked.sequence.saturating_add(1),
            ended: call
                .answer()
                .map_or(u64::MAX, |(ended, _)| ended.sequence.saturating_add(1)),
            call: Some(call.number()),
            is_publish: false,
        }
    }
}

/// All that has seen a value, or the values of a chain, in short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone {
    /// The one that ended first.
    pub(super) first: Witness,
    /// The one that began last.
    pub(super) last: Witness,
}

impl Zone {
    pub(super) fn of(witness: Witness) -> Self {
        Self {
            first: witness,
            last: witness,
        }
    }

    pub(super) fn add(&mut self, witness: Witness) {
        if witness.ended < self.first.ended {
            self.first = witness;
        }
        if witness.began > self.last.began {
            self.last = witness;
        }
    }

    /// Whether the value was there from the first end to the last beginning.
    fn is_forward(&self) -> bool {
        self.first.ended < self.last.began
    }

    /// Whether each of the two has a call that ended before one of the other began.
    fn excludes(&self, other: &Self) -> bool {
        self.first.ended < other.last.began && other.first.ended < self.last.began
    }
}

/// A call that has seen a value, and began when another had ended that has seen a newer one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contradiction {
    pub(super) stale: Witness,
    pub(super) newer: Witness,
}

/// Zones that cannot be put one after the other, each with the one before that it excludes.
pub(super) fn contradictions(zones: &[Zone]) -> Vec<Contradiction> {
    let (mut forward, backward): (Vec<Zone>, Vec<Zone>) =
        zones.iter().partition(|zone| zone.is_forward());
    forward.sort_unstable_by_key(|zone| zone.first.ended);
    let mut found = Vec::new();
    // For each zone, of it and those before it, the one that lasts longest.
    let mut longest: Vec<Zone> = Vec::with_capacity(forward.len());
    for zone in forward.iter().copied() {
        let before = longest.last().copied();
        found.extend(
            before
                .filter(|before| before.excludes(&zone))
                .map(|before| between(before, zone)),
        );
        let lasts = |one: &Zone| one.last.began;
        longest.push(
            before
                .filter(|before| lasts(before) > lasts(&zone))
                .unwrap_or(zone),
        );
    }
    for zone in backward {
        let begun = forward.partition_point(|other| other.first.ended < zone.last.began);
        let around = begun.checked_sub(1).map(|last| longest[last]);
        let around = around.filter(|around| around.excludes(&zone));
        found.extend(around.map(|around| between(around, zone)));
    }
    found
}

/// Which of the two is taken for the newer one is a choice; only nothing is older than the origin.
fn between(a: Zone, b: Zone) -> Contradiction {
    let is_a_stale =
        a.first == Witness::ORIGIN || (b.first != Witness::ORIGIN && a.last.began > b.last.began);
    let (stale, newer) = if is_a_stale { (a, b) } else { (b, a) };
    Contradiction {
        stale: stale.last,
        newer: newer.first,
    }
}
