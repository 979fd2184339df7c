//! What was sent, received and acknowledged, and what must not have happened.
//!
//! Times are passed in. What it remembers is bounded: the messages that are on their way, two bits for each of all
//! others, and the acknowledgements of the last few minutes.

use super::fates::{Fate, Fates};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// Messages on their way at once; beyond, nothing is sent until some have arrived.
const MOST_OPEN: usize = 20_000;
/// Violations of one kind that are told in full; all are counted.
const TOLD: usize = 5;

/// What a mailbox must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// A message that the gateway has taken does not come, though nothing else is left in its topic.
    Lost,
    /// A message came in answer to a receive that began after it had been acknowledged.
    AfterAcknowledgement,
    /// A message came as two messages, though it was sent under one idempotency key.
    Duplicated,
    /// A message came whose send failed as not executed.
    NotExecuted,
    /// A message came that nobody has sent, or with other bytes.
    Invented,
    /// This process uses more memory than it may.
    Memory,
    /// The client has calls, slots or bytes when nothing is open.
    Leak,
}

/// The violations of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Violations {
    /// How many.
    pub count: u64,
    /// What the first few were.
    pub examples: Vec<String>,
}

/// How much of everything there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sends that succeeded.
    pub sent: u64,
    /// Sends that failed as not executed.
    pub refused: u64,
    /// Sends of which nobody knows whether they were executed.
    pub unknown: u64,
    /// Sends that were not begun, since too many messages were on their way.
    pub held_back: u64,
    /// Messages that came for the first time.
    pub received: u64,
    /// Messages that came again.
    pub received_again: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledgements that came too late: the message was delivered again meanwhile.
    pub stale: u64,
    /// Acknowledgements of which nobody knows whether they were executed.
    pub acknowledgement_unknown: u64,
    /// Messages that were given back.
    pub given_back: u64,
    /// Messages that a consumer never came back to.
    pub abandoned: u64,
    /// Messages that were given up after too many deliveries.
    pub dead_letters: u64,
}

/// A message on its way.
#[derive(Debug)]
struct Open {
    /// The gateway has said that it has it, or it has come.
    is_taken: bool,
    /// Its id, as soon as it is known.
    id: Option<String>,
    /// When it was last heard of.
    since: Instant,
    has_come: bool,
}

/// A message that was acknowledged not long ago.
#[derive(Debug)]
struct Acknowledged {
    at: Instant,
    id: Option<String>,
}

/// The books of a soak.
#[derive(Debug)]
pub struct Account {
    next: u64,
    open: HashMap<u64, Open>,
    fates: Fates,
    /// Acknowledgements not older than the longest receive: only of them it matters when they were.
    recent: HashMap<u64, Acknowledged>,
    recent_order: VecDeque<(Instant, u64)>,
    longest_receive: Duration,
    overdue_after: Duration,
    counts: Counts,
    violations: BTreeMap<Violation, Violations>,
}

impl Account {
    /// Empty books, for receives that take at most so long. A message is overdue after `overdue_after` without a
    /// word of it.
    pub fn new(longest_receive: Duration, overdue_after: Duration) -> Self {
        Self {
            next: 0,
            open: HashMap::new(),
            fates: Fates::default(),
            recent: HashMap::new(),
            recent_order: VecDeque::new(),
            longest_receive,
            overdue_after,
            counts: Counts::default(),
            violations: BTreeMap::new(),
        }
    }

    /// The number of a message that is going to be sent; `None` where too many are on their way.
    pub fn begin(&mut self, now: Instant) -> Option<u64> {
        if self.open.len() >= MOST_OPEN {
            self.counts.held_back += 1;
            return None;
        }
        let number = self.next;
        self.next += 1;
        let open = Open {
            is_taken: false,
            id: None,
            since: now,
            has_come: false,
        };
        self.open.insert(number, open);
        Some(number)
    }

    /// The gateway has taken a message.
    pub fn sent(&mut self, number: u64, id: &str, now: Instant) {
        self.counts.sent += 1;
        self.identify(number, id);
        // It may have come, and gone, before the sender heard of it.
        if let Some(open) = self.open.get_mut(&number) {
            open.is_taken = true;
            open.since = open.since.max(now);
        }
    }

