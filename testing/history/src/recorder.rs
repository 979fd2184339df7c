//! `Recorder`: writes down what callers do and see, while they do.

use crate::call::{Call, Moment, Outcome, Request};
use crate::history::History;
use crate::mailbox::Remnant;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Records the calls of many tasks or threads. Its clones record into the same history.
///
/// A call costs one entry, of a size that its request and its reply bound, and two short locks.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    latest: u64,
    history: History,
}

impl Recorder {
    /// A recorder on the system's monotonic clock.
    pub fn new() -> Self {
        let start = Instant::now();
        Self::with_clock(move || start.elapsed())
    }

    /// A recorder on another clock, which says how much time has passed since the recording began. It is
    /// read in a lock: it must not use the recorder. A clock that goes back is taken to stand still.
    pub fn with_clock(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock: Box::new(clock),
                state: Mutex::default(),
            }),
        }
    }

    /// Records that a caller begins a call: to be called before anything is sent.
    pub fn invoke<R: Request>(&self, request: R) -> Pending<R> {
        let mut state = self.shared.lock();
        let invoked = self.shared.moment(&mut state);
        let calls = R::calls_mut(&mut state.history);
        calls.push(Call {
            invoked,
            request,
            outcome: Outcome::Unknown { ended: None },
        });
        Pending {
            shared: Arc::clone(&self.shared),
            index: calls.len() - 1,
            is_over: false,
            request: PhantomData,
        }
    }

    /// Records that everything was received that could be, and what was left then, in the topics and in
    /// their dead letters. What is lost can be told only after this; nothing must be sent afterwards.
    pub fn drained(&self, remnants: Vec<Remnant>) {
        self.shared.lock().history.remnants = Some(remnants);
    }

    /// A copy of what was recorded so far. Calls that have not ended are of unknown outcome in it.
    pub fn history(&self) -> History {
        self.shared.lock().history.clone()
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What a caller's clock left half done, when it panicked, is a number that was not given away.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock is read in the lock, so that the order of numbers is the order of time.
    fn moment(&self, state: &mut State) -> Moment {
        let now = u64::try_from((self.clock)().as_nanos()).unwrap_or(u64::MAX);
        state.latest = state.latest.max(now);
        let sequence = state.next;
        state.next += 1;
        Moment {
            sequence,
            nanoseconds: state.latest,
        }
    }
}

/// A call that has begun. Dropping it, as a cancelled task does, leaves its outcome unknown.
#[must_use = "a call that is dropped is recorded as one of unknown outcome"]
pub struct Pending<R: Request> {
    shared: Arc<Shared>,
    index: usize,
    is_over: bool,
    request: PhantomData<fn() -> R>,
}

impl<R: Request> Pending<R> {
    /// The call was answered.
    pub fn ok(self, reply: R::Reply) {
        self.end(|ended| Outcome::Ok { ended, reply });
    }

    /// The call was certainly not executed, and no message of it is under way that may yet be.
    pub fn failed(self) {
        self.end(|ended| Outcome::Failed { ended });
    }

    /// The call may have been executed, or may yet be.
    pub fn unknown(self) {
        drop(self);
    }

    fn end(mut self, outcome: impl FnOnce(Moment) -> Outcome<R::Reply>) {
        self.is_over = true;
        self.record(outcome);
    }

    fn record(&self, outcome: impl FnOnce(Moment) -> Outcome<R::Reply>) {
        let mut state = self.shared.lock();
        let ended = self.shared.moment(&mut state);
        if let Some(call) = R::calls_mut(&mut state.history).get_mut(self.index) {
            call.outcome = outcome(ended);
        }
    }
}

impl<R: Request> Drop for Pending<R> {
    fn drop(&mut self) {
        if !self.is_over {
            self.record(|ended| Outcome::Unknown { ended: Some(ended) });
        }
    }
}

impl<R: Request> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Expected, Publish, PublishAnswer, Resolve};
    use crate::Fingerprint;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn resolve(key: &str) -> Resolve {
        Resolve { key: key.into() }
    }

    #[test]
    fn a_call_has_its_moments_and_its_outcome() {
        let now = Arc::new(AtomicU64::new(5));
        let clock = Arc::clone(&now);
        let recorder =
            Recorder::with_clock(move || Duration::from_nanos(clock.load(Ordering::Relaxed)));
        let answered = recorder.invoke(resolve("a"));
        now.store(9, Ordering::Relaxed);
        let failed = recorder.invoke(resolve("b"));
        let dropped = recorder.invoke(resolve("c"));
        let _open = recorder.invoke(resolve("d"));
        // A clock that goes back.
        now.store(7, Ordering::Relaxed);
        answered.ok(Some(Fingerprint::of("value")));
        failed.failed();
        dropped.unknown();

        let history = recorder.history();
        let at = |sequence, nanoseconds| Moment {
            sequence,
            nanoseconds,
        };
        let invoked: Vec<_> = history.resolves.iter().map(|call| call.invoked).collect();
        assert_eq!(invoked, [at(0, 5), at(1, 9), at(2, 9), at(3, 9)]);
        let outcomes: Vec<_> = history.resolves.iter().map(|call| call.outcome).collect();
        assert_eq!(
            outcomes,
            [
                Outcome::Ok {
                    ended: at(4, 9),
                    reply: Some(Fingerprint::of("value")),
                },
                Outcome::Failed { ended: at(5, 9) },
                Outcome::Unknown {
                    ended: Some(at(6, 9))
                },
                Outcome::Unknown { ended: None },
            ]
        );
    }

    #[test]
    fn threads_record_into_one_history_and_no_two_moments_are_the_same() {
        let recorder = Recorder::new();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let recorder = recorder.clone();
                scope.spawn(move || {
                    for number in 0..500 {
                        let publish = recorder.invoke(Publish {
                            key: "key".into(),
                            value: Fingerprint::of(format!("{thread} {number}")),
                            expected: Expected::Anything,
                        });
                        recorder.invoke(resolve("key")).ok(None);
                        publish.ok(PublishAnswer::Published);
                    }
                });
            }
        });
        let history = recorder.history();
        assert_eq!(history.calls(), 4_000);
        let ended = |(ended, _): (Moment, &PublishAnswer)| ended;
        let mut moments: Vec<Moment> = history
            .publishes
            .iter()
            .flat_map(|call| [Some(call.invoked), call.answer().map(ended)])
            .flatten()
            .chain(history.resolves.iter().map(|call| call.invoked))
            .chain(
                history
                    .resolves
                    .iter()
                    .filter_map(|call| Some(call.answer()?.0)),
            )
            .collect();
        moments.sort_unstable();
        assert_eq!(moments.len(), 8_000);
        for pair in moments.windows(2) {
            assert!(pair[0].sequence < pair[1].sequence);
            assert!(pair[0].nanoseconds <= pair[1].nanoseconds);
        }
        let in_order =
            |call: &Call<Publish>| call.answer().is_some_and(|(ended, _)| call.invoked < ended);
        assert!(history.publishes.iter().all(in_order));
    }
}
