//! Fault injection: what a client must survive, on demand.
//!
//! A [`FaultPlan`] says which [`Fault`]s to inject, how often and into what; [`Faults`], from
//! [`Gateway::faults`](crate::Gateway::faults), arms it and says what was injected. Nothing is injected
//! unless a plan is armed. `docs/FAULTS.md` describes every fault.

mod admin_token;
mod alteration;
mod application;
mod dice;
mod environment;
mod fault;
mod latency;
mod plan;
mod reset;
mod wire;

pub use admin_token::AdminToken;
pub use environment::{first_variable, VariableError};
pub use fault::{Fault, FaultKind};
pub use plan::{FaultPlan, FaultRule, PlanError};

pub(crate) use application::{execute, silence};
pub(crate) use reset::{ResetSwitch, Socket};
pub(crate) use wire::Wire;

use crate::metrics::{CallLabel, InjectedFaults};
use dice::{Armed, Occasion};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many of the last injections are remembered.
const REMEMBERED: usize = 4096;

/// A handle to a gateway's faults. Its clones are handles to the same.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    /// Whether it is worth to lock.
    is_armed: AtomicBool,
    state: Mutex<State>,
    counters: InjectedFaults,
}

#[derive(Default)]
struct State {
    armed: Option<Armed>,
    /// Which plan `armed` is.
    generation: u64,
    decisions: u64,
    fired: BTreeMap<FaultKind, u64>,
    total: u64,
    recent: VecDeque<InjectedFault>,
}

/// A fault that was injected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InjectedFault {
    /// Counts all injections of the gateway, from 1.
    pub sequence: u64,
    /// What.
    pub kind: FaultKind,
    /// Into what: an operation such as `storage.put`, or `hello`.
    pub operation: String,
    /// Into which attempt of the call; 0 for HELLO.
    pub attempt: u8,
}

/// What a gateway's faults have come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FaultReport {
    /// The seed of the armed plan.
    pub seed: Option<u64>,
    /// The armed plan.
    pub plan: Option<FaultPlan>,
    /// The counts of the armed plan's rules, in their order.
    pub rules: Vec<RuleReport>,
    /// All draws since the gateway started.
    pub decisions: u64,
    /// All injections since then.
    pub total: u64,
    /// The same by kind, where there was one.
    pub fired: BTreeMap<FaultKind, u64>,
    /// The last 4,096, oldest first.
    pub recent: Vec<InjectedFault>,
}

/// The counts of a rule, since its plan was armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleReport {
    /// Calls for which it was decided by chance.
    pub draws: u64,
    /// How often the fault was decided for, without what then could not be injected.
    pub hits: u64,
}

impl Faults {
    pub(crate) fn new(counters: InjectedFaults) -> Self {
        Self(Arc::new(Inner {
            is_armed: AtomicBool::new(false),
            state: Mutex::default(),
            counters,
        }))
    }

    /// Puts a plan into force, in place of the one before. Returns its seed.
    ///
    /// # Errors
    /// [`PlanError`] where the plan breaks a rule; the one before stays in force.
    pub fn arm(&self, plan: FaultPlan) -> Result<u64, PlanError> {
        plan.check()?;
        let seed = plan.seed.unwrap_or_else(random_seed);
        let mut state = self.0.lock();
        state.armed = Some(Armed::new(plan, seed, Instant::now()));
        state.generation += 1;
        self.0.is_armed.store(true, Ordering::Release);
        Ok(seed)
    }

    /// Injects nothing more. What has begun, such as a reply that does not come, goes on.
    pub fn disarm(&self) {
        let mut state = self.0.lock();
        state.armed = None;
        state.generation += 1;
        self.0.is_armed.store(false, Ordering::Release);
    }

    /// How many faults of a kind were injected since the gateway started.
    pub fn fired(&self, kind: FaultKind) -> u64 {
        self.0.lock().fired.get(&kind).copied().unwrap_or_default()
    }

    /// How many faults were injected since the gateway started.
    pub fn total(&self) -> u64 {
        self.0.lock().total
    }

    /// How many times chance was asked since the gateway started: once for each coin and call.
    pub fn decisions(&self) -> u64 {
        self.0.lock().decisions
    }

    /// The last 4,096 injections, oldest first.
    pub fn recent(&self) -> Vec<InjectedFault> {
        self.0.lock().recent.iter().cloned().collect()
    }

    /// Everything at once.
    pub fn report(&self) -> FaultReport {
        let state = self.0.lock();
        let armed = state.armed.as_ref();
        let count = |(draws, hits)| RuleReport { draws, hits };
        FaultReport {
            seed: armed.map(|armed| armed.seed),
            plan: armed.map(|armed| armed.plan.clone()),
            rules: armed.map_or_else(Vec::new, |armed| armed.counts().map(count).collect()),
            decisions: state.decisions,
            total: state.total,
            fired: state.fired.clone(),
            recent: state.recent.iter().cloned().collect(),
        }
    }

    /// Decides about a call over OAP.
    pub(crate) fn for_oap(&self, label: CallLabel, attempt: u8) -> Vec<Injection> {
        self.draw(Occasion::Oap(label, attempt))
    }

    /// Decides about a call over HTTP.
    pub(crate) fn for_http(&self, label: CallLabel, attempt: u8) -> Vec<Injection> {
        self.draw(Occasion::Http(label, attempt))
    }

