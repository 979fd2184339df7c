//! What a client has counted, as Python has it.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use ron_app_sdk::Metrics;

/// A dictionary from the name of each number to those of its labels: all that the text has.
pub(crate) fn dictionary<'py>(py: Python<'py>, metrics: &Metrics) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for sample in metrics.snapshot().samples() {
        let labels = PyDict::new(py);
        for (name, value) in sample.labels {
            labels.set_item(name, value)?;
        }
        let entry = PyDict::new(py);
        entry.set_item("labels", labels)?;
        entry.set_item("value", sample.value)?;
        match all.get_item(&sample.name)? {
            Some(entries) => entries.cast_into::<PyList>()?.append(entry)?,
            None => all.set_item(&sample.name, PyList::new(py, [entry])?)?,
        }
    }
    Ok(all)
}
