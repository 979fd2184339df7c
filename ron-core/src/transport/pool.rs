//! The connections of one client: which one a call uses, and when another is opened.
//!
//! A call uses only connections of its own home: a runtime may end before the client does, and whoever
//! waited with its help would wait for ever.

use super::connection::{Connection, Failure};
use super::socket::Socket;
use crate::config::SdkConfig;
use slab::Slab;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// Connections to one gateway. One is opened first, another when the least loaded one is in use to three
/// quarters; one at a time.
pub(super) struct Pool<S: Socket> {
    max: usize,
    /// How long a dial may take. One that takes longer is held by somebody who does not go on with it.
    dial_limit: Duration,
    state: Mutex<State<S>>,
}

struct State<S: Socket> {
    connections: Vec<Arc<Connection<S>>>,
    /// The dial that is under way, by its number, and when it began.
    dialing: Option<(u64, Instant)>,
    dials: u64,
    /// The last dial's number and failure, where it failed.
    last_failure: Option<(u64, Failure)>,
    waiters: Slab<Waker>,
}

/// What a call should do.
pub(super) enum Acquired<'a, S: Socket> {
    Use(Arc<Connection<S>>),
    /// Open a connection and report with [`DialPermit::finish`]. The busy connection, if there is one, serves
    /// where that fails.
    Dial(DialPermit<'a, S>, Option<Arc<Connection<S>>>),
    /// Somebody else is opening one: wait for the waker or until then, and ask again.
    Wait(Instant),
    /// The dial that was waited for has failed.
    Failed(Failure),
}

/// A call's place in the wait for a dial.
pub(super) struct DialWait<'a, S: Socket> {
    pool: &'a Pool<S>,
    home: S::Home,
    key: Option<usize>,
    /// The dial that is waited for.
    awaited: Option<u64>,
}

/// The right to open a connection. Dropped without a result, it passes to whoever waits.
pub(super) struct DialPermit<'a, S: Socket> {
    pool: &'a Pool<S>,
    number: u64,
}

impl<S: Socket> Pool<S> {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            max: config.pool.max,
            dial_limit: config.timeouts.connect,
            state: Mutex::new(State {
                connections: Vec::new(),
                dialing: None,
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
            awaited: None,
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
        let overdue = state.dialing.map(|(_, since)| since + self.pool.dial_limit);
        let may_dial = overdue.map_or(true, |overdue| now >= overdue);
        let at_home = || {
            let connections = state.connections.iter();
            connections.filter(|connection| connection.socket.home() == self.home)
        };
        let best = at_home()
            .min_by_key(|connection| connection.load())
            .cloned();
        if let Some(best) = &best {
            let is_busy = best.load() * 4 >= best.slots() * 3;
            let may_grow = at_home().count() < self.pool.max && may_dial;
            if !is_busy || !may_grow {
                return Acquired::Use(Arc::clone(best));
            }
        } else if let (Some(awaited), Some((number, failure))) =
            (self.awaited.take(), &state.last_failure)
        {
            if *number >= awaited {
                return Acquired::Failed(failure.clone());
            }
        }
        match (overdue, state.dialing) {
            (Some(overdue), Some((number, _))) if !may_dial => {
                self.awaited = Some(number);
                match self.key {
                    Some(key) => state.waiters[key].clone_from(waker),
                    None => self.key = Some(state.waiters.insert(waker.clone())),
                }
                Acquired::Wait(overdue)
            }
            _ => {
                state.dials += 1;
                let number = state.dials;
                state.dialing = Some((number, now));
                let pool = self.pool;
                Acquired::Dial(DialPermit { pool, number }, best)
            }
        }
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
    /// who waited for it. A dial that only its caller's own limit ended is nobody's: drop the permit.
    pub(super) fn finish(
        self,
        result: Result<Connection<S>, Failure>,
        fallback: Option<Arc<Connection<S>>>,
    ) -> Result<Arc<Connection<S>>, Failure> {
        let result = result.map(Arc::new);
        // Closing a connection is I/O: not under the lock.
        let mut left = Vec::new();
        let mut state = self.pool.lock();
        match &result {
            Ok(connection) => {
                state.connections.push(Arc::clone(connection));
                // Runtimes that have ended leave connections behind: a bounded number of them.
                if state.connections.len() > 2 * self.pool.max {
                    let home = connection.socket.home();
                    let is_left = |c: &Arc<Connection<S>>| {
                        c.socket.home() != home && Arc::strong_count(c) == 1
                    };
                    let (gone, kept) = state.connections.drain(..).partition(is_left);
                    (left, state.connections) = (gone, kept);
                }
            }
            Err(failure) => state.last_failure = Some((self.number, failure.clone())),
        }
        drop(state);
        drop(left);
        match (result, fallback) {
            (Err(_), Some(fallback)) => Ok(fallback),
            (result, _) => result,
        }
    }
}

impl<S: Socket> Drop for DialPermit<'_, S> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        if state
            .dialing
            .is_some_and(|(number, _)| number == self.number)
        {
            state.dialing = None;
        }
        // Also where the caller gave up and not the gateway: one of the others dials instead.
        let waiters: Vec<Waker> = state.waiters.iter().map(|(_, w)| w.clone()).collect();
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, SdkError};
    use std::io;