    /// Decides about a client's HELLO.
    pub(crate) fn for_hello(&self) -> Vec<Injection> {
        self.draw(Occasion::Hello)
    }

    fn draw(&self, occasion: Occasion) -> Vec<Injection> {
        if !self.0.is_armed.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut state = self.0.lock();
        let generation = state.generation;
        let Some(armed) = &mut state.armed else {
            return Vec::new();
        };
        let (hits, decisions) = armed.draw(Instant::now(), occasion);
        state.decisions += decisions;
        let injection = |hit: dice::Hit| Injection {
            fault: hit.fault,
            salt: hit.salt,
            occasion,
            rule: hit.rule,
            generation,
            has_fired: false,
            faults: Arc::clone(&self.0),
        };
        hits.into_iter().map(injection).collect()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fault that was decided for: it counts when it [fires](Injection::fire), and not if it is dropped.
pub(crate) struct Injection {
    pub(crate) fault: Fault,
    /// A random number for the fault's own choices.
    salt: u64,
    occasion: Occasion,
    rule: usize,
    generation: u64,
    has_fired: bool,
    faults: Arc<Inner>,
}

impl Injection {
    /// The fault takes place: from now on it counts.
    pub(crate) fn fire(mut self) {
        self.has_fired = true;
        let kind = self.fault.kind();
        let (operation, attempt) = match self.occasion {
            Occasion::Hello => ("hello".to_owned(), 0),
            Occasion::Oap(label, attempt) | Occasion::Http(label, attempt) => {
                (format!("{}.{}", label.plane, label.operation), attempt)
            }
        };
        self.faults.counters.count(kind.name());
        let mut state = self.faults.lock();
        state.total += 1;
        *state.fired.entry(kind).or_default() += 1;
        if state.recent.len() == REMEMBERED {
            state.recent.pop_front();
        }
        let sequence = state.total;
        state.recent.push_back(InjectedFault {
            sequence,
            kind,
            operation,
            attempt,
        });
    }

    /// One of the numbers below `count`, each as likely; 0 where there is none.
    fn choose(&self, count: usize) -> usize {
        usize::try_from(self.salt % (count.max(1) as u64)).unwrap_or_default()
    }

    /// A number from 0 to 1.
    fn share(&self) -> f64 {
        (self.salt >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        if self.has_fired {
            return;
        }
        let mut state = self.faults.lock();
        if state.generation == self.generation {
            if let Some(armed) = &mut state.armed {
                armed.give_back(self.rule);
            }
        }
    }
}

/// Where the system has no randomness to give, the clock has to do: it is no secret.
fn random_seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or_default()
    })
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Faults")
            .field("is_armed", &state.armed.is_some())
            .field("total", &state.total)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Injection")
            .field(&self.fault.kind())
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PUT: CallLabel = CallLabel {
        plane: "storage",
        operation: "put",
    };

    #[test]
    fn what_fires_counts_and_what_does_not_is_given_back() {
        let faults = Faults::new(InjectedFaults::default());
        assert!(faults.for_oap(PUT, 1).is_empty());
        assert_eq!(faults.decisions(), 0);
        let once = FaultRule {
            times: Some(1),
            ..FaultRule::new(Fault::DropReply)
        };
        faults.arm([once].into_iter().collect()).unwrap();
        drop(faults.for_oap(PUT, 1));
        assert_eq!((faults.total(), faults.decisions()), (0, 1));
        for injection in faults.for_oap(PUT, 3) {
            injection.fire();
        }
        assert!(faults.for_oap(PUT, 1).is_empty());
        assert_eq!((faults.total(), faults.decisions()), (1, 3));
        assert_eq!(faults.fired(FaultKind::DropReply), 1);
        let expected = InjectedFault {
            sequence: 1,
            kind: FaultKind::DropReply,
            operation: "storage.put".to_owned(),
            attempt: 3,
        };
        assert_eq!(faults.recent(), [expected]);
        let report = faults.report();
        assert_eq!(report.rules, [RuleReport { draws: 3, hits: 1 }]);
        faults.disarm();
        assert!(faults.for_oap(PUT, 1).is_empty());
        assert_eq!(faults.total(), 1);
    }

    #[test]
    fn the_list_of_injections_is_bounded() {
        let faults = Faults::new(InjectedFaults::default());
        faults
            .arm([Fault::DropReply].into_iter().collect())
            .unwrap();
        for _ in 0..REMEMBERED + 10 {
            faults.for_oap(PUT, 1).into_iter().for_each(Injection::fire);
        }
        let recent = faults.recent();
        assert_eq!((recent.len(), recent[0].sequence), (REMEMBERED, 11));
    }

    #[test]
    fn a_refused_plan_leaves_the_one_before_in_force() {
        let faults = Faults::new(InjectedFaults::default());
        let plan = FaultPlan {
            seed: Some(7),
            ..[Fault::DropReply].into_iter().collect()
        };
        assert_eq!(faults.arm(plan.clone()), Ok(7));
        let refused = [Fault::BadVersion { version: 1 }].into_iter().collect();
        assert!(faults.arm(refused).is_err());
        assert_eq!(faults.report().plan, Some(plan));
    }
}
