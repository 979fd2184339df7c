//! One call from attempt to attempt: what is retried, when, and what is known about its effect.

use super::{Backoff, Random, RetryBudget};
use crate::error::{RetryRule, SdkError};
use crate::oap::Executed;
use std::time::{Duration, Instant};

/// A gateway that asks for more patience than this gets its answer at once: the caller decides.
const LONGEST_HINT: Duration = Duration::from_secs(30);
/// An attempt that has less time than this is not worth waiting for.
const LEAST_ATTEMPT: Duration = Duration::from_millis(10);

const PRICE: u32 = 5;
/// Of what keeps a gateway busy for longer.
const HIGH_PRICE: u32 = 10;

/// Why a call that could have been tried again was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GaveUp {
    /// The next attempt would have come too late for the call's limit, or the gateway asked for more than
    /// 30 s of patience.
    Deadline,
    /// `backoff.max_attempts` attempts were made.
    Attempts,
    /// So many calls of this client fail that retries would only add to the gateway's load.
    Budget,
}

/// What an error does not say about the attempt that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing: the error's own rule decides.
    Ordinary,
    /// The answer did not begin in time.
    AttemptTimeout,
    /// The gateway could not be dialled, and will not be before this time.
    NotReached(Instant),
    /// Another attempt could not change it, whatever its kind.
    Final,
    /// It was not made: the gateway is not to be dialled before it would be too late for the call.
    NotMade,
}

/// What to do after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again after this time.
    Retry(Duration),
    /// Get a fresh capability and try again at once.
    Refresh,
    /// The error is the call's. `None` where it is not one that is retried.
    Stop(Option<GaveUp>),
}

/// One call's attempts.
#[derive(Debug)]
pub(crate) struct CallPolicy {
    deadline: Instant,
    /// A gateway that could not be reached is not dialled after this.
    dial_by: Instant,
    is_read: bool,
    /// Whether a second execution would do no harm.
    is_repeatable: bool,
    attempts: u32,
    executed: Executed,
    has_refreshed: bool,
    has_refetched: bool,
    price: Option<u32>,
}

impl CallPolicy {
    /// A read, or a mutation that can be repeated or cannot.
    pub(crate) fn new(
        is_read: bool,
        is_repeatable: bool,
        started: Instant,
        limit: Duration,
    ) -> Self {
        Self {
            deadline: started + limit,
            dial_by: started + limit * 3 / 5,
            is_read,
            is_repeatable: is_read || is_repeatable,
            attempts: 0,
            executed: Executed::No,
            has_refreshed: false,
            has_refetched: false,
            price: None,
        }
    }

    /// When the call has to be over.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Until when the call dials a gateway that could not be reached: with less than two fifths of its time
    /// left, it would only fail later.
    pub(crate) const fn dial_by(&self) -> Instant {
        self.dial_by
    }

    /// Counts another attempt.
    pub(crate) fn begin_attempt(&mut self) {
        self.attempts += 1;
    }

    /// Attempts so far.
    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What is known about the call's effect, over all its failed attempts.
    pub(crate) const fn executed(&self) -> Executed {
        self.executed
    }

    /// The current attempt has succeeded.
    pub(crate) fn succeeded(&self, budget: &RetryBudget) {
        budget.give_back(self.price);
    }

