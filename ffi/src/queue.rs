//! `ron_queue_t`: how asynchronous calls reach a program with an event loop. Callbacks are a thin layer on top.

use crate::boundary::{guard, into_handle, release_handle, shared, Out, Outcome};
use crate::error::{ron_error_t, Failure};
use crate::result::{ron_result_release, ron_result_t, Value};
use crate::status::ron_status_t;
use ron_app_sdk::completion::{CallId, Completion, CompletionQueue};
use ron_app_sdk::{CallReport, SdkError};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// Asynchronous calls that are on their way, and the completions of those that have ended: exactly one for each call that
/// was started, whether it succeeds, fails, is cancelled, or its client is closed or released. Made with ron_queue_new(),
/// released with ron_queue_release(). Make one per event loop. Threads may share it. Calls of several
/// clients may use one queue. After a fork, the child's uses of it fail as RON_FORK_DETECTED; it may release it.
pub struct ron_queue_t {
    calls: CompletionQueue<Ended>,
}

/// What came of a call. A plain value of this size in every version of the interface; `result` has the rest.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_completion_t {
    /// The call's number, as it was put when it was started.
    pub call: u64,
    /// What it was started with.
    pub user_data: *mut c_void,
    /// RON_OK, or why it failed.
    pub status: ron_status_t,
    /// Has no meaning yet.
    pub reserved: u32,
    /// The value or the error: never NULL, released with ron_result_release() by whoever has drained it.
    pub result: *mut ron_result_t,
}

/// Called by ron_queue_dispatch(), in its thread, with a completion whose result is released afterwards. It may use
/// the queue, also to start calls or to release it. It must not throw.
pub type ron_callback_t = Option<unsafe extern "C" fn(completion: *const ron_completion_t)>;

/// A call's end, with what the caller has given it to recognise it by.
pub(crate) struct Ended {
    user_data: UserData,
    callback: ron_callback_t,
    result: Result<(Value, CallReport), SdkError>,
}

/// A pointer of the caller's that is carried and never followed.
#[derive(Clone, Copy)]
pub(crate) struct UserData(*mut c_void);

// SAFETY: nothing is ever done with it but to give it back.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl ron_queue_t {
    /// Starts a call.
    pub(crate) fn start<F>(
        &self,
        user_data: *mut c_void,
        callback: ron_callback_t,
        call: F,
    ) -> Outcome<u64>
    where
        F: std::future::Future<Output = Result<(Value, CallReport), SdkError>> + Send + 'static,
    {
        let user_data = UserData(user_data);
        let ended = move |result| Ended {
            user_data,
            callback,
            result,
        };
        let call = async move {
            let result = call.await;
            Ok(ended(result))
        };
        let lost = move |error| Ok(ended(Err(error)));
        Ok(self.calls.submit_or_else(call, lost)?.number())
    }
}

/// A completion as C has it, with its callback.
fn complete(completion: Completion<Ended>) -> (ron_completion_t, ron_callback_t) {
    let call = completion.id.number();
    let (user_data, callback, result) = match completion.result {
        Ok(ended) => (ended.user_data.0, ended.callback, ended.result),
        // Not reached: a call without a result has been given one above.
        Err(error) => (ptr::null_mut(), None, Err(error)),
    };
    let result = ron_result_t::from(result);
    let completion = ron_completion_t {
        call,
        user_data,
        status: result.status(),
        reserved: 0,
        result: Box::into_raw(Box::new(result)),
    };
    (completion, callback)
}

/// A queue without calls. RON_INTERNAL where the system has no descriptor left.
#[no_mangle]
pub unsafe extern "C" fn ron_queue_new(
    out: *mut *mut ron_queue_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        #[cfg(unix)]
        let calls = CompletionQueue::with_descriptor()?;
        #[cfg(not(unix))]
        let calls = CompletionQueue::with_callback(|| ());
        out.set(into_handle(ron_queue_t { calls }));
        Ok(())
    })
}

/// A descriptor that is readable as long as there are completions: for poll(), epoll and the like, with level
/// triggers or with edges if the queue is drained until it is empty. It is the queue's: it must be neither read, written nor
/// closed. -1 for NULL and on systems without such descriptors.
#[no_mangle]
pub unsafe extern "C" fn ron_queue_fd(queue: *const ron_queue_t) -> c_int {
    #[cfg(unix)]
    if let Some(descriptor) = queue.as_ref().and_then(|queue| queue.calls.descriptor()) {
        return std::os::fd::AsRawFd::as_raw_fd(&descriptor);
    }
    #[cfg(not(unix))]
    let _ = queue;
    -1
}

