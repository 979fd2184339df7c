//! `ron_result_t`: the value or the error of an asynchronous call, and the plain values that calls have.

use crate::address::ron_address_t;
use crate::boundary::{guard_plain, release_box, Outcome};
use crate::buffer::ron_buffer_t;
use crate::error::{ron_error_t, Failure};
use crate::message::ron_messages_t;
use crate::options::{ron_report_t, Filled};
use crate::status::{ron_status_t, RON_OK, RON_SCHEMA_VIOLATION};
use bytes::Bytes;
use ron_app_sdk::{AddrB3, CallReport, Message, ObjectInfo, Receipt, SdkError, UnverifiedRange};
use std::ffi::c_char;
use std::ptr;

/// Bytes `first` to `last` of an object, both included, counted from 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_range_t {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

/// What a gateway knows of an object without sending it. A plain value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_object_t {
    /// The address of its bytes.
    pub address: ron_address_t,
    /// Its size in bytes.
    pub size: u64,
}

impl ron_object_t {
    pub(crate) const NONE: Self = Self {
        address: ron_address_t::NONE,
        size: 0,
    };
}

impl From<&ObjectInfo> for ron_object_t {
    fn from(info: &ObjectInfo) -> Self {
        Self {
            address: info.address.into(),
            size: info.size,
        }
    }
}

/// Which part of which object ron_storage_get_range() has fetched. A plain value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_part_t {
    /// The requested range, clipped to the object's end.
    pub range: ron_range_t,
    /// The whole object's size in bytes.
    pub size: u64,
}

impl From<&UnverifiedRange> for ron_part_t {
    fn from(part: &UnverifiedRange) -> Self {
        Self {
            range: ron_range_t {
                first: part.range.first(),
                last: part.range.last(),
            },
            size: part.size,
        }
    }
}

/// The bytes of a message's id as a text, its NUL included.
pub const RON_ID_SIZE: usize = 129;

/// What a gateway says of a message that it has taken. A plain value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_receipt_t {
    /// The message's id, with a NUL at its end.
    pub id: [c_char; RON_ID_SIZE],
    /// 1 where the message had been taken before under the same idempotency key, else 0.
    pub duplicate: u8,
}

impl ron_receipt_t {
    pub(crate) const NONE: Self = Self {
        id: [0; RON_ID_SIZE],
        duplicate: 0,
    };
}

impl ron_receipt_t {
    /// The core's, whose id fits where the gateway keeps to the protocol.
    pub(crate) fn of(receipt: &Receipt) -> Outcome<Self> {
        let id = receipt.id.as_bytes();
        if id.len() >= RON_ID_SIZE {
            let message = format!("the gateway's message id has {} characters", id.len());
            return Err(Failure::Own(RON_SCHEMA_VIOLATION, message));
        }
        let mut made = Self::NONE;
        for (to, from) in made.id.iter_mut().zip(id) {
            *to = c_char::from_ne_bytes([*from]);
        }
        made.duplicate = receipt.duplicate.into();
        Ok(made)
    }
}

/// What a call returns.
pub(crate) enum Value {
    Nothing,
    Address(AddrB3),
    Bytes(Bytes),
    Part(UnverifiedRange),
    Object(ObjectInfo),
    Receipt(Receipt),
    Messages(Vec<Message>),
}

/// What came of an asynchronous call: a value, or an error. Released with ron_result_release(). One thread at a time may
/// use it. It outlives its queue and its client.
pub struct ron_result_t {
    value: Value,
    report: Option<ron_report_t>,
    error: Option<Box<ron_error_t>>,
}

impl From<Result<(Value, CallReport), SdkError>> for ron_result_t {
    fn from(result: Result<(Value, CallReport), SdkError>) -> Self {
        match result {
            Ok((value, report)) => Self {
                value,
                report: Some(ron_report_t::from(&report)),
                error: None,
            },
            Err(error) => Self {
                value: Value::Nothing,
                report: None,
                error: Some(Box::new(ron_error_t::from(&error))),
            },
        }
    }
}

impl ron_result_t {
    pub(crate) fn status(&self) -> ron_status_t {
        match self.error.as_deref() {
            Some(error) => {
                // SAFETY: it is a reference.
                unsafe { crate::error::ron_error_status(error) }
            }
            None => RON_OK,
        }
    }
}

/// Puts a plain value, where there is one and room for it.
unsafe fn put<T>(value: Option<T>, out: *mut T) -> bool {
    match value {
        Some(value) if !out.is_null() => {
            out.write(value);
            true
        }
        _ => false,
    }
}

