//! `Violations`: what a checker has found, bounded however much that is.

use std::collections::BTreeMap;
use std::fmt;

/// Something that must not happen, and did.
pub trait Violation: fmt::Display {
    /// What it violates.
    type Rule: Copy + Ord + fmt::Display;

    /// What it violates.
    fn rule(&self) -> Self::Rule;
}

/// All violations by number, and the first of each rule in detail.
#[derive(Clone, Debug)]
pub struct Violations<V: Violation> {
    found: BTreeMap<V::Rule, u64>,
    details: Vec<V>,
    details_per_rule: u64,
}

impl<V: Violation> Violations<V> {
    pub(crate) fn new(details_per_rule: usize) -> Self {
        Self {
            found: BTreeMap::new(),
            details: Vec::new(),
            details_per_rule: details_per_rule as u64,
        }
    }

    pub(crate) fn add(&mut self, violation: impl Into<V>) {
        let violation = violation.into();
        let found = self.found.entry(violation.rule()).or_default();
        *found += 1;
        if *found <= self.details_per_rule {
            self.details.push(violation);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many there are of this rule.
    pub fn count(&self, rule: V::Rule) -> u64 {
        self.found.get(&rule).copied().unwrap_or_default()
    }

    /// The rules that are violated.
    pub fn rules(&self) -> impl Iterator<Item = V::Rule> + '_ {
        self.found.keys().copied()
    }

    /// The first violations of each rule.
    pub fn details(&self) -> &[V] {
        &self.details
    }
}

/// A line per rule, and one for each detail below it.
impl<V: Violation> fmt::Display for Violations<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, count) in &self.found {
            writeln!(f, "{rule}: {count} violations")?;
            for violation in self.details.iter().filter(|one| one.rule() == *rule) {
                writeln!(f, "  {violation}")?;
            }
        }
        Ok(())
    }
}
