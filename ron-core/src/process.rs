//! Which process this is. A forked child has its parent's memory, and neither its threads nor its locks' owners:
//! it must not touch what the parent has made.
//!
//! Each call asks, so it has to cost nothing: a system call for the process's number takes a tenth of a
//! microsecond, 4 % of a small call among many. A fork handler that counts makes it one load.
#![allow(unsafe_code)]

use crate::error::{ErrorKind, SdkError};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many forks lie between this process and the one that began.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The process in which something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin(u64);

impl Origin {
    /// This process.
    pub(crate) fn here() -> Self {
        count_forks();
        Self(GENERATION.load(Ordering::Relaxed))
    }

    /// Whether it still is the process at hand.
    pub(crate) fn is_here(self) -> bool {
        self.0 == GENERATION.load(Ordering::Relaxed)
    }

    /// Refuses where the process at hand is a child of it.
    pub(crate) fn check(self) -> Result<(), SdkError> {
        if self.is_here() {
            return Ok(());
        }
        let message = "what the call is made with was made before this process was forked";
        Err(SdkError::new(ErrorKind::ForkDetected, message))
    }
}

#[cfg(unix)]
fn count_forks() {
    static IS_COUNTING: AtomicBool = AtomicBool::new(false);
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
    // Not a lock, which a fork could leave locked for ever. Two handlers count twice, which is as good.
    if !IS_COUNTING.load(Ordering::Acquire) {
        // SAFETY: the handler is a function of the library's own, which the C library forgets when it unloads the
        // library; it does nothing but an atomic addition, which a child may do whatever the parent's
        // threads were doing.
        let result = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        IS_COUNTING.store(result == 0, Ordering::Release);
    }
}

#[cfg(not(unix))]
fn count_forks() {}
