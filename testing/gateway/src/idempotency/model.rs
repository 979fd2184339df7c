//! Everything that can become of one key: a search through all that the network, two clients and a
//! gateway can do, and a random one through longer histories of many keys.

#![allow(clippy::unwrap_used)]

use super::config::{Deduplication, IdempotencyLimits};
use super::records::tests::{fingerprint, key};
use super::records::{Begin, Known, Records};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Each client asks at most so often.
const ATTEMPTS: u8 = 3;
/// The network repeats at most so many messages.
const DUPLICATES: u8 = 2;

/// Which client, 0 or 1.
type Client = u8;
/// Which effect a reply tells of, from 1.
type EffectNumber = u8;

/// All that there is beside the records. Lists are sorted: in which order the network holds what it may
/// deliver in any order makes no difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Scene {
    sent: [u8; 2],
    answered: [Option<EffectNumber>; 2],
    requests: Vec<Client>,
    running: Vec<Client>,
    /// Executed, and not yet handed to the connection.
    unreplied: Vec<(Client, EffectNumber)>,
    replies: Vec<(Client, EffectNumber)>,
    duplicates: u8,
    effects: EffectNumber,
}

impl Scene {
    fn sort(&mut self) {
        self.requests.sort_unstable();
        self.running.sort_unstable();
        self.unreplied.sort_unstable();
        self.replies.sort_unstable();
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send(Client),
    DropRequest(usize),
    RepeatRequest(usize),
    Arrive(usize),
    /// The caller is gone before the execution has begun.
    GiveUp(usize),
    Commit(usize),
    /// The execution breaks off before its effect, or after it and before the record.
    BreakBeforeEffect(usize),
    BreakAfterEffect(usize),
    HandOutReply(usize),
    /// The connection is gone, or the gateway's task with it, when the reply is to be handed out.
    LoseUnreplied(usize),
    DropReply(usize),
    RepeatReply(usize),
    Receive(usize),
}

#[derive(Clone)]
struct World {
    records: Records<EffectNumber>,
    scene: Scene,
}

impl World {
    fn new(deduplication: Deduplication) -> Self {
        Self {
            records: Records::new(IdempotencyLimits::default(), deduplication),
            scene: Scene::default(),
        }
    }

    fn steps(&self) -> Vec<Step> {
        let scene = &self.scene;
        let mut steps = Vec::new();
        for client in [0, 1] {
            let at = usize::from(client);
            if scene.sent[at] < ATTEMPTS && scene.answered[at].is_none() {
                steps.push(Step::Send(client));
            }
        }
        let may_repeat = scene.duplicates < DUPLICATES;
        for at in 0..scene.requests.len() {
            steps.extend([Step::DropRequest(at), Step::Arrive(at)]);
            steps.extend(may_repeat.then_some(Step::RepeatRequest(at)));
        }
        for at in 0..scene.running.len() {
            steps.extend([Step::GiveUp(at), Step::Commit(at)]);
            steps.extend([Step::BreakBeforeEffect(at), Step::BreakAfterEffect(at)]);
        }
        for at in 0..scene.unreplied.len() {
            steps.extend([Step::HandOutReply(at), Step::LoseUnreplied(at)]);
        }
        for at in 0..scene.replies.len() {
            steps.extend([Step::DropReply(at), Step::Receive(at)]);
            steps.extend(may_repeat.then_some(Step::RepeatReply(at)));
        }
        steps
    }

    fn after(&self, step: Step, now: Instant) -> Self {
        let mut world = self.clone();
        let World { records, scene } = &mut world;
        let key = key("a", "k");
        match step {
            Step::Send(client) => {
                scene.sent[usize::from(client)] += 1;
                scene.requests.push(client);
            }
            Step::DropRequest(at) => drop(scene.requests.remove(at)),
            Step::RepeatRequest(at) => {
                scene.duplicates += 1;
                scene.requests.push(scene.requests[at]);
            }
            Step::Arrive(at) => {
                let client = scene.requests.remove(at);
                match records.begin(&key, fingerprint("x"), now) {
                    Begin::Run => scene.running.push(client),
                    Begin::Replay(effect) => scene.replies.push((client, effect)),
                    // Refused: the client may ask again, as it may at any time.
                    Begin::Wait(_) | Begin::InDoubt => {}
                    other => panic!("{other:?}"),
                }
            }
            Step::GiveUp(at) => {
                scene.running.remove(at);
                records.release(&key);
            }
            Step::Commit(at) => {
                let client = scene.running.remove(at);
                scene.effects += 1;
                match records.committed(&key, scene.effects, now) {
                    None => scene.replies.push((client, scene.effects)),
                    Some(effect) => scene.unreplied.push((client, effect)),
                }
            }
            Step::BreakBeforeEffect(at) | Step::BreakAfterEffect(at) => {
                scene.running.remove(at);
                scene.effects += u8::from(matches!(step, Step::BreakAfterEffect(_)));
                records.abandon(&key, now);
            }
            Step::HandOutReply(at) => {
                let reply = scene.unreplied.remove(at);
                records.record(&key, reply.1, now);
                scene.replies.push(reply);
            }
            Step::LoseUnreplied(at) => {
                scene.unreplied.remove(at);
                records.release(&key);
            }
            Step::DropReply(at) => drop(scene.replies.remove(at)),
            Step::RepeatReply(at) => {
                scene.duplicates += 1;
                scene.replies.push(scene.replies[at]);
            }
            Step::Receive(at) => {
                let (client, effect) = scene.replies.remove(at);
                scene.answered[usize::from(client)].get_or_insert(effect);
            }
        }
        scene.sort();
        world
    }

