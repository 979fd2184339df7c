//! The random decisions of an armed plan.
//!
//! Each coin has a stream of its own that follows from the plan's seed and from the coin's place in the
//! plan: how often one rule fires in so many draws depends neither on the other rules nor on which call
//! came first.

use super::fault::{Fault, Stage};
use super::plan::{FaultPlan, FaultRule};
use crate::metrics::CallLabel;
use fastrand::Rng;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What a fault could be injected into.
#[derive(Clone, Copy, Debug)]
pub(super) enum Occasion {
    /// A call over OAP.
    Oap(CallLabel, u8),
    /// A call over HTTP, which has no frames.
    Http(CallLabel, u8),
    /// A client's HELLO.
    Hello,
}

/// A rule that has decided for a fault.
pub(super) struct Hit {
    pub(super) rule: usize,
    pub(super) fault: Fault,
    /// A random number for the fault's own choices.
    pub(super) salt: u64,
}

/// A plan that is in force.
pub(super) struct Armed {
    pub(super) plan: FaultPlan,
    pub(super) seed: u64,
    since: Instant,
    coins: Vec<Rng>,
    rules: Vec<RuleState>,
}

#[derive(Debug)]
struct RuleState {
    coin: usize,
    /// Which draws of the coin are the rule's: from the first number up to the second.
    share: (f64, f64),
    salts: Rng,
    matched: u64,
    draws: u64,
    /// Decided for, and not given back.
    taken: u64,
}

impl Armed {
    /// `plan` has passed its check.
    pub(super) fn new(plan: FaultPlan, seed: u64, now: Instant) -> Self {
        let mut shared: HashMap<String, (usize, f64)> = HashMap::new();
        let mut coins = Vec::new();
        let mut rules = Vec::new();
        for (index, rule) in plan.rules.iter().enumerate() {
            let mut next_coin = || {
                coins.push(stream(seed, 2 * index as u64));
                coins.len() - 1
            };
            let (coin, from) = match &rule.coin {
                None => (next_coin(), 0.0),
                Some(name) => {
                    let (coin, sum) = shared
                        .entry(name.clone())
                        .or_insert_with(|| (next_coin(), 0.0));
                    let from = *sum;
                    *sum += rule.probability;
                    (*coin, from)
                }
            };
            rules.push(RuleState {
                coin,
                share: (from, from + rule.probability),
                salts: stream(seed, 2 * index as u64 + 1),
                matched: 0,
                draws: 0,
                taken: 0,
            });
        }
        Self {
            plan,
            seed,
            since: now,
            coins,
            rules,
        }
    }

    /// Decides what is injected here, and how many draws that took.
    pub(super) fn draw(&mut self, now: Instant, occasion: Occasion) -> (Vec<Hit>, u64) {
        let (mut hits, mut decisions) = (Vec::new(), 0);
        let mut thrown = vec![None; self.coins.len()];
        for (index, (rule, state)) in self.plan.rules.iter().zip(&mut self.rules).enumerate() {
            if !is_admitted(rule, occasion) || !is_in_time(rule, now.duration_since(self.since)) {
                continue;
            }
            state.matched += 1;
            if rule.every_nth.is_some_and(|n| state.matched % n != 0) {
                continue;
            }
            state.draws += 1;
            let thrown = *thrown[state.coin].get_or_insert_with(|| {
                decisions += 1;
                self.coins[state.coin].f64()
            });
            let (from, to) = state.share;
            if thrown < from || thrown >= to || rule.times.is_some_and(|most| state.taken >= most) {
                continue;
            }
            state.taken += 1;
            hits.push(Hit {
                rule: index,
                fault: rule.fault.clone(),
                salt: state.salts.u64(..),
            });
        }
        (hits, decisions)
    }

    /// A decision that could not be carried out does not count among a rule's `times`.
    pub(super) fn give_back(&mut self, rule: usize) {
        if let Some(state) = self.rules.get_mut(rule) {
            state.taken = state.taken.saturating_sub(1);
        }
    }

    /// For each rule, its draws and how many of them decided for its fault.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.rules.iter().map(|state| (state.draws, state.taken))
    }
}

fn is_admitted(rule: &FaultRule, occasion: Occasion) -> bool {
    let stage = rule.fault.kind().stage();
    match occasion {
        Occasion::Hello => stage == Stage::Hello,
        Occasion::Oap(label, attempt) => stage != Stage::Hello && rule.admits(label, attempt),
        Occasion::Http(label, attempt) => {
            stage != Stage::Hello && stage != Stage::Frame && rule.admits(label, attempt)
        }
    }
}

fn is_in_time(rule: &FaultRule, armed_for: Duration) -> bool {
    rule.for_ms
        .map_or(true, |limit| armed_for < Duration::from_millis(limit))
}

