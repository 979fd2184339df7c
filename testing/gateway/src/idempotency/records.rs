//! Which keyed mutations are being executed and what came of those that were: no I/O, and no clock.
//!
//! A record is born with the permission to execute, [`Begin::Run`], which nobody else gets before it is
//! dead. It dies when the execution certainly had no effect, or a window after its end. Until then it
//! is one of the [live](IdempotencyLimits) keys, and nothing evicts it.

use super::config::{Deduplication, IdempotencyLimits};
use super::key::{Fingerprint, OperationKey, Owner};
use std::collections::{HashMap, VecDeque};
use std::time::Instant;
use tokio::sync::watch;

/// What may be done for a request.
#[derive(Debug)]
pub(super) enum Begin<R> {
    /// Execute it, and say what came of it.
    Run,
    /// Answer this: it was executed before.
    Replay(R),
    /// It is being executed; the receiver is closed when that has ended.
    Wait(watch::Receiver<()>),
    /// The key was used for something else.
    Mismatch,
    /// An earlier execution broke off, and nobody knows whether it had its effect.
    InDoubt,
    /// There is no room for another key.
    Full,
    /// The subject has no room for another key.
    SubjectFull,
}

/// What is known about a mutation.
#[derive(Clone, Debug)]
enum Progress<R> {
    /// The sender, if anybody waits, is dropped at the end.
    Running(Option<watch::Sender<()>>),
    Done(R),
    InDoubt,
}

#[derive(Clone)]
struct Record<R> {
    fingerprint: Fingerprint,
    progress: Progress<R>,
}

/// The records of all subjects.
#[derive(Clone)]
pub(super) struct Records<R> {
    limits: IdempotencyLimits,
    deduplication: Deduplication,
    records: HashMap<OperationKey, Record<R>>,
    /// When those that have ended are forgotten, the earliest first.
    expiries: VecDeque<(Instant, OperationKey)>,
    /// How many keys each owner has.
    owners: HashMap<Owner, usize>,
    /// How many that have ended are remembered; anything but all of them is a defect.
    most_remembered: usize,
}

impl<R: Clone> Records<R> {
    pub(super) fn new(limits: IdempotencyLimits, deduplication: Deduplication) -> Self {
        Self {
            limits,
            deduplication,
            records: HashMap::new(),
            expiries: VecDeque::new(),
            owners: HashMap::new(),
            most_remembered: usize::MAX,
        }
    }

    /// For tests of a checker: breaks the guarantee. Of those that have ended only the newest are
    /// remembered.
    pub(super) fn remember_only(&mut self, most: usize) {
        self.most_remembered = most;
    }

    /// How many keys are live.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Asks for permission to execute.
    pub(super) fn begin(
        &mut self,
        key: &OperationKey,
        fingerprint: Fingerprint,
        now: Instant,
    ) -> Begin<R> {
        if self.deduplication == Deduplication::Off {
            return Begin::Run;
        }
        self.forget_expired(now);
        if let Some(record) = self.records.get_mut(key) {
            if record.fingerprint != fingerprint {
                return Begin::Mismatch;
            }
            return match &mut record.progress {
                Progress::Running(ended) => {
                    let ended = ended.get_or_insert_with(|| watch::channel(()).0);
                    Begin::Wait(ended.subscribe())
                }
                Progress::Done(receipt) => Begin::Replay(receipt.clone()),
                Progress::InDoubt => Begin::InDoubt,
            };
        }
        self.insert(key, fingerprint)
    }

    fn insert(&mut self, key: &OperationKey, fingerprint: Fingerprint) -> Begin<R> {
        if self.records.len() >= self.limits.max_keys {
            return Begin::Full;
        }
        let count = self.owners.entry(key.owner.clone()).or_default();
        if *count >= self.limits.max_keys_per_subject {
            return Begin::SubjectFull;
        }
        *count += 1;
        let progress = Progress::Running(None);
        let record = Record {
            fingerprint,
            progress,
        };
        self.records.insert(key.clone(), record);
        Begin::Run
    }

    /// The mutation has had its effect. Nothing may be awaited between that and this.
    ///
    /// Returns the receipt where it is to be recorded later, by [`Records::record`].
    #[must_use]
    pub(super) fn committed(&mut self, key: &OperationKey, receipt: R, now: Instant) -> Option<R> {
        match self.deduplication {
            Deduplication::Atomic | Deduplication::Off => {
                self.record(key, receipt, now);
                None
            }
            Deduplication::RecordAfterReply => Some(receipt),
        }
    }

    /// Keeps what came of the mutation.
    pub(super) fn record(&mut self, key: &OperationKey, receipt: R, now: Instant) {
        self.end(key, Progress::Done(receipt), now);
    }

    /// The execution broke off; nobody may repeat it until the window has passed.
    pub(super) fn abandon(&mut self, key: &OperationKey, now: Instant) {
        self.end(key, Progress::InDoubt, now);
    }

