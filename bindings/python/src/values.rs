//! What calls return, beside bodies and messages.

use crate::arguments::range_object;
use crate::body::Body;
use crate::error::{exception, executed};
use pyo3::prelude::*;
use ron_app_sdk as sdk;

/// What a gateway knows about an object without sending it.
#[pyclass(frozen, eq, hash, get_all, module = "ron_app_sdk")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct ObjectInfo {
    /// The address of its bytes.
    address: String,
    /// Its size in bytes.
    size: u64,
}

impl From<sdk::ObjectInfo> for ObjectInfo {
    fn from(info: sdk::ObjectInfo) -> Self {
        Self {
            address: info.address.to_string(),
            size: info.size,
        }
    }
}

#[pymethods]
impl ObjectInfo {
    fn __repr__(&self) -> String {
        format!("ObjectInfo(address='{}', size={})", self.address, self.size)
    }
}

/// A part of an object. The object's address vouches for the whole of it only: a part is what the gateway says it is.
#[pyclass(frozen, module = "ron_app_sdk")]
pub(crate) struct UnverifiedRange {
    /// The bytes.
    #[pyo3(get)]
    body: Py<Body>,
    range: sdk::ByteRange,
    /// The whole object's size in bytes.
    #[pyo3(get)]
    size: u64,
}

impl UnverifiedRange {
    pub(crate) fn new(py: Python<'_>, part: sdk::UnverifiedRange) -> PyResult<Self> {
        Ok(Self {
            body: Py::new(py, Body::from(part.bytes))?,
            range: part.range,
            size: part.size,
        })
    }
}

#[pymethods]
impl UnverifiedRange {
    /// Which bytes of the object they are.
    #[getter]
    fn byte_range(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        range_object(py, self.range)
    }

    fn __repr__(&self) -> String {
        let (first, stop) = (self.range.first(), self.range.last() + 1);
        format!(
            "UnverifiedRange(range({first}, {stop}) of {} bytes)",
            self.size
        )
    }
}

/// How a call went that has succeeded.
#[pyclass(frozen, eq, module = "ron_app_sdk")]
#[derive(PartialEq)]
pub(crate) struct CallReport(sdk::CallReport);

impl From<sdk::CallReport> for CallReport {
    fn from(report: sdk::CallReport) -> Self {
        Self(report)
    }
}

#[pymethods]
impl CallReport {
    /// How many attempts it took, from 1; 0 where the cache had the result.
    #[getter]
    fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the gateway returned the recorded result of an earlier attempt.
    #[getter]
    fn replayed(&self) -> bool {
        self.0.replayed
    }

    /// Whether it changed something at the gateway: "yes", "no" or "unknown".
    #[getter]
    fn executed(&self) -> &'static str {
        executed(self.0.executed)
    }

    /// From the call to its result, in seconds.
    #[getter]
    fn elapsed(&self) -> f64 {
        self.0.elapsed.as_secs_f64()
    }

    fn __repr__(&self) -> String {
        format!(
            "CallReport(attempts={}, replayed={}, executed='{}', elapsed={})",
            self.attempts(),
            if self.replayed() { "True" } else { "False" },
            self.executed(),
            self.elapsed()
        )
    }
}

/// What a client has at the moment.
#[pyclass(frozen, eq, get_all, module = "ron_app_sdk")]
#[derive(PartialEq, Eq)]
pub(crate) struct ClientStats {
    /// Calls that have not returned, those included that wait for a slot or for their next attempt.
    open_calls: usize,
    /// Connections to the gateway.
    connections: usize,
    /// Calls that wait for a slot on a connection.
    waiting_calls: usize,
    /// Requests whose answer has not ended, cancelled ones included.
    open_streams: usize,
    /// Sealed bytes that no socket has taken yet.
    unsent_bytes: usize,
    /// Objects in the cache.
    cached_objects: usize,
    /// Their bytes.
    cached_bytes: usize,
}

impl From<sdk::ClientStats> for ClientStats {
    fn from(stats: sdk::ClientStats) -> Self {
        Self {
            open_calls: stats.open_calls,
            connections: stats.connections,
            waiting_calls: stats.waiting_calls,
            open_streams: stats.open_streams,
            unsent_bytes: stats.unsent_bytes,
            cached_objects: stats.cached_objects,
            cached_bytes: stats.cached_bytes,
        }
    }
}

#[pymethods]
impl ClientStats {
    fn __repr__(&self) -> String {
        format!(
            "ClientStats(open_calls={}, connections={}, waiting_calls={}, open_streams={}, unsent_bytes={}, \
             cached_objects={}, cached_bytes={})",
            self.open_calls,
            self.connections,
            self.waiting_calls,
            self.open_streams,
            self.unsent_bytes,
            self.cached_objects,
            self.cached_bytes
        )
    }
}

/// What a client knows of itself, check by check. It is true where every check that applies is well.
#[pyclass(frozen, get_all, module = "ron_app_sdk")]
pub(crate) struct Readiness {
    /// Whether every check that applies is well.
    is_ready: bool,
    /// The settings, and the files that they name.
    config: Py<Check>,
    /// Tor, where the transport is that.
    tor: Py<Check>,
    /// A connection to the gateway that has answered HELLO.
    transport: Py<Check>,
}

impl Readiness {
    pub(crate) fn new(py: Python<'_>, readiness: &sdk::Readiness) -> PyResult<Self> {
        let check = |check: &sdk::Check| {
            let error = check.error().map(|error| exception(py, error));
            Py::new(
                py,
                Check {
                    state: check.state(),
                    error: error.map(|error| error.into_value(py).into_any()),
                },
            )
        };
        Ok(Self {
            is_ready: readiness.is_ready(),
            config: check(&readiness.config)?,
            tor: check(&readiness.tor)?,
            transport: check(&readiness.transport)?,
        })
    }
}

#[pymethods]
impl Readiness {
    fn __bool__(&self) -> bool {
        self.is_ready
    }

    fn __repr__(&self) -> String {
        let [config, tor, transport] =
            [&self.config, &self.tor, &self.transport].map(|check| check.get().state);
        format!("Readiness(config='{config}', tor='{tor}', transport='{transport}')")
    }
}

/// What came of a check.
#[pyclass(frozen, get_all, module = "ron_app_sdk")]
pub(crate) struct Check {
    /// "ok", "failed", "not_applicable" or "unknown": it has not come to that yet.
    state: &'static str,
    /// Why it has failed, where it has.
    error: Option<Py<PyAny>>,
}

#[pymethods]
impl Check {
    fn __repr__(&self) -> String {
        format!("Check(state='{}')", self.state)
    }
}