/// Waits until there are completions, for `timeout_ms` at most; for ever where it is negative. Puts into `ready`, which
/// may be NULL, whether there are some: not, where the time is over or the queue has been closed.
#[no_mangle]
pub unsafe extern "C" fn ron_queue_wait(
    queue: *const ron_queue_t,
    timeout_ms: i64,
    ready: *mut bool,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        if !ready.is_null() {
            ready.write(false);
        }
        let queue = shared(queue, "queue")?;
        let limit = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        let is_ready = queue.calls.wait(limit)?;
        if !ready.is_null() {
            ready.write(is_ready);
        }
        Ok(())
    })
}

/// Takes completions, at most `most`, in the order in which the calls have ended, without waiting. Puts them into the
/// array `out`, and into `count` how many they are. The caller releases the result of each.
#[no_mangle]
pub unsafe extern "C" fn ron_queue_drain(
    queue: *const ron_queue_t,
    out: *mut ron_completion_t,
    most: usize,
    count: *mut usize,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let count = Out::new(count, 0, "count")?;
        let queue = shared(queue, "queue")?;
        if out.is_null() && most > 0 {
            return Err(Failure::null("out"));
        }
        let taken = queue.calls.take(most)?;
        let number = taken.len();
        for (index, completion) in taken.into_iter().enumerate() {
            let (completion, _) = complete(completion);
            out.add(index).write(completion);
        }
        count.set(number);
        Ok(())
    })
}

/// Takes completions like ron_queue_drain(), calls the callback of each, and releases its result. That of a call without
/// a callback is released unseen. Puts into `count`, which may be NULL, how many completions they were.
#[no_mangle]
pub unsafe extern "C" fn ron_queue_dispatch(
    queue: *const ron_queue_t,
    most: usize,
    count: *mut usize,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        if !count.is_null() {
            count.write(0);
        }
        // Held, so that a callback may release it.
        let queue = shared(queue, "queue")?;
        let taken = queue.calls.take(most)?;
        let number = taken.len();
        for completion in taken {
            let (completion, callback) = complete(completion);
            if let Some(callback) = callback {
                callback(&completion);
            }
            ron_result_release(completion.result);
        }
        if !count.is_null() {
            count.write(number);
        }
        Ok(())
    })
}

/// Cancels a call by its number, at the gateway too. It has its completion all the same: RON_CANCELLED, or what it ended
/// with before. Puts into `was_open`, which may be NULL, whether it was still open. A number that is no open call's does
/// nothing: numbers are never used again.
#[no_mangle]
pub unsafe extern "C" fn ron_call_cancel(
    queue: *const ron_queue_t,
    call: u64,
    was_open: *mut bool,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        if !was_open.is_null() {
            was_open.write(false);
        }
        let queue = shared(queue, "queue")?;
        let is_open = queue.calls.cancel(CallId::from_number(call))?;
        if !was_open.is_null() {
            was_open.write(is_open);
        }
        Ok(())
    })
}

/// Calls that have not ended; 0 for NULL and in a child of a fork.
#[no_mangle]
pub unsafe extern "C" fn ron_queue_open_calls(queue: *const ron_queue_t) -> usize {
    queue.as_ref().map_or(0, |queue| queue.calls.open_calls())
}

/// Closes a queue: it takes no more calls (RON_CLOSED), cancels those that are open, and waits until none of them is at
/// work, so that what they have borrowed is not touched any more. Their completions can be drained. Threads in
/// ron_queue_wait() return.
#[no_mangle]
pub unsafe extern "C" fn ron_queue_close(
    queue: *const ron_queue_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let queue = shared(queue, "queue")?;
        // Says where it belongs to another process.
        queue.calls.cancel(CallId::from_number(0))?;
        queue.calls.close();
        Ok(())
    })
}

/// Closes a queue as ron_queue_close() does, and releases it with the completions that nobody has drained, whose
/// callbacks are not called. NULL is allowed. Its descriptor is closed: take it out of the event loop first.
#[no_mangle]
pub unsafe extern "C" fn ron_queue_release(queue: *mut ron_queue_t) {
    if let Ok(held) = shared::<ron_queue_t>(queue, "queue") {
        crate::boundary::guard_plain((), || held.calls.close());
        drop::<Arc<ron_queue_t>>(held);
    }
    release_handle(queue);
}
