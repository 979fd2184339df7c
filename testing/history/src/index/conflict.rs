//! Publishes that were refused: whether the key may have had something else than they expected.
//!
//! It certainly had what was expected where other calls prove it before and after, and where nothing was
//! published that can have replaced it. Everything else is taken for right.

use super::calls::{Expected, Publish, PublishAnswer};
use super::register::Register;
use super::report::IndexViolation;
use super::zones::{Witness, Zone};
use crate::call::{Call, CallNumber};
use crate::violations::Violations;
use std::sync::Arc;

/// For a register whose values can be put in an order.
pub(super) fn check(
    register: &Register<'_>,
    publishes: &[&Call<Publish>],
    violations: &mut Violations<IndexViolation>,
) {
    let is_refused =
        |publish: &&&Call<Publish>| matches!(publish.answer(), Some((_, PublishAnswer::Conflict)));
    let mut refused = publishes.iter().filter(is_refused).peekable();
    if refused.peek().is_none() {
        return;
    }
    let values = Values::of(register);
    for publish in refused {
        let cause = if publish.request.expected == Expected::Anything {
            Some(None)
        } else {
            let expected = register.expected(publish);
            expected.and_then(|state| values.had(state, Witness::of_publish(publish)))
        };
        if let Some(cause) = cause {
            violations.add(IndexViolation::FalseConflict {
                key: Arc::clone(register.key),
                publish: publish.number(),
                cause,
            });
        }
    }
}

struct Values {
    /// Of each state that certainly was there.
    zones: Vec<Option<Zone>>,
    /// When each state was made.
    made: Vec<Witness>,
    replacements: Vec<Replacement>,
}

/// A state that may have replaced others, in the order of their zones' first ends.
struct Replacement {
    first_ended: u64,
    /// Of this one and those after it, the two whose publish began first.
    earliest: [(u64, usize); 2],
}

const NONE: (u64, usize) = (u64::MAX, usize::MAX);

impl Values {
    fn of(register: &Register<'_>) -> Self {
        let zone = |number: usize| {
            let state = &register.states[number];
            let successor = state.successor.map(|next| register.states[next].made());
            let mut zone = state.zone();
            // What replaced it has seen it, too.
            if let Some(successor) = successor {
                zone.add(successor);
            }
            state.was_there.then_some(zone)
        };
        let zones: Vec<Option<Zone>> = (0..register.states.len()).map(zone).collect();
        let made: Vec<Witness> = register.states.iter().map(|state| state.made()).collect();
        let replacement = |number: usize| Replacement {
            first_ended: zones[number].map_or(u64::MAX, |zone| zone.first.ended),
            earliest: [(made[number].began, number), NONE],
        };
        let mut replacements: Vec<Replacement> = (1..made.len()).map(replacement).collect();
        replacements.sort_unstable_by_key(|one| one.first_ended);
        let mut later = [NONE; 2];
        for one in replacements.iter_mut().rev() {
            let mut earliest = [one.earliest[0], later[0], later[1]];
            earliest.sort_unstable();
            later = [earliest[0], earliest[1]];
            one.earliest = later;
        }
        Self {
            zones,
            made,
            replacements,
        }
    }

    /// Whether the key certainly had this state during all of the call; if so, a call that shows it.
    fn had(&self, state: usize, call: Witness) -> Option<Option<CallNumber>> {
        let zone = self.zones[state]?;
        if call.began <= zone.first.ended {
            return None;
        }
        if call.ended < zone.last.began {
            return Some(zone.last.call);
        }
        // What was seen by a call that ended before this state's publish began came earlier.
        let made = self.made[state].began;
        let from = self
            .replacements
            .partition_point(|one| one.first_ended < made);
        let earliest = self
            .replacements
            .get(from)
            .map_or([NONE; 2], |one| one.earliest);
        let mut others = earliest.iter().filter(|(_, number)| *number != state);
        let may_be_replaced = others.any(|(began, _)| *began < call.ended);
        (!may_be_replaced).then_some(zone.first.call)
    }
}