    fn end(&mut self, key: &OperationKey, progress: Progress<R>, now: Instant) {
        let Some(record) = self.records.get_mut(key) else {
            return;
        };
        if matches!(record.progress, Progress::Running(_)) {
            record.progress = progress;
            // A window beyond the clock's end never passes.
            let expiry = now.checked_add(self.limits.window);
            let expiry = expiry.map(|expiry| (expiry, key.clone()));
            self.expiries.extend(expiry);
        }
        while self.expiries.len() > self.most_remembered {
            if let Some((_, key)) = self.expiries.pop_front() {
                self.forget(&key);
            }
        }
    }

    /// The execution has had no effect and will have none: the key is free.
    pub(super) fn release(&mut self, key: &OperationKey) {
        let record = self.records.get(key);
        if record.is_some_and(|record| matches!(record.progress, Progress::Running(_))) {
            self.forget(key);
        }
    }

    /// Each record is looked at once in its life.
    fn forget_expired(&mut self, now: Instant) {
        while let Some((expiry, _)) = self.expiries.front() {
            if *expiry > now {
                break;
            }
            if let Some((_, key)) = self.expiries.pop_front() {
                self.forget(&key);
            }
        }
    }

    fn forget(&mut self, key: &OperationKey) {
        if self.records.remove(key).is_none() {
            return;
        }
        if let Some(count) = self.owners.get_mut(&key.owner) {
            *count -= 1;
            if *count == 0 {
                self.owners.remove(&key.owner);
            }
        }
    }
}

#[cfg(test)]
impl<R> Records<R> {
    /// What is known about a key, in a form to compare.
    pub(super) fn known(&self, key: &OperationKey) -> Option<Known<R>>
    where
        R: Clone,
    {
        let record = self.records.get(key)?;
        Some(match &record.progress {
            Progress::Running(_) => Known::Running,
            Progress::Done(receipt) => Known::Done(receipt.clone()),
            Progress::InDoubt => Known::InDoubt,
        })
    }
}

