//! The storage plane: objects under the hash of their bytes.

use crate::address::ron_address_t;
use crate::boundary::{bytes, guard, reference, Out, Outcome};
use crate::buffer::ron_buffer_t;
use crate::capability::{ron_capability_t, Handed};
use crate::client::ron_client_t;
use crate::error::{ron_error_t, Failure};
use crate::options::ron_call_options_t;
use crate::queue::ron_queue_t;
use crate::result::{ron_object_t, ron_part_t, ron_range_t, Value};
use crate::start::{block, start, Start};
use crate::status::{ron_status_t, RON_SCHEMA_VIOLATION};
use bytes::Bytes;
use ron_app_sdk::blocking::Calls;
use ron_app_sdk::{AddrB3, ByteRange, Reported};
use std::ffi::c_void;

/// Stores up to 1,015,808 bytes, and puts their address into `out`; it has been compared with the hash of the bytes unless
/// the setting `cache.verify_puts` is off. The body is borrowed until this returns.
/// RON_TOO_LARGE, RON_INTEGRITY_MISMATCH, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_put(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    body: *const c_void,
    body_len: usize,
    options: *const ron_call_options_t,
    out: *mut ron_address_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::new(out, ron_address_t::NONE, "out")?;
        let body = bytes(body, body_len, "body")?;
        let address = block(client, capability, options, |calls| calls.storage_put(body))?;
        out.set(address.into());
        Ok(())
    })
}

/// ron_storage_put() as an asynchronous call. Its completion comes through `queue` with `user_data`, and its number is put
/// into `call`, which may be NULL, before this returns: a thread that drains the queue meanwhile may see the completion
/// first. Where it does not return RON_OK, no call was started and there is no completion. See
/// ron_call_options_t.body_release for whose the body is.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_put_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    body: *const c_void,
    body_len: usize,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let body = handed_body(body, body_len, &options)?;
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (address, report) = started.calls().storage_put(body).await?;
            Ok((Value::Address(address), report))
        })
    })
}

/// Fetches an object into a buffer that the caller releases. Its bytes have been hashed and compared with the address.
/// RON_NOT_FOUND, RON_TOO_LARGE for an object above 1,015,808 bytes (fetch ranges of it instead),
/// RON_INTEGRITY_MISMATCH, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_get(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    address: *const ron_address_t,
    options: *const ron_call_options_t,
    out: *mut *mut ron_buffer_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let address = AddrB3::from(reference(address, "address")?);
        let get = |calls: &Calls<'_, Reported>| calls.storage_get(address);
        out.set_box(ron_buffer_t(block(client, capability, options, get)?));
        Ok(())
    })
}

/// Fetches an object as ron_storage_get() does, and copies it into the caller's `buffer` of `capacity` bytes. Puts its
/// length into `len`. RON_TOO_LARGE where the buffer is too small: `len` is then the room that is needed, and
/// nothing was copied.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_get_into(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    address: *const ron_address_t,
    options: *const ron_call_options_t,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let into = Into::new(buffer, capacity, len)?;
        let address = AddrB3::from(reference(address, "address")?);
        let get = |calls: &Calls<'_, Reported>| calls.storage_get(address);
        into.copy(&block(client, capability, options, get)?)
    })
}

/// ron_storage_get() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has a buffer.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_get_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    address: *const ron_address_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let address = AddrB3::from(reference(address, "address")?);
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (bytes, report) = started.calls().storage_get(address).await?;
            Ok((Value::Bytes(bytes), report))
        })
    })
}

/// Fetches a part of an object into a buffer that the caller releases. It cannot be verified: an address vouches for a
/// whole object only. Puts which part it is into `part`, which may be NULL: the range is clipped to the object's
/// end. RON_NOT_FOUND, RON_RANGE_NOT_SATISFIABLE, RON_TOO_LARGE for a range above 1,015,808 bytes,
/// RON_SCHEMA_VIOLATION where the range ends before it begins, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_get_range(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    address: *const ron_address_t,
    range: *const ron_range_t,
    options: *const ron_call_options_t,
    out: *mut *mut ron_buffer_t,
    part: *mut ron_part_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let address = AddrB3::from(reference(address, "address")?);
        let range = byte_range(reference(range, "range")?)?;
        let get = |calls: &Calls<'_, Reported>| calls.storage_get_range(address, range);
        let fetched = block(client, capability, options, get)?;
        if !part.is_null() {
            part.write(ron_part_t::from(&fetched));
        }
        out.set_box(ron_buffer_t(fetched.bytes));
        Ok(())
    })
}