    /// What is wrong with it.
    fn fault(&self) -> Option<&'static str> {
        let scene = &self.scene;
        if scene.effects > 1 {
            return Some("more than one effect");
        }
        let mut told = scene.answered.iter().flatten();
        if told.any(|effect| *effect > scene.effects) {
            return Some("a reply without an effect");
        }
        None
    }

    fn identity(&self) -> (Option<Known<EffectNumber>>, Scene) {
        (self.records.known(&key("a", "k")), self.scene.clone())
    }
}

/// Goes through everything that can happen, the shortest histories first, up to the first fault. Returns
/// how many different situations it saw.
fn search(deduplication: Deduplication) -> Result<usize, (&'static str, Vec<Step>)> {
    let now = Instant::now();
    let first = World::new(deduplication);
    let mut seen = HashSet::from([first.identity()]);
    // Where each world came from, for the history of a fault.
    let mut origins: Vec<(usize, Option<Step>)> = vec![(0, None)];
    let mut open = VecDeque::from([(0, first)]);
    while let Some((index, world)) = open.pop_front() {
        if let Some(fault) = world.fault() {
            let mut history = Vec::new();
            let mut at = index;
            while let (origin, Some(step)) = origins[at] {
                history.insert(0, step);
                at = origin;
            }
            return Err((fault, history));
        }
        for step in world.steps() {
            let next = world.after(step, now);
            if seen.insert(next.identity()) {
                origins.push((index, Some(step)));
                open.push_back((origins.len() - 1, next));
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn whatever_happens_there_is_at_most_one_effect() {
    let seen = search(Deduplication::Atomic).unwrap_or_else(|fault| panic!("{fault:?}"));
    assert!(seen > 5_000, "{seen}");
}

#[test]
fn the_search_finds_two_effects_where_keys_are_ignored() {
    let (fault, history) = search(Deduplication::Off).map(drop).unwrap_err();
    assert_eq!(fault, "more than one effect");
    // Two requests, each of which arrives and is executed.
    assert_eq!(history.len(), 6, "{history:?}");
}

#[test]
fn the_search_finds_two_effects_where_the_record_comes_after_the_reply() {
    let result = search(Deduplication::RecordAfterReply);
    let (fault, history) = result.map(drop).unwrap_err();
    assert_eq!(fault, "more than one effect");
    let is_loss = |step: &Step| matches!(step, Step::LoseUnreplied(_));
    assert!(history.iter().any(is_loss), "{history:?}");
}

/// A step of a random history; numbers select among what there is.
#[derive(Clone, Copy, Debug)]
enum Random {
    Begin { key: u8, payload: u8 },
    Finish(u8),
    Release(u8),
    Break { running: u8, has_effect: bool },
    Wait { minutes: u16 },
}

fn random() -> impl Strategy<Value = Random> {
    prop_oneof![
        4 => (0..4u8, 0..2u8).prop_map(|(key, payload)| Random::Begin { key, payload }),
        3 => any::<u8>().prop_map(Random::Finish),
        2 => any::<u8>().prop_map(Random::Release),
        1 => (any::<u8>(), any::<bool>())
            .prop_map(|(running, has_effect)| Random::Break { running, has_effect }),
        1 => (0..3000u16).prop_map(|minutes| Random::Wait { minutes }),
    ]
}

proptest! {
    #[test]
    fn no_history_has_two_effects_of_a_key_within_a_window(
        history in proptest::collection::vec(random(), 0..200),
    ) {
        let limits = IdempotencyLimits::default();
        let mut records = Records::new(limits, Deduplication::Atomic);
        let mut now = Instant::now();
        let mut running: Vec<u8> = Vec::new();
        // When each key had its last effect.
        let mut effects: HashMap<u8, Instant> = HashMap::new();
        let mut take_effect = |key: u8, now: Instant| {
            let before = effects.insert(key, now);
            before.map_or(true, |before| before + limits.window <= now)
        };
        for (number, step) in history.into_iter().enumerate() {
            let pick = |at: u8, running: &mut Vec<u8>| {
                (!running.is_empty()).then(|| running.swap_remove(usize::from(at) % running.len()))
            };
            match step {
                Random::Begin { key: index, payload } => {
                    let key = key("a", &index.to_string());
                    match records.begin(&key, fingerprint(&payload.to_string()), now) {
                        Begin::Run => {
                            prop_assert!(!running.contains(&index), "executed twice at once");
                            running.push(index);
                        }
                        Begin::Wait(_) => prop_assert!(running.contains(&index)),
                        _ => {}
                    }
                }
                Random::Finish(at) => {
                    if let Some(index) = pick(at, &mut running) {
                        prop_assert!(take_effect(index, now));
                        let key = key("a", &index.to_string());
                        prop_assert_eq!(records.committed(&key, number, now), None);
                        prop_assert_eq!(records.known(&key), Some(Known::Done(number)));
                    }
                }
                Random::Release(at) => {
                    if let Some(index) = pick(at, &mut running) {
                        records.release(&key("a", &index.to_string()));
                    }
                }
                Random::Break { running: at, has_effect } => {
                    if let Some(index) = pick(at, &mut running) {
                        prop_assert!(!has_effect || take_effect(index, now));
                        records.abandon(&key("a", &index.to_string()), now);
                    }
                }
                Random::Wait { minutes } => now += Duration::from_secs(60 * u64::from(minutes)),
            }
        }
    }
}
