//! Many calls against a gateway that fails, in virtual time: what the policy promises as a whole.

use super::{
    attempt_timeout, Backoff, CallPolicy, Cause, DialBackoff, GaveUp, Next, NextDial, Random,
    RetryBudget,
};
use crate::config::BackoffConfig;
use crate::error::{ErrorKind, SdkError};
use crate::oap::{ErrorReply, Executed, Reason};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(5);
const LATENCY: Duration = Duration::from_millis(1);

/// When a gateway remembers that it has executed a mutation.
#[derive(Clone, Copy, PartialEq)]
enum Dedupe {
    WithTheEffect,
    AfterTheReply,
    Never,
}

/// What a gateway does with an attempt.
#[derive(Clone, Copy)]
struct Faults {
    /// Answers 503 without executing.
    unavailable: f64,
    /// Does not answer; every other time after having executed.
    silent: f64,
}

struct Gateway {
    faults: Faults,
    dedupe: Dedupe,
    random: fastrand::Rng,
    recorded: HashSet<u64>,
    effects: HashMap<u64, u32>,
    attempts: u64,
    injected: [u64; 2],
}

/// How an attempt ends, and after how long.
type Ended = (Duration, Result<(), (SdkError, Cause)>);

impl Gateway {
    fn new(faults: Faults, dedupe: Dedupe, seed: u64) -> Self {
        Self {
            faults,
            dedupe,
            random: fastrand::Rng::with_seed(seed),
            recorded: HashSet::new(),
            effects: HashMap::new(),
            attempts: 0,
            injected: [0; 2],
        }
    }

    fn execute(&mut self, key: u64) {
        if !self.recorded.contains(&key) {
            *self.effects.entry(key).or_default() += 1;
            if self.dedupe == Dedupe::WithTheEffect {
                self.recorded.insert(key);
            }
        }
    }

    fn attempt(&mut self, key: u64) -> Ended {
        self.attempts += 1;
        let coin = self.random.f64();
        if coin < self.faults.unavailable {
            self.injected[0] += 1;
            (LATENCY, Err((unavailable(), Cause::Ordinary)))
        } else if coin < self.faults.unavailable + self.faults.silent {
            self.injected[1] += 1;
            if self.injected[1] % 2 == 0 {
                self.execute(key);
            }
            (
                attempt_timeout(LIMIT),
                Err((no_answer(), Cause::AttemptTimeout)),
            )
        } else {
            self.execute(key);
            if self.dedupe == Dedupe::AfterTheReply {
                self.recorded.insert(key);
            }
            (LATENCY, Ok(()))
        }
    }

    fn most_effects_of_one_key(&self) -> u32 {
        self.effects.values().copied().max().unwrap_or_default()
    }
}

fn unavailable() -> SdkError {
    SdkError::refused(503, Ok(ErrorReply::not_executed(Reason::Unavailable)))
}

fn no_answer() -> SdkError {
    SdkError::new(ErrorKind::Transport, "no answer").with_executed(Executed::Unknown)
}

fn refused() -> SdkError {
    SdkError::new(ErrorKind::Transport, "nothing listens there")
}

/// A client, and its calls from the first attempt to the last.
struct Client {
    backoff: Backoff,
    budget: RetryBudget,
    random: Random,
}

impl Client {
    fn new(seed: u64) -> Self {
        Self {
            backoff: Backoff::new(&BackoffConfig::default()),
            budget: RetryBudget::new(),
            random: Random::seeded(seed),
        }
    }

    fn failed(
        &self,
        policy: &mut CallPolicy,
        now: Instant,
        (error, cause): (SdkError, Cause),
    ) -> Next {
        let limits = (&self.backoff, &self.budget, &self.random);
        policy.failed(now, &error, cause, false, limits)
    }
}

/// What became of many calls.
#[derive(Default)]
struct Tally {
    attempts: Vec<u32>,
    failed: usize,
    gave_up: HashMap<Option<GaveUp>, usize>,
    false_no: usize,
}

impl Tally {
    fn quantile(&mut self, quantile: f64) -> u32 {
        self.attempts.sort_unstable();
        self.attempts[(self.attempts.len() as f64 * quantile).ceil() as usize - 1]
    }

