//! How all mutexes here are locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Also where a task panicked that held it: what has been measured until then is still reported.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
