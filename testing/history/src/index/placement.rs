//! Puts the values of a key one after the other, as far as their calls allow it.
//!
//! Within a chain the order is given, and no call may contradict it. Chains can be put in any order that
//! their zones allow: nothing comes between the values of one, so that a chain counts as one value.

use super::register::{Register, State};
use super::report::IndexViolation;
use super::zones::{contradictions, Contradiction, Witness, Zone};
use crate::call::CallNumber;
use crate::violations::Violations;
use std::sync::Arc;

/// Returns whether there is such an order.
pub(super) fn check(register: &Register<'_>, violations: &mut Violations<IndexViolation>) -> bool {
    let mut placement = Placement {
        register,
        placed: vec![false; register.states.len()],
        is_right: true,
        reported: None,
        violations,
    };
    let is_head = |state: &State<'_>| {
        let expects = state.publish.and_then(|publish| register.expected(publish));
        state.was_there && expects.is_none()
    };
    let states = register.states.iter().enumerate();
    let heads = states.filter(|(_, state)| is_head(state));
    let chains: Vec<Zone> = heads.map(|(head, _)| placement.place_chain(head)).collect();
    placement.check_circles();
    // A contradiction within a chain makes its zone meaningless.
    if placement.is_right {
        for Contradiction { stale, newer } in contradictions(&chains) {
            placement.report(stale, newer, None);
        }
    }
    placement.is_right
}

struct Placement<'r, 'h, 'v> {
    register: &'r Register<'h>,
    placed: Vec<bool>,
    is_right: bool,
    /// The call that was last reported: one that is stale may contradict many.
    reported: Option<CallNumber>,
    violations: &'v mut Violations<IndexViolation>,
}

impl Placement<'_, '_, '_> {
    fn place_chain(&mut self, head: usize) -> Zone {
        let register = self.register;
        let mut chain = Zone::of(register.states[head].made());
        let mut next = Some(head);
        while let Some(number) = next {
            self.placed[number] = true;
            let state = &register.states[number];
            let made = state.made();
            self.check_order(made, chain.last, None);
            chain.add(made);
            // Nothing has seen a value before it was there.
            let latest = chain.last;
            for read in &state.reads {
                let read = Witness::of_read(read);
                self.check_order(read, latest, made.call);
                chain.add(read);
            }
            next = state.successor;
        }
        chain
    }

    /// `earlier`: of all that must come before the witness, the one that began last.
    fn check_order(&mut self, witness: Witness, earlier: Witness, made_by: Option<CallNumber>) {
        if witness.ended < earlier.began {
            self.report(earlier, witness, made_by);
        }
    }

    /// What was there and is in no chain that begins somewhere expects, in the end, itself.
    fn check_circles(&mut self) {
        let register = self.register;
        for (number, state) in register.states.iter().enumerate() {
            if self.placed[number] || !state.was_there {
                continue;
            }
            let publish = state.publish;
            let replaced = publish.and_then(|publish| register.expected(publish));
            let replaced = replaced.and_then(|replaced| register.states[replaced].publish);
            let Some((publish, replaced)) = publish.zip(replaced) else {
                continue;
            };
            // In a circle, at least one began before what it has replaced.
            if publish.invoked <= replaced.invoked {
                self.is_right = false;
                self.violations.add(IndexViolation::FromTheFuture {
                    key: Arc::clone(register.key),
                    call: publish.number(),
                    publish: replaced.number(),
                });
            }
        }
    }

    /// `newer` had ended when `stale` began, and comes after it. `made_by`: what `newer` has seen was made
    /// by this call.
    fn report(&mut self, stale: Witness, newer: Witness, made_by: Option<CallNumber>) {
        self.is_right = false;
        // The origin contradicts nothing.
        let (Some(call), Some(other)) = (stale.call, newer.call) else {
            return;
        };
        if self.reported.replace(call) == Some(call) {
            return;
        }
        let key = Arc::clone(self.register.key);
        self.violations.add(if made_by == Some(call) {
            IndexViolation::FromTheFuture {
                key,
                call: other,
                publish: call,
            }
        } else if stale.is_publish {
            IndexViolation::StaleReplacement {
                key,
                publish: call,
                newer: other,
            }
        } else {
            IndexViolation::StaleRead {
                key,
                read: call,
                newer: other,
            }
        });
    }
}