    fn mean(&self) -> f64 {
        f64::from(self.attempts.iter().sum::<u32>()) / self.attempts.len() as f64
    }

    fn success(&self) -> f64 {
        1.0 - self.failed as f64 / self.attempts.len() as f64
    }
}

/// `callers` make `calls` keyed puts one after the other, each of them with a limit of its own.
fn run(client: &Client, gateway: &mut Gateway, callers: usize, calls: u64) -> Tally {
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut running: HashMap<u64, (CallPolicy, Instant)> = HashMap::new();
    let mut next_call = 0;
    // Each event is a call whose next attempt begins at that time.
    let mut events = BinaryHeap::new();
    let mut begin = |now: Instant, running: &mut HashMap<_, _>, events: &mut BinaryHeap<_>| {
        if next_call < calls {
            let policy = CallPolicy::new(false, true, now, LIMIT);
            running.insert(next_call, (policy, now));
            events.push(Reverse((now, next_call)));
            next_call += 1;
        }
    };
    for _ in 0..callers {
        begin(start, &mut running, &mut events);
    }
    while let Some(Reverse((now, call))) = events.pop() {
        let Some((policy, since)) = running.get_mut(&call) else {
            continue;
        };
        assert!(now < *since + LIMIT, "an attempt begins within its limit");
        policy.begin_attempt();
        let (took, result) = gateway.attempt(call);
        let now = now + took;
        let next = match result {
            Ok(()) => {
                policy.succeeded(&client.budget);
                None
            }
            Err(failure) => Some(client.failed(policy, now, failure)),
        };
        match next {
            Some(Next::Retry(delay)) => events.push(Reverse((now + delay, call))),
            ended => {
                tally.attempts.push(policy.attempts());
                if let Some(Next::Stop(gave_up)) = ended {
                    tally.failed += 1;
                    *tally.gave_up.entry(gave_up).or_default() += 1;
                    let is_executed = gateway.effects.contains_key(&call);
                    tally.false_no += usize::from(is_executed && policy.executed() == Executed::No);
                }
                running.remove(&call);
                begin(now, &mut running, &mut events);
            }
        }
    }
    tally
}

const MISSION: Faults = Faults {
    unavailable: 0.20,
    silent: 0.02,
};

#[test]
fn twenty_percent_5xx_and_two_percent_timeouts_cost_few_attempts_and_no_second_effect() {
    for seed in [1, 2, 3] {
        let (client, calls) = (Client::new(seed), 100_000);
        let mut gateway = Gateway::new(MISSION, Dedupe::WithTheEffect, seed);
        let mut tally = run(&client, &mut gateway, 32, calls);
        assert_eq!(tally.attempts.len() as u64, calls);
        assert!(tally.quantile(0.95) <= 3 && tally.quantile(0.99) <= 4);
        assert!(tally.quantile(1.0) <= 5);
        assert!(tally.mean() <= 1.30, "{}", tally.mean());
        assert!(tally.success() >= 0.999, "{}", tally.success());
        assert_eq!(tally.gave_up.get(&Some(GaveUp::Budget)), None);
        assert_eq!(tally.false_no, 0);
        assert!(gateway.effects.len() as u64 > calls * 99 / 100);
        assert_eq!(gateway.most_effects_of_one_key(), 1);
        for (injected, probability) in gateway.injected.into_iter().zip([0.20, 0.02]) {
            let expected = gateway.attempts as f64 * probability;
            let deviation = (expected * (1.0 - probability)).sqrt();
            let distance = (injected as f64 - expected).abs();
            assert!(distance < 4.0 * deviation, "{injected} of {expected}");
        }
    }
}

/// Without this, the zero above would say nothing.
#[test]
fn the_check_finds_second_effects_where_the_gateway_forgets() {
    for dedupe in [Dedupe::Never, Dedupe::AfterTheReply] {
        let mut gateway = Gateway::new(MISSION, dedupe, 1);
        run(&Client::new(1), &mut gateway, 32, 10_000);
        assert!(gateway.most_effects_of_one_key() > 1);
    }
}

