//! Whether a connection that was silent is alive: one outstanding ping, and a limit for its answer.

use std::time::{Duration, Instant};

/// A peer has this many round trips to answer a ping, within bounds.
const ROUND_TRIPS: u32 = 4;
const LIMIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// A connection's probe.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// When HELLO was sent, and how long its answer took.
    hello_sent: Option<Instant>,
    round_trip: Option<Duration>,
    pings: u32,
    /// When the ping that is under way has to be answered.
    until: Option<Instant>,
    /// Whether it was sent because the peer was silent, and not because somebody wants to know.
    is_suspicion: bool,
}

impl Probe {
    /// HELLO is on its way.
    pub(super) fn hello_sent(&mut self, now: Instant) {
        self.hello_sent.get_or_insert(now);
    }

    /// HELLO was answered.
    pub(super) fn hello_answered(&mut self, now: Instant) {
        self.round_trip = self
            .hello_sent
            .map(|sent| now.saturating_duration_since(sent));
    }

    /// The number of the ping to send to a peer that was silent; `None` where one is under way.
    pub(super) fn begin(&mut self, now: Instant) -> Option<u32> {
        self.is_suspicion = true;
        self.ask(now)
    }

    /// The number of the ping to send to a peer that is as good as any; `None` where one is under way.
    pub(super) fn ask(&mut self, now: Instant) -> Option<u32> {
        if self.until.is_some() {
            return None;
        }
        self.until = Some(now + self.limit());
        self.pings += 1;
        Some(self.pings)
    }

    /// A byte has come, whichever: the peer is alive.
    pub(super) fn answered(&mut self) {
        self.until = None;
        self.is_suspicion = false;
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.until.is_some()
    }

    /// Whether the peer has to prove itself before it is used again.
    pub(super) fn is_suspicion(&self) -> bool {
        self.is_suspicion && self.is_under_way()
    }

    /// When the peer has to have said something.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// How long the peer may take.
    pub(super) fn limit(&self) -> Duration {
        let limit = self.round_trip.map_or(LIMIT.1, |time| time * ROUND_TRIPS);
        limit.clamp(LIMIT.0, LIMIT.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ping_at_a_time_with_a_limit_from_the_round_trip() {
        let (mut probe, start) = (Probe::default(), Instant::now());
        let millis = Duration::from_millis;
        assert_eq!(probe.limit(), millis(1000));
        for (round_trip, limit) in [(1, 200), (100, 400), (900, 1000)] {
            probe = Probe::default();
            probe.hello_sent(start);
            probe.hello_answered(start + millis(round_trip));
            assert_eq!(probe.limit(), millis(limit));
        }
        assert_eq!(probe.begin(start), Some(1));
        assert_eq!(probe.begin(start), None);
        assert_eq!(probe.until(), Some(start + millis(1000)));
        probe.answered();
        assert!(!probe.is_under_way());
        assert_eq!(probe.begin(start), Some(2));
    }

    #[test]
    fn a_question_is_no_suspicion_until_there_is_one() {
        let (mut probe, start) = (Probe::default(), Instant::now());
        assert_eq!(probe.ask(start), Some(1));
        assert!(probe.is_under_way() && !probe.is_suspicion());
        assert_eq!(probe.begin(start), None);
        assert!(probe.is_suspicion());
        probe.answered();
        assert_eq!(probe.ask(start), Some(2));
        assert!(!probe.is_suspicion());
    }
}
