//! The edge plane: objects under paths.

use crate::boundary::{guard, text, Out, Outcome};
use crate::buffer::ron_buffer_t;
use crate::capability::ron_capability_t;
use crate::client::ron_client_t;
use crate::error::ron_error_t;
use crate::options::ron_call_options_t;
use crate::queue::ron_queue_t;
use crate::result::{ron_object_t, ron_range_t, Value};
use crate::start::{block, start, Start};
use crate::status::ron_status_t;
use crate::storage::{byte_range, Into};
use ron_app_sdk::ByteRange;
use std::ffi::{c_char, c_void};

/// Fetches the object at a path into a buffer that the caller releases: whole where `range` is NULL, else as much of the
/// range as the object has. A path is UTF-8, begins with "/" and has at most 1,024 bytes. RON_NOT_FOUND,
/// RON_RANGE_NOT_SATISFIABLE, RON_TOO_LARGE above 1,015,808 bytes, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_edge_get(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    path: *const c_char,
    range: *const ron_range_t,
    options: *const ron_call_options_t,
    out: *mut *mut ron_buffer_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let (path, range) = (text(path, "path")?, optional(range)?);
        let bytes = block(client, capability, options, |calls| {
            calls.edge_get(path, range)
        })?;
        out.set_box(ron_buffer_t(bytes));
        Ok(())
    })
}

/// Fetches the object at a path as ron_edge_get() does, and copies it into the caller's `buffer` as
/// ron_storage_get_into() does.
#[no_mangle]
pub unsafe extern "C" fn ron_edge_get_into(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    path: *const c_char,
    range: *const ron_range_t,
    options: *const ron_call_options_t,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let into = Into::new(buffer, capacity, len)?;
        let (path, range) = (text(path, "path")?, optional(range)?);
        let bytes = block(client, capability, options, |calls| {
            calls.edge_get(path, range)
        })?;
        into.copy(&bytes)
    })
}

/// ron_edge_get() as an asynchronous call; the rest is as with ron_storage_put_start(). The path is copied. Its completion
/// has a buffer.
#[no_mangle]
pub unsafe extern "C" fn ron_edge_get_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    path: *const c_char,
    range: *const ron_range_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let (path, range) = (text(path, "path")?.to_owned(), optional(range)?);
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (bytes, report) = started.calls().edge_get(&path, range).await?;
            Ok((Value::Bytes(bytes), report))
        })
    })
}

/// Asks for the size and address of the object at a path. RON_NOT_FOUND, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_edge_head(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    path: *const c_char,
    options: *const ron_call_options_t,
    out: *mut ron_object_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::new(out, ron_object_t::NONE, "out")?;
        let path = text(path, "path")?;
        let info = block(client, capability, options, |calls| calls.edge_head(path))?;
        out.set((&info).into());
        Ok(())
    })
}

/// ron_edge_head() as an asynchronous call; the rest is as with ron_storage_put_start(). The path is copied. Its
/// completion has an object.
#[no_mangle]
pub unsafe extern "C" fn ron_edge_head_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    path: *const c_char,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let path = text(path, "path")?.to_owned();
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (info, report) = started.calls().edge_head(&path).await?;
            Ok((Value::Object(info), report))
        })
    })
}

unsafe fn optional(range: *const ron_range_t) -> Outcome<Option<ByteRange>> {
    range.as_ref().map(byte_range).transpose()
}
