//! Timers of tasks, used again and again.
//!
//! To register a timer and to take it out again costs a lock each; to move one that is registered already to a
//! later time costs neither. Nearly all calls end long before their timer, so it stays registered for the next.

use crate::process::Origin;
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

impl Timer<'_> {
    /// Arms it in a task of the runtime; false where the time has come.
    pub(super) fn sleeps_until(&mut self, until: Instant, context: &mut Context<'_>) -> bool {
        let sleep = self.sleep.get_or_insert_with(|| {
            let spare = &self.from.spare;
            let spare = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
            spare.unwrap_or_else(|| Box::pin(tokio::time::sleep_until(until.into())))
        });
        if sleep.deadline().into_std() != until {
            sleep.as_mut().reset(until.into());
        }
        std::future::Future::poll(sleep.as_mut(), context).is_pending()
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
