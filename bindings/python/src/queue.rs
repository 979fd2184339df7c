//! `CompletionQueue`: how calls of an event loop end. The loop's own thread takes what has come of them; the SDK's thread
//! only makes the descriptor readable that the loop watches.

use crate::body::Body;
use crate::capability::CapabilityRequest;
use crate::error::exception;
use crate::logs;
use crate::mailbox::{Message, Receipt};
use crate::values::{CallReport, ObjectInfo, Readiness, UnverifiedRange};
use pyo3::prelude::*;
use ron_app_sdk::completion::{CallId, CompletionQueue as Queue};
use ron_app_sdk::{self as sdk, SdkError};
use std::cell::RefCell;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// What a call returns, before it is a Python object.
pub(crate) enum Output {
    Nothing,
    Address(sdk::AddrB3),
    Bytes(bytes::Bytes),
    Count(usize),
    Info(sdk::ObjectInfo),
    Messages(Vec<sdk::Message>),
    Range(sdk::UnverifiedRange),
    Readiness(Box<sdk::Readiness>),
    Receipt(sdk::Receipt),
    /// No call's: a function is to be asked for a capability.
    Asked(Arc<Py<PyAny>>, sdk::CapabilityRequest),
    /// With how the call went.
    Reported(Box<Self>, sdk::CallReport),
}

impl Output {
    fn into_object(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(match self {
            Self::Nothing => py.None(),
            Self::Address(address) => address.to_string().into_pyobject(py)?.into_any().unbind(),
            Self::Bytes(bytes) => Py::new(py, Body::from(bytes))?.into_any(),
            Self::Count(count) => count.into_pyobject(py)?.into_any().unbind(),
            Self::Info(info) => Py::new(py, ObjectInfo::from(info))?.into_any(),
            Self::Messages(messages) => {
                let messages = messages.into_iter().map(|m| Message::new(py, m));
                let messages = messages.collect::<PyResult<Vec<Message>>>()?;
                messages.into_pyobject(py)?.into_any().unbind()
            }
            Self::Readiness(readiness) => Py::new(py, Readiness::new(py, &readiness)?)?.into_any(),
            Self::Range(part) => Py::new(py, UnverifiedRange::new(py, part)?)?.into_any(),
            Self::Asked(function, request) => {
                let request = CapabilityRequest::new(function.clone_ref(py), request);
                Py::new(py, request)?.into_any()
            }
            Self::Reported(output, report) => {
                let report = Py::new(py, CallReport::from(report))?;
                let pair = (output.into_object(py)?, report).into_pyobject(py)?;
                pair.into_any().unbind()
            }
            Self::Receipt(receipt) => Py::new(py, Receipt::from(receipt))?.into_any(),
        })
    }
}

/// A call's id, with its result or its exception.
type Ended = (u64, Option<Py<PyAny>>, Option<PyErr>);

/// The calls of one event loop.
#[pyclass(frozen, module = "ron_app_sdk._native")]
pub(crate) struct CompletionQueue(Queue<Output>);

impl CompletionQueue {
    /// Starts a call; the interpreter is free while its request leaves.
    pub(crate) fn submit(
        &self,
        py: Python<'_>,
        call: impl Future<Output = Result<Output, SdkError>> + Send + 'static,
    ) -> PyResult<u64> {
        let asks = Asks(self.0.clone());
        let call = async move {
            let mut call = pin!(call);
            poll_fn(|context| asks.while_polling(|| call.as_mut().poll(context))).await
        };
        let id = py.detach(|| self.0.submit(call));
        id.map(CallId::number)
            .map_err(|error| exception(py, &error))
    }
}

thread_local! {
    /// The queue of the call that this thread polls.
    static CURRENT: RefCell<Option<Asks>> = const { RefCell::new(None) };
}

/// A queue through which its loop is asked for capabilities.
#[derive(Clone)]
pub(crate) struct Asks(Queue<Output>);

/// That of the call which this thread is at, where that is an event loop's.
pub(crate) fn current() -> Option<Asks> {
    CURRENT.with_borrow(Clone::clone)
}

impl Asks {
    /// Has the loop ask this function. Where the loop has ended, nobody answers.
    pub(crate) fn ask(&self, function: Arc<Py<PyAny>>, request: sdk::CapabilityRequest) {
        let asked = async move { Ok(Output::Asked(function, request)) };
        drop(self.0.submit(asked));
    }

    fn while_polling<T>(&self, poll: impl FnOnce() -> T) -> T {
        struct Restore(Option<Asks>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(self.clone())));
        poll()
    }
}

#[pymethods]
impl CompletionQueue {
    /// A queue with a descriptor that is readable while there are completions, where the system has such.
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        #[cfg(unix)]
        let queue = Queue::with_descriptor().map_err(|error| exception(py, &error))?;
        #[cfg(not(unix))]
        let queue = {
            let _ = py;
            Queue::with_callback(|| {})
        };
        Ok(Self(queue))
    }

    /// The descriptor; `None` where a thread has to `wait` instead.
    fn fileno(&self) -> Option<i32> {
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd;
            self.0.descriptor().map(|descriptor| descriptor.as_raw_fd())
        }
        #[cfg(not(unix))]
        None
    }

    /// Takes what has come of calls: their ids, with a result or an exception each.
    fn take(&self, py: Python<'_>) -> PyResult<Vec<Ended>> {
        let ended = self
            .0
            .take(usize::MAX)
            .map_err(|error| exception(py, &error))?;
        logs::calls_ended(py);
        let ended = ended.into_iter().map(|completion| {
            let id = completion.id.number();
            match completion.result {
                Ok(output) => match output.into_object(py) {
                    Ok(object) => (id, Some(object), None),
                    Err(error) => (id, None, Some(error)),
                },
                Err(error) => (id, None, Some(exception(py, &error))),
            }
        });
        Ok(ended.collect())
    }

    /// Waits until there are completions, for so many seconds at most. Whether there are some.
    fn wait(&self, py: Python<'_>, seconds: f64) -> PyResult<bool> {
        let limit = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        py.detach(|| self.0.wait(Some(limit)))
            .map_err(|error| exception(py, &error))
    }

    /// Cancels a call, at the gateway too.
    fn cancel(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        py.detach(|| self.0.cancel(CallId::from_number(id)))
            .map_err(|error| exception(py, &error))
    }

    /// Calls that have not ended.
    fn open_calls(&self) -> usize {
        self.0.open_calls()
    }

    /// Takes no more calls and cancels those that are open.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}
