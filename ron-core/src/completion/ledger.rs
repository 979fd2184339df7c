//! Which calls of a queue are open, and what has come of those that have ended. It knows neither runtime nor process,
//! so that all interleavings of its users can be tried.

use super::notify::Notify;
use super::{CallId, Completion};
use crate::error::{ErrorKind, SdkError};
use rustc_hash::FxHashMap;
#[cfg(all(test, shuttle))]
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::mem;
use std::sync::PoisonError;
#[cfg(not(all(test, shuttle)))]
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Instant;

/// Calls of one queue that are open, or whose completion has not been taken.
pub(super) const MAX_CALLS: usize = 65_536;

/// `H` is what a call is cancelled by.
pub(super) struct Ledger<T, H> {
    notify: Notify,
    state: Mutex<State<T, H>>,
    /// Somebody waits for a completion, or for the end of all calls.
    changed: Condvar,
}

struct State<T, H> {
    last_id: u64,
    /// `None` while the call is polled for the first time.
    open: FxHashMap<u64, Option<H>>,
    ended: VecDeque<Completion<T>>,
    /// The host has been told since it last took everything, or is about to be.
    is_notified: bool,
    is_closed: bool,
}

impl<T, H: Clone> Ledger<T, H> {
    pub(super) fn new(notify: Notify) -> Self {
        Self {
            notify,
            state: Mutex::new(State {
                last_id: 0,
                open: FxHashMap::default(),
                ended: VecDeque::new(),
                is_notified: false,
                is_closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn notify(&self) -> &Notify {
        &self.notify
    }

    /// Counts a call in, which owes a completion from now on.
    pub(super) fn begin(&self) -> Result<u64, SdkError> {
        let mut state = self.lock();
        if state.is_closed {
            let message = "the completion queue has been closed";
            return Err(SdkError::new(ErrorKind::Closed, message));
        }
        if state.open.len() + state.ended.len() >= MAX_CALLS {
            let message = format!("{MAX_CALLS} calls of this queue are open or not taken already");
            return Err(SdkError::new(ErrorKind::Busy, message));
        }
        state.last_id += 1;
        let id = state.last_id;
        state.open.insert(id, None);
        Ok(id)
    }

    /// Has a call go on by itself. Locked, so that it does not end before it can be found. Nothing where the queue has
    /// been closed meanwhile: the call is dropped with what `go_on` holds of it.
    pub(super) fn go_on(&self, id: u64, go_on: impl FnOnce() -> H) {
        let mut state = self.lock();
        if state.is_closed {
            drop(state);
            drop(go_on);
        } else {
            let handle = go_on();
            state.open.insert(id, Some(handle));
        }
    }

    /// `None` where the call is not open, `Some(None)` while it cannot be cancelled.
    pub(super) fn find(&self, id: u64) -> Option<Option<H>> {
        self.lock().open.get(&id).cloned()
    }

    pub(super) fn end(&self, id: u64, result: Result<T, SdkError>) {
        let mut state = self.lock();
        state.open.remove(&id);
        let id = CallId(id);
        state.ended.push_back(Completion { id, result });
        let is_news = !mem::replace(&mut state.is_notified, true);
        drop(state);
        if is_news {
            self.notify.tell();
        }
        self.changed.notify_all();
    }

    pub(super) fn take(&self, most: usize) -> VecDeque<Completion<T>> {
        let mut state = self.lock();
        if most < state.ended.len() {
            return state.ended.drain(..most).collect();
        }
        // Cleared before the lock goes: what ends afterwards tells the host anew. Also where there is nothing: the host
        // may have been told only after an earlier take that had found the completion already.
        if mem::take(&mut state.is_notified) || state.ended.is_empty() {
            self.notify.clear();
        }
        mem::take(&mut state.ended)
    }

    /// Waits until there are completions or the queue is closed. Whether there are some.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        let state = self.wait_for(deadline, |state| !state.ended.is_empty() || state.is_closed);
        !state.ended.is_empty()
    }

    pub(super) fn open_calls(&self) -> usize {
        self.lock().open.len()
    }

    /// Takes no more calls. What those that are open are cancelled by.
    pub(super) fn close(&self) -> Vec<H> {
        let handles = {
            let mut state = self.lock();
            state.is_closed = true;
            state.open.values().flatten().cloned().collect()
        };
        self.changed.notify_all();
        handles
    }

    /// Waits until no call is open.
    pub(super) fn wait_for_all(&self) {
        drop(self.wait_for(None, |state| state.open.is_empty()));
    }

    fn wait_for(
        &self,
        deadline: Option<Instant>,
        is_enough: impl Fn(&State<T, H>) -> bool,
    ) -> MutexGuard<'_, State<T, H>> {
        let mut state = self.lock();
        while !is_enough(&state) {
            let waited = match deadline {
                None => self.changed.wait(state),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return state;
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    waited
                        .map(|(state, _)| state)
                        .map_err(|poison| PoisonError::new(poison.into_inner().0))
                }
            };
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State<T, H>> {
        // Nothing in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that threads can do to a queue, in random orders with the schedules recorded:
/// `RUSTFLAGS='--cfg shuttle' cargo test -p ron-app-sdk --lib completion::ledger`.
#[cfg(all(test, shuttle))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use shuttle::sync::atomic::{AtomicBool, Ordering};
    use shuttle::sync::Arc;
    use shuttle::thread;

    const SCHEDULES: usize = 20_000;

    /// A queue, and whether its descriptor is readable.
    fn ledger() -> (Arc<Ledger<u64, ()>>, Arc<AtomicBool>) {
        let is_readable = Arc::new(AtomicBool::new(false));
        let ledger = Ledger::new(Notify::Modelled(Arc::clone(&is_readable)));
        (Arc::new(ledger), is_readable)
    }

    fn end(ledger: &Ledger<u64, ()>, id: u64) {
        ledger.end(id, Ok(id));
    }

    #[test]
    fn every_call_is_taken_once_and_a_host_that_sleeps_is_told() {
        shuttle::check_random(
            || {
                let (ledger, is_readable) = ledger();
                let ids: Vec<u64> = (0..3).map(|_| ledger.begin().unwrap()).collect();
                let enders: Vec<_> = ids
                    .iter()
                    .map(|id| {
                        let (ledger, id) = (Arc::clone(&ledger), *id);
                        thread::spawn(move || end(&ledger, id))
                    })
                    .collect();
                // It looks now and then without having been told, and takes one or all.
                let mut taken: Vec<u64> = Vec::new();
                for most in [1, 64] {
                    taken.extend(ledger.take(most).iter().map(|ended| ended.id.0));
                    thread::yield_now();
                }
                for ender in enders {
                    ender.join().unwrap();
                }
                // From here on it looks only where it is told.
                let mut rounds = 0;
                while is_readable.load(Ordering::SeqCst) {
                    taken.extend(ledger.take(64).iter().map(|ended| ended.id.0));
                    rounds += 1;
                    assert!(
                        rounds <= 2,
                        "it is told again and again, and there is nothing"
                    );
                }
                taken.sort_unstable();
                assert_eq!(taken, ids);
            },
            SCHEDULES,
        );
    }

    #[test]
    fn a_thread_that_waits_wakes_up() {
        shuttle::check_random(
            || {
                let (ledger, _) = ledger();
                let id = ledger.begin().unwrap();
                let ender = {
                    let ledger = Arc::clone(&ledger);
                    thread::spawn(move || end(&ledger, id))
                };
                assert!(ledger.wait(None));
                assert_eq!(ledger.take(1).len(), 1);
                ender.join().unwrap();
            },
            SCHEDULES,
        );
    }

    #[test]
    fn a_queue_that_is_closed_waits_for_all_and_leaves_no_call_behind() {
        shuttle::check_random(
            || {
                let (ledger, _) = ledger();
                let starter = {
                    let ledger = Arc::clone(&ledger);
                    thread::spawn(move || {
                        let Ok(id) = ledger.begin() else {
                            return 0;
                        };
                        // What a call owes, also where it is dropped.
                        struct Owed(Arc<Ledger<u64, ()>>, u64);
                        impl Drop for Owed {
                            fn drop(&mut self) {
                                end(&self.0, self.1);
                            }
                        }
                        let owed = Owed(Arc::clone(&ledger), id);
                        ledger.go_on(id, move || {
                            thread::spawn(move || drop(owed));
                        });
                        1
                    })
                };
                let waiter = {
                    let ledger = Arc::clone(&ledger);
                    thread::spawn(move || ledger.wait(None))
                };
                ledger.close();
                ledger.wait_for_all();
                assert_eq!(ledger.open_calls(), 0);
                waiter.join().unwrap();
                let started = starter.join().unwrap();
                ledger.wait_for_all();
                assert_eq!(ledger.take(64).len(), started);
                assert_eq!(ledger.begin().unwrap_err().kind(), ErrorKind::Closed);
            },
            SCHEDULES,
        );
    }
}
