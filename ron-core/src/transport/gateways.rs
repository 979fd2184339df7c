//! Which of a client's gateways is dialled, and when. No I/O.
//!
//! A dial begins with the gateway in use: the one that was reached last, at first the preferred one. Those that do not
//! let themselves be reached are followed by the others, in their order, within the same dial. Whoever was reached
//! stays in use: nothing goes back by itself but a dial that has to be made anyway, and that tries the preferred one
//! again where it was left long enough ago. Each gateway has a back-off of its own, which its next dial waits for.

use super::endpoint::Endpoint;
use crate::retry::{DialBackoff, NextDial, Random};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the preferred gateway is left alone when another one has taken its place.
const RETURN_AFTER: Duration = Duration::from_secs(30);
/// What one of several gateways has at least to let itself be reached, where the dial has as much.
const LEAST_SHARE: Duration = Duration::from_millis(250);

/// The gateways of one client, the preferred one first.
pub(super) struct Gateways {
    gateways: Vec<Gateway>,
    current: usize,
    /// When a dial may begin with the preferred gateway again, where that is not the one in use.
    return_at: Option<Instant>,
    is_any_backing_off: bool,
}

struct Gateway {
    endpoint: Arc<Endpoint>,
    backoff: DialBackoff,
    /// The last dial that counts for the back-off, 0 for none.
    failed_dial: u64,
    /// Why that failed.
    why: String,
}

/// What a call that has no connection should do.
pub(super) enum Route {
    /// Dial these, one after the other until one is reached.
    Dial(Vec<Arc<Endpoint>>),
    /// None may be dialled before.
    At(Instant),
    /// None may be dialled in time.
    TooLate,
}

impl Gateways {
    /// Requires one at least.
    pub(super) fn new(endpoints: &[Arc<Endpoint>]) -> Self {
        let gateways = endpoints.iter().map(|endpoint| Gateway {
            endpoint: Arc::clone(endpoint),
            backoff: DialBackoff::default(),
            failed_dial: 0,
            why: String::new(),
        });
        Self {
            gateways: gateways.collect(),
            current: 0,
            return_at: None,
            is_any_backing_off: false,
        }
    }

    /// Whom a call dials that gives up on gateways it cannot reach at `dial_by`.
    pub(super) fn route(&self, now: Instant, dial_by: Instant) -> Route {
        let returns = self.return_at.is_some_and(|at| now >= at);
        let first = if returns { 0 } else { self.current };
        let others = (0..self.gateways.len()).filter(|other| *other != first);
        let (mut route, mut earliest) = (Vec::new(), None::<Instant>);
        for at in std::iter::once(first).chain(others) {
            let Some(gateway) = self.gateways.get(at) else {
                continue;
            };
            match gateway.backoff.next(now, dial_by) {
                NextDial::Now => route.push(Arc::clone(&gateway.endpoint)),
                NextDial::At(at) => earliest = Some(earliest.map_or(at, |known| known.min(at))),
                NextDial::TooLate => {}
            }
        }
        match earliest {
            _ if !route.is_empty() => Route::Dial(route),
            Some(at) => Route::At(at),
            None => Route::TooLate,
        }
    }

    /// A dial has come through to this gateway, which is the one in use from now on.
    pub(super) fn reached(&mut self, endpoint: &Arc<Endpoint>, now: Instant) {
        if let Some(at) = self.position(endpoint) {
            self.use_next(at, now);
        }
    }

    /// A dial has not come through to this gateway, or its connection has failed before HELLO was answered. Returns
    /// when a gateway may be dialled again, whichever.
    pub(super) fn failed(
        &mut self,
        endpoint: &Arc<Endpoint>,
        dial: u64,
        why: &str,
        (now, random): (Instant, &Random),
    ) -> Instant {
        if let Some(at) = self.position(endpoint) {
            self.is_any_backing_off = true;
            self.gateways[at].failed_dial = dial;
            self.gateways[at].why = why.to_owned();
            self.gateways[at].backoff.failed(now, random);
            if at == self.current {
                self.use_next((at + 1) % self.gateways.len(), now);
            } else if at == 0 {
                // It was tried again, and is still not there.
                self.return_at = Some(now + RETURN_AFTER);
            }
        }
        self.next_dial(now)
    }