#[test]
fn a_gateway_that_always_fails_is_hardly_asked_more_often() {
    let always = Faults {
        unavailable: 1.0,
        silent: 0.0,
    };
    let (client, calls) = (Client::new(1), 10_000);
    let mut gateway = Gateway::new(always, Dedupe::WithTheEffect, 1);
    let tally = run(&client, &mut gateway, 64, calls);
    assert_eq!(tally.failed as u64, calls);
    let amplification = gateway.attempts as f64 / calls as f64;
    assert!(amplification <= 1.01, "{amplification}");
    assert!(tally.gave_up[&Some(GaveUp::Budget)] > 9000);
}

fn time_of(next: NextDial, now: Instant) -> Instant {
    match next {
        NextDial::At(at) => at,
        NextDial::Now | NextDial::TooLate => now,
    }
}

/// A call that cannot reach the gateway, until it ends: when, and how.
fn unreachable_call(client: &Client, dials: &mut DialBackoff, start: Instant) -> (Instant, Next) {
    let mut now = start;
    let mut policy = CallPolicy::new(true, false, start, LIMIT);
    loop {
        policy.begin_attempt();
        let cause = match dials.next(now, policy.dial_by()) {
            NextDial::TooLate => Cause::NotMade,
            next => {
                now = time_of(next, now) + LATENCY;
                Cause::NotReached(dials.failed(now, &client.random))
            }
        };
        match client.failed(&mut policy, now, (refused(), cause)) {
            Next::Retry(delay) => now += delay,
            end => return (now, end),
        }
    }
}

#[test]
fn calls_to_a_gateway_that_is_gone_do_not_use_their_time_up() {
    let (mut calls, mut early) = (0, 0);
    for seed in 0..200 {
        let (client, mut dials) = (Client::new(seed), DialBackoff::default());
        let mut now = Instant::now();
        for _ in 0..50 {
            let (end, next) = unreachable_call(&client, &mut dials, now);
            assert!(end <= now + LIMIT);
            assert!(matches!(next, Next::Stop(Some(_))), "{next:?}");
            calls += 1;
            early += usize::from(end - now <= LIMIT * 3 / 5);
            now = end + Duration::from_millis(500);
        }
    }
    assert!(early * 100 >= calls * 99, "{early} of {calls}");
}

/// 200 clients with a call a second each, and a gateway that is gone for ten seconds.
#[test]
fn clients_come_back_from_an_outage_without_a_spike() {
    let seconds = Duration::from_secs;
    let start = Instant::now();
    let outage = start + seconds(10)..start + seconds(20);
    let end = start + seconds(50);
    let mut arrivals = [0u32; 300];
    for client in 0..200 {
        let (policy_of, mut dials) = (Client::new(client), DialBackoff::default());
        let mut due = start + policy_of.random.up_to(seconds(1));
        while due < end {
            let mut now = due;
            let mut policy = CallPolicy::new(true, false, due, LIMIT);
            loop {
                policy.begin_attempt();
                let mut reached = false;
                let mut cause = Cause::Ordinary;
                match dials.next(now, policy.dial_by()) {
                    NextDial::TooLate => cause = Cause::NotMade,
                    next => {
                        now = time_of(next, now) + LATENCY;
                        reached = !outage.contains(&now);
                        if reached {
                            dials.succeeded();
                        } else {
                            cause = Cause::NotReached(dials.failed(now, &policy_of.random));
                        }
                    }
                }
                if reached {
                    if let Some(after) = now.checked_duration_since(outage.end) {
                        if let Some(slot) = arrivals.get_mut(after.as_millis() as usize / 100) {
                            *slot += 1;
                        }
                    }
                    break;
                }
                match policy_of.failed(&mut policy, now, (refused(), cause)) {
                    Next::Retry(delay) => now += delay,
                    _ => break,
                }
            }
            // The next call is due a second after this one, or at once where this one took longer.
            due = now.max(due + seconds(1));
        }
    }
    let mean = f64::from(arrivals.iter().sum::<u32>()) / arrivals.len() as f64;
    let most = arrivals.iter().max().copied().unwrap_or_default();
    assert!(mean > 15.0, "{mean} per tenth of a second");
    assert!(
        f64::from(most) <= 3.0 * mean,
        "{most} where {mean} is usual"
    );
}