    /// A send failed and was not executed.
    pub fn refused(&mut self, number: u64) {
        self.counts.refused += 1;
        let open = self.open.remove(&number);
        let is_gone = self.fates.get(number) == Fate::Acknowledged;
        if is_gone || open.is_some_and(|open| open.has_come) {
            self.violate(
                Violation::NotExecuted,
                format_args!("message {number} came before"),
            );
        }
        self.fates.set(number, Fate::Refused);
    }

    /// A send failed, and nobody knows whether it was executed.
    pub fn unknown(&mut self, number: u64) {
        self.counts.unknown += 1;
        self.forget_unless_taken(number);
    }

    /// A message came in answer to a receive that began at `asked`. Returns whether it is to be dealt with: `false`
    /// where it must not have come.
    pub fn came(&mut self, number: u64, id: &str, asked: Instant, now: Instant) -> bool {
        if number >= self.next {
            self.invented(format_args!("message {number} was not sent yet"));
            return false;
        }
        match self.fates.get(number) {
            Fate::Refused => {
                self.violate(
                    Violation::NotExecuted,
                    format_args!("message {number} came"),
                );
                return false;
            }
            Fate::Acknowledged => {
                self.counts.received_again += 1;
                let is_same = self.identify(number, id);
                // One that is not recent was acknowledged before any receive began that is still open.
                let is_after = |acknowledged: &Acknowledged| acknowledged.at < asked;
                if is_same && self.recent.get(&number).map_or(true, is_after) {
                    let what = format_args!("message {number} came after its acknowledgement");
                    self.violate(Violation::AfterAcknowledgement, what);
                }
                return false;
            }
            Fate::Open => {}
        }
        let is_same = self.identify(number, id);
        let open = self.open.entry(number).or_insert_with(|| Open {
            is_taken: true,
            id: Some(id.to_owned()),
            since: now,
            has_come: false,
        });
        open.is_taken = true;
        open.since = now;
        if open.has_come {
            self.counts.received_again += 1;
        } else {
            open.has_come = true;
            self.counts.received += 1;
        }
        is_same
    }

    /// Something came that is none of the messages.
    pub fn invented(&mut self, what: fmt::Arguments<'_>) {
        self.violate(Violation::Invented, what);
    }

    /// A message was acknowledged.
    pub fn acknowledged(&mut self, number: u64, now: Instant) {
        self.counts.acknowledged += 1;
        self.end(number, now);
    }

    /// An acknowledgement came too late.
    pub fn stale(&mut self) {
        self.counts.stale += 1;
    }

    /// An acknowledgement failed, and nobody knows whether it was executed: the message may come again or not.
    pub fn acknowledgement_unknown(&mut self, number: u64) {
        self.counts.acknowledgement_unknown += 1;
        self.open.remove(&number);
    }

    /// A message was given back, or is not come back to.
    pub fn left(&mut self, is_given_back: bool) {
        if is_given_back {
            self.counts.given_back += 1;
        } else {
            self.counts.abandoned += 1;
        }
    }

    /// A message was given up by the gateway, and taken out of the dead letters.
    pub fn dead(&mut self, number: u64, now: Instant) {
        self.counts.dead_letters += 1;
        self.end(number, now);
    }

    /// A receive that began at `asked` was answered with nothing: whatever is overdue by then is lost.
    pub fn came_nothing(&mut self, asked: Instant) {
        let overdue_after = self.overdue_after;
        let is_overdue = |open: &Open| {
            open.is_taken && asked.saturating_duration_since(open.since) > overdue_after
        };
        let overdue = self.open.iter().filter(|(_, open)| is_overdue(open));
        let overdue: Vec<u64> = overdue.map(|(number, _)| *number).collect();
        for number in overdue {
            self.lose(number);
        }
    }

    /// Everything that was there has been received: what is still on its way is lost.
    pub fn drained(&mut self) {
        let taken = self.open.iter().filter(|(_, open)| open.is_taken);
        let taken: Vec<u64> = taken.map(|(number, _)| *number).collect();
        for number in taken {
            self.lose(number);
        }
    }

    /// Something else must not be.
    pub fn violate(&mut self, violation: Violation, what: fmt::Arguments<'_>) {
        let violations = self.violations.entry(violation).or_default();
        violations.count += 1;
        if violations.examples.len() < TOLD {
            violations.examples.push(what.to_string());
        }
    }

