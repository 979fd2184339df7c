//! Timers of tasks, used again and again.
//!
//! To register a timer and to take it out again costs a lock each; to move one that is registered already to a
//! later time costs neither. Nearly all calls end long before their timer, so it stays registered for the next.

use crate::process::Origin;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Context;
use std::time::Instant;
use tokio::time::Sleep;

/// As many are kept as calls may well wait at once.
const MAX_SPARE: usize = 64;

/// Timers of one runtime that nobody uses at the moment.
pub(super) struct SpareTimers {
    origin: Origin,
    spare: Mutex<Vec<Pin<Box<Sleep>>>>,
}

/// A timer that goes back to the spare ones when it is dropped.
pub(super) struct Timer<'a> {
    from: &'a SpareTimers,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl SpareTimers {
    pub(super) fn new() -> Self {
        Self {
            origin: Origin::here(),
            spare: Mutex::new(Vec::new()),
        }
    }

    /// A timer that has not been armed.
    pub(super) fn timer(&self) -> Timer<'_> {
        Timer {
            from: self,
            sleep: None,
        }
    }
}

/// Arms a timer in a task of its runtime; false where the time has come.
pub(super) fn sleeps_until(
    mut sleep: Pin<&mut Sleep>,
    until: Instant,
    context: &mut Context<'_>,
) -> bool {
    if sleep.deadline().into_std() != until {
        sleep.as_mut().reset(until.into());
    }
    sleep.poll(context).is_pending()
}

impl Timer<'_> {
    /// [`sleeps_until`]
    pub(super) fn sleeps_until(&mut self, until: Instant, context: &mut Context<'_>) -> bool {
        let sleep = self.sleep.get_or_insert_with(|| {
            let spare = &self.from.spare;
            let spare = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
            spare.unwrap_or_else(|| Box::pin(tokio::time::sleep_until(until.into())))
        });
        sleeps_until(sleep.as_mut(), until, context)
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let Some(sleep) = self.sleep.take() else {
            return;
        };
        if !self.from.origin.is_here() {
            // A forked child has no runtime to take it out of.
            mem::forget(sleep);
            return;
        }
        let mut spare = self
            .from
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(sleep);
            return;
        }
        drop(spare);
        // Only now: it runs the end of a waker.
        drop(sleep);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    /// Arms a timer and drops it.
    async fn use_once(timers: &SpareTimers, until: Instant) -> bool {
        let mut timer = timers.timer();
        poll_fn(|context| Poll::Ready(timer.sleeps_until(until, context))).await
    }

    #[tokio::test]
    async fn one_timer_serves_one_call_after_the_other() {
        let (timers, now) = (SpareTimers::new(), Instant::now());
        for seconds in [60, 90, 30] {
            assert!(use_once(&timers, now + Duration::from_secs(seconds)).await);
            assert_eq!(timers.spare.lock().unwrap().len(), 1);
        }
        assert!(!use_once(&timers, now - Duration::from_millis(1)).await);
        drop(timers.timer());
        assert_eq!(timers.spare.lock().unwrap().len(), 1, "one never armed");
    }

    #[tokio::test]
    async fn a_timer_that_is_used_again_wakes_at_its_new_time() {
        let (timers, now) = (SpareTimers::new(), Instant::now());
        use_once(&timers, now + Duration::from_secs(60)).await;
        let (mut timer, until) = (timers.timer(), now + Duration::from_millis(20));
        poll_fn(|context| match timer.sleeps_until(until, context) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
        assert!(Instant::now() >= until);
    }

    #[tokio::test]
    async fn no_more_are_kept_than_are_likely_to_be_used() {
        let (timers, until) = (SpareTimers::new(), Instant::now() + Duration::from_secs(60));
        let mut used: Vec<_> = (0..MAX_SPARE + 10).map(|_| timers.timer()).collect();
        for timer in &mut used {
            poll_fn(|context| Poll::Ready(timer.sleeps_until(until, context))).await;
        }
        drop(used);
        assert_eq!(timers.spare.lock().unwrap().len(), MAX_SPARE);
    }
}
