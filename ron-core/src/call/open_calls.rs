//! A client's open calls: how many there may be, and their end when the client is closed.

use crate::error::{ErrorKind, SdkError};
use crate::process::Origin;
use slab::Slab;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Calls of one client that are open or wait for a slot: 1,024 in flight and 16,384 behind them.
const MAX_CALLS: usize = 1024 + 16_384;

/// A client's open calls, and whoever waits for their end, or for the client's.
pub(super) struct OpenCalls {
    count: AtomicUsize,
    is_closed: AtomicBool,
    is_cut_off: AtomicBool,
    origin: Origin,
    waiters: Mutex<Slab<Waker>>,
}

impl OpenCalls {
    pub(super) fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            is_cut_off: AtomicBool::new(false),
            origin: Origin::here(),
            waiters: Mutex::new(Slab::new()),
        }
    }

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
            return Err(SdkError::closed());
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

    /// Ends the calls that wait for anything but a connection.
    pub(super) fn cut_off(&self) {
        self.is_cut_off.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// A place to wait at.
    pub(super) fn waiter(&self) -> Waiter<'_> {
        Waiter {
            calls: self,
            key: None,
        }
    }

    fn wake_all(&self) {
        let waiters: Vec<Waker> = self.lock().iter().map(|(_, w)| w.clone()).collect();
        waiters.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Waker>> {
        // Nothing in here panics halfway through a change.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a call as open until it is dropped.
pub(super) struct OpenCall<'a>(&'a OpenCalls);

impl OpenCall<'_> {
    /// A place to wait for the end of the client at.
    pub(super) fn waiter(&self) -> Waiter<'_> {
        self.0.waiter()
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        let others = self.0.count.fetch_sub(1, Ordering::SeqCst) - 1;
        if others == 0 && self.0.is_closed.load(Ordering::SeqCst) && self.0.origin.is_here() {
            self.0.wake_all();
        }
    }
}

/// A place to wait at: for the end of all calls of a closed client, or for being cut off with it.
pub(super) struct Waiter<'a> {
    calls: &'a OpenCalls,
    key: Option<usize>,
}

impl Waiter<'_> {
    /// Ready when no call is open.
    pub(super) fn poll_all_ended(&mut self, waker: &Waker) -> Poll<()> {
        self.poll(waker, |calls| calls.count.load(Ordering::SeqCst) == 0)
    }

    /// Ready when open calls are to end.
    pub(super) fn poll_cut_off(&mut self, waker: &Waker) -> Poll<()> {
        self.poll(waker, |calls| calls.is_cut_off.load(Ordering::SeqCst))
    }

    fn poll(&mut self, waker: &Waker, is_so: impl FnOnce(&OpenCalls) -> bool) -> Poll<()> {
        let mut waiters = self.calls.lock();
        match self.key {
            Some(key) => waiters[key].clone_from(waker),
            None => self.key = Some(waiters.insert(waker.clone())),
        }
        drop(waiters);
        // Looked at only now: whoever makes it so meanwhile finds the waker.
        if is_so(self.calls) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.filter(|_| self.calls.origin.is_here()) {
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
        let calls = OpenCalls::new();
        calls.count.store(MAX_CALLS - 1, Ordering::Relaxed);
        let last = calls.enter().unwrap();
        let refused = calls.enter().err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Busy);
        drop(last);
        assert_eq!(calls.count(), MAX_CALLS - 1);
    }

    #[test]
    fn a_closed_client_takes_no_calls_and_waits_for_those_that_it_has() {
        let calls = OpenCalls::new();
        let open = calls.enter().unwrap();
        calls.close();
        assert_eq!(calls.enter().err().unwrap().kind(), ErrorKind::Closed);
        let mut ended = calls.waiter();
        assert!(ended.poll_all_ended(noop_waker_ref()).is_pending());
        drop(open);
        assert!(ended.poll_all_ended(noop_waker_ref()).is_ready());
        assert!(ended.poll_cut_off(noop_waker_ref()).is_pending());
        calls.cut_off();
        assert!(ended.poll_cut_off(noop_waker_ref()).is_ready());
        drop(ended);
        assert_eq!(calls.lock().len(), 0);
    }
}
