//! What one subject may have going on at once, and how fast it may begin more.
//!
//! A subject is known only while it has calls, or had one within the last second: the table stays as small
//! as what goes on, and has a limit all the same.

use crate::config::Limits;
use ron_app_sdk::oap::{ErrorReply, Reason};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Subjects that are known at once.
const MAX_SUBJECTS: usize = 65_536;
/// How much of its rate a subject may use at once.
const BURST: Duration = Duration::from_secs(1);
/// When to try again where nobody can tell.
const SOON: Duration = Duration::from_millis(100);

/// The limits of all subjects, and what each of them uses.
pub(crate) struct Quotas {
    max_calls: usize,
    /// Between two calls at the highest rate.
    interval: Option<Duration>,
    max_subjects: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    subjects: HashMap<Arc<str>, Usage>,
    /// Not before this is it worth it to look for idle subjects again.
    next_sweep: Option<Instant>,
}

#[derive(Default)]
struct Usage {
    calls: usize,
    /// When as many calls as it has made would be through at the highest rate.
    through: Option<Instant>,
}

impl Usage {
    fn is_idle(&self, now: Instant) -> bool {
        self.calls == 0 && self.through.map_or(true, |through| through <= now)
    }
}

/// A call of a subject that counts until this is dropped.
#[must_use]
pub(crate) struct Permit {
    quotas: Arc<Quotas>,
    subject: Arc<str>,
}

impl Quotas {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self::with(
            limits.max_calls_per_subject,
            limits.calls_per_second_per_subject,
            MAX_SUBJECTS,
        )
    }

    fn with(max_calls: usize, rate: Option<NonZeroU32>, max_subjects: usize) -> Self {
        Self {
            max_calls,
            interval: rate.map(|rate| BURST / rate.get()),
            max_subjects,
            table: Mutex::default(),
        }
    }

    /// Counts a call that begins.
    pub(crate) fn begin(
        self: &Arc<Self>,
        now: Instant,
        subject: &Arc<str>,
    ) -> Result<Permit, ErrorReply> {
        let mut table = self.table();
        let table = &mut *table;
        if !table.subjects.contains_key(subject) {
            self.make_room(now, table)?;
        }
        let usage = table.subjects.entry(Arc::clone(subject)).or_default();
        if usage.calls >= self.max_calls {
            let why = format!("a subject has at most {} calls at once", self.max_calls);
            return Err(limited(SOON, why));
        }
        if let Some(interval) = self.interval {
            let through = usage.through.map_or(now, |through| through.max(now)) + interval;
            let ahead = through.saturating_duration_since(now);
            if ahead > BURST {
                let why = "the subject begins calls too fast".to_owned();
                return Err(limited(ahead - BURST, why));
            }
            usage.through = Some(through);
        }
        usage.calls += 1;
        Ok(Permit {
            quotas: Arc::clone(self),
            subject: Arc::clone(subject),
        })
    }

    fn make_room(&self, now: Instant, table: &mut Table) -> Result<(), ErrorReply> {
        if table.subjects.len() < self.max_subjects {
            return Ok(());
        }
        // A look at all of them, and not more often than it can help.
        if table.next_sweep.map_or(true, |next| next <= now) {
            table.subjects.retain(|_, usage| !usage.is_idle(now));
            table.next_sweep = Some(now + SOON);
        }
        if table.subjects.len() < self.max_subjects {
            return Ok(());
        }
        Err(limited(SOON, "too many subjects have calls".to_owned()))
    }

    fn end(&self, subject: &Arc<str>) {
        let mut table = self.table();
        if let Some(usage) = table.subjects.get_mut(subject) {
            usage.calls = usage.calls.saturating_sub(1);
            // With a rate it is looked at again when there is no room.
            if usage.calls == 0 && usage.through.is_none() {
                table.subjects.remove(subject);
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing in here panics half way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.quotas.end(&self.subject);
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Permit")
    }
}

fn limited(retry_after: Duration, why: String) -> ErrorReply {
    // Rounded up: whoever waits this long is not too early.
    let millis = u64::try_from(retry_after.as_nanos().div_ceil(1_000_000));
    ErrorReply::not_executed(Reason::RateLimited)
        .with_detail(why)
        .with_retry_after(Duration::from_millis(millis.unwrap_or(u64::MAX)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn quotas(max_calls: usize, rate: u32, max_subjects: usize) -> Arc<Quotas> {
        Arc::new(Quotas::with(max_calls, NonZeroU32::new(rate), max_subjects))
    }

    fn subject(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    #[test]
    fn calls_at_once_are_counted_per_subject_and_forgotten_with_the_last() {
        let (quotas, now) = (quotas(2, 0, 10), Instant::now());
        let (alice, bob) = (subject("alice"), subject("bob"));
        let first = quotas.begin(now, &alice).unwrap();
        let _second = quotas.begin(now, &alice).unwrap();
        let error = quotas.begin(now, &alice).unwrap_err();
        assert_eq!(error.reason, Reason::RateLimited);
        assert_eq!(error.executed, ron_app_sdk::Executed::No);
        assert_eq!(error.retry_after_ms, Some(100));
        let _other = quotas.begin(now, &bob).unwrap();
        drop(first);
        let third = quotas.begin(now, &alice).unwrap();
        drop((third, _second, _other));
        assert!(quotas.table().subjects.is_empty());
    }

    #[test]
    fn a_rate_lets_a_second_of_it_begin_at_once_and_then_keeps_it() {
        let (quotas, start, alice) = (quotas(100, 10, 10), Instant::now(), subject("alice"));
        let begin = |now| quotas.begin(now, &alice).map(drop);
        for _ in 0..10 {
            begin(start).unwrap();
        }
        let error = begin(start).unwrap_err();
        assert_eq!(error.retry_after_ms, Some(100));
        let later = start + Duration::from_millis(100);
        begin(later).unwrap();
        begin(later).unwrap_err();
        let much_later = start + Duration::from_secs(60);
        for _ in 0..10 {
            begin(much_later).unwrap();
        }
        begin(much_later).unwrap_err();
    }

    #[test]
    fn the_table_has_a_limit_and_idle_subjects_make_room() {
        let (quotas, start) = (quotas(10, 10, 2), Instant::now());
        let running = quotas.begin(start, &subject("running")).unwrap();
        drop(quotas.begin(start, &subject("idle soon")).unwrap());
        let error = quotas.begin(start, &subject("new")).unwrap_err();
        assert_eq!(error.reason, Reason::RateLimited);
        // It is known still.
        drop(quotas.begin(start, &subject("running")).unwrap());
        let later = start + Duration::from_millis(300);
        let new = quotas.begin(later, &subject("new")).unwrap();
        assert_eq!(quotas.table().subjects.len(), 2);
        drop((running, new));
    }
}