#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Known<R> {
    Running,
    Done(R),
    InDoubt,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::engine::LONGEST_CALL;
    use ron_app_sdk::{AddrB3, IdemKey};
    use std::sync::Arc;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3600);

    pub(in crate::idempotency) fn key(subject: &str, key: &str) -> OperationKey {
        let owner = Owner {
            tenant_id: 0,
            subject: Arc::from(subject),
        };
        OperationKey::new(owner, "storage.put", &IdemKey::new(key).unwrap())
    }

    pub(in crate::idempotency) fn fingerprint(payload: &str) -> Fingerprint {
        let address = AddrB3::of(payload.as_bytes());
        Fingerprint::new("storage.put", &[], address, payload.len() as u64)
    }

    fn records(limits: IdempotencyLimits) -> Records<u8> {
        Records::new(limits, Deduplication::Atomic)
    }

    #[track_caller]
    fn assert_runs(begin: &Begin<u8>) {
        assert!(matches!(begin, Begin::Run), "{begin:?}");
    }

    #[test]
    fn one_runs_the_others_wait_and_get_what_came_of_it() {
        let mut records = records(IdempotencyLimits::default());
        let (now, key, payload) = (Instant::now(), key("a", "k"), fingerprint("x"));
        assert_runs(&records.begin(&key, payload, now));
        let Begin::Wait(ended) = records.begin(&key, payload, now) else {
            panic!();
        };
        assert!(ended.has_changed().is_ok());
        assert_eq!(records.committed(&key, 7, now), None);
        assert!(ended.has_changed().is_err());
        for _ in 0..2 {
            let begin = records.begin(&key, payload, now);
            assert!(matches!(begin, Begin::Replay(7)), "{begin:?}");
        }
        assert_eq!(records.len(), 1);
    }

    #[test]
    fn another_request_under_the_key_is_a_mismatch_whatever_became_of_the_first() {
        let mut records = records(IdempotencyLimits::default());
        let (now, key) = (Instant::now(), key("a", "k"));
        assert_runs(&records.begin(&key, fingerprint("x"), now));
        let other = records.begin(&key, fingerprint("y"), now);
        assert!(matches!(other, Begin::Mismatch), "{other:?}");
        assert_eq!(records.committed(&key, 7, now), None);
        let other = records.begin(&key, fingerprint("y"), now);
        assert!(matches!(other, Begin::Mismatch), "{other:?}");
    }

    #[test]
    fn a_released_key_is_free_and_one_in_doubt_is_not() {
        let mut records = records(IdempotencyLimits::default());
        let (now, key, payload) = (Instant::now(), key("a", "k"), fingerprint("x"));
        assert_runs(&records.begin(&key, payload, now));
        records.release(&key);
        assert_eq!(records.len(), 0);
        assert_runs(&records.begin(&key, fingerprint("y"), now));
        records.abandon(&key, now);
        // Too late.
        records.release(&key);
        let begin = records.begin(&key, fingerprint("y"), now);
        assert!(matches!(begin, Begin::InDoubt), "{begin:?}");
    }

    #[test]
    fn a_record_lives_for_its_window_and_not_longer_however_far_the_clock_jumps() {
        let mut records = records(IdempotencyLimits::default());
        let (began, payload) = (Instant::now(), fingerprint("x"));
        let (done, broken, running) = (key("a", "1"), key("a", "2"), key("b", "3"));
        for key in [&done, &broken, &running] {
            assert_runs(&records.begin(key, payload, began));
        }
        let ended = began + HOUR;
        assert_eq!(records.committed(&done, 7, ended), None);
        records.abandon(&broken, ended);

        let last = ended + 24 * HOUR - Duration::from_nanos(1);
        let begin = records.begin(&done, payload, last);
        assert!(matches!(begin, Begin::Replay(7)), "{begin:?}");
        let after = ended + 1000 * HOUR;
        assert_runs(&records.begin(&done, payload, after));
        assert_runs(&records.begin(&broken, payload, after));
        // What is being executed is not forgotten.
        let begin = records.begin(&running, payload, after);
        assert!(matches!(begin, Begin::Wait(_)), "{begin:?}");
        assert_eq!(records.len(), 3);
    }

    #[test]
    fn no_room_is_a_refusal_and_nothing_is_forgotten_for_it() {
        let limits = IdempotencyLimits {
            window: 2 * LONGEST_CALL,
            max_keys: 3,
            max_keys_per_subject: 2,
        };
        let mut records = records(limits);
        let (now, payload) = (Instant::now(), fingerprint("x"));
        let first = key("a", "1");
        assert_runs(&records.begin(&first, payload, now));
        assert_eq!(records.committed(&first, 7, now), None);
        assert_runs(&records.begin(&key("a", "2"), payload, now));
        let begin = records.begin(&key("a", "3"), payload, now);
        assert!(matches!(begin, Begin::SubjectFull), "{begin:?}");
        assert_runs(&records.begin(&key("b", "1"), payload, now));
        let begin = records.begin(&key("b", "2"), payload, now);
        assert!(matches!(begin, Begin::Full), "{begin:?}");
        let begin = records.begin(&first, payload, now);
        assert!(matches!(begin, Begin::Replay(7)), "{begin:?}");

        // Room comes with a release, and with the end of a window.
        records.release(&key("a", "2"));
        assert_runs(&records.begin(&key("a", "3"), payload, now));
        let later = now + limits.window;
        assert_runs(&records.begin(&key("a", "4"), payload, later));
        assert_eq!((records.len(), records.expiries.len()), (3, 0));
    }

    #[test]
    fn what_is_kept_for_a_key_that_is_used_again_and_again_does_not_grow() {
        let mut records = records(IdempotencyLimits::default());
        let (now, key, payload) = (Instant::now(), key("a", "k"), fingerprint("x"));
        for _ in 0..100 {
            assert_runs(&records.begin(&key, payload, now));
            records.release(&key);
        }
        assert!(records.expiries.is_empty() && records.owners.is_empty());
    }

    #[test]
    fn with_the_defect_only_the_newest_are_remembered() {
        let mut records = records(IdempotencyLimits::default());
        records.remember_only(2);
        let (now, payload) = (Instant::now(), fingerprint("x"));
        let keys: Vec<_> = (0..3).map(|number| key("a", &number.to_string())).collect();
        for key in &keys {
            assert_runs(&records.begin(key, payload, now));
            assert_eq!(records.committed(key, 7, now), None);
        }
        assert_eq!(records.len(), 2);
        let begin = records.begin(&keys[1], payload, now);
        assert!(matches!(begin, Begin::Replay(7)), "{begin:?}");
        assert_runs(&records.begin(&keys[0], payload, now));
    }

    #[test]
    fn the_negative_controls_break_what_they_say() {
        let (now, key, payload) = (Instant::now(), key("a", "k"), fingerprint("x"));
        let limits = IdempotencyLimits::default();
        let mut off = Records::new(limits, Deduplication::Off);
        for _ in 0..2 {
            assert_runs(&off.begin(&key, payload, now));
            assert_eq!(off.committed(&key, 7, now), None);
        }
        let mut late = Records::new(limits, Deduplication::RecordAfterReply);
        assert_runs(&late.begin(&key, payload, now));
        assert_eq!(late.committed(&key, 7, now), Some(7));
        late.release(&key);
        assert_runs(&late.begin(&key, payload, now));
        late.record(&key, 7, now);
        let begin = late.begin(&key, payload, now);
        assert!(matches!(begin, Begin::Replay(7)), "{begin:?}");
    }
}
