//! Blocking calls that their thread may give up, as when a user presses Ctrl-C.

use crate::error::{ErrorKind, SdkError};
use std::cell::Cell;
use std::time::Duration;

/// How often a thread that waits asks whether it is to give up.
const INTERVAL: Duration = Duration::from_millis(100);

thread_local! {
    static IS_INTERRUPTED: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
}

/// Runs `work`, whose blocking calls on this thread end as `Cancelled` once `is_interrupted` says so. They ask it
/// whenever a signal ends their waiting, and every 100 ms while they wait. A call that is looking a name up or
/// opening a TCP connection asks when that has ended, after `timeouts.connect` at most.
///
/// ```
/// use ron_app_sdk::blocking::interruptible;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static IS_STOPPED: AtomicBool = AtomicBool::new(false);
///
/// # fn example(sdk: ron_app_sdk::blocking::RonAppSdk, capability: ron_app_sdk::Capability)
/// # -> Result<(), ron_app_sdk::SdkError> {
/// // A signal handler sets it.
/// let is_stopped = || IS_STOPPED.load(Ordering::Relaxed);
/// let messages = interruptible(is_stopped, || sdk.with(&capability).mailbox_recv())?;
/// # let _ = messages;
/// # Ok(())
/// # }
/// ```
pub fn interruptible<T>(is_interrupted: fn() -> bool, work: impl FnOnce() -> T) -> T {
    let _restore = Restore(IS_INTERRUPTED.replace(Some(is_interrupted)));
    work()
}

struct Restore(Option<fn() -> bool>);

impl Drop for Restore {
    fn drop(&mut self) {
        IS_INTERRUPTED.set(self.0);
    }
}

/// A thread's readiness to be interrupted in one call.
#[derive(Clone, Copy)]
pub(crate) struct Interrupt(Option<fn() -> bool>);

impl Interrupt {
    /// That of this thread.
    pub(crate) fn here() -> Self {
        // Where the thread is ending, nobody interrupts it.
        Self(IS_INTERRUPTED.try_with(Cell::get).unwrap_or(None))
    }

    /// How long to wait at once where `limit` is left.
    pub(crate) fn slice(self, limit: Duration) -> Duration {
        match self.0 {
            Some(_) => limit.min(INTERVAL),
            None => limit,
        }
    }

    /// Refuses to go on where the thread has been interrupted. Nothing was executed, as far as this knows.
    pub(crate) fn check(self) -> Result<(), SdkError> {
        match self.0 {
            Some(is_interrupted) if is_interrupted() => {
                let message = "the thread was interrupted";
                Err(SdkError::new(ErrorKind::Cancelled, message))
            }
            _ => Ok(()),
        }
    }
}
