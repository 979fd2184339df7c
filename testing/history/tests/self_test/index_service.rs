//! `Index`: an index in memory that keeps its promises, unless it is told which one to break; and its
//! callers.

use crate::simulation::{Answers, CallId, Callers, End, Next, Service, MILLISECOND};
use fastrand::Rng;
use ron_history::index::{Expected, Publish, PublishAnswer, Resolve};
use ron_history::{Fingerprint, Pending, Recorder};
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// A publish that is tried again is executed again.
    DeduplicationOff,
    ConflictWithoutCause,
    InventedValue,
    /// Two publishes at the same time may compare with the same value.
    LostUpdate,
    /// Reads come from a copy that is behind.
    StaleReadAfterCompareAndSet,
}

const KEYS: usize = 12;

#[derive(Clone)]
pub(crate) enum Request {
    Publish {
        key: usize,
        value: Fingerprint,
        expected: Expected,
    },
    Resolve {
        key: usize,
    },
}

#[derive(Clone, Copy)]
pub(crate) enum Reply {
    Published(PublishAnswer),
    Resolved(Option<Fingerprint>),
}

pub(crate) struct Index {
    bug: Bug,
    random: Rng,
    values: HashMap<usize, Fingerprint>,
    before: HashMap<usize, Option<Fingerprint>>,
    records: HashMap<CallId, Reply>,
}

impl Index {
    pub(crate) fn new(bug: Bug, seed: u64) -> Self {
        Self {
            bug,
            random: Rng::with_seed(seed),
            values: HashMap::new(),
            before: HashMap::new(),
            records: HashMap::new(),
        }
    }

    fn publish(&mut self, key: usize, value: Fingerprint, expected: Expected) -> PublishAnswer {
        let current = self.values.get(&key).copied();
        let before = self.before.get(&key).copied().flatten();
        let seldom = self.random.u32(0..100) == 0;
        let has = |current: Option<Fingerprint>| match expected {
            Expected::Anything => true,
            Expected::Absent => current.is_none(),
            Expected::Value(value) => current == Some(value),
        };
        let is_lost = self.bug == Bug::LostUpdate && before.is_some() && has(before);
        let is_refused = self.bug == Bug::ConflictWithoutCause && seldom;
        if is_refused || !(has(current) || is_lost) {
            return PublishAnswer::Conflict;
        }
        self.before.insert(key, current);
        self.values.insert(key, value);
        PublishAnswer::Published
    }

    fn resolve(&mut self, key: usize) -> Option<Fingerprint> {
        let seldom = self.random.u32(0..100) == 0;
        match self.bug {
            Bug::StaleReadAfterCompareAndSet if seldom => self.before.get(&key).copied().flatten(),
            Bug::InventedValue if seldom => Some(Fingerprint::of("invented")),
            _ => self.values.get(&key).copied(),
        }
    }
}

impl Service for Index {
    type Request = Request;
    type Reply = Reply;

    fn handle(&mut self, _now: u64, call: CallId, request: &Request, answers: &mut Answers<Reply>) {
        let known = self.records.get(&call).copied();
        let reply = known.unwrap_or_else(|| match *request {
            Request::Publish {
                key,
                value,
                expected,
            } => {
                let reply = Reply::Published(self.publish(key, value, expected));
                if self.bug != Bug::DeduplicationOff {
                    self.records.insert(call, reply);
                }
                reply
            }
            Request::Resolve { key } => Reply::Resolved(self.resolve(key)),
        });
        answers.push((call, reply));
    }

    fn wake(&mut self, _now: u64, _answers: &mut Answers<Reply>) {}

    fn next(&self) -> Option<u64> {
        None
    }

    fn answered(&mut self, _request: &Request, _reply: &Reply, _is_lost: bool) {}

    fn restart(&mut self, _now: u64) {}
}

/// Callers that read a key, and publish on top of what they have read.
pub(crate) struct IndexCallers {
    recorder: Recorder,
    callers: Vec<Caller>,
    operations: usize,
    calls: usize,
}

#[derive(Default)]
struct Caller {
    publishing: Option<Pending<Publish>>,
    resolving: Option<Pending<Resolve>>,
    /// What it has read last, and of which key.
    read: Option<(usize, Option<Fingerprint>)>,
    key: usize,
}

impl IndexCallers {
    pub(crate) fn new(recorder: Recorder, callers: usize, operations: usize) -> Self {
        Self {
            recorder,
            callers: (0..callers).map(|_| Caller::default()).collect(),
            operations,
            calls: 0,
        }
    }
}

impl Callers<Index> for IndexCallers {
    fn next(&mut self, caller: usize, _now: u64, random: &mut Rng) -> Next<Request> {
        if self.calls >= self.operations {
            return Next::Stop;
        }
        if random.u32(0..4) == 0 {
            return Next::Wait(random.u64(0..20 * MILLISECOND));
        }
        self.calls += 1;
        // New keys appear, and old ones are left.
        let eldest = self.calls / 1_000;
        let caller = &mut self.callers[caller];
        let request = match caller.read.take() {
            Some((key, value)) if random.u32(0..3) > 0 => Request::Publish {
                key,
                value: Fingerprint::of(format!("value {}", self.calls)),
                expected: match value {
                    _ if random.u32(0..10) == 0 => Expected::Anything,
                    None => Expected::Absent,
                    Some(value) => Expected::Value(value),
                },
            },
            _ => Request::Resolve {
                key: eldest + random.usize(0..KEYS),
            },
        };
        let name = |key: usize| -> Arc<str> { format!("key {key}").into() };
        match request {
            Request::Publish {
                key,
                value,
                expected,
            } => {
                caller.publishing = Some(self.recorder.invoke(Publish {
                    key: name(key),
                    value,
                    expected,
                }));
            }
            Request::Resolve { key } => {
                caller.key = key;
                let key = name(key);
                caller.resolving = Some(self.recorder.invoke(Resolve { key }));
            }
        }
        Next::Call {
            request,
            patience: 0,
        }
    }

    fn ended(&mut self, caller: usize, end: End<Reply>, _random: &mut Rng) {
        let caller = &mut self.callers[caller];
        if let Some(pending) = caller.publishing.take() {
            match end {
                End::Replied(Reply::Published(answer)) => pending.ok(answer),
                End::NotSent => pending.failed(),
                _ => pending.unknown(),
            }
        } else if let Some(pending) = caller.resolving.take() {
            match end {
                End::Replied(Reply::Resolved(value)) => {
                    caller.read = Some((caller.key, value));
                    pending.ok(value);
                }
                _ => pending.failed(),
            }
        }
    }
}
