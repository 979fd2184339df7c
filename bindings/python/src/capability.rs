//! What calls are allowed by: tokens, files of tokens, and functions that are asked for one.

use crate::error::{exception, invalid, Raised};
use crate::queue;
use crate::signals;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use ron_app_sdk as sdk;
use ron_app_sdk::CapabilitySource;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A capability token, which says what its holder may do. Nothing shows it: not `repr`, not an error, not a log.
#[pyclass(frozen, module = "ron_app_sdk")]
pub(crate) struct Capability {
    token: sdk::Capability,
    source: CapabilitySource,
}

impl From<sdk::Capability> for Capability {
    fn from(token: sdk::Capability) -> Self {
        Self {
            source: (&token).into(),
            token,
        }
    }
}

#[pymethods]
impl Capability {
    /// The capability with this base64url text, with or without padding.
    #[new]
    fn new(py: Python<'_>, text: &str) -> PyResult<Self> {
        made(py, sdk::Capability::from_base64url(text))
    }

    /// The capability in the variable RON_SDK_CAPABILITY.
    #[staticmethod]
    fn from_env(py: Python<'_>) -> PyResult<Self> {
        made(py, sdk::Capability::from_env())
    }

    /// The capability with these bytes, a token in the macaroon v2 format.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, token: &[u8]) -> PyResult<Self> {
        made(py, sdk::Capability::from_bytes(token))
    }

    /// The same capability, narrowed by a caveat such as "op=storage.get", without asking anybody.
    fn attenuate(&self, py: Python<'_>, caveat: &str) -> PyResult<Self> {
        made(py, self.token.attenuate(caveat))
    }

    /// The token itself as base64url. Keep it out of logs.
    fn expose(&self) -> String {
        self.token.expose_base64url().to_string()
    }

    fn __repr__(&self) -> &'static str {
        "Capability(redacted)"
    }
}

impl Capability {
    /// What calls are made with that take the one of the environment.
    pub(crate) fn from_environment(py: Python<'_>) -> PyResult<CapabilitySource> {
        Ok(Self::from_env(py)?.source)
    }
}

fn made(py: Python<'_>, token: Result<sdk::Capability, sdk::SdkError>) -> PyResult<Capability> {
    match token {
        Ok(token) => Ok(token.into()),
        Err(error) => Err(exception(py, &error)),
    }
}

/// A file with a capability as base64url, which is read for the first call, and again when the gateway says that the
/// capability has expired. Keep it for all calls: each new one reads anew.
#[pyclass(frozen, module = "ron_app_sdk")]
pub(crate) struct CapabilityFile {
    path: PathBuf,
    source: CapabilitySource,
}

#[pymethods]
impl CapabilityFile {
    #[new]
    fn new(path: PathBuf) -> Self {
        Self {
            source: CapabilitySource::file(&path),
            path,
        }
    }

    /// Where it is.
    #[getter]
    fn path(&self) -> String {
        self.path.display().to_string()
    }

    fn __repr__(&self) -> String {
        format!("CapabilityFile({:?})", self.path)
    }
}

/// A function that is asked for a capability, as a `Capability` or its text, by the first call that needs one, and again
/// when a gateway says that it has expired: once, however many calls wait. Keep it for all calls: each new one asks anew.
///
/// A blocking call asks it on its own thread; one of an event loop on the loop's, where it may be `async`, and should be
/// unless it returns at once. What it raises is the `__cause__` of the error that its calls end with.
#[pyclass(frozen, module = "ron_app_sdk")]
pub(crate) struct CapabilityProvider {
    source: CapabilitySource,
}

#[pymethods]
impl CapabilityProvider {
    #[new]
    fn new(function: &Bound<'_, PyAny>) -> PyResult<Self> {
        if !function.is_callable() {
            return Err(PyTypeError::new_err("expected a function"));
        }
        Ok(Self {
            source: asking(function.clone().unbind()),
        })
    }

    fn __repr__(&self) -> &'static str {
        "CapabilityProvider()"
    }
}

