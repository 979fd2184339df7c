//! The connections of one client: which one a call uses, and when another is opened.
//!
//! A call uses only connections of its own home: a runtime may end before the client does, and whoever
//! waited with its help would wait for ever. With Tor, it uses only those of its capability's subject.

use super::connection::{Connection, ConnectionId, Failure};
use super::endpoint::Endpoint;
use super::gateways::{Gateways, Route};
use super::proxy::Isolation;
use super::socket::Socket;
use crate::config::SdkConfig;
use crate::error::{ErrorKind, SdkError};
use crate::oap::Executed;
use crate::process::Origin;
use crate::retry::{Cause, Random};
use crate::stats::ClientStats;
use slab::Slab;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// Connections to the gateways of one client. One is opened first, another when the least loaded one is in use to
/// three quarters; one at a time, with Tor for each subject.
pub(super) struct Pool<S: Socket> {
    max: usize,
    /// How long a dial may take. One that takes longer is held by somebody who does not go on with it.
    dial_limit: Duration,
    random: Arc<Random>,
    origin: Origin,
    state: Mutex<State<S>>,
}

struct State<S: Socket> {
    is_closed: bool,
    connections: Vec<Arc<Connection<S>>>,
    /// The dials that are under way, at most one for each isolation.
    dialing: SmallVec<[Dialing; 1]>,
    dials: u64,
    /// The last dial that failed.
    last_failure: Option<FailedDial>,
    gateways: Gateways,
    waiters: Slab<Waker>,
}

struct Dialing {
    number: u64,
    since: Instant,
    isolation: Isolation,
}

struct FailedDial {
    number: u64,
    isolation: Isolation,
    failure: Failure,
}

/// What a call should do.
pub(super) enum Acquired<'a, S: Socket> {
    Use(Arc<Connection<S>>),
    /// Open a connection and report with [`DialPermit::finish`]. The busy connection, if there is one, serves
    /// where that fails.
    Dial(DialPermit<'a, S>, Option<Arc<Connection<S>>>),
    /// Somebody else is opening one, or nobody may yet: wait for the waker or until then, and ask again.
    Wait(Instant),
    /// The dial that was waited for has failed, or none is to be made in time.
    Failed(Failure),
}

/// A call's place in the wait for a dial.
pub(super) struct DialWait<'a, S: Socket> {
    pool: &'a Pool<S>,
    home: S::Home,
    isolation: Isolation,
    dial_by: Instant,
    key: Option<usize>,
    /// The dial that is waited for.
    awaited: Option<u64>,
}

/// The right to open a connection. Dropped without a result, it passes to whoever waits.
pub(super) struct DialPermit<'a, S: Socket> {
    pool: &'a Pool<S>,
    number: u64,
    since: Instant,
    isolation: Isolation,
    route: Vec<Arc<Endpoint>>,
}

impl<S: Socket> Pool<S> {
    pub(super) fn new(config: &SdkConfig, gateways: Gateways, random: Arc<Random>) -> Self {
        Self {
            max: config.pool.max,
            dial_limit: config.timeouts.connect,
            random,
            origin: Origin::here(),
            state: Mutex::new(State {
                is_closed: false,
                connections: Vec::new(),
                dialing: SmallVec::new(),
                dials: 0,
                last_failure: None,
                gateways,
                waiters: Slab::new(),
            }),
        }
    }