/// The error, which stays the result's own and is valid as long as that; NULL where there is none, and for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_result_error(result: *const ron_result_t) -> *const ron_error_t {
    let error = result.as_ref().and_then(|result| result.error.as_deref());
    error.map_or(ptr::null(), ptr::from_ref)
}

/// Takes the error, which is then the caller's; NULL where there is none, where it was taken before, and for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_result_take_error(result: *mut ron_result_t) -> *mut ron_error_t {
    let error = result.as_mut().and_then(|result| result.error.take());
    error.map_or(ptr::null_mut(), Box::into_raw)
}

/// Fills `out` with how the call went, and returns true; returns false where it has failed. `out` begins with
/// RON_REPORT_INIT.
#[no_mangle]
pub unsafe extern "C" fn ron_result_report(
    result: *const ron_result_t,
    out: *mut ron_report_t,
) -> bool {
    guard_plain(false, || {
        let report = result.as_ref().and_then(|result| result.report);
        match (report, Filled::new(out, "out")) {
            (Some(report), Ok(filled)) => {
                filled.set(&report);
                true
            }
            _ => false,
        }
    })
}

/// Puts the address that a storage_put or index_resolve has, and returns true; returns false where there is none.
#[no_mangle]
pub unsafe extern "C" fn ron_result_address(
    result: *const ron_result_t,
    out: *mut ron_address_t,
) -> bool {
    let value = match result.as_ref().map(|result| &result.value) {
        Some(Value::Address(address)) => Some(ron_address_t::from(*address)),
        _ => None,
    };
    put(value, out)
}

/// Puts what a storage_head or edge_head has, and returns true; returns false where there is none.
#[no_mangle]
pub unsafe extern "C" fn ron_result_object(
    result: *const ron_result_t,
    out: *mut ron_object_t,
) -> bool {
    let value = match result.as_ref().map(|result| &result.value) {
        Some(Value::Object(info)) => Some(ron_object_t::from(info)),
        _ => None,
    };
    put(value, out)
}

/// Puts which part a storage_get_range has, and returns true; returns false where there is none. Its bytes are taken
/// with ron_result_take_buffer(), before or after.
#[no_mangle]
pub unsafe extern "C" fn ron_result_part(
    result: *const ron_result_t,
    out: *mut ron_part_t,
) -> bool {
    let value = match result.as_ref().map(|result| &result.value) {
        Some(Value::Part(part)) => Some(ron_part_t::from(part)),
        _ => None,
    };
    put(value, out)
}

/// Puts the receipt that a mailbox_send has, and returns true; returns false where there is none.
#[no_mangle]
pub unsafe extern "C" fn ron_result_receipt(
    result: *const ron_result_t,
    out: *mut ron_receipt_t,
) -> bool {
    let value = match result.as_ref().map(|result| &result.value) {
        Some(Value::Receipt(receipt)) => ron_receipt_t::of(receipt).ok(),
        _ => None,
    };
    put(value, out)
}

/// The bytes that a storage_get, storage_get_range or edge_get has, as a buffer that the caller releases; NULL
/// where there are none, and for NULL. Nothing is copied.
#[no_mangle]
pub unsafe extern "C" fn ron_result_take_buffer(result: *mut ron_result_t) -> *mut ron_buffer_t {
    guard_plain(ptr::null_mut(), || {
        let bytes = match result.as_ref().map(|result| &result.value) {
            Some(Value::Bytes(bytes)) => bytes.clone(),
            Some(Value::Part(part)) => part.bytes.clone(),
            _ => return ptr::null_mut(),
        };
        Box::into_raw(Box::new(ron_buffer_t(bytes)))
    })
}

/// Takes the messages that a mailbox_receive or mailbox_recv has, which the caller then releases; NULL where there are
/// none of such a call, where they were taken before, and for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_result_take_messages(
    result: *mut ron_result_t,
) -> *mut ron_messages_t {
    guard_plain(ptr::null_mut(), || {
        let Some(result) = result.as_mut() else {
            return ptr::null_mut();
        };
        match std::mem::replace(&mut result.value, Value::Nothing) {
            Value::Messages(messages) => Box::into_raw(Box::new(ron_messages_t::from(messages))),
            other => {
                result.value = other;
                ptr::null_mut()
            }
        }
    })
}

/// Releases a result with what has not been taken of it. NULL is allowed.
#[no_mangle]
pub unsafe extern "C" fn ron_result_release(result: *mut ron_result_t) {
    release_box(result);
}
