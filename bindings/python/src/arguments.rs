//! What calls take, as Python people write it.

use crate::body::Body;
use crate::error::invalid;
use bytes::Bytes;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDelta, PyMemoryView, PyRange, PyRangeMethods};
use ron_app_sdk::{AddrB3, ByteRange, Expected, IdemKey, IndexKey, Mail, Receive, Topic};
use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

/// A body to be sent. `bytes` are held where they are; anything else that has bytes is copied, once.
pub(crate) enum Payload {
    Held(PyBackedBytes),
    Shared(Bytes),
}

impl Payload {
    /// The bytes, without another copy. Python's are released by a thread of Python's, whichever thread drops them.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Held(held) => Bytes::from_owner(held),
            Self::Shared(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Held(held) => held,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Payload {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Held(bytes.to_owned().into()));
        }
        if let Ok(body) = object.cast::<Body>() {
            return Ok(Self::Shared(body.get().share()));
        }
        let view = PyMemoryView::from(&object)?;
        let copy = view.call_method0("tobytes")?.cast_into::<PyBytes>()?;
        Ok(Self::Held(copy.into()))
    }
}

/// A time: seconds, or a `timedelta`.
#[derive(Clone, Copy)]
pub(crate) struct Time(pub(crate) Duration);

impl<'py> FromPyObject<'_, 'py> for Time {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(seconds) = object.extract::<f64>() {
            return match Duration::try_from_secs_f64(seconds) {
                Ok(time) => Ok(Self(time)),
                Err(_) => Err(not_a_time(object.py(), seconds)),
            };
        }
        if object.is_instance_of::<PyDelta>() {
            let time = object.extract::<Duration>();
            return time
                .map(Self)
                .map_err(|_| not_a_time(object.py(), &*object));
        }
        Err(PyTypeError::new_err(
            "expected a number of seconds or a timedelta",
        ))
    }
}

fn not_a_time(py: Python<'_>, value: impl Display) -> PyErr {
    invalid(
        py,
        "time",
        format_args!("{value} is not a time from now on, in seconds"),
    )
}

/// A `range` with a step of 1: the bytes of an object from its first to the last one before its stop.
pub(crate) struct Range(pub(crate) ByteRange);

impl<'py> FromPyObject<'_, 'py> for Range {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let range = object
            .cast::<PyRange>()
            .map_err(|_| PyTypeError::new_err("expected a range, such as range(0, 100)"))?;
        let is_forward = range.step()? == 1;
        let (start, stop) = (range.start()?, range.stop()?);
        let last = stop.checked_sub(1).map(u64::try_from);
        match (u64::try_from(start), last) {
            (Ok(first), Some(Ok(last))) if is_forward => match ByteRange::new(first, last) {
                Ok(range) => Ok(Self(range)),
                Err(_) => Err(not_a_range(&object)),
            },
            _ => Err(not_a_range(&object)),
        }
    }
}

fn not_a_range(object: &Bound<'_, PyAny>) -> PyErr {
    let rule = format_args!("{object} is not at least one byte, counted from 0, one by one");
    invalid(object.py(), "byte_range", rule)
}

/// The Python `range` of an object's bytes.
pub(crate) fn range_object(py: Python<'_>, range: ByteRange) -> PyResult<Py<PyAny>> {
    let range_class = py.get_type::<PyRange>();
    Ok(range_class
        .call1((range.first(), range.last() + 1))?
        .unbind())
}

pub(crate) fn topic(py: Python<'_>, text: &str) -> PyResult<Topic> {
    Topic::new(text).map_err(|error| invalid(py, "topic", error))
}

pub(crate) fn name(py: Python<'_>, text: &str) -> PyResult<IndexKey> {
    IndexKey::new(text).map_err(|error| invalid(py, "name", error))
}

pub(crate) fn idempotency_key(py: Python<'_>, text: Option<&str>) -> PyResult<Option<IdemKey>> {
    let key = text.map(IdemKey::new).transpose();
    key.map_err(|error| invalid(py, "idempotency_key", error))
}

/// What a name has to stand for: an address, or "absent".
pub(crate) fn expected(py: Python<'_>, text: Option<&str>) -> PyResult<Option<Expected>> {
    match text {
        None => Ok(None),
        Some("absent") => Ok(Some(Expected::Absent)),
        Some(text) => match text.parse::<AddrB3>() {
            Ok(address) => Ok(Some(Expected::Address(address))),
            Err(error) => Err(invalid(
                py,
                "expected",
                format_args!("{error}, or it is \"absent\""),
            )),
        },
    }
}

/// What to receive. The core says which of it is out of range.
pub(crate) fn receive(
    py: Python<'_>,
    topic: &str,
    max_messages: i64,
    visibility: Option<Time>,
    wait: Option<Time>,
) -> PyResult<Receive> {
    let mut receive = Receive::new(self::topic(py, topic)?);
    receive.max = max_messages.clamp(0, i64::from(u16::MAX)) as u16;
    if let Some(Time(visibility)) = visibility {
        receive.visibility = visibility;
    }
    if let Some(Time(wait)) = wait {
        receive.wait = wait;
    }
    Ok(receive)
}

/// A message to be sent.
pub(crate) fn mail(
    py: Python<'_>,
    topic: &str,
    body: Payload,
    attributes: Option<HashMap<String, String>>,
) -> PyResult<Mail> {
    let mut mail = Mail::new(self::topic(py, topic)?, body.into_bytes());
    for (name, value) in attributes.unwrap_or_default() {
        let inserted = mail.attributes.insert(name, value);
        inserted.map_err(|error| invalid(py, "attributes", error))?;
    }
    Ok(mail)
}
