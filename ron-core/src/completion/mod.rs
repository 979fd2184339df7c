//! A queue of completions: how calls reach a host that has an event loop of its own, such as C, Python or Node.
//!
//! The host starts calls and goes on; what comes of them is put into its queue, which wakes it once per batch: by a
//! file descriptor that becomes readable, or by a callback. A host makes one queue per event loop.

mod ledger;
mod notify;

use crate::error::{ErrorKind, SdkError};
use crate::oap::Executed;
use crate::process::Origin;
use crate::runtime::SharedRuntime;
use ledger::Ledger;
use notify::Notify;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// The number of a call in its queue. Counted from 1 and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

impl CallId {
    /// The id with this number, which may or may not be a call's.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What came of a call.
#[derive(Debug)]
pub struct Completion<T> {
    /// The call's number.
    pub id: CallId,
    /// Its result. That of a cancelled call is an error of the kind `Cancelled`.
    pub result: Result<T, SdkError>,
}

/// Calls that are on their way, and the completions of those that have ended: exactly one for each.
///
/// Clones are the same queue, which threads may share. After a fork, a child's uses of its parent's queue fail as
/// `ForkDetected`.
///
/// ```
/// # fn example(sdk: ron_app_sdk::RonAppSdk, capability: ron_app_sdk::Capability)
/// # -> Result<(), ron_app_sdk::SdkError> {
/// use ron_app_sdk::completion::CompletionQueue;
/// use ron_app_sdk::AddrB3;
///
/// let queue = CompletionQueue::with_descriptor()?;
/// let call = queue.submit(async move { sdk.with(&capability).storage_get(AddrB3::of(b"hello")).await })?;
/// queue.wait(None)?;
/// for completion in queue.take(64)? {
///     assert_eq!(completion.id, call);
///     println!("{} bytes", completion.result?.len());
/// }
/// # Ok(())
/// # }
/// ```
pub struct CompletionQueue<T>(Arc<Shared<T>>);

struct Shared<T> {
    origin: Origin,
    /// From the first call on.
    runtime: OnceLock<Arc<SharedRuntime>>,
    ledger: Ledger<T, AbortHandle>,
}

impl<T: Send + 'static> CompletionQueue<T> {
    /// A queue with a file descriptor, which is readable while there are completions.
    ///
    /// # Errors
    /// `Internal` where the system has no descriptor left.
    #[cfg(unix)]
    pub fn with_descriptor() -> Result<Self, SdkError> {
        Ok(Self::new(Notify::descriptor()?))
    }

    /// A queue that calls `wake` when there are completions, once until they are all taken. It is called from the
    /// SDK's own thread and from those that submit calls; it must neither block nor use the queue.
    pub fn with_callback(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self::new(Notify::Callback(Box::new(wake)))
    }

    fn new(notify: Notify) -> Self {
        Self(Arc::new(Shared {
            origin: Origin::here(),
            runtime: OnceLock::new(),
            ledger: Ledger::new(notify),
        }))
    }