fn asking(function: Py<PyAny>) -> CapabilitySource {
    let function = Arc::new(function);
    CapabilitySource::asking(move |request| match queue::current() {
        // The call is an event loop's, and may be polled by the SDK's thread, which does not touch Python.
        Some(queue) => queue.ask(Arc::clone(&function), request),
        // It is the caller's thread, which waits.
        None => Python::attach(|py| answer_here(py, &function, request)),
    })
}

fn answer_here(py: Python<'_>, function: &Py<PyAny>, request: sdk::CapabilityRequest) {
    match function.bind(py).call0().and_then(|fresh| token_of(&fresh)) {
        Ok(token) => request.answer(Ok(token)),
        Err(error) => {
            if !error.is_instance_of::<PyException>(py) {
                // Ctrl-C, say: it ends the call as what it is.
                signals::raise_after_call(error.clone_ref(py));
            }
            request.answer(Err(Box::new(Raised(error))));
        }
    }
}

/// What a function has returned, as a token.
fn token_of(fresh: &Bound<'_, PyAny>) -> PyResult<sdk::Capability> {
    if let Ok(capability) = fresh.cast::<Capability>() {
        return Ok(capability.get().token.clone());
    }
    if let Ok(text) = fresh.extract::<&str>() {
        let token = sdk::Capability::from_base64url(text);
        return token.map_err(|error| exception(fresh.py(), &error));
    }
    let rule = if fresh.hasattr("__await__")? {
        if fresh.hasattr("close")? {
            fresh.call_method0("close")?;
        }
        "a blocking call cannot wait for an async function: give one that returns a capability"
            .to_owned()
    } else {
        let kind = fresh.get_type().name()?;
        format!("the provider returned a {kind}, which is neither a Capability nor its text")
    };
    Err(PyTypeError::new_err(rule))
}

/// A question for a fresh capability, which an event loop answers.
#[pyclass(frozen, module = "ron_app_sdk._native")]
pub(crate) struct CapabilityRequest {
    /// Whom to ask.
    #[pyo3(get)]
    function: Py<PyAny>,
    request: Mutex<Option<sdk::CapabilityRequest>>,
}

impl CapabilityRequest {
    pub(crate) fn new(function: Py<PyAny>, request: sdk::CapabilityRequest) -> Self {
        Self {
            function,
            request: Mutex::new(Some(request)),
        }
    }

    fn end(&self, fresh: PyResult<sdk::Capability>) {
        // Nothing in here panics halfway through a change.
        let request = self
            .request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(request) = request {
            request.answer(fresh.map_err(|error| Raised(error).into()));
        }
    }
}

#[pymethods]
impl CapabilityRequest {
    /// With what the function returned.
    fn answer(&self, fresh: &Bound<'_, PyAny>) {
        self.end(token_of(fresh));
    }

    /// With what it raised.
    fn fail(&self, error: &Bound<'_, PyAny>) {
        self.end(Err(PyErr::from_value(error.clone())));
    }
}

/// Any of them, as an argument.
pub(crate) struct Source(CapabilitySource);

impl<'py> FromPyObject<'_, 'py> for Source {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(capability) = object.cast::<Capability>() {
            return Ok(Self(capability.get().source.clone()));
        }
        if let Ok(file) = object.cast::<CapabilityFile>() {
            return Ok(Self(file.get().source.clone()));
        }
        if let Ok(provider) = object.cast::<CapabilityProvider>() {
            return Ok(Self(provider.get().source.clone()));
        }
        if object.is_callable() {
            return Ok(Self(asking(object.to_owned().unbind())));
        }
        // Not its text: it may be a token.
        Err(PyTypeError::new_err(
            "expected a Capability, a CapabilityFile, or a function that returns a Capability",
        ))
    }
}

impl Source {
    /// What a call is made with: its own, or the client's.
    pub(crate) fn or_default(
        py: Python<'_>,
        own: Option<Self>,
        default: Option<&CapabilitySource>,
    ) -> PyResult<CapabilitySource> {
        let own = own.map(|Self(source)| source);
        own.or_else(|| default.cloned()).ok_or_else(|| {
            invalid(
                py,
                "capability",
                "neither the call nor its client has one; give either the argument",
            )
        })
    }

    pub(crate) fn into_inner(self) -> CapabilitySource {
        self.0
    }
}