    /// Messages that are on their way.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How much there was of everything.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What must not have happened.
    pub const fn violations(&self) -> &BTreeMap<Violation, Violations> {
        &self.violations
    }

    /// Compares a message's id with the one that is known of it. Returns whether it is the same.
    fn identify(&mut self, number: u64, id: &str) -> bool {
        let known = match self.open.get_mut(&number) {
            Some(open) => &mut open.id,
            None => match self.recent.get_mut(&number) {
                Some(acknowledged) => &mut acknowledged.id,
                None => return true,
            },
        };
        match known {
            None => {
                *known = Some(id.to_owned());
                true
            }
            Some(known) if known == id => true,
            Some(known) => {
                let what = format!("message {number} is {known} and {id}");
                self.violate(Violation::Duplicated, format_args!("{what}"));
                false
            }
        }
    }

    fn end(&mut self, number: u64, now: Instant) {
        let id = self.open.remove(&number).and_then(|open| open.id);
        self.fates.set(number, Fate::Acknowledged);
        self.recent.insert(number, Acknowledged { at: now, id });
        self.recent_order.push_back((now, number));
        while let Some((at, oldest)) = self.recent_order.front().copied() {
            if now.saturating_duration_since(at) <= self.longest_receive {
                break;
            }
            self.recent_order.pop_front();
            // Unless it has been acknowledged once more since.
            if self
                .recent
                .get(&oldest)
                .is_some_and(|acknowledged| acknowledged.at == at)
            {
                self.recent.remove(&oldest);
            }
        }
    }

    fn forget_unless_taken(&mut self, number: u64) {
        if self.open.get(&number).is_some_and(|open| !open.is_taken) {
            self.open.remove(&number);
        }
    }

