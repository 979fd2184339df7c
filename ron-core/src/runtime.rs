//! The runtime that the SDK brings along, for asynchronous callers that have none of tokio's.
//!
//! It is started by the first call that needs it, shared by all clients of the process, and stopped with the
//! last of them. It wakes callers and looks names up; the calls themselves run where they are polled.

use crate::error::{ErrorKind, SdkError};
use crate::process::Origin;
use arc_swap::ArcSwapOption;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

/// The name of its threads.
const THREAD: &str = "ron-sdk";
/// They only wait for sockets and timers.
const THREADS: usize = 1;
/// Besides, for what blocks: reading certificates and looking names up, both rare.
const BLOCKING_THREADS: (usize, Duration) = (4, Duration::from_secs(1));

/// A share of the process's runtime.
pub(crate) struct SharedRuntime {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    handle: Handle,
    origin: Origin,
}

/// Where a process keeps its runtime. A forked child puts a slot of its own in the place of its parent's, whose
/// lock may be held by a thread that the child does not have.
struct Slot {
    origin: Origin,
    runtime: Mutex<Weak<SharedRuntime>>,
}

static SLOT: ArcSwapOption<Slot> = ArcSwapOption::const_empty();

impl Slot {
    fn of_this_process() -> Arc<Self> {
        loop {
            let found = SLOT.load_full();
            match &found {
                Some(slot) if slot.origin.is_here() => return Arc::clone(slot),
                _ => {}
            }
            let fresh = Arc::new(Self {
                origin: Origin::here(),
                runtime: Mutex::new(Weak::new()),
            });
            SLOT.compare_and_swap(&found, Some(fresh));
        }
    }
}

impl SharedRuntime {
    /// The process's runtime, which is started where nobody has it.
    pub(crate) fn get() -> Result<Arc<Self>, SdkError> {
        let slot = Slot::of_this_process();
        // Nothing in here panics halfway through a change.
        let mut runtime = slot.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtime.upgrade() {
            return Ok(runtime);
        }
        let started = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING_THREADS.0)
            .thread_keep_alive(BLOCKING_THREADS.1)
            .thread_name(THREAD)
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| {
                let message = format!("no runtime of the SDK's own could be started: {error}");
                SdkError::new(ErrorKind::Internal, message).with_source(error)
            })?;
        let started = Arc::new(Self {
            handle: started.handle().clone(),
            runtime: Some(started),
            origin: slot.origin,
        });
        *runtime = Arc::downgrade(&started);
        Ok(started)
    }

    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for SharedRuntime {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        if self.origin.is_here() {
            // Whoever drops the last client does not wait for the threads.
            runtime.shutdown_background();
        } else {
            // Its threads are the parent's.
            mem::forget(runtime);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_as_long_as_somebody_has_it() {
        let one = SharedRuntime::get().unwrap();
        let two = SharedRuntime::get().unwrap();
        assert!(Arc::ptr_eq(&one, &two));
        let weak = Arc::downgrade(&one);
        drop((one, two));
        assert!(weak.upgrade().is_none());
        let again = SharedRuntime::get().unwrap();
        let answer = again.handle().block_on(async { 7 });
        assert_eq!(answer, 7);
    }
}
