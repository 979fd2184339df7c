//! Errors of the SDK as the exceptions that the package defines in Python.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use ron_app_sdk::{ErrorKind, Executed, GaveUp, SdkError};
use std::error::Error;
use std::fmt::{self, Display};

/// Where the classes are.
const MODULE: &str = "ron_app_sdk.errors";
/// Their dictionary in that module, from a kind's number to its class.
const CLASSES: &str = "ERROR_CLASSES";

/// The number and the name of every kind of error.
#[pyfunction]
pub(crate) fn error_kinds() -> Vec<(u32, &'static str)> {
    ErrorKind::all()
        .map(|kind| (kind.number(), kind.name()))
        .collect()
}

/// The exception of an error.
pub(crate) fn exception(py: Python<'_>, error: &SdkError) -> PyErr {
    let made = class(py, error.kind()).and_then(|class| {
        let fields = PyDict::new(py);
        fields.set_item("status", error.status())?;
        fields.set_item("executed", executed(error.executed()))?;
        fields.set_item("attempts", error.attempts())?;
        let retry_after = error.retry_after().map(|after| after.as_secs_f64());
        fields.set_item("retry_after", retry_after)?;
        fields.set_item("gave_up", error.gave_up().and_then(gave_up))?;
        class.call((error.to_string(),), Some(&fields))
    });
    let made = match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => return broken,
    };
    if let Some(raised) = raised(error) {
        made.set_cause(py, Some(raised.0.clone_ref(py)));
    }
    made
}

/// An exception of the application's code, as the source of an error. It says nothing of itself: it is given back.
pub(crate) struct Raised(pub(crate) PyErr);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function raised an exception")
    }
}

impl fmt::Debug for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raised")
    }
}

impl Error for Raised {}

/// The exception behind an error.
fn raised(error: &SdkError) -> Option<&Raised> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(raised) = error.downcast_ref() {
            return Some(raised);
        }
        source = error.source();
    }
    None
}

/// `ConfigError`: an argument that breaks its rule, before any I/O.
pub(crate) fn invalid(py: Python<'_>, argument: &str, rule: impl Display) -> PyErr {
    let message = format!("Config: {argument}: {rule}");
    match class(py, ErrorKind::Config).and_then(|class| class.call1((message,))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

fn class<'py>(py: Python<'py>, kind: ErrorKind) -> PyResult<Bound<'py, PyType>> {
    static TABLE: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let table = TABLE.get_or_try_init(py, || {
        let table = py.import(MODULE)?.getattr(CLASSES)?;
        Ok::<_, PyErr>(table.cast_into::<PyDict>()?.unbind())
    })?;
    let class = table.bind(py).as_any().get_item(kind.number())?;
    Ok(class.cast_into::<PyType>()?)
}

pub(crate) const fn executed(executed: Executed) -> &'static str {
    match executed {
        Executed::No => "no",
        Executed::Yes => "yes",
        Executed::Unknown => "unknown",
    }
}

const fn gave_up(gave_up: GaveUp) -> Option<&'static str> {
    match gave_up {
        GaveUp::Deadline => Some("deadline"),
        GaveUp::Attempts => Some("attempts"),
        GaveUp::Budget => Some("budget"),
        _ => None,
    }
}