    fn lose(&mut self, number: u64) {
        if let Some(open) = self.open.remove(&number) {
            let came = if open.has_come {
                "did not come again"
            } else {
                "never came"
            };
            self.violate(Violation::Lost, format_args!("message {number} {came}"));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);
    const OVERDUE: Duration = Duration::from_secs(100);

    struct Case {
        account: Account,
        zero: Instant,
    }

    impl Case {
        /// With so many messages that were sent, with their numbers as their ids.
        fn new(messages: u64) -> Self {
            let mut case = Self {
                account: Account::new(LIMIT, OVERDUE),
                zero: Instant::now(),
            };
            for number in 0..messages {
                assert_eq!(case.account.begin(case.zero), Some(number));
                case.account.sent(number, &number.to_string(), case.zero);
            }
            case
        }

        fn at(&self, seconds: u64) -> Instant {
            self.zero + Duration::from_secs(seconds)
        }

        fn came(&mut self, number: u64, asked: u64) -> bool {
            let (asked, now) = (self.at(asked), self.at(asked + 1));
            self.account.came(number, &number.to_string(), asked, now)
        }

        fn ack(&mut self, number: u64, seconds: u64) {
            self.account.acknowledged(number, self.at(seconds));
        }

        #[track_caller]
        fn found(&self, expected: &[(Violation, u64)]) {
            let found = self.account.violations().iter();
            let found: Vec<_> = found
                .map(|(kind, violations)| (*kind, violations.count))
                .collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn messages_that_come_and_are_acknowledged_violate_nothing() {
        let mut case = Case::new(3);
        for number in 0..3 {
            assert!(case.came(number, 1));
            assert!(
                case.came(number, 20),
                "it was not acknowledged: it comes again"
            );
            case.ack(number, 30);
        }
        case.account.came_nothing(case.at(1000));
        case.account.drained();
        case.found(&[]);
        let counts = case.account.counts();
        assert_eq!(
            (counts.sent, counts.received, counts.received_again),
            (3, 3, 3)
        );
        assert_eq!((counts.acknowledged, case.account.open()), (3, 0));
    }

    #[test]
    fn what_was_acknowledged_before_a_receive_began_must_not_come_in_its_answer() {
        let mut case = Case::new(3);
        for number in 0..3 {
            assert!(case.came(number, 1));
            case.ack(number, 10);
        }
        assert!(!case.came(0, 9), "it may have been on its way");
        case.found(&[]);
        assert!(!case.came(0, 11));
        case.found(&[(Violation::AfterAcknowledgement, 1)]);
        // Long after, when the time of the acknowledgement has been forgotten.
        let mut later = Case::new(300);
        for number in 0..300 {
            later.came(number, number);
            later.ack(number, number + 1);
        }
        assert!(
            later.account.recent.len() <= 7,
            "{}",
            later.account.recent.len()
        );
        assert!(!later.came(0, 300));
        later.found(&[(Violation::AfterAcknowledgement, 1)]);
    }

    #[test]
    fn what_the_gateway_has_taken_must_come() {
        let mut case = Case::new(4);
        assert!(case.came(1, 1));
        case.ack(1, 2);
        assert!(case.came(2, 90));
        case.account.came_nothing(case.at(100));
        case.found(&[]);
        // Message 2 was heard of meanwhile.
        case.account.came_nothing(case.at(101));
        case.found(&[(Violation::Lost, 2)]);
        case.account.drained();
        case.found(&[(Violation::Lost, 3)]);
        let examples = &case.account.violations()[&Violation::Lost].examples;
        assert!(
            examples.contains(&"message 0 never came".into()),
            "{examples:?}"
        );
        assert!(
            examples.contains(&"message 2 did not come again".into()),
            "{examples:?}"
        );
    }

    #[test]
    fn what_nobody_knows_may_come_or_not() {
        let mut case = Case::new(0);
        for number in 0..3 {
            assert_eq!(case.account.begin(case.zero), Some(number));
            case.account.unknown(number);
        }
        assert!(case.came(1, 1));
        case.ack(1, 2);
        // Once it has come, it has to come again until it is acknowledged.
        assert!(case.came(2, 1));
        case.account.drained();
        case.found(&[(Violation::Lost, 1)]);
        let mut case = Case::new(2);
        assert!(case.came(0, 1) && case.came(1, 1));
        case.account.acknowledgement_unknown(0);
        case.account.acknowledgement_unknown(1);
        assert!(case.came(0, 20));
        case.ack(0, 21);
        case.account.drained();
        case.found(&[]);
    }

    #[test]
    fn what_was_not_executed_must_not_come() {
        let mut case = Case::new(1);
        for number in 1..=2 {
            assert_eq!(case.account.begin(case.zero), Some(number));
        }
        case.account.refused(1);
        assert!(!case.came(1, 1));
        assert!(case.came(2, 1));
        case.account.refused(2);
        case.found(&[(Violation::NotExecuted, 2)]);
    }

    #[test]
    fn one_key_is_one_message_and_nothing_is_made_up() {
        let mut case = Case::new(2);
        assert!(!case.account.came(0, "other", case.zero, case.at(1)));
        case.found(&[(Violation::Duplicated, 1)]);
        assert!(!case.came(2, 1));
        case.account.invented(format_args!("9 bytes"));
        case.found(&[(Violation::Duplicated, 1), (Violation::Invented, 2)]);
        // A message that comes before its sender has the receipt.
        assert_eq!(case.account.begin(case.zero), Some(2));
        assert!(case.account.came(2, "x", case.zero, case.at(1)));
        case.account.sent(2, "y", case.at(2));
        case.found(&[(Violation::Duplicated, 2), (Violation::Invented, 2)]);
        // One that came while the other was acknowledged: no receive began after that.
        case.ack(1, 10);
        assert!(!case.account.came(1, "other", case.at(9), case.at(11)));
        assert!(!case.came(1, 9));
        case.found(&[(Violation::Duplicated, 3), (Violation::Invented, 2)]);
    }

    #[test]
    fn a_dead_letter_is_accounted_for_and_does_not_come_again() {
        let mut case = Case::new(1);
        case.account.dead(0, case.at(1));
        assert!(!case.came(0, 2));
        case.account.drained();
        case.found(&[(Violation::AfterAcknowledgement, 1)]);
    }

    #[test]
    fn what_is_remembered_and_told_is_bounded() {
        let mut case = Case::new(MOST_OPEN as u64);
        assert_eq!(case.account.begin(case.zero), None);
        assert_eq!(case.account.counts().held_back, 1);
        case.account.drained();
        assert_eq!(
            (case.account.open(), case.account.begin(case.zero).is_some()),
            (0, true)
        );
        let lost = &case.account.violations()[&Violation::Lost];
        assert_eq!((lost.count, lost.examples.len()), (MOST_OPEN as u64, TOLD));
    }
}