/// ron_storage_get_range() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has a
/// buffer and a part.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_get_range_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    address: *const ron_address_t,
    range: *const ron_range_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let address = AddrB3::from(reference(address, "address")?);
        let range = byte_range(reference(range, "range")?)?;
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let calls = started.calls();
            let (part, report) = calls.storage_get_range(address, range).await?;
            Ok((Value::Part(part), report))
        })
    })
}

/// Asks for an object's size. RON_NOT_FOUND, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_head(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    address: *const ron_address_t,
    options: *const ron_call_options_t,
    out: *mut ron_object_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::new(out, ron_object_t::NONE, "out")?;
        let address = AddrB3::from(reference(address, "address")?);
        let head = |calls: &Calls<'_, Reported>| calls.storage_head(address);
        out.set((&block(client, capability, options, head)?).into());
        Ok(())
    })
}

/// ron_storage_head() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has an object.
#[no_mangle]
pub unsafe extern "C" fn ron_storage_head_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    address: *const ron_address_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let address = AddrB3::from(reference(address, "address")?);
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (info, report) = started.calls().storage_head(address).await?;
            Ok((Value::Object(info), report))
        })
    })
}

/// A range of C as one of the core.
pub(crate) fn byte_range(range: &ron_range_t) -> Outcome<ByteRange> {
    ByteRange::new(range.first, range.last)
        .map_err(|rule| Failure::Own(RON_SCHEMA_VIOLATION, format!("range: {rule}")))
}

/// A buffer of the caller's that takes a result.
pub(crate) struct Into {
    buffer: *mut u8,
    capacity: usize,
    len: Out<usize>,
}

impl Into {
    pub(crate) unsafe fn new(
        buffer: *mut c_void,
        capacity: usize,
        len: *mut usize,
    ) -> Outcome<Self> {
        let len = Out::new(len, 0, "len")?;
        if buffer.is_null() && capacity > 0 {
            return Err(Failure::null("buffer"));
        }
        Ok(Self {
            buffer: buffer.cast(),
            capacity,
            len,
        })
    }

    pub(crate) fn copy(self, bytes: &[u8]) -> Outcome {
        self.len.set(bytes.len());
        if bytes.len() > self.capacity {
            return Err(Failure::no_room(self.capacity, bytes.len()));
        }
        if !bytes.is_empty() {
            // SAFETY: the caller has room for that many bytes there, and nobody else has to do with them during the call.
            unsafe {
                self.buffer
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
        }
        Ok(())
    }
}

/// The body of an asynchronous call: the caller's bytes, where they are.
pub(crate) unsafe fn handed_body(
    data: *const c_void,
    len: usize,
    options: &ron_call_options_t,
) -> Outcome<Bytes> {
    // Before anything can fail: a body that is handed over is given back in any case.
    let handed = Handed::new(options.body_release_data, options.body_release);
    let body = bytes(data, len, "body")?;
    // SAFETY: the caller leaves the bytes alone until the call's completion, before which all of it is dropped, or until
    // they are given back, which dropping `handed` does.
    let body: &'static [u8] = unsafe { std::mem::transmute(body) };
    Ok(Bytes::from_owner(Body {
        body,
        _handed: handed,
    }))
}

struct Body {
    body: &'static [u8],
    _handed: Handed,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.body
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    unsafe extern "C" fn count(data: *mut c_void) {
        (*data.cast::<AtomicUsize>()).fetch_add(1, Ordering::SeqCst);
    }

    #[test]
    fn a_body_stays_where_it_is_and_is_given_back_once() {
        let (given_back, bytes) = (AtomicUsize::new(0), *b"body");
        let options = ron_call_options_t {
            body_release: Some(count),
            body_release_data: std::ptr::from_ref(&given_back).cast_mut().cast(),
            ..<ron_call_options_t as crate::options::Versioned>::DEFAULT
        };
        // SAFETY: the bytes outlive the body.
        let body = unsafe { handed_body(bytes.as_ptr().cast(), bytes.len(), &options) }.unwrap();
        assert_eq!(body.as_ptr(), bytes.as_ptr());
        let other = body.clone();
        drop(body);
        assert_eq!(given_back.load(Ordering::SeqCst), 0);
        drop(other);
        assert_eq!(given_back.load(Ordering::SeqCst), 1);
        // SAFETY: nothing is there, and it is not looked at.
        let refused = unsafe { handed_body(std::ptr::null(), 1, &options) };
        assert!(refused.is_err());
        assert_eq!(given_back.load(Ordering::SeqCst), 2);
    }
}
