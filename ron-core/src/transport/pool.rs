//! The connections of one client: which one a call uses, and when another is opened.
//!
//! A call uses only connections of its own home: a runtime may end before the client does, and whoever
//! waited with its help would wait for ever.

use super::connection::{Connection, Failure};
use super::socket::Socket;
use slab::Slab;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

/// Connections to one gateway. One is opened first, another when the least loaded one is in use to three
/// quarters; one at a time.
pub(super) struct Pool<S: Socket> {
    max: usize,
    state: Mutex<State<S>>,
}

struct State<S: Socket> {
    connections: Vec<Arc<Connection<S>>>,
    is_dialing: bool,
    /// Counts finished dials, so that a waiter knows the one that it waited for.
    dials: u64,
    last_failure: Option<Failure>,
    waiters: Slab<Waker>,
}

/// What a call should do.
pub(super) enum Acquired<'a, S: Socket> {
    Use(Arc<Connection<S>>),
    /// Open a connection and report with [`DialPermit::finish`].
    Dial(DialPermit<'a, S>),
    /// Somebody else is opening one: wait for the waker, then ask again.
    Wait,
    /// The dial that was waited for has failed.
    Failed(Failure),
}

/// A call's place in the wait for a dial.
pub(super) struct DialWait<'a, S: Socket> {
    pool: &'a Pool<S>,
    home: S::Home,
    key: Option<usize>,
    since: Option<u64>,
}

/// The right to open a connection. Dropped without a result, it passes to whoever waits.
pub(super) struct DialPermit<'a, S: Socket> {
    pool: &'a Pool<S>,
}

impl<S: Socket> Pool<S> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            state: Mutex::new(State {
                connections: Vec::new(),
                is_dialing: false,
                dials: 0,
                last_failure: None,
                waiters: Slab::new(),
            }),
        }
    }

    /// A place from which to ask for a connection that can be waited for at `home`.
    pub(super) fn wait(&self, home: S::Home) -> DialWait<'_, S> {
        DialWait {
            pool: self,
            home,
            key: None,
            since: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        // Nothing in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a, S: Socket> DialWait<'a, S> {
    /// Asks for a connection.
    pub(super) fn acquire(&mut self, now: Instant, waker: &Waker) -> Acquired<'a, S> {
        let mut state = self.pool.lock();
        if state.connections.iter().any(|c| !c.is_usable(now)) {
            state.connections.retain(|c| c.is_usable(now));
        }
        let at_home = || {
            let connections = state.connections.iter();
            connections.filter(|connection| connection.socket.home() == self.home)
        };
        if let Some(best) = at_home().min_by_key(|connection| connection.load()) {
            let is_busy = best.load() * 4 >= best.slots() * 3;
            let may_grow = at_home().count() < self.pool.max && !state.is_dialing;
            if !is_busy || !may_grow {
                return Acquired::Use(Arc::clone(best));
            }
        } else if self.since.take().is_some_and(|since| state.dials > since) {
            if let Some(failure) = &state.last_failure {
                return Acquired::Failed(failure.clone());
            }
        }
        if !state.is_dialing {
            state.is_dialing = true;
            return Acquired::Dial(DialPermit { pool: self.pool });
        }
        self.since = Some(state.dials);
        match self.key {
            Some(key) => state.waiters[key].clone_from(waker),
            None => self.key = Some(state.waiters.insert(waker.clone())),
        }
        Acquired::Wait
    }
}

impl<S: Socket> Drop for DialWait<'_, S> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.pool.lock().waiters.try_remove(key);
        }
    }
}

impl<S: Socket> DialPermit<'_, S> {
    /// Reports what became of the dial: its connection is shared from now on, its failure is everybody's
    /// who waited for it.
    pub(super) fn finish(
        self,
        result: Result<Connection<S>, Failure>,
    ) -> Result<Arc<Connection<S>>, Failure> {
        let result = result.map(Arc::new);
        // Closing a connection is I/O: not under the lock.
        let mut left = None;
        let mut state = self.pool.lock();
        state.dials += 1;
        match &result {
            Ok(connection) => {
                state.last_failure = None;
                state.connections.push(Arc::clone(connection));
                // Runtimes that have ended leave connections behind: a bounded number of them.
                if state.connections.len() > 2 * self.pool.max {
                    let home = connection.socket.home();
                    let is_left = |c: &Arc<Connection<S>>| c.socket.home() != home && c.load() == 0;
                    if let Some(at) = state.connections.iter().position(is_left) {
                        left = Some(state.connections.remove(at));
                    }
                }
            }
            Err(failure) => state.last_failure = Some(failure.clone()),
        }
        drop(state);
        drop(left);
        result
    }
}

impl<S: Socket> Drop for DialPermit<'_, S> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.is_dialing = false;
        // Also where the caller gave up and not the gateway: one of the others dials instead.
        let waiters: Vec<Waker> = state.waiters.iter().map(|(_, w)| w.clone()).collect();
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
    }
}