    /// The descriptor, of a queue that has one.
    #[cfg(unix)]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self.0.ledger.notify() {
            Notify::Descriptor(descriptor) => Some(descriptor.as_fd()),
            _ => None,
        }
    }

    /// Starts a call. It is polled at once, by this thread, so that its request leaves without waiting for another
    /// one; after that, the SDK's own thread goes on with it.
    ///
    /// # Errors
    /// `Busy` where 65,536 calls are open or not taken, `Closed` after [`CompletionQueue::close`], `ForkDetected`,
    /// and `Internal` where there can be no thread. The call has no completion then.
    pub fn submit<F>(&self, call: F) -> Result<CallId, SdkError>
    where
        F: Future<Output = Result<T, SdkError>> + Send + 'static,
    {
        self.submit_or_else(call, Err)
    }

    /// Starts a call as [`CompletionQueue::submit`] does. Where it has no result of its own, because it was
    /// cancelled or panicked, its completion has what `otherwise` makes of the error: a host whose results carry
    /// something of the call's own adds it there. `otherwise` must not use the queue.
    ///
    /// # Errors
    /// As there.
    pub fn submit_or_else<F>(
        &self,
        call: F,
        otherwise: impl FnOnce(SdkError) -> Result<T, SdkError> + Send + 'static,
    ) -> Result<CallId, SdkError>
    where
        F: Future<Output = Result<T, SdkError>> + Send + 'static,
    {
        let (id, runtime) = self.0.begin()?;
        let open = Open {
            shared: Arc::clone(&self.0),
            id,
            otherwise: Some(otherwise),
        };
        let mut task = Box::pin(async move {
            // Captured whole: whatever happens to the task, its call has a completion.
            let mut open = open;
            let result = call.await;
            open.end(result);
        });
        let handle = runtime.handle();
        let first = {
            let _entered = handle.enter();
            let mut context = Context::from_waker(&NOBODY.1);
            catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut context)))
        };
        if let Ok(Poll::Pending) = first {
            let go_on = || handle.spawn(task).abort_handle();
            self.0.ledger.go_on(id, go_on);
        }
        Ok(CallId(id))
    }

    /// Cancels a call, at the gateway too. Whether it was still open; its completion comes either way.
    ///
    /// # Errors
    /// `ForkDetected`.
    pub fn cancel(&self, id: CallId) -> Result<bool, SdkError> {
        self.0.origin.check()?;
        let handle = self.0.ledger.find(id.0);
        let is_open = handle.is_some();
        if let Some(handle) = handle.flatten() {
            handle.abort();
        }
        Ok(is_open)
    }

    /// Takes up to `most` completions, in the order in which calls have ended, without waiting.
    ///
    /// # Errors
    /// `ForkDetected`.
    pub fn take(&self, most: usize) -> Result<VecDeque<Completion<T>>, SdkError> {
        self.0.origin.check()?;
        Ok(self.0.ledger.take(most))
    }

    /// Waits until there are completions; without a limit for as long as it takes. Whether there are some.
    ///
    /// # Errors
    /// `ForkDetected`.
    pub fn wait(&self, limit: Option<Duration>) -> Result<bool, SdkError> {
        self.0.origin.check()?;
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        Ok(self.0.ledger.wait(deadline))
    }

    /// Calls that have not ended.
    pub fn open_calls(&self) -> usize {
        if self.0.origin.is_here() {
            self.0.ledger.open_calls()
        } else {
            0
        }
    }

    /// Takes no more calls, cancels those that are open, and waits until none of them is at work: what they have
    /// borrowed is not touched any more. Their completions can be taken.
    pub fn close(&self) {
        self.0.close();
    }
}

impl<T> Clone for CompletionQueue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for CompletionQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionQueue").finish_non_exhaustive()
    }
}

impl<T> Shared<T> {
    /// Counts a call in.
    fn begin(&self) -> Result<(u64, Arc<SharedRuntime>), SdkError> {
        self.origin.check()?;
        let runtime = match self.runtime.get() {
            Some(runtime) => runtime,
            None => {
                let runtime = SharedRuntime::get()?;
                self.runtime.get_or_init(|| runtime)
            }
        };
        Ok((self.ledger.begin()?, Arc::clone(runtime)))
    }

    fn close(&self) {
        if self.origin.is_here() {
            let handles = self.ledger.close();
            handles.iter().for_each(AbortHandle::abort);
            self.ledger.wait_for_all();
        }
    }
}

/// A call that owes its queue a completion.
struct Open<T, F: FnOnce(SdkError) -> Result<T, SdkError>> {
    shared: Arc<Shared<T>>,
    id: u64,
    /// `None` once it has ended.
    otherwise: Option<F>,
}

impl<T, F: FnOnce(SdkError) -> Result<T, SdkError>> Open<T, F> {
    fn end(&mut self, result: Result<T, SdkError>) {
        self.otherwise = None;
        self.shared.ledger.end(self.id, result);
    }
}

impl<T, F: FnOnce(SdkError) -> Result<T, SdkError>> Drop for Open<T, F> {
    fn drop(&mut self) {
        let Some(otherwise) = self.otherwise.take() else {
            return;
        };
        // A child of the process has its copy of the call only.
        if !self.shared.origin.is_here() {
            return;
        }
        let error = if thread::panicking() {
            SdkError::new(ErrorKind::Internal, "the call panicked")
        } else {
            SdkError::new(ErrorKind::Cancelled, "the call was cancelled")
        };
        let result = otherwise(error.with_executed(Executed::Unknown));
        self.shared.ledger.end(self.id, result);
    }
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// For a first poll, after which another one follows in any case. The waker itself points into the middle of its
/// memory: a host's search for leaks would not find the beginning if nobody kept it.
static NOBODY: LazyLock<(Arc<Nobody>, Waker)> = LazyLock::new(|| {
    let nobody = Arc::new(Nobody);
    (Arc::clone(&nobody), nobody.into())
});

#[cfg(test)]
mod tests;
