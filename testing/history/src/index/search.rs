//! Small histories at random, against a search through all orders of their calls.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{Fingerprint, Moment, Outcome};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::HashSet;
use Expected::{Absent, Anything};
use PublishAnswer::{Conflict, Published};

/// A call of a random history. Values are numbers, 0 is none.
#[derive(Clone, Debug)]
struct Random {
    is_publish: bool,
    /// What was read, or expected.
    seen: u8,
    is_blind: bool,
    /// Of ten: 0 and 1 are unknown, 2 is a refusal.
    outcome: u8,
    began: u8,
    lasted: u8,
    /// When it takes effect, after its beginning.
    effect: u8,
    /// Whether it sees `seen`, and not what is there.
    is_wrong: bool,
}

const CALLS: usize = 8;

fn random_calls() -> impl Strategy<Value = Vec<Random>> {
    let seen = (any::<bool>(), 0..4u8, 0..3u8, 0..10u8);
    let time = (0..40u8, 1..16u8, 0..15u8, 0..8u8);
    let call = (seen, time).prop_map(|(seen, time)| Random {
        is_publish: seen.0,
        seen: seen.1,
        is_blind: seen.2 == 0,
        outcome: seen.3,
        began: time.0,
        lasted: time.1,
        effect: time.2 % time.1,
        is_wrong: time.3 == 0,
    });
    proptest::collection::vec(call, 1..=CALLS)
}

/// The calls on a real register, except where they are wrong.
fn history(calls: &[Random]) -> History {
    // Their times, made different from each other.
    let mut times: Vec<(u8, usize, bool)> = calls
        .iter()
        .enumerate()
        .flat_map(|(index, call)| {
            let ended = call.began + call.lasted;
            [(call.began, index, false), (ended, index, true)]
        })
        .collect();
    times.sort_unstable();
    let at = |index: usize, is_end: bool| {
        let place = times
            .iter()
            .position(|time| (time.1, time.2) == (index, is_end));
        let place = place.unwrap() as u64;
        Moment::from((place, place))
    };
    let fingerprint = |number: u8| Fingerprint::of([number]);
    let some = |number: u8| (number > 0).then(|| fingerprint(number));
    // The value of each publish is its place among the calls, plus one.
    let mut order: Vec<u8> = (0..calls.len() as u8).collect();
    let call = |index: u8| &calls[usize::from(index)];
    order.sort_by_key(|index| (call(*index).began + call(*index).effect, *index));
    let mut history = History::default();
    let mut current = 0;
    for index in order {
        let call = call(index);
        let (invoked, ended) = (at(index.into(), false), at(index.into(), true));
        let seen = if call.is_wrong { call.seen } else { current };
        if !call.is_publish {
            history.resolves.push(Call {
                invoked,
                request: Resolve { key: "key".into() },
                outcome: Outcome::Ok {
                    ended,
                    reply: some(seen),
                },
            });
            continue;
        }
        let value = index + 1;
        let is_refused = call.outcome == 2 && call.seen != current && !call.is_blind;
        let outcome = match (is_refused, call.outcome) {
            (true, _) => Outcome::Ok {
                ended,
                reply: Conflict,
            },
            (false, 0 | 1) => Outcome::Unknown { ended: Some(ended) },
            (false, _) => Outcome::Ok {
                ended,
                reply: Published,
            },
        };
        let expected = match some(if is_refused { call.seen } else { seen }) {
            _ if call.is_blind => Anything,
            None => Absent,
            Some(value) => Expected::Value(value),
        };
        if !is_refused && call.outcome != 0 {
            current = value;
        }
        history.publishes.push(Call {
            invoked,
            request: Publish {
                key: "key".into(),
                value: fingerprint(value),
                expected,
            },
            outcome,
        });
    }
    history.publishes.sort_by_key(|call| call.invoked);
    history.resolves.sort_by_key(|call| call.invoked);
    history
}

/// What a call does to the key, and when it can.
struct Step {
    invoked: u64,
    /// `None` where it need not happen.
    ended: Option<u64>,
    effect: Effect,
}