    /// The current attempt has failed.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        error: &SdkError,
        cause: Cause,
        can_refresh: bool,
        limits: (&Backoff, &RetryBudget, &Random),
    ) -> Next {
        let (backoff, budget, random) = limits;
        if cause == Cause::NotMade {
            self.attempts -= 1;
            return Next::Stop(Some(GaveUp::Deadline));
        }
        self.note(error.executed());
        let has_attempts = self.attempts < backoff.max_attempts;
        let rule = match cause {
            Cause::Final | Cause::NotMade => RetryRule::Never,
            Cause::Ordinary | Cause::AttemptTimeout | Cause::NotReached(_) => error.retried(),
        };
        let is_retried = match rule {
            RetryRule::Never => false,
            RetryRule::Transient => self.is_repeatable || error.executed() == Executed::No,
            RetryRule::OnceElsewhere => self.is_read && !self.has_refetched,
            RetryRule::AfterRefresh => can_refresh && !self.has_refreshed,
        };
        if !is_retried {
            return Next::Stop(None);
        }
        if !has_attempts {
            return Next::Stop(Some(GaveUp::Attempts));
        }
        if rule == RetryRule::AfterRefresh {
            self.has_refreshed = true;
            return Next::Refresh;
        }
        let hint = error.retry_after();
        let is_elsewhere = rule == RetryRule::OnceElsewhere;
        let delay = if is_elsewhere {
            Duration::ZERO
        } else {
            backoff.delay(self.attempts, hint, random)
        };
        let left = self.deadline.saturating_duration_since(now);
        let is_too_late = delay.saturating_add(LEAST_ATTEMPT) >= left
            || matches!(cause, Cause::NotReached(until) if until.max(now + delay) > self.dial_by);
        if is_too_late || hint.is_some_and(|hint| hint > LONGEST_HINT) {
            return Next::Stop(Some(GaveUp::Deadline));
        }
        let price = if is_elsewhere || cause == Cause::AttemptTimeout {
            HIGH_PRICE
        } else {
            PRICE
        };
        if !budget.take(price, now) {
            return Next::Stop(Some(GaveUp::Budget));
        }
        self.price = Some(price);
        self.has_refetched |= is_elsewhere;
        Next::Retry(delay)
    }

    /// Yes if any attempt was executed, else unknown if any may have been.
    pub(crate) fn note(&mut self, executed: Executed) {
        self.executed = match (self.is_read, self.executed, executed) {
            (true, ..) => Executed::No,
            (_, Executed::Yes, _) | (_, _, Executed::Yes) => Executed::Yes,
            (_, Executed::Unknown, _) | (_, _, Executed::Unknown) => Executed::Unknown,
            (_, Executed::No, Executed::No) => Executed::No,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BackoffConfig;
    use crate::error::ErrorKind;
    use crate::oap::{ErrorReply, Reason};
    use proptest::prelude::*;

    /// One call of five seconds, and its time.
    struct Call {
        policy: CallPolicy,
        now: Instant,
        backoff: Backoff,
        budget: RetryBudget,
        random: Random,
        can_refresh: bool,
    }

    const LIMIT: Duration = Duration::from_secs(5);

    impl Call {
        fn new(is_read: bool, is_keyed: bool) -> Self {
            let now = Instant::now();
            Self {
                policy: CallPolicy::new(is_read, is_keyed, now, LIMIT),
                now,
                backoff: Backoff::new(&BackoffConfig::default()),
                budget: RetryBudget::new(),
                random: Random::seeded(1),
                can_refresh: false,
            }
        }

        fn fail(&mut self, error: &SdkError, cause: Cause) -> Next {
            self.policy.begin_attempt();
            let limits = (&self.backoff, &self.budget, &self.random);
            self.policy
                .failed(self.now, error, cause, self.can_refresh, limits)
        }

        fn is_retried(&mut self, error: &SdkError) -> bool {
            matches!(self.fail(error, Cause::Ordinary), Next::Retry(_))
        }
    }

    fn answer(status: u16, executed: Executed) -> SdkError {
        let reply = ErrorReply::not_executed(Reason::Unavailable).with_executed(executed);
        SdkError::refused(status, Ok(reply))
    }

    fn hint(after: Duration) -> SdkError {
        let reply = ErrorReply::not_executed(Reason::RateLimited).with_retry_after(after);
        SdkError::refused(429, Ok(reply))
    }

    fn local(kind: ErrorKind, executed: Executed) -> SdkError {
        SdkError::new(kind, "it failed").with_executed(executed)
    }

    /// Reads, keyed mutations and un-keyed ones.
    const CALLS: [(bool, bool); 3] = [(true, false), (false, true), (false, false)];

    #[test]
    fn what_was_not_executed_is_retried_for_every_operation() {
        for (is_read, is_keyed) in CALLS {
            for error in [
                answer(408, Executed::No),
                answer(429, Executed::No),
                answer(500, Executed::No),
                answer(503, Executed::No),
                answer(599, Executed::No),
                local(ErrorKind::Transport, Executed::No),
                local(ErrorKind::Stalled, Executed::No),
            ] {
                assert!(Call::new(is_read, is_keyed).is_retried(&error), "{error:?}");
            }
        }
    }

    #[test]
    fn what_may_have_been_executed_is_retried_only_where_that_does_no_harm() {
        for (is_read, is_keyed) in CALLS {
            for executed in [Executed::Unknown, Executed::Yes] {
                for error in [
                    answer(408, executed),
                    answer(429, executed),
                    answer(500, executed),
                    local(ErrorKind::Transport, executed),
                    local(ErrorKind::Stalled, executed),
                    local(ErrorKind::OapViolation, executed),
                ] {
                    let is_retried = Call::new(is_read, is_keyed).is_retried(&error);
                    assert_eq!(is_retried, is_read || is_keyed, "{error:?}");
                }
            }
        }
    }

    #[test]
    fn what_another_attempt_cannot_change_is_not_retried() {
        for status in [302, 400, 401, 403, 404, 409, 413, 416, 499, 501, 505, 600] {
            let mut call = Call::new(true, false);
            assert!(!call.is_retried(&answer(status, Executed::No)), "{status}");
        }
        for kind in [
            ErrorKind::DeadlineExceeded,
            ErrorKind::Tls,
            ErrorKind::TorUnavailable,
            ErrorKind::Config,
            ErrorKind::Busy,
            ErrorKind::SchemaViolation,
            ErrorKind::Internal,
        ] {
            let mut call = Call::new(true, false);
            assert!(!call.is_retried(&local(kind, Executed::No)), "{kind:?}");
        }
        let stranger = local(ErrorKind::OapViolation, Executed::No);
        let next = Call::new(true, false).fail(&stranger, Cause::Final);
        assert_eq!(next, Next::Stop(None));
    }

    #[test]
    fn a_gateway_that_cannot_be_dialled_in_time_is_not_waited_for() {
        let gone = local(ErrorKind::Transport, Executed::No);
        for (after, waits) in [(1, true), (2899, true), (3001, false)] {
            let mut call = Call::new(false, false);
            let until = call.now + Duration::from_millis(after);
            match call.fail(&gone, Cause::NotReached(until)) {
                Next::Retry(_) => assert!(waits, "{after}"),
                next => assert!(!waits && next == Next::Stop(Some(GaveUp::Deadline))),
            }
        }
    }

    #[test]
    fn an_attempt_that_was_not_made_ends_the_call_and_does_not_count() {
        let mut call = Call::new(true, false);
        let gone = local(ErrorKind::Transport, Executed::No);
        assert!(call.is_retried(&gone));
        let next = call.fail(&gone, Cause::NotMade);
        assert_eq!(next, Next::Stop(Some(GaveUp::Deadline)));
        assert_eq!(call.policy.attempts(), 1);
    }

    #[test]
    fn five_attempts_are_the_most() {
        let mut call = Call::new(true, false);
        let error = answer(503, Executed::No);
        for _ in 0..4 {
            assert!(call.is_retried(&error));
        }
        let next = call.fail(&error, Cause::Ordinary);
        assert_eq!(next, Next::Stop(Some(GaveUp::Attempts)));
    }

    #[test]
    fn a_hint_is_waited_for_unless_that_takes_too_long() {
        for (hinted, waits) in [(0, true), (1000, true), (4980, false), (29_999, false)] {
            let hinted = Duration::from_millis(hinted);
            match Call::new(true, false).fail(&hint(hinted), Cause::Ordinary) {
                Next::Retry(delay) => assert!(waits && delay >= hinted && delay < LIMIT),
                next => assert!(!waits && next == Next::Stop(Some(GaveUp::Deadline))),
            }
        }
        let mut long = Call::new(true, false);
        long.policy.deadline = long.now + Duration::from_secs(3600);
        assert!(long.is_retried(&hint(Duration::from_secs(30))));
        for hinted in [
            Duration::from_millis(30_001),
            Duration::from_millis(u64::MAX),
        ] {
            let next = long.fail(&hint(hinted), Cause::Ordinary);
            assert_eq!(next, Next::Stop(Some(GaveUp::Deadline)));
        }
    }

    #[test]
    fn a_retry_that_would_come_too_late_is_not_waited_for() {
        let mut call = Call::new(true, false);
        call.now += LIMIT - LEAST_ATTEMPT;
        let next = call.fail(&answer(503, Executed::No), Cause::Ordinary);
        assert_eq!(next, Next::Stop(Some(GaveUp::Deadline)));
    }

    #[test]
    fn an_expired_capability_is_replaced_once() {
        let expired = answer(401, Executed::No);
        assert_eq!(
            Call::new(true, false).fail(&expired, Cause::Ordinary),
            Next::Stop(None)
        );
        for (is_read, is_keyed) in CALLS {
            let mut call = Call::new(is_read, is_keyed);
            call.can_refresh = true;
            assert_eq!(call.fail(&expired, Cause::Ordinary), Next::Refresh);
            assert_eq!(call.fail(&expired, Cause::Ordinary), Next::Stop(None));
            assert_eq!(call.budget.tokens(), 500);
        }
    }

    #[test]
    fn a_read_of_wrong_bytes_is_repeated_once_and_at_once() {
        let wrong = local(ErrorKind::IntegrityMismatch, Executed::No);
        let mut read = Call::new(true, false);
        assert_eq!(
            read.fail(&wrong, Cause::Ordinary),
            Next::Retry(Duration::ZERO)
        );
        assert_eq!(read.fail(&wrong, Cause::Ordinary), Next::Stop(None));
        let stored = wrong.with_executed(Executed::Yes);
        assert_eq!(
            Call::new(false, true).fail(&stored, Cause::Ordinary),
            Next::Stop(None)
        );
    }

    #[test]
    fn retries_cost_what_they_should_and_a_success_returns_the_last_price() {
        let mut call = Call::new(true, false);
        assert!(call.is_retried(&answer(503, Executed::No)));
        assert_eq!(call.budget.tokens(), 495);
        let silent = local(ErrorKind::Transport, Executed::Unknown);
        assert!(matches!(
            call.fail(&silent, Cause::AttemptTimeout),
            Next::Retry(_)
        ));
        assert_eq!(call.budget.tokens(), 485);
        call.policy.succeeded(&call.budget);
        assert_eq!(call.budget.tokens(), 495);
        CallPolicy::new(true, false, call.now, LIMIT).succeeded(&call.budget);
        assert_eq!(call.budget.tokens(), 496);
    }

    #[test]
    fn an_empty_budget_ends_the_call_with_its_last_error() {
        let mut call = Call::new(true, false);
        while call.budget.take(5, call.now) {}
        let next = call.fail(&answer(503, Executed::No), Cause::Ordinary);
        assert_eq!(next, Next::Stop(Some(GaveUp::Budget)));
    }

    #[test]
    fn the_effect_of_a_call_is_that_of_all_its_attempts() {
        use Executed::{No, Unknown, Yes};
        for (attempts, executed) in [
            ([No, No, No], No),
            ([No, Unknown, No], Unknown),
            ([Unknown, Yes, No], Yes),
            ([Yes, Unknown, No], Yes),
        ] {
            let (mut put, mut read) = (Call::new(false, true), Call::new(true, false));
            for attempt in attempts {
                put.fail(&answer(503, attempt), Cause::Ordinary);
                read.fail(&answer(503, attempt), Cause::Ordinary);
            }
            assert_eq!(
                (put.policy.executed(), read.policy.executed()),
                (executed, No)
            );
        }
    }

    fn any_executed() -> impl Strategy<Value = Executed> {
        prop_oneof![
            Just(Executed::No),
            Just(Executed::Unknown),
            Just(Executed::Yes)
        ]
    }

    fn any_failure() -> impl Strategy<Value = (SdkError, Cause, u64)> {
        let status = prop_oneof![
            any::<u16>(),
            prop_oneof![Just(401u16), Just(408), Just(429), 500u16..=599]
        ];
        let kinds: Vec<ErrorKind> = ErrorKind::all().collect();
        let local = proptest::sample::select(kinds);
        let retry_after = proptest::option::of(prop_oneof![0u64..6000, any::<u64>()]);
        let error = prop_oneof![
            (status, any_executed(), retry_after).prop_map(|(status, executed, after)| {
                let mut reply = ErrorReply::not_executed(Reason::Internal).with_executed(executed);
                reply.retry_after_ms = after;
                SdkError::refused(status, Ok(reply))
            }),
            (local, any_executed()).prop_map(|(kind, executed)| local_error(kind, executed)),
        ];
        let cause = prop_oneof![
            4 => Just(Cause::Ordinary),
            1 => Just(Cause::AttemptTimeout),
            1 => Just(Cause::Final)
        ];
        (error, cause, 0u64..2000)
    }

    fn local_error(kind: ErrorKind, executed: Executed) -> SdkError {
        local(kind, executed)
    }

    proptest! {
        #[test]
        fn whatever_happens_a_call_is_bounded_and_does_no_harm(
            failures in proptest::collection::vec(any_failure(), 12),
            (is_read, is_keyed) in proptest::sample::select(CALLS.to_vec()),
            can_refresh in any::<bool>(),
            seed in any::<u64>(),
        ) {
            let mut call = Call::new(is_read, is_keyed);
            call.can_refresh = can_refresh;
            call.random = Random::seeded(seed);
            let deadline = call.policy.deadline;
            let mut refreshes = 0;
            for (error, cause, took) in failures {
                call.now += Duration::from_millis(took);
                let next = call.fail(&error, cause);
                prop_assert!(call.policy.attempts() <= 5);
                let is_certain = error.executed() == Executed::No;
                match next {
                    Next::Retry(delay) => {
                        prop_assert!(is_read || is_keyed || is_certain);
                        prop_assert!(call.now + delay < deadline);
                        prop_assert!(call.policy.attempts() < 5);
                        prop_assert_ne!(error.status(), Some(409));
                        call.now += delay;
                    }
                    Next::Refresh => refreshes += 1,
                    Next::Stop(_) => break,
                }
            }
            prop_assert!(refreshes <= usize::from(can_refresh));
        }
    }
}
