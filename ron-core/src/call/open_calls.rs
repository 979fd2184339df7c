//! A client's open calls: how many there may be, and their end when the client is closed.

use crate::error::{ErrorKind, SdkError};
use slab::Slab;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Calls of one client that are open or wait for a slot: 1,024 in flight and 16,384 behind them.
const MAX_CALLS: usize = 1024 + 16_384;

/// A client's open calls, and whoever waits for their end.
#[derive(Default)]
pub(super) struct OpenCalls {
    count: AtomicUsize,
    is_closed: AtomicBool,
    waiters: Mutex<Slab<Waker>>,
}

impl OpenCalls {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts a call in, until what is returned is dropped.
    pub(super) fn enter(&self) -> Result<OpenCall<'_>, SdkError> {
        // Counted first: whoever closes the client sees the call, or the call that the client is closed.
        let others = self.count.fetch_add(1, Ordering::SeqCst);
        let open = OpenCall(self);
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        if others >= MAX_CALLS {
            return Err(SdkError::new(
                ErrorKind::Busy,
                format!("{MAX_CALLS} calls of this client are open or waiting already"),
            ));
        }
        Ok(open)
    }

    /// Takes no more calls.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    /// A place to wait for the end of all calls.
    pub(super) fn all_ended(&self) -> AllEnded<'_> {
        AllEnded {
            calls: self,
            key: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Waker>> {
        // Nothing in here panics halfway through a change.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client was closed.
pub(crate) fn closed() -> SdkError {
    SdkError::new(ErrorKind::Closed, "the client has been closed")
}

/// Counts a call as open until it is dropped.
pub(super) struct OpenCall<'a>(&'a OpenCalls);

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        let others = self.0.count.fetch_sub(1, Ordering::SeqCst) - 1;
        if others == 0 && self.0.is_closed.load(Ordering::SeqCst) {
            let waiters: Vec<Waker> = self.0.lock().iter().map(|(_, w)| w.clone()).collect();
            waiters.into_iter().for_each(Waker::wake);
        }
    }
}

/// The wait for the end of all calls of a closed client.
pub(super) struct AllEnded<'a> {
    calls: &'a OpenCalls,
    key: Option<usize>,
}

impl AllEnded<'_> {
    pub(super) fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let mut waiters = self.calls.lock();
        match self.key {
            Some(key) => waiters[key].clone_from(waker),
            None => self.key = Some(waiters.insert(waker.clone())),
        }
        drop(waiters);
        // Looked at only now: a call that ends meanwhile finds the waker.
        if self.calls.count.load(Ordering::SeqCst) == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for AllEnded<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.calls.lock().try_remove(key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker_ref;

    #[test]
    fn calls_beyond_the_limit_are_refused_and_the_count_returns_to_zero() {
        let calls = OpenCalls::default();
        calls.count.store(MAX_CALLS - 1, Ordering::Relaxed);
        let last = calls.enter().unwrap();
        let refused = calls.enter().err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Busy);
        drop(last);
        assert_eq!(calls.count(), MAX_CALLS - 1);
    }

    #[test]
    fn a_closed_client_takes_no_calls_and_waits_for_those_that_it_has() {
        let calls = OpenCalls::default();
        let open = calls.enter().unwrap();
        calls.close();
        assert_eq!(calls.enter().err().unwrap().kind(), ErrorKind::Closed);
        let mut ended = calls.all_ended();
        assert!(ended.poll(noop_waker_ref()).is_pending());
        drop(open);
        assert!(ended.poll(noop_waker_ref()).is_ready());
        drop(ended);
        assert_eq!(calls.lock().len(), 0);
    }
}