    /// A place from which to ask for a connection that can be waited for at `home`, by one who shares it within
    /// `isolation` alone. A gateway that could not be reached is not dialled after `dial_by`.
    pub(super) fn wait(
        &self,
        home: S::Home,
        isolation: Isolation,
        dial_by: Instant,
    ) -> DialWait<'_, S> {
        DialWait {
            pool: self,
            home,
            isolation,
            dial_by,
            key: None,
            awaited: None,
        }
    }

    /// Uses a connection for no more calls.
    pub(super) fn leave(&self, id: ConnectionId) {
        let left = {
            let state = self.lock();
            state.connections.iter().find(|c| c.id() == id).cloned()
        };
        if let Some(left) = left {
            left.retire();
        }
    }

    /// Opens no more connections and ends those that are open, with the calls on them.
    pub(super) fn close(&self) {
        let (left, waiters) = {
            let mut state = self.lock();
            state.is_closed = true;
            let waiters: Vec<Waker> = state.waiters.iter().map(|(_, w)| w.clone()).collect();
            (std::mem::take(&mut state.connections), waiters)
        };
        left.iter().for_each(|connection| connection.close());
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Whether the gateway can be reached, as far as that is known; `None` where nobody has tried.
    pub(super) fn condition(&self) -> Option<Result<(), SdkError>> {
        let (connections, failed_dial) = {
            let state = self.lock();
            if state.is_closed {
                return Some(Err(SdkError::closed()));
            }
            let failed = state.last_failure.as_ref();
            let failed = failed.map(|last| (last.number, last.failure.error.clone()));
            (state.connections.clone(), failed)
        };
        let mut latest = failed_dial.map(|(number, error)| (number, Err(error)));
        for connection in connections {
            let number = connection.id().0;
            match connection.condition() {
                Some(Ok(())) => return Some(Ok(())),
                Some(failed) if latest.as_ref().map_or(true, |(last, _)| *last < number) => {
                    latest = Some((number, failed));
                }
                _ => {}
            }
        }
        latest.map(|(_, condition)| condition)
    }

    /// What there is at the moment.
    pub(super) fn stats(&self) -> ClientStats {
        let connections = self.lock().connections.clone();
        let mut stats = ClientStats::default();
        for connection in connections {
            connection.add_to(&mut stats);
        }
        stats
    }

    /// Lets suspect connections prove themselves.
    fn recheck(&self, now: Instant) {
        let suspects: Vec<_> = {
            let state = self.lock();
            let connections = state.connections.iter();
            connections.filter(|c| c.is_suspect()).cloned().collect()
        };
        for suspect in suspects {
            suspect.recheck(now);
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
        // Dropped after the lock: closing a connection is I/O.
        let _over;
        let mut state = self.pool.lock();
        if state.is_closed {
            return Acquired::Failed(SdkError::closed().into());
        }
        if state.connections.iter().any(|c| c.is_suspect()) {
            drop(state);
            self.pool.recheck(now);
            state = self.pool.lock();
        }
        _over = state.forget_unusable(now, &self.pool.random);
        let dialing = state.dialing.iter().find(|d| d.isolation == self.isolation);
        let dialing = dialing.map(|d| (d.number, d.since + self.pool.dial_limit));
        let may_dial = dialing.map_or(true, |(_, overdue)| now >= overdue);
        let at_home = || {
            let connections = state.connections.iter();
            connections.filter(|c| {
                c.socket.home() == self.home && c.isolation == self.isolation && !c.is_suspect()
            })
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
        } else if let (Some(awaited), Some(last)) = (self.awaited.take(), &state.last_failure) {
            if last.number >= awaited && last.isolation == self.isolation {
                return Acquired::Failed(last.failure.clone());
            }
        }
        match dialing {
            Some((number, overdue)) if !may_dial => {
                self.awaited = Some(number);
                state.register(&mut self.key, waker);
                Acquired::Wait(overdue)
            }
            _ => match (state.gateways.route(now, self.dial_by), best) {
                (Route::Dial(route), best) => {
                    state.dials += 1;
                    let number = state.dials;
                    // An overdue dial counts no more.
                    state.dialing.retain(|d| d.isolation != self.isolation);
                    state.dialing.push(Dialing {
                        number,
                        since: now,
                        isolation: self.isolation.clone(),
                    });
                    let permit = DialPermit {
                        pool: self.pool,
                        number,
                        since: now,
                        isolation: self.isolation.clone(),
                        route,
                    };
                    Acquired::Dial(permit, best)
                }
                (_, Some(best)) => Acquired::Use(best),
                (Route::At(at), None) => {
                    // Nobody can make it come sooner, but the client can be closed.
                    state.register(&mut self.key, waker);
                    Acquired::Wait(at)
                }
                (Route::TooLate, None) => Acquired::Failed(state.not_made()),
            },
        }
    }
}

impl<S: Socket> State<S> {
    fn register(&mut self, key: &mut Option<usize>, waker: &Waker) {
        match *key {
            Some(key) => self.waiters[key].clone_from(waker),
            None => *key = Some(self.waiters.insert(waker.clone())),
        }
    }

    /// Returns connections that are over. One that never came to HELLO's answer was a dial that failed.
    fn forget_unusable(&mut self, now: Instant, random: &Random) -> Vec<Arc<Connection<S>>> {
        if self.gateways.is_any_backing_off() {
            for connection in self.connections.iter().filter(|c| c.is_ready()) {
                self.gateways
                    .answered(connection.gateway(), connection.id().0);
            }
        }
        if self.connections.iter().all(|c| c.is_usable(now)) {
            return Vec::new();
        }
        let (kept, over) = self.connections.drain(..).partition(|c| c.is_usable(now));
        let over: Vec<Arc<Connection<S>>> = over;
        self.connections = kept;
        for connection in over.iter().filter(|c| !c.is_ready()) {
            let number = connection.id().0;
            let mut failure = connection.failure().unwrap_or_else(|| unanswered().into());
            // Who is there and not whom it should be is no reason to come more seldom, or to go elsewhere.
            if failure.error.kind() == ErrorKind::Transport {
                let (gateway, at) = (connection.gateway(), (now, random));
                let next_dial = self.gateways.failed(gateway, number, UNANSWERED, at);
                failure.cause = Cause::NotReached(next_dial);
            }
            self.last_failure = Some(FailedDial {
                number,
                isolation: connection.isolation.clone(),
                failure,
            });
        }
        over
    }

    /// What a call hears for which no dial is made.
    fn not_made(&self) -> Failure {
        let last = self.last_failure.as_ref();
        let error = last.map_or_else(unanswered, |last| last.failure.error.clone());
        Failure {
            error: error.with_executed(Executed::No),
            cause: Cause::NotMade,
            may_move: false,
        }
    }
}

/// Why a gateway cannot be reached that takes connections.
const UNANSWERED: &str = "its connection broke before HELLO was answered";

/// Nobody waited for what became of the handshake.
fn unanswered() -> SdkError {
    let message = "the gateway accepts connections and does not answer on them";
    SdkError::new(ErrorKind::Transport, message)
}

impl<S: Socket> Drop for DialWait<'_, S> {
    fn drop(&mut self) {
        if let Some(key) = self.key.filter(|_| self.pool.origin.is_here()) {
            self.pool.lock().waiters.try_remove(key);
        }
    }
}

