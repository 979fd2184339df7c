//! Messages, leases and receipts.

use crate::arguments::topic;
use crate::body::Body;
use crate::error::invalid;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use ron_app_sdk as sdk;
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::DeadReason;
use std::time::SystemTime;

/// What a gateway says of a message that it has taken.
#[pyclass(frozen, eq, hash, get_all, module = "ron_app_sdk")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Receipt {
    /// The message's id.
    id: String,
    /// Whether the message had been taken before under the same idempotency key.
    duplicate: bool,
}

impl From<sdk::Receipt> for Receipt {
    fn from(receipt: sdk::Receipt) -> Self {
        Self {
            id: receipt.id,
            duplicate: receipt.duplicate,
        }
    }
}

#[pymethods]
impl Receipt {
    fn __repr__(&self) -> String {
        let duplicate = if self.duplicate { "True" } else { "False" };
        format!("Receipt(id='{}', duplicate={duplicate})", self.id)
    }
}

/// The right to acknowledge, give back or keep one delivery of a message. Whoever has its token can do so: `repr` does
/// not show it.
#[pyclass(frozen, eq, hash, module = "ron_app_sdk")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Lease(sdk::Lease);

#[pymethods]
impl Lease {
    /// The lease with this token, of the message with this id in this topic, as another process has handed it over.
    #[new]
    fn new(py: Python<'_>, topic: &str, id: &str, token: &str) -> PyResult<Self> {
        let text = |field, text: &str| {
            Token::new(text).ok_or_else(|| {
                invalid(
                    py,
                    field,
                    "it is not 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -",
                )
            })
        };
        let topic = self::topic(py, topic)?;
        Ok(Self(sdk::Lease::new(
            topic,
            text("id", id)?,
            text("token", token)?,
        )))
    }

    /// The topic of the message.
    #[getter]
    fn topic(&self) -> &str {
        self.0.topic().as_str()
    }

    /// The message's id.
    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }

    /// The token itself. Keep it out of logs.
    fn expose(&self) -> &str {
        self.0.expose()
    }

    fn __repr__(&self) -> String {
        format!(
            "Lease(topic='{}', id='{}', redacted)",
            self.topic(),
            self.id()
        )
    }
}

/// Why a message was given up.
#[pyclass(frozen, eq, hash, get_all, module = "ron_app_sdk")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct DeadLetter {
    /// The reason: "too_many_deliveries".
    reason: &'static str,
    /// How often it was delivered in its own topic.
    deliveries: u32,
}

#[pymethods]
impl DeadLetter {
    fn __repr__(&self) -> String {
        format!(
            "DeadLetter(reason='{}', deliveries={})",
            self.reason, self.deliveries
        )
    }
}

/// A message that was received. It comes again unless it is acknowledged in time.
#[pyclass(frozen, module = "ron_app_sdk")]
pub(crate) struct Message {
    lease: Lease,
    /// Which delivery this is, from 1.
    #[pyo3(get)]
    attempt: u32,
    attributes: sdk::Attributes,
    /// The body, hashed and compared.
    #[pyo3(get)]
    body: Py<Body>,
    /// When the gateway took it, by the gateway's clock.
    #[pyo3(get)]
    sent_at: SystemTime,
    /// Where it comes from a dead-letter topic: why it is there.
    #[pyo3(get)]
    dead: Option<DeadLetter>,
}

impl Message {
    pub(crate) fn new(py: Python<'_>, message: sdk::Message) -> PyResult<Self> {
        Ok(Self {
            lease: Lease(message.lease),
            attempt: message.attempt,
            attributes: message.attributes,
            body: Py::new(py, Body::from(message.body))?,
            sent_at: message.sent_at,
            dead: message.dead.map(|dead| DeadLetter {
                reason: match dead.reason {
                    DeadReason::TooManyDeliveries => "too_many_deliveries",
                    _ => "unknown",
                },
                deliveries: dead.deliveries,
            }),
        })
    }
}

#[pymethods]
impl Message {
    /// The right to acknowledge it.
    #[getter]
    fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// The message's id, which it keeps in a dead-letter topic.
    #[getter]
    fn id(&self) -> &str {
        self.lease.id()
    }

    /// The topic that it came from.
    #[getter]
    fn topic(&self) -> &str {
        self.lease.topic()
    }

    /// What it says beside its body.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let attributes = PyDict::new(py);
        for (name, value) in self.attributes.iter() {
            attributes.set_item(name, value)?;
        }
        Ok(attributes)
    }

    fn __repr__(&self) -> String {
        format!(
            "Message(topic='{}', id='{}', attempt={}, {} bytes)",
            self.topic(),
            self.id(),
            self.attempt,
            self.body.get().share().len()
        )
    }
}

/// A message or its lease, as an argument.
pub(crate) struct LeaseOf(pub(crate) sdk::Lease);

impl<'py> FromPyObject<'_, 'py> for LeaseOf {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(message) = object.cast::<Message>() {
            return Ok(Self(message.get().lease.0.clone()));
        }
        match object.cast::<Lease>() {
            Ok(lease) => Ok(Self(lease.get().0.clone())),
            Err(_) => Err(pyo3::exceptions::PyTypeError::new_err(
                "expected a Message or its Lease",
            )),
        }
    }
}
