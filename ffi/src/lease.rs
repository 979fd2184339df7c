//! `ron_lease_t`: the right to acknowledge one delivery of a message.

use crate::boundary::{guard, guard_plain, release_box, text, Out, Outcome};
use crate::error::{c_text, ron_error_t, Failure};
use crate::status::{ron_status_t, RON_SCHEMA_VIOLATION};
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::{Lease, Topic};
use std::ffi::{c_char, CString};
use std::ptr;

/// The right to acknowledge, give back or keep one delivery of a message. It is found in a message, as long as its batch
/// is there, or made with ron_lease_share() or ron_lease_new() and then released with ron_lease_release(). It does not
/// change: threads may use it at once.
pub struct ron_lease_t {
    pub(crate) lease: Lease,
    topic: CString,
    id: CString,
    token: CString,
}

impl From<Lease> for ron_lease_t {
    fn from(lease: Lease) -> Self {
        Self {
            topic: c_text(lease.topic().as_str()),
            id: c_text(lease.id()),
            token: c_text(lease.expose()),
            lease,
        }
    }
}

/// The lease with this token, of the message with this id in this topic, as another process had them.
#[no_mangle]
pub unsafe extern "C" fn ron_lease_new(
    topic: *const c_char,
    id: *const c_char,
    token: *const c_char,
    out: *mut *mut ron_lease_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let topic = read_topic(topic)?;
        let lease = Lease::new(topic, read_token(id, "id")?, read_token(token, "token")?);
        out.set_box(lease.into());
        Ok(())
    })
}

/// A lease of the caller's own that is the same. NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_lease_share(lease: *const ron_lease_t) -> *mut ron_lease_t {
    guard_plain(ptr::null_mut(), || match lease.as_ref() {
        Some(lease) => Box::into_raw(Box::new(lease.lease.clone().into())),
        None => ptr::null_mut(),
    })
}

/// The topic of the message, valid as long as the lease; NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_lease_topic(lease: *const ron_lease_t) -> *const c_char {
    lease
        .as_ref()
        .map_or(ptr::null(), |lease| lease.topic.as_ptr())
}

/// The id of the message, valid as long as the lease; NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_lease_id(lease: *const ron_lease_t) -> *const c_char {
    lease
        .as_ref()
        .map_or(ptr::null(), |lease| lease.id.as_ptr())
}

/// The token, valid as long as the lease; NULL for NULL. It is a secret: keep it out of logs.
#[no_mangle]
pub unsafe extern "C" fn ron_lease_token(lease: *const ron_lease_t) -> *const c_char {
    lease
        .as_ref()
        .map_or(ptr::null(), |lease| lease.token.as_ptr())
}

/// Releases a lease of the caller's own. NULL is allowed.
#[no_mangle]
pub unsafe extern "C" fn ron_lease_release(lease: *mut ron_lease_t) {
    release_box(lease);
}

pub(crate) unsafe fn read_topic(topic: *const c_char) -> Outcome<Topic> {
    Topic::new(text(topic, "topic")?)
        .map_err(|rule| Failure::Own(RON_SCHEMA_VIOLATION, format!("topic: {rule}")))
}

unsafe fn read_token(token: *const c_char, name: &str) -> Outcome<Token> {
    Token::new(text(token, name)?).ok_or_else(|| {
        let rule = "it is not 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -";
        Failure::Own(RON_SCHEMA_VIOLATION, format!("{name}: {rule}"))
    })
}