#[derive(Clone, Copy)]
enum Effect {
    Read(Option<Fingerprint>),
    Publish(Expected, Fingerprint),
    Refuse(Expected),
}

impl Effect {
    /// What the key has afterwards; `None` where the call cannot come now.
    fn apply(self, current: Option<Fingerprint>) -> Option<Option<Fingerprint>> {
        let has = |expected| match expected {
            Anything => true,
            Absent => current.is_none(),
            Expected::Value(value) => current == Some(value),
        };
        match self {
            Self::Read(value) => (value == current).then_some(current),
            Self::Publish(expected, value) => has(expected).then_some(Some(value)),
            Self::Refuse(expected) => (!has(expected)).then_some(current),
        }
    }
}

/// Tries all orders.
fn is_linearizable(history: &History) -> bool {
    let mut steps = Vec::new();
    for call in &history.publishes {
        let Publish {
            expected, value, ..
        } = call.request;
        let publish = Effect::Publish(expected, value);
        let (ended, effect) = match call.answer() {
            None => (None, publish),
            Some((ended, Published)) => (Some(ended.sequence), publish),
            Some((ended, Conflict)) => (Some(ended.sequence), Effect::Refuse(expected)),
        };
        let invoked = call.invoked.sequence;
        steps.push(Step {
            invoked,
            ended,
            effect,
        });
    }
    for call in &history.resolves {
        let (ended, value) = call.answer().unwrap();
        steps.push(Step {
            invoked: call.invoked.sequence,
            ended: Some(ended.sequence),
            effect: Effect::Read(*value),
        });
    }
    let must: u32 = (0..steps.len())
        .filter(|index| steps[*index].ended.is_some())
        .map(|index| 1 << index)
        .sum();
    let mut open = vec![(0u32, None)];
    let mut seen = HashSet::new();
    while let Some((done, current)) = open.pop() {
        if done & must == must {
            return true;
        }
        if !seen.insert((done, current)) {
            continue;
        }
        let is_open = |index: &usize| done & (1 << *index) == 0;
        let earliest_end = (0..steps.len())
            .filter(is_open)
            .filter_map(|index| steps[index].ended)
            .min();
        for index in (0..steps.len()).filter(is_open) {
            let may_come = earliest_end.map_or(true, |ended| steps[index].invoked < ended);
            if let Some(next) = steps[index].effect.apply(current).filter(|_| may_come) {
                open.push((done | 1 << index, next));
            }
        }
    }
    false
}

fn has_conflict(history: &History) -> bool {
    let is_conflict = |call: &Call<Publish>| matches!(call.answer(), Some((_, Conflict)));
    history.publishes.iter().any(is_conflict)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50_000))]

    #[test]
    fn the_checker_agrees_with_a_search_through_all_orders(calls in random_calls()) {
        let history = history(&calls);
        let report = check(&history).unwrap();
        let is_right = is_linearizable(&history);
        if has_conflict(&history) {
            prop_assert!(!is_right || report.violations.is_empty(), "{}", report);
        } else {
            prop_assert_eq!(is_right, report.violations.is_empty(), "{}", report);
        }
    }
}

#[test]
fn the_random_histories_are_of_all_kinds() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = random_calls();
    // By whether they have a conflict, are right, and are found to be.
    let mut kinds = std::collections::BTreeMap::new();
    for _ in 0..4_000 {
        let calls = strategy.new_tree(&mut runner).unwrap().current();
        let history = history(&calls);
        let is_found = !check(&history).unwrap().violations.is_empty();
        let kind = (has_conflict(&history), is_linearizable(&history), is_found);
        *kinds.entry(kind).or_insert(0) += 1;
    }
    let count = |kind| kinds.get(&kind).copied().unwrap_or(0);
    assert!(count((false, true, false)) > 400, "{kinds:?}");
    assert!(count((false, false, true)) > 400, "{kinds:?}");
    assert!(count((true, true, false)) > 100, "{kinds:?}");
    assert!(count((true, false, true)) > 100, "{kinds:?}");
    // What the rule for conflicts does not find.
    let missed = count((true, false, false));
    assert!(missed * 20 < count((true, false, true)), "{kinds:?}");
}
