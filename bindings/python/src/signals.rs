//! Ctrl-C while a blocking call waits. Python runs signal handlers on its main thread alone, between two steps of the
//! interpreter: a call that waits without it has to ask for them.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use ron_app_sdk::blocking::interruptible;
use ron_app_sdk::SdkError;
use std::cell::{Cell, RefCell};

use crate::error::exception;
use crate::logs;

thread_local! {
    /// Whether this is the thread that runs signal handlers; `None` until it was asked.
    static IS_MAIN: Cell<Option<bool>> = const { Cell::new(None) };
    /// What a signal handler has raised, or a function that was asked for a capability.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Runs a blocking call without the interpreter. On the main thread, an exception of a signal handler ends it.
pub(crate) fn blocking<T: Send>(
    py: Python<'_>,
    call: impl FnOnce() -> Result<T, SdkError> + Send,
) -> PyResult<T> {
    let result = if is_main_thread(py)? {
        py.detach(|| interruptible(has_raised, call))
    } else {
        py.detach(call)
    };
    logs::calls_ended(py);
    match result {
        Ok(value) => Ok(value),
        Err(error) => Err(RAISED.take().unwrap_or_else(|| exception(py, &error))),
    }
}

/// Raises this in the place of the error that the call of this thread ends with.
pub(crate) fn raise_after_call(error: PyErr) {
    RAISED.set(Some(error));
}

fn has_raised() -> bool {
    Python::attach(|py| match py.check_signals() {
        Ok(()) => false,
        Err(error) => {
            RAISED.set(Some(error));
            true
        }
    })
}

/// To be called in the child of a fork: there, the thread that forked is the main one.
#[pyfunction]
pub(crate) fn forget_main_thread() {
    IS_MAIN.set(None);
    logs::forget();
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    if let Some(is_main) = IS_MAIN.get() {
        return Ok(is_main);
    }
    static FUNCTIONS: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
    let (current, main) = FUNCTIONS.get_or_try_init(py, || {
        let threading = py.import("threading")?;
        let function = |name| Ok::<_, PyErr>(threading.getattr(name)?.unbind());
        Ok::<_, PyErr>((function("get_ident")?, function("main_thread")?))
    })?;
    let current: u64 = current.call0(py)?.extract(py)?;
    let main: Option<u64> = main.call0(py)?.getattr(py, "ident")?.extract(py)?;
    let is_main = main == Some(current);
    IS_MAIN.set(Some(is_main));
    Ok(is_main)
}
