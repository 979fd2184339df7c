//! How every operation is made, in each of its two forms.

use crate::boundary::{shared, shared_now, Out, Outcome};
use crate::capability::ron_capability_t;
use crate::client::ron_client_t;
use crate::options::{ron_call_options_t, ron_report_t, Filled};
use crate::queue::ron_queue_t;
use crate::result::Value;
use ron_app_sdk::{
    blocking, CallReport, Calls, CapabilitySource, IdemKey, Reported, RonAppSdk, SdkError,
    TraceParent,
};
use std::cell::Cell;
use std::ffi::c_void;
use std::future::Future;
use std::time::Duration;

/// Makes a call on this thread.
pub(crate) unsafe fn block<T>(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    options: *const ron_call_options_t,
    work: impl FnOnce(&blocking::Calls<'_, Reported>) -> Result<(T, CallReport), SdkError>,
) -> Outcome<T> {
    let options = ron_call_options_t::read(options)?;
    let report = Filled::optional(options.report, "report")?;
    // Held: another thread may release it meanwhile.
    let client = shared(client, "client")?;
    let source = shared_now(capability, "capability")?.source.clone();
    let mut calls = client.blocking.with(source);
    if let Some(limit) = options.limit() {
        calls = calls.timeout(limit);
    }
    if let Some(key) = options.key()? {
        calls = calls.idempotency_key(key);
    }
    if let Some(parent) = options.traceparent()? {
        calls = calls.traceparent(parent);
    }
    let calls = calls.with_report();
    let (value, how) = interruptible(&options, || work(&calls))?;
    if let Some(report) = report {
        report.set(&ron_report_t::from(&how));
    }
    Ok(value)
}

/// Connects on this thread.
pub(crate) unsafe fn connect(
    client: *const ron_client_t,
    options: *const ron_call_options_t,
) -> Outcome {
    let options = ron_call_options_t::read(options)?;
    let report = Filled::optional(options.report, "report")?;
    let client = shared(client, "client")?;
    let how = interruptible(&options, || client.blocking.connect(options.limit()))?;
    if let Some(report) = report {
        report.set(&ron_report_t::from(&how));
    }
    Ok(())
}

type IsInterrupted = unsafe extern "C" fn() -> bool;

pub(crate) fn interruptible<T>(options: &ron_call_options_t, work: impl FnOnce() -> T) -> T {
    match options.is_interrupted {
        None => work(),
        Some(is_interrupted) => interruptible_by(is_interrupted, work),
    }
}

fn interruptible_by<T>(is_interrupted: IsInterrupted, work: impl FnOnce() -> T) -> T {
    thread_local! {
        static ASKED: Cell<Option<IsInterrupted>> = const { Cell::new(None) };
    }
    struct Restore(Option<IsInterrupted>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ASKED.set(self.0);
        }
    }
    let _restore = Restore(ASKED.replace(Some(is_interrupted)));
    // SAFETY: the caller has promised a function that its own thread can call.
    let ask = || ASKED.get().is_some_and(|asked| unsafe { asked() });
    blocking::interruptible(ask, work)
}

/// Starts to connect. Its number is put where it is wanted.
pub(crate) unsafe fn start_connect(
    client: *const ron_client_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
) -> Outcome {
    let options = ron_call_options_t::read(options)?;
    let number = match call.is_null() {
        true => None,
        false => Some(Out::new(call, 0, "call")?),
    };
    let client = shared_now(client, "client")?.asynchronous.clone();
    let limit = options.limit();
    let queue = shared(queue, "queue")?;
    let connecting = async move {
        let report = client.connect(limit).await?;
        Ok((Value::Nothing, report))
    };
    let id = queue.start(user_data, options.callback, connecting)?;
    if let Some(number) = number {
        number.set(id);
    }
    Ok(())
}

/// An asynchronous call's own client and settings.
pub(crate) struct Started {
    client: RonAppSdk,
    source: CapabilitySource,
    limit: Option<Duration>,
    key: Option<IdemKey>,
    traceparent: Option<TraceParent>,
}

impl Started {
    pub(crate) fn calls(self: &Started) -> Calls<'_, Reported> {
        let mut calls = self.client.with(&self.source);
        if let Some(limit) = self.limit {
            calls = calls.timeout(limit);
        }
        if let Some(key) = &self.key {
            calls = calls.idempotency_key(key.clone());
        }
        if let Some(parent) = &self.traceparent {
            calls = calls.traceparent(parent.clone());
        }
        calls.with_report()
    }
}

/// Where an asynchronous call goes, and what it is made with.
pub(crate) struct Start {
    pub(crate) client: *const ron_client_t,
    pub(crate) capability: *const ron_capability_t,
    pub(crate) queue: *const ron_queue_t,
    pub(crate) user_data: *mut c_void,
    pub(crate) call: *mut u64,
}

/// Starts a call. Its number is put where it is wanted.
pub(crate) unsafe fn start<F>(
    start: Start,
    options: &ron_call_options_t,
    work: impl FnOnce(Started) -> F,
) -> Outcome
where
    F: Future<Output = Result<(Value, CallReport), SdkError>> + Send + 'static,
{
    let number = match start.call.is_null() {
        true => None,
        false => Some(Out::new(start.call, 0, "call")?),
    };
    let started = {
        let client = shared_now(start.client, "client")?;
        Started {
            client: client.asynchronous.clone(),
            source: shared_now(start.capability, "capability")?.source.clone(),
            limit: options.limit(),
            key: options.key()?,
            traceparent: options.traceparent()?,
        }
    };
    let queue = shared(start.queue, "queue")?;
    let id = queue.start(start.user_data, options.callback, work(started))?;
    if let Some(number) = number {
        number.set(id);
    }
    Ok(())
}