    /// When a gateway may be dialled, whichever.
    pub(super) fn next_dial(&self, now: Instant) -> Instant {
        let gateways = self.gateways.iter();
        let times =
            gateways.map(|gateway| gateway.backoff.not_before().map_or(now, |at| at.max(now)));
        times.min().unwrap_or(now)
    }

    /// Why gateways could not be reached, each with its address, the preferred one first.
    pub(super) fn failures(&self) -> Vec<String> {
        let gateways = self.gateways.iter();
        let failed = gateways.filter(|gateway| gateway.failed_dial > 0);
        failed
            .map(|gateway| format!("{}: {}", gateway.endpoint, gateway.why))
            .collect()
    }

    /// Whether [`Gateways::answered`] could change anything.
    pub(super) fn is_any_backing_off(&self) -> bool {
        self.is_any_backing_off
    }

    /// HELLO was answered on a connection that this dial has opened.
    pub(super) fn answered(&mut self, endpoint: &Arc<Endpoint>, dial: u64) {
        if let Some(at) = self.position(endpoint) {
            let gateway = &mut self.gateways[at];
            if gateway.failed_dial > 0 && dial > gateway.failed_dial {
                gateway.failed_dial = 0;
                gateway.backoff.succeeded();
                let mut gateways = self.gateways.iter();
                self.is_any_backing_off = gateways.any(|gateway| gateway.failed_dial > 0);
            }
        }
    }

    fn use_next(&mut self, next: usize, now: Instant) {
        if next == 0 {
            self.return_at = None;
        } else if self.current == 0 || self.return_at.is_some_and(|at| now >= at) {
            self.return_at = Some(now + RETURN_AFTER);
        }
        self.current = next;
    }

    fn position(&self, endpoint: &Arc<Endpoint>) -> Option<usize> {
        let mut gateways = self.gateways.iter();
        gateways.position(|gateway| Arc::ptr_eq(&gateway.endpoint, endpoint))
    }
}

