//! `ron_app_sdk._native`: what the Python package `ron_app_sdk` is made of, less what is better written in Python.
//!
//! No thread that Python did not create touches Python here: calls of an event loop end in its [`queue`], which the
//! loop's own thread empties; Python objects that the SDK's thread lets go of are released by PyO3 the next time that
//! a thread of Python's comes by.

mod arguments;
mod asynchronous;
mod blocking;
mod body;
mod capability;
#[cfg(feature = "echo")]
mod echo;
mod error;
mod logs;
mod mailbox;
mod metrics;
mod queue;
mod settings;
mod signals;
mod traces;
mod values;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use ron_app_sdk::AddrB3;
use std::sync::OnceLock;

/// The address that an object with these bytes has.
#[pyfunction]
fn address_of(data: arguments::Payload) -> String {
    AddrB3::of(data.as_ref()).to_string()
}

/// Objects here are shared by the whole process, which interpreters within it must not do.
fn refuse_other_interpreters(py: Python<'_>) -> PyResult<()> {
    /// Where the first interpreter has its `sys`: each has its own.
    static FIRST: OnceLock<usize> = OnceLock::new();
    let here = py.import("sys")?.as_ptr() as usize;
    if *FIRST.get_or_init(|| here) == here {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "ron_app_sdk does not support sub-interpreters: use it in the interpreter that imported it first",
    ))
}

#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{
        address_of,
        asynchronous::AsyncClient,
        blocking::RonAppSdk,
        body::Body,
        capability::{Capability, CapabilityFile, CapabilityProvider, CapabilityRequest},
        error::error_kinds,
        logs::flush_logs,
        mailbox::{DeadLetter, Lease, Message, Receipt},
        queue::CompletionQueue,
        settings::{setting_names, setting_texts},
        signals::forget_main_thread,
        values::{CallReport, Check, ClientStats, ObjectInfo, Readiness, UnverifiedRange},
    };

    #[cfg(feature = "echo")]
    #[pymodule_export]
    use super::echo::{core_get, echo_async_client, echo_client};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::refuse_other_interpreters(module.py())
    }

    /// The longest body of an object or a message in bytes.
    #[pymodule_export]
    const MAX_BODY: usize = ron_app_sdk::MAX_BODY;

    /// The version of the package.
    #[pymodule_export]
    #[allow(non_upper_case_globals)] // so called in Python
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