    /// No connection is ever made in these tests.
    enum NoSocket {}

    impl Socket for NoSocket {
        type Home = ();
        const SHARED_WAIT: bool = true;

        fn try_read(&self, _buffer: &mut [u8]) -> io::Result<usize> {
            match *self {}
        }

        fn read_now(&self, _buffer: &mut [u8]) -> io::Result<usize> {
            match *self {}
        }

        fn try_write(&self, _bytes: &[u8]) -> io::Result<usize> {
            match *self {}
        }

        fn shut_down(&self) {
            match *self {}
        }

        fn home(&self) {
            match *self {}
        }
    }

    fn waker() -> &'static Waker {
        futures_util::task::noop_waker_ref()
    }

    fn dial<'a>(wait: &mut DialWait<'a, NoSocket>, now: Instant) -> DialPermit<'a, NoSocket> {
        match wait.acquire(now, waker()) {
            Acquired::Dial(permit, None) => permit,
            _ => panic!("it is not asked to dial"),
        }
    }

    fn waits(wait: &mut DialWait<'_, NoSocket>, now: Instant) -> bool {
        matches!(wait.acquire(now, waker()), Acquired::Wait(_))
    }

    #[test]
    fn a_failed_dial_fails_those_who_waited_for_it_and_nobody_else() {
        let pool = Pool::new(&SdkConfig::default());
        let now = Instant::now();
        let (mut dialing, mut waiting, mut late) = (pool.wait(()), pool.wait(()), pool.wait(()));
        let permit = dial(&mut dialing, now);
        assert!(waits(&mut waiting, now));
        let error = SdkError::new(ErrorKind::Transport, "refused");
        assert!(permit.finish(Err(error.into()), None).is_err());
        let Acquired::Failed(failure) = waiting.acquire(now, waker()) else {
            panic!("it does not hear of the failure");
        };
        assert_eq!(failure.error.kind(), ErrorKind::Transport);
        dial(&mut late, now);
    }

    #[test]
    fn a_dial_that_its_caller_gives_up_passes_to_whoever_waits() {
        let pool = Pool::new(&SdkConfig::default());
        let now = Instant::now();
        let (mut dialing, mut waiting) = (pool.wait(()), pool.wait(()));
        let permit = dial(&mut dialing, now);
        assert!(waits(&mut waiting, now));
        drop(permit);
        dial(&mut waiting, now);
    }

    #[test]
    fn a_dial_that_somebody_sits_on_is_overtaken_after_its_limit() {
        let config = SdkConfig::default();
        let pool = Pool::new(&config);
        let now = Instant::now();
        let (mut held, mut waiting, mut third) = (pool.wait(()), pool.wait(()), pool.wait(()));
        let permit = dial(&mut held, now);
        let just_before = now + config.timeouts.connect - Duration::from_millis(1);
        assert!(waits(&mut waiting, just_before));
        let second = dial(&mut waiting, now + config.timeouts.connect);
        drop(permit);
        assert!(
            waits(&mut third, now + config.timeouts.connect),
            "the second dial goes on"
        );
        drop(second);
    }
}