impl<S: Socket> DialPermit<'_, S> {
    /// The name of the connection that is to be opened.
    pub(super) fn id(&self) -> ConnectionId {
        ConnectionId(self.number)
    }

    /// Who may share the connection that is to be opened.
    pub(super) fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// How long the dial has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whom to dial, one after the other until one is reached.
    pub(super) fn route(&self) -> &[Arc<Endpoint>] {
        &self.route
    }

    /// Reports that a gateway could not be reached.
    pub(super) fn not_reached(&self, gateway: &Arc<Endpoint>, why: &str) {
        let mut state = self.pool.lock();
        let random = &self.pool.random;
        let now = Instant::now();
        let at = (now, &**random);
        state.gateways.failed(gateway, self.number, why, at);
    }

    /// Why gateways could not be reached, each with its address.
    pub(super) fn failures(&self) -> Vec<String> {
        self.pool.lock().gateways.failures()
    }

    /// Reports what became of the dial: its connection is shared from now on, its failure is everybody's
    /// who waited for it. A dial that only its caller's own limit ended is nobody's: drop the permit.
    pub(super) fn finish(
        self,
        result: Result<Connection<S>, Failure>,
        fallback: Option<Arc<Connection<S>>>,
    ) -> Result<Arc<Connection<S>>, Failure> {
        let mut result = result.map(Arc::new);
        // Closing a connection is I/O: not under the lock.
        let mut left = Vec::new();
        let mut state = self.pool.lock();
        match &mut result {
            Ok(connection) if state.is_closed => {
                left.push(Arc::clone(connection));
                result = Err(SdkError::closed().into());
            }
            Ok(connection) => {
                state.gateways.reached(connection.gateway(), Instant::now());
                state.connections.push(Arc::clone(connection));
                // Runtimes that have ended and subjects leave connections behind: a bounded number of them.
                if state.connections.len() > 2 * self.pool.max {
                    let home = connection.socket.home();
                    let is_left = |c: &Arc<Connection<S>>| {
                        let is_ours = c.socket.home() == home && c.isolation == self.isolation;
                        !is_ours && Arc::strong_count(c) == 1
                    };
                    let (gone, kept) = state.connections.drain(..).partition(is_left);
                    (left, state.connections) = (gone, kept);
                }
            }
            Err(failure) => {
                if failure.error.kind() == ErrorKind::Transport {
                    let next_dial = state.gateways.next_dial(Instant::now());
                    failure.cause = Cause::NotReached(next_dial);
                }
                state.last_failure = Some(FailedDial {
                    number: self.number,
                    isolation: self.isolation.clone(),
                    failure: failure.clone(),
                });
            }
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
        if !self.pool.origin.is_here() {
            return;
        }
        let mut state = self.pool.lock();
        state.dialing.retain(|dial| dial.number != self.number);
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
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    fn pool() -> Pool<NoSocket> {
        let endpoint = Arc::new("https://a".parse().unwrap());
        let gateways = Gateways::new(&[endpoint]);
        Pool::new(&SdkConfig::default(), gateways, Arc::new(Random::seeded(1)))
    }

    /// Nothing listens at any of the gateways.
    fn refused(permit: DialPermit<'_, NoSocket>) {
        permit
            .route()
            .iter()
            .for_each(|gateway| permit.not_reached(gateway, "refused"));
        let error = SdkError::new(ErrorKind::Transport, "refused");
        assert!(permit.finish(Err(error.into()), None).is_err());
    }

    fn waker() -> &'static Waker {
        futures_util::task::noop_waker_ref()
    }

    fn place(pool: &Pool<NoSocket>) -> DialWait<'_, NoSocket> {
        place_of(pool, &Isolation::default())
    }

    fn place_of<'a>(pool: &'a Pool<NoSocket>, isolation: &Isolation) -> DialWait<'a, NoSocket> {
        pool.wait(
            (),
            isolation.clone(),
            Instant::now() + Duration::from_secs(3),
        )
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
        let pool = pool();
        let now = Instant::now();
        let (mut dialing, mut waiting, mut late) = (place(&pool), place(&pool), place(&pool));
        let permit = dial(&mut dialing, now);
        assert!(waits(&mut waiting, now));
        refused(permit);
        let Acquired::Failed(failure) = waiting.acquire(now, waker()) else {
            panic!("it does not hear of the failure");
        };
        assert_eq!(failure.error.kind(), ErrorKind::Transport);
        // Later than the longest back-off after one failure.
        dial(&mut late, now + Duration::from_secs(1));
    }

    #[test]
    fn after_a_failed_dial_the_next_one_waits_for_the_back_off() {
        let pool = pool();
        let now = Instant::now();
        refused(dial(&mut place(&pool), now));
        let Acquired::Wait(until) = place(&pool).acquire(now, waker()) else {
            panic!("it may dial at once");
        };
        assert!(until > now && until < now + Duration::from_millis(300));
        let mut late = pool.wait((), Isolation::default(), now);
        let Acquired::Failed(failure) = late.acquire(now, waker()) else {
            panic!("it waits though it would be too late");
        };
        assert_eq!(
            (failure.error.kind(), failure.cause),
            (ErrorKind::Transport, Cause::NotMade)
        );
        dial(&mut place(&pool), until);
    }

    #[test]
    fn a_peer_that_is_not_trusted_is_no_reason_to_back_off() {
        let pool = pool();
        let now = Instant::now();
        let error = SdkError::new(ErrorKind::Tls, "another certificate");
        let permit = dial(&mut place(&pool), now);
        assert!(permit.finish(Err(error.into()), None).is_err());
        dial(&mut place(&pool), now);
    }

    #[test]
    fn a_dial_that_its_caller_gives_up_passes_to_whoever_waits() {
        let pool = pool();
        let now = Instant::now();
        let (mut dialing, mut waiting) = (place(&pool), place(&pool));
        let permit = dial(&mut dialing, now);
        assert!(waits(&mut waiting, now));
        drop(permit);
        dial(&mut waiting, now);
    }

    #[test]
    fn who_shares_no_connection_waits_for_no_dial_and_hears_of_no_failure_of_the_others() {
        let pool = pool();
        let now = Instant::now();
        let [alice, bob] = [b"alice", b"bob__"].map(|subject| Isolation::of_subject(subject));
        let (mut dialing, mut waiting) = (place_of(&pool, &alice), place_of(&pool, &alice));
        let (mut other, mut others) = (place_of(&pool, &bob), place_of(&pool, &bob));
        let permit = dial(&mut dialing, now);
        assert!(waits(&mut waiting, now));
        let second = dial(&mut other, now);
        assert!(waits(&mut others, now));
        let error = SdkError::new(ErrorKind::TorUnavailable, "no circuit");
        assert!(second.finish(Err(error.into()), None).is_err());
        assert!(waits(&mut waiting, now), "that was not its own");
        let Acquired::Failed(failure) = others.acquire(now, waker()) else {
            panic!("it does not hear of the failure");
        };
        assert_eq!(failure.error.kind(), ErrorKind::TorUnavailable);
        drop(permit);
        dial(&mut waiting, now);
    }

    #[test]
    fn a_dial_that_somebody_sits_on_is_overtaken_after_its_limit() {
        let config = SdkConfig::default();
        let pool = pool();
        let now = Instant::now();
        let (mut held, mut waiting, mut third) = (place(&pool), place(&pool), place(&pool));
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

    /// Whether it waits for somebody's dial or for its own turn to dial.
    #[test]
    fn closing_wakes_whoever_waits_and_nobody_dials_any_more() {
        let pool = pool();
        let now = Instant::now();
        let (woken, counter) = counting_waker();
        refused(dial(&mut place(&pool), now));
        let mut backing_off = place(&pool);
        assert!(matches!(
            backing_off.acquire(now, &woken),
            Acquired::Wait(_)
        ));
        pool.close();
        assert_eq!(counter.load(Ordering::Relaxed), 1);
        let Acquired::Failed(failure) = backing_off.acquire(now, waker()) else {
            panic!("it goes on");
        };
        assert_eq!(failure.error.kind(), ErrorKind::Closed);
    }

    fn counting_waker() -> (Waker, Arc<AtomicUsize>) {
        struct Count(Arc<AtomicUsize>);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let counter = Arc::new(AtomicUsize::new(0));
        (Arc::new(Count(Arc::clone(&counter))).into(), counter)
    }
}