/// A stream of random numbers for one purpose; streams of neighbouring numbers have nothing in common.
fn stream(seed: u64, number: u64) -> Rng {
    let mut mixed = seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Rng::with_seed(mixed ^ (mixed >> 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u64 = 10_000;
    const GET: CallLabel = CallLabel {
        plane: "storage",
        operation: "get",
    };

    fn rule(fault: Fault, probability: f64, coin: Option<&str>) -> FaultRule {
        FaultRule {
            probability,
            coin: coin.map(str::to_owned),
            ..FaultRule::new(fault)
        }
    }

    fn armed(seed: u64, rules: impl IntoIterator<Item = FaultRule>) -> Armed {
        Armed::new(rules.into_iter().collect(), seed, Instant::now())
    }

    /// Which rules were hit in each of so many draws.
    fn hits(armed: &mut Armed, draws: u64) -> Vec<Vec<usize>> {
        let now = Instant::now();
        let mut draw = || armed.draw(now, Occasion::Oap(GET, 1)).0;
        (0..draws)
            .map(|_| draw().into_iter().map(|hit| hit.rule).collect())
            .collect()
    }

    fn assert_within_3_sigma(count: u64, probability: f64) {
        let expected = DRAWS as f64 * probability;
        let sigma = (expected * (1.0 - probability)).sqrt();
        let distance = (count as f64 - expected).abs();
        assert!(
            distance <= 3.0 * sigma,
            "{count}, not {expected} ± 3 × {sigma}"
        );
    }

    #[test]
    fn faults_are_as_frequent_as_asked_for_and_those_of_a_coin_exclude_each_other() {
        for seed in [1, 7, 0xdead_beef] {
            let mut armed = armed(
                seed,
                [
                    rule(Fault::Reset, 0.2, Some("outcome")),
                    rule(Fault::BlackHole, 0.01, Some("outcome")),
                    rule(Fault::DropReply, 0.01, Some("outcome")),
                    rule(Fault::CorruptBody, 0.5, None),
                ],
            );
            let all = hits(&mut armed, DRAWS);
            let count = |rule: usize| all.iter().filter(|hits| hits.contains(&rule)).count() as u64;
            for (rule, probability) in [(0, 0.2), (1, 0.01), (2, 0.01), (3, 0.5)] {
                assert_within_3_sigma(count(rule), probability);
            }
            let outcomes = |hits: &Vec<usize>| hits.iter().filter(|rule| **rule < 3).count();
            assert!(all.iter().all(|hits| outcomes(hits) <= 1));
            assert_within_3_sigma(
                all.iter().filter(|hits| outcomes(hits) == 1).count() as u64,
                0.22,
            );
            // The coins are independent of each other.
            let both = all
                .iter()
                .filter(|hits| hits.contains(&0) && hits.contains(&3));
            assert_within_3_sigma(both.count() as u64, 0.1);
        }
    }

    #[test]
    fn a_seed_decides_everything_and_another_one_differently() {
        let run = |seed| hits(&mut armed(seed, [rule(Fault::Reset, 0.5, None)]), 200);
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn a_rule_decides_the_same_beside_others() {
        let corrupt = || rule(Fault::CorruptBody, 0.5, None);
        let alone = hits(&mut armed(1, [corrupt()]), 200);
        let beside = hits(
            &mut armed(1, [corrupt(), rule(Fault::Reset, 0.5, None)]),
            200,
        );
        let first = |hits: &[Vec<usize>]| -> Vec<bool> {
            hits.iter().map(|hits| hits.contains(&0)).collect()
        };
        assert_eq!(first(&alone), first(&beside));
    }

    #[test]
    fn the_filters_of_a_rule_hold_together() {
        let filtered = FaultRule {
            operation: Some("storage.get".to_owned()),
            attempt: Some(2),
            every_nth: Some(3),
            times: Some(2),
            for_ms: Some(1000),
            ..FaultRule::new(Fault::BlackHole)
        };
        let mut armed = armed(1, [filtered]);
        let start = armed.since;
        let put = CallLabel {
            operation: "put",
            ..GET
        };
        let mut is_hit = |at_ms, occasion| {
            let now = start + Duration::from_millis(at_ms);
            !armed.draw(now, occasion).0.is_empty()
        };
        assert!(!is_hit(0, Occasion::Hello));
        assert!((0..9).all(|_| !is_hit(0, Occasion::Oap(GET, 1))));
        assert!((0..9).all(|_| !is_hit(0, Occasion::Oap(put, 2))));
        assert!((0..9).all(|_| !is_hit(1000, Occasion::Oap(GET, 2))));
        let hits: Vec<bool> = (0..9)
            .map(|_| is_hit(999, Occasion::Http(GET, 2)))
            .collect();
        let expected = [false, false, true, false, false, true, false, false, false];
        assert_eq!(hits, expected);
        armed.give_back(0);
        let mut is_hit = || !armed.draw(start, Occasion::Oap(GET, 2)).0.is_empty();
        assert_eq!([is_hit(), is_hit(), is_hit()], [false, false, true]);
    }

    #[test]
    fn faults_stay_where_they_have_a_meaning() {
        let put = CallLabel {
            operation: "put",
            ..GET
        };
        for (fault, occasion, hits) in [
            (Fault::DuplicateReply, Occasion::Http(GET, 1), 0),
            (Fault::DuplicateReply, Occasion::Oap(GET, 1), 1),
            (Fault::HelloSilence, Occasion::Oap(GET, 1), 0),
            (Fault::HelloSilence, Occasion::Hello, 1),
            (Fault::WrongReceipt, Occasion::Oap(GET, 1), 0),
            (Fault::WrongReceipt, Occasion::Oap(put, 1), 1),
            (Fault::CorruptBody, Occasion::Oap(put, 1), 0),
        ] {
            let mut armed = armed(1, [FaultRule::new(fault.clone())]);
            let (found, decisions) = armed.draw(Instant::now(), occasion);
            assert_eq!((found.len(), decisions), (hits, hits as u64), "{fault:?}");
        }
    }
}
