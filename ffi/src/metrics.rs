//! `ron_metrics_t` and `ron_samples_t`: what clients count, and what they had counted at a moment.

use crate::boundary::{
    guard, guard_plain, into_handle, reference, release_box, release_handle, shared_now, Out,
};
use crate::buffer::ron_buffer_t;
use crate::client::ron_client_t;
use crate::error::{c_text, ron_error_t};
use crate::status::ron_status_t;
use bytes::Bytes;
use ron_app_sdk::{Metrics, Sample};
use std::ffi::{c_char, CStr, CString};
use std::ptr;
use std::sync::Arc;

/// The counters of one client, or of several: each client has its own unless it is made by
/// ron_client_new_with_metrics(). There are none for the whole process. Released with ron_metrics_release(); threads
/// may share it. It outlives its clients.
pub struct ron_metrics_t(pub(crate) Metrics);

/// All numbers of a ron_metrics_t at a moment. Released with ron_samples_release(). They do not change: threads may read
/// them at once.
pub struct ron_samples_t(Vec<ron_sample_t>);

/// One number, with its name and labels. It is its samples', and valid as long as those.
pub struct ron_sample_t {
    name: CString,
    labels: Vec<(CString, CString)>,
    value: f64,
}

impl From<Sample> for ron_sample_t {
    fn from(sample: Sample) -> Self {
        let labels = sample.labels.iter();
        let labels = labels.map(|(name, value)| (c_text(name), c_text(value)));
        Self {
            name: c_text(&sample.name),
            labels: labels.collect(),
            value: sample.value,
        }
    }
}

/// Counters that are all 0, for ron_client_new_with_metrics().
#[no_mangle]
pub unsafe extern "C" fn ron_metrics_new(
    out: *mut *mut ron_metrics_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        Out::handle(out, "out")?.set(into_handle(ron_metrics_t(Metrics::new())));
        Ok(())
    })
}

/// The counters of a client, to be released too.
#[no_mangle]
pub unsafe extern "C" fn ron_client_metrics(
    client: *const ron_client_t,
    out: *mut *mut ron_metrics_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let client = shared_now(client, "client")?;
        let metrics = client.blocking.metrics().clone();
        out.set(into_handle(ron_metrics_t(metrics)));
        Ok(())
    })
}

/// What was counted until now as text for Prometheus, in the OpenMetrics format, not ended by a NUL; the caller releases
/// the buffer. docs/OBSERVABILITY.md has all metrics. For HTTP, its content type is ron_metrics_content_type().
#[no_mangle]
pub unsafe extern "C" fn ron_metrics_text(
    metrics: *const ron_metrics_t,
    out: *mut *mut ron_buffer_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let metrics = shared_now(metrics, "metrics")?;
        out.set_box(ron_buffer_t(Bytes::from(metrics.0.prometheus())));
        Ok(())
    })
}

/// The content type of what ron_metrics_text() brings. Never NULL; it is valid for ever.
#[no_mangle]
pub extern "C" fn ron_metrics_content_type() -> *const c_char {
    static TEXT: std::sync::LazyLock<CString> =
        std::sync::LazyLock::new(|| c_text(Metrics::CONTENT_TYPE));
    guard_plain(c"".as_ptr(), || TEXT.as_ptr())
}

/// What was counted until now as numbers; the caller releases them.
#[no_mangle]
pub unsafe extern "C" fn ron_metrics_snapshot(
    metrics: *const ron_metrics_t,
    out: *mut *mut ron_samples_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let metrics = shared_now(metrics, "metrics")?;
        let samples = metrics.0.snapshot().samples().into_iter();
        out.set_box(ron_samples_t(samples.map(ron_sample_t::from).collect()));
        Ok(())
    })
}

/// Another handle of the same counters, to be released too. NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_metrics_share(metrics: *const ron_metrics_t) -> *mut ron_metrics_t {
    if reference(metrics, "metrics").is_err() {
        return ptr::null_mut();
    }
    Arc::increment_strong_count(metrics);
    metrics.cast_mut()
}

/// Releases counters. NULL is allowed. Clients go on counting.
#[no_mangle]
pub unsafe extern "C" fn ron_metrics_release(metrics: *mut ron_metrics_t) {
    release_handle(metrics);
}

/// How many numbers there are; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_samples_count(samples: *const ron_samples_t) -> usize {
    samples.as_ref().map_or(0, |samples| samples.0.len())
}

/// The number with this index, counted from 0, in the order of the text; NULL past the last one.
#[no_mangle]
pub unsafe extern "C" fn ron_samples_at(
    samples: *const ron_samples_t,
    index: usize,
) -> *const ron_sample_t {
    let sample = samples.as_ref().and_then(|samples| samples.0.get(index));
    sample.map_or(ptr::null(), ptr::from_ref)
}

/// Releases numbers. NULL is allowed.
#[no_mangle]
pub unsafe extern "C" fn ron_samples_release(samples: *mut ron_samples_t) {
    release_box(samples);
}

/// The number's name, such as "sdk_requests_total"; NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_sample_name(sample: *const ron_sample_t) -> *const c_char {
    sample
        .as_ref()
        .map_or(ptr::null(), |sample| sample.name.as_ptr())
}

/// The number; 0 for NULL. Counts are exact up to 2^53, durations are in seconds.
#[no_mangle]
pub unsafe extern "C" fn ron_sample_value(sample: *const ron_sample_t) -> f64 {
    sample.as_ref().map_or(0.0, |sample| sample.value)
}

/// How many labels the number has; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_sample_label_count(sample: *const ron_sample_t) -> usize {
    sample.as_ref().map_or(0, |sample| sample.labels.len())
}

/// The name of the label with this index; NULL past the last one.
#[no_mangle]
pub unsafe extern "C" fn ron_sample_label_name(
    sample: *const ron_sample_t,
    index: usize,
) -> *const c_char {
    let label = sample.as_ref().and_then(|sample| sample.labels.get(index));
    label.map_or(ptr::null(), |(name, _)| name.as_ptr())
}

/// The value of the label with this name; NULL where there is none.
#[no_mangle]
pub unsafe extern "C" fn ron_sample_label(
    sample: *const ron_sample_t,
    name: *const c_char,
) -> *const c_char {
    let Some(sample) = sample.as_ref().filter(|_| !name.is_null()) else {
        return ptr::null();
    };
    let name = CStr::from_ptr(name);
    let mut labels = sample.labels.iter();
    let found = labels.find(|(known, _)| known.as_c_str() == name);
    found.map_or(ptr::null(), |(_, value)| value.as_ptr())
}
