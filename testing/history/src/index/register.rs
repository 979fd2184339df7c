//! `Register`: one key, the values that it had, and which publish replaced which.
//!
//! A value is published once. It lasts from its publish to the next one, and everything that reads it lies
//! between. A publish that expected a value follows that value's own publish directly; such publishes make
//! a chain, whose values nothing else comes between.

use super::calls::{Expected, Publish, PublishAnswer, Resolve};
use super::report::IndexViolation;
use super::zones::{Witness, Zone};
use super::ValueNotUnique;
use crate::call::{Call, CallNumber};
use crate::fingerprint::Fingerprint;
use crate::violations::Violations;
use std::collections::HashMap;
use std::sync::Arc;

/// The state that every key has at first.
pub(super) const ABSENT: usize = 0;

/// The states of one key.
pub(super) struct Register<'h> {
    pub(super) key: &'h Arc<str>,
    pub(super) states: Vec<State<'h>>,
    by_value: HashMap<Fingerprint, usize>,
}

/// A value, or its absence.
pub(super) struct State<'h> {
    /// What made it; `None` for the absence.
    pub(super) publish: Option<&'h Call<Publish>>,
    pub(super) reads: Vec<&'h Call<Resolve>>,
    /// The state that replaced it, by a publish that expected it.
    pub(super) successor: Option<usize>,
    /// Whether it certainly was there.
    pub(super) was_there: bool,
}

impl<'h> Register<'h> {
    /// A register with every value that may have been published.
    pub(super) fn new(
        key: &'h Arc<str>,
        publishes: &[&'h Call<Publish>],
    ) -> Result<Self, ValueNotUnique> {
        let mut register = Self {
            key,
            states: vec![State::new(None)],
            by_value: HashMap::new(),
        };
        for publish in publishes.iter().copied() {
            let is_published = match publish.answer() {
                Some((_, answer)) => *answer == PublishAnswer::Published,
                None => publish.is_unknown(),
            };
            if !is_published {
                continue;
            }
            let number = register.states.len();
            register.states.push(State::new(Some(publish)));
            let first = register.by_value.insert(publish.request.value, number);
            if let Some(first) = first.and_then(|first| register.states[first].publish) {
                return Err(ValueNotUnique {
                    key: Arc::clone(key),
                    first: first.number(),
                    second: publish.number(),
                });
            }
        }
        Ok(register)
    }

    /// The state that a publish expected; `None` where it expected nothing, or what was never published.
    pub(super) fn expected(&self, publish: &Call<Publish>) -> Option<usize> {
        match publish.request.expected {
            Expected::Anything => None,
            Expected::Absent => Some(ABSENT),
            Expected::Value(value) => self.by_value.get(&value).copied(),
        }
    }

    /// Takes what was read. Returns whether all of it was published.
    pub(super) fn read(
        &mut self,
        resolves: &[&'h Call<Resolve>],
        violations: &mut Violations<IndexViolation>,
    ) -> bool {
        let mut is_known = true;
        for read in resolves.iter().copied() {
            let Some((_, value)) = read.answer() else {
                continue;
            };
            let known = value.map_or(Some(ABSENT), |value| self.by_value.get(&value).copied());
            let Some(number) = known else {
                is_known = false;
                violations.add(self.invented(read.number()));
                continue;
            };
            let state = &mut self.states[number];
            state.was_there = true;
            state.reads.push(read);
        }
        is_known
    }

    /// Finds out what replaced what. Returns whether nothing was replaced twice, and nothing that nobody
    /// published.
    pub(super) fn follow(&mut self, violations: &mut Violations<IndexViolation>) -> bool {
        let mut is_right = true;
        let mut seen: Vec<usize> = (1..self.states.len())
            .filter(|state| self.states[*state].was_there)
            .collect();
        while let Some(number) = seen.pop() {
            let publish = self.states[number].publish;
            let expecting = publish.filter(|call| call.request.expected != Expected::Anything);
            let Some(publish) = expecting else {
                continue;
            };
            let Some(replaced) = self.expected(publish) else {
                is_right = false;
                violations.add(self.invented(publish.number()));
                continue;
            };
            let state = &mut self.states[replaced];
            // What was replaced was there.
            if !std::mem::replace(&mut state.was_there, true) {
                seen.push(replaced);
            }
            if let Some(other) = state.successor.replace(number) {
                is_right = false;
                let mut calls = [other, number].map(|state| self.publish_number(state));
                calls.sort_unstable();
                violations.add(IndexViolation::LostUpdate {
                    key: Arc::clone(self.key),
                    first: calls[0],
                    second: calls[1],
                });
            }
        }
        is_right
    }

    /// How many publishes of unknown outcome have taken effect.
    pub(super) fn recovered(&self) -> u64 {
        let is_recovered = |state: &&State<'_>| {
            state.was_there && state.publish.is_some_and(|publish| publish.is_unknown())
        };
        self.states.iter().filter(is_recovered).count() as u64
    }

    fn publish_number(&self, state: usize) -> CallNumber {
        let publish = self.states[state].publish;
        publish.map_or(CallNumber(0), |publish| publish.number())
    }

    fn invented(&self, call: CallNumber) -> IndexViolation {
        let key = Arc::clone(self.key);
        IndexViolation::Invented { key, call }
    }
}

impl<'h> State<'h> {
    fn new(publish: Option<&'h Call<Publish>>) -> Self {
        Self {
            publish,
            reads: Vec::new(),
            successor: None,
            was_there: publish.map_or(true, |publish| publish.answer().is_some()),
        }
    }

    /// What made it.
    pub(super) fn made(&self) -> Witness {
        self.publish.map_or(Witness::ORIGIN, Witness::of_publish)
    }

    /// All that has seen it, without what replaced it.
    pub(super) fn zone(&self) -> Zone {
        let mut zone = Zone::of(self.made());
        for read in &self.reads {
            zone.add(Witness::of_read(read));
        }
        zone
    }
}
