//! Which trace a call is part of: the current span's of OpenTelemetry, where a program has that.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use pyo3::{intern, Py};
use ron_app_sdk::TraceParent;

/// The current span's, of this thread or task. Who has not imported OpenTelemetry has none, and pays one look-up.
pub(crate) fn current(py: Python<'_>) -> Option<TraceParent> {
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let modules = MODULES.get_or_try_init(py, || {
        let modules = py.import("sys")?.getattr("modules")?;
        Ok::<_, PyErr>(modules.cast_into::<PyDict>()?.unbind())
    });
    let found = modules.and_then(|modules| {
        let module = modules
            .bind(py)
            .get_item(intern!(py, "opentelemetry.trace"))?;
        module.map(|_| ask(py)).transpose()
    });
    match found {
        Ok(text) => text.flatten()?.parse().ok(),
        // It is no call's failure.
        Err(error) => {
            error.write_unraisable(py, None);
            None
        }
    }
}

fn ask(py: Python<'_>) -> PyResult<Option<String>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let function = FUNCTION.get_or_try_init(py, || {
        let module = py.import("ron_app_sdk._traces")?;
        Ok::<_, PyErr>(module.getattr("traceparent")?.unbind())
    })?;
    function.call0(py)?.extract(py)
}
