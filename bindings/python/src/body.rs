//! `Body`: bytes that came from the gateway, where they arrived. Python reads them without a copy.
#![allow(unsafe_code)] // the buffer protocol

use bytes::Bytes;
use pyo3::exceptions::{PyBufferError, PyIndexError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyMemoryView, PySlice, PyString};
use std::ffi::c_int;
use std::os::raw::c_void;
use std::sync::OnceLock;

/// Read-only bytes that a call returned.
///
/// `memoryview(body)` and slices of it share its memory, `bytes(body)` copies it. It equals, and hashes like, the
/// `bytes` with the same content.
#[pyclass(frozen, sequence, module = "ron_app_sdk")]
pub(crate) struct Body {
    bytes: Bytes,
    /// Python's hash of `bytes`, once somebody has asked.
    hash: OnceLock<isize>,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            hash: OnceLock::new(),
        }
    }
}

impl Body {
    /// The same memory.
    pub(crate) fn share(&self) -> Bytes {
        self.bytes.clone()
    }

    fn item(&self, index: isize) -> PyResult<u8> {
        let from_start = if index < 0 {
            index + self.bytes.len() as isize
        } else {
            index
        };
        let item = usize::try_from(from_start)
            .ok()
            .and_then(|at| self.bytes.get(at));
        item.copied()
            .ok_or_else(|| PyIndexError::new_err("body index out of range"))
    }

    fn slice(&self, slice: &Bound<'_, PySlice>) -> PyResult<Self> {
        let indices = slice.indices(self.bytes.len() as isize)?;
        let start = indices.start.max(0) as usize;
        if indices.step == 1 {
            return Ok(self.bytes.slice(start..start + indices.slicelength).into());
        }
        let picked = (0..indices.slicelength as isize)
            .map(|n| self.item(indices.start + n * indices.step))
            .collect::<PyResult<Vec<u8>>>()?;
        Ok(Bytes::from(picked).into())
    }
}

#[pymethods]
impl Body {
    fn __len__(&self) -> usize {
        self.bytes.len()
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(slice) = key.cast::<PySlice>() {
            return Ok(Bound::new(py, self.slice(slice)?)?.into_any());
        }
        let index = key
            .extract::<isize>()
            .map_err(|_| PyTypeError::new_err("body indices must be integers or slices"))?;
        Ok(self.item(index)?.into_pyobject(py)?.into_any())
    }

    fn __iter__(slf: &Bound<'_, Self>) -> PyResult<Py<PyIterator>> {
        Ok(PyMemoryView::from(slf)?.try_iter()?.unbind())
    }

    fn __contains__(&self, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Ok(byte) = item.extract::<u8>() {
            return Ok(self.bytes.contains(&byte));
        }
        PyBytes::new(item.py(), &self.bytes).contains(item)
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    fn __eq__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let equal = if let Ok(other) = other.cast::<Self>() {
            self.bytes == other.get().bytes
        } else if let Ok(other) = other.cast::<PyBytes>() {
            self.bytes == other.as_bytes()
        } else if let Ok(view) = PyMemoryView::from(other) {
            // Python's own comparison, whatever the other one's layout.
            let own = PyMemoryView::from(PyBytes::new(py, &self.bytes).as_any())?;
            return own.rich_compare(view, pyo3::basic::CompareOp::Eq);
        } else {
            return Ok(py.NotImplemented().into_bound(py));
        };
        Ok(equal.into_pyobject(py)?.to_owned().into_any())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        if let Some(hash) = self.hash.get() {
            return Ok(*hash);
        }
        let hash = PyBytes::new(py, &self.bytes).hash()?;
        Ok(*self.hash.get_or_init(|| hash))
    }

    fn __repr__(&self) -> String {
        format!("Body({} bytes)", self.bytes.len())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyAny>, (Bound<'py, PyBytes>,)) {
        let class = py.get_type::<Self>().into_any();
        (class, (PyBytes::new(py, &self.bytes),))
    }

    /// A body with a copy of these bytes, as a test may want one.
    #[new]
    fn new(data: crate::arguments::Payload) -> Self {
        Bytes::copy_from_slice(data.as_ref()).into()
    }

    /// The text that the bytes are in this encoding.
    #[pyo3(signature = (encoding = "utf-8", errors = "strict"))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        encoding: &str,
        errors: &str,
    ) -> PyResult<Bound<'py, PyString>> {
        if matches!(encoding, "utf-8" | "utf8") {
            if let Ok(text) = std::str::from_utf8(&self.bytes) {
                return Ok(PyString::new(py, text));
            }
        }
        let text = PyBytes::new(py, &self.bytes).call_method1("decode", (encoding, errors))?;
        Ok(text.cast_into::<PyString>()?)
    }

    /// Fills in where the bytes are. They stay there, unchanged, as long as the view holds this object.
    ///
    /// # Safety
    /// Python's: `view` is null or points to a `Py_buffer` that may be written to.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view to fill in"));
        }
        let bytes = &slf.get().bytes;
        let (start, len) = (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len());
        // SAFETY: `view` may be written to, as Python promises and as was checked. The memory is that of `bytes`, which
        // this frozen object never changes or moves and which lives as long as it; the view gets a reference to the
        // object. It is marked as read-only, so that a request for a writable view is refused.
        let filled =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, len as isize, 1, flags) };
        if filled == 0 {
            Ok(())
        } else {
            Err(PyErr::fetch(slf.py()))
        }
    }
}
