//! Names and what they stand for: no I/O, and no clock.

use super::limits::IndexLimits;
use crate::defect::{Defect, STALE_FOR};
use ron_app_sdk::{AddrB3, Expected, IndexKey};
use std::collections::HashMap;
use std::time::Instant;

/// A name is its tenant's.
pub(super) type Name = (u128, IndexKey);

/// All names.
pub(super) struct Names {
    limits: IndexLimits,
    defect: Option<Defect>,
    names: HashMap<Name, Published>,
}

struct Published {
    address: AddrB3,
    /// With [`Defect::StaleRead`], what is returned instead, and until when.
    stale: Option<(Instant, AddrB3)>,
}

/// Why a name does not come to stand for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It stands for something else than was expected.
    Unexpected,
    /// There is no room for another one.
    Full,
}

impl Names {
    pub(super) fn new(limits: IndexLimits, defect: Option<Defect>) -> Self {
        Self {
            limits,
            defect,
            names: HashMap::new(),
        }
    }

    pub(super) fn resolve(&self, now: Instant, name: &Name) -> Option<AddrB3> {
        let published = self.names.get(name)?;
        match published.stale {
            Some((until, before)) if now < until => Some(before),
            _ => Some(published.address),
        }
    }

    pub(super) fn publish(
        &mut self,
        now: Instant,
        name: Name,
        address: AddrB3,
        expected: Option<Expected>,
    ) -> Result<(), Refusal> {
        let before = self.names.get(&name).map(|published| published.address);
        let is_expected = match expected {
            None => true,
            Some(Expected::Absent) => before.is_none(),
            Some(Expected::Address(expected)) => before == Some(expected),
        };
        if !is_expected {
            return Err(Refusal::Unexpected);
        }
        if before.is_none() && self.names.len() >= self.limits.max_names {
            return Err(Refusal::Full);
        }
        let is_stale = self.defect == Some(Defect::StaleRead) && expected.is_some();
        let stale = before.filter(|_| is_stale);
        let stale = stale.map(|before| (now + STALE_FOR, before));
        self.names.insert(name, Published { address, stale });
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn name(tenant_id: u128, key: &str) -> Name {
        (tenant_id, IndexKey::new(key).unwrap())
    }

    fn names(defect: Option<Defect>) -> Names {
        Names::new(IndexLimits { max_names: 2 }, defect)
    }

    #[test]
    fn a_name_stands_for_what_was_published_last() {
        let (mut names, now) = (names(None), Instant::now());
        let (one, two) = (AddrB3::of(b"1"), AddrB3::of(b"2"));
        assert_eq!(names.resolve(now, &name(1, "a")), None);
        names.publish(now, name(1, "a"), one, None).unwrap();
        names.publish(now, name(1, "a"), two, None).unwrap();
        assert_eq!(names.resolve(now, &name(1, "a")), Some(two));
        assert_eq!(names.resolve(now, &name(2, "a")), None);
    }

    #[test]
    fn what_is_expected_is_compared_and_a_refusal_changes_nothing() {
        let (mut names, now) = (names(None), Instant::now());
        let (one, two) = (AddrB3::of(b"1"), AddrB3::of(b"2"));
        let mut publish = |address, expected| {
            let result = names.publish(now, name(1, "a"), address, Some(expected));
            (result, names.resolve(now, &name(1, "a")))
        };
        let refused = Err(Refusal::Unexpected);
        assert_eq!(publish(one, one.into()), (refused, None));
        assert_eq!(publish(one, Expected::Absent), (Ok(()), Some(one)));
        assert_eq!(publish(two, Expected::Absent), (refused, Some(one)));
        assert_eq!(publish(two, two.into()), (refused, Some(one)));
        assert_eq!(publish(two, one.into()), (Ok(()), Some(two)));
    }

    #[test]
    fn names_are_bounded_and_those_that_are_there_can_change() {
        let (mut names, now, one) = (names(None), Instant::now(), AddrB3::of(b"1"));
        names.publish(now, name(1, "a"), one, None).unwrap();
        names.publish(now, name(2, "a"), one, None).unwrap();
        let more = names.publish(now, name(1, "b"), one, None);
        assert_eq!(more, Err(Refusal::Full));
        let two = AddrB3::of(b"2");
        names.publish(now, name(2, "a"), two, None).unwrap();
        assert_eq!(names.resolve(now, &name(2, "a")), Some(two));
    }

    #[test]
    fn the_defect_reads_what_was_there_before_for_a_while() {
        let (mut names, now) = (names(Some(Defect::StaleRead)), Instant::now());
        let (one, two) = (AddrB3::of(b"1"), AddrB3::of(b"2"));
        let name = name(1, "a");
        names
            .publish(now, name.clone(), one, Some(Expected::Absent))
            .unwrap();
        assert_eq!(names.resolve(now, &name), Some(one));
        names
            .publish(now, name.clone(), two, Some(one.into()))
            .unwrap();
        assert_eq!(names.resolve(now, &name), Some(one));
        assert_eq!(names.resolve(now + STALE_FOR, &name), Some(two));
    }
}