/// How long the first of so many gateways has, where the dial has so much time left: an equal share of it, so that one
/// that says nothing does not take the others' time.
pub(super) fn share(left: Duration, gateways: usize) -> Duration {
    let gateways = u32::try_from(gateways).unwrap_or(u32::MAX).max(1);
    (left / gateways).max(LEAST_SHARE).min(left)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct World {
        endpoints: Vec<Arc<Endpoint>>,
        gateways: Gateways,
        random: Random,
        now: Instant,
        dials: u64,
    }

    impl World {
        fn new(count: usize) -> Self {
            let names = ["https://a", "https://b", "https://c"];
            let endpoints = names[..count]
                .iter()
                .map(|name| Arc::new(name.parse().unwrap()));
            let endpoints: Vec<_> = endpoints.collect();
            Self {
                gateways: Gateways::new(&endpoints),
                endpoints,
                random: Random::seeded(7),
                now: Instant::now(),
                dials: 0,
            }
        }

        fn route(&self) -> Vec<usize> {
            match self.gateways.route(self.now, self.now + SECOND) {
                Route::Dial(route) => route.iter().map(|endpoint| self.index(endpoint)).collect(),
                Route::At(_) | Route::TooLate => Vec::new(),
            }
        }

        fn index(&self, endpoint: &Arc<Endpoint>) -> usize {
            let mut endpoints = self.endpoints.iter();
            endpoints
                .position(|known| Arc::ptr_eq(known, endpoint))
                .unwrap()
        }

        fn fail(&mut self, at: usize) -> Instant {
            self.dials += 1;
            let endpoint = Arc::clone(&self.endpoints[at]);
            self.gateways
                .failed(&endpoint, self.dials, "refused", (self.now, &self.random))
        }

        fn reach(&mut self, at: usize) {
            self.dials += 1;
            let endpoint = Arc::clone(&self.endpoints[at]);
            self.gateways.reached(&endpoint, self.now);
            self.gateways.answered(&endpoint, self.dials);
        }
    }

    #[test]
    fn a_dial_begins_with_the_gateway_in_use_and_goes_on_to_the_others() {
        let mut world = World::new(3);
        assert_eq!(world.route(), [0, 1, 2]);
        world.fail(0);
        assert_eq!(world.route(), [1, 2], "the first one backs off");
        world.reach(1);
        world.now += SECOND;
        assert_eq!(world.route(), [1, 0, 2], "what works is kept");
    }

    #[test]
    fn the_preferred_gateway_is_tried_again_after_a_while() {
        let mut world = World::new(3);
        world.fail(0);
        world.reach(1);
        world.now += RETURN_AFTER - Duration::from_millis(1);
        assert_eq!(world.route()[0], 1);
        world.now += Duration::from_millis(1);
        assert_eq!(world.route(), [0, 1, 2]);
        // It is still not there: the next dials leave it alone for as long.
        world.fail(0);
        assert_eq!(world.route(), [1, 2]);
        world.reach(1);
        world.now += RETURN_AFTER - SECOND;
        assert_eq!(world.route()[0], 1);
        world.now += SECOND;
        assert_eq!(world.route()[0], 0);
        world.reach(0);
        world.now += RETURN_AFTER * 2;
        assert_eq!(world.route(), [0, 1, 2]);
        assert!(!world.gateways.is_any_backing_off() && world.gateways.failures().is_empty());
    }

    #[test]
    fn one_that_fails_from_gateway_to_gateway_does_not_put_the_return_off() {
        let mut world = World::new(3);
        world.fail(0);
        world.reach(1);
        world.now += RETURN_AFTER - SECOND;
        world.fail(1);
        world.reach(2);
        world.now += SECOND;
        assert_eq!(world.route()[0], 0);
    }

    #[test]
    fn each_gateway_has_a_back_off_of_its_own() {
        let mut world = World::new(2);
        assert_eq!(
            world.fail(0),
            world.now,
            "the other one may be dialled at once"
        );
        let next = world.fail(1);
        assert!(next > world.now && next <= world.now + Duration::from_millis(250));
        assert!(world.route().is_empty());
        assert_eq!(
            world.gateways.failures(),
            ["a:443: refused", "b:443: refused"]
        );
        let late = world.gateways.route(world.now, world.now);
        assert!(matches!(late, Route::TooLate));
        let Route::At(at) = world.gateways.route(world.now, world.now + SECOND) else {
            panic!("it does not wait for the first one that may be dialled");
        };
        assert_eq!(at, next);
        world.now = next;
        assert!(!world.route().is_empty());
    }

    #[test]
    fn only_a_later_dial_that_was_answered_ends_the_back_off() {
        let mut world = World::new(1);
        world.fail(0);
        world.fail(0);
        let endpoint = Arc::clone(&world.endpoints[0]);
        world.gateways.answered(&endpoint, 1);
        assert!(world.gateways.is_any_backing_off());
        world.reach(0);
        assert!(!world.gateways.is_any_backing_off());
        assert_eq!(world.route(), [0]);
    }

    #[test]
    fn a_silent_gateway_takes_its_share_of_the_time_and_no_more() {
        assert_eq!(share(2 * SECOND, 1), 2 * SECOND);
        assert_eq!(share(3 * SECOND, 3), SECOND);
        assert_eq!(share(Duration::from_millis(300), 3), LEAST_SHARE);
        assert_eq!(
            share(Duration::from_millis(90), 3),
            Duration::from_millis(90)
        );
    }
}
