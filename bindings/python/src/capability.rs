//! What calls are allowed by.

use crate::error::{exception, invalid};
use pyo3::prelude::*;
use ron_app_sdk as sdk;
use ron_app_sdk::CapabilitySource;
use std::path::PathBuf;

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

/// Either of them, as an argument.
pub(crate) struct Source(CapabilitySource);

impl<'py> FromPyObject<'_, 'py> for Source {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(capability) = object.cast::<Capability>() {
            return Ok(Self(capability.get().source.clone()));
        }
        match object.cast::<CapabilityFile>() {
            Ok(file) => Ok(Self(file.get().source.clone())),
            // Not its text: it may be a token.
            Err(_) => Err(pyo3::exceptions::PyTypeError::new_err(
                "expected a Capability or a CapabilityFile",
            )),
        }
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
