//! `ron_messages_t` and `ron_message_t`: what was received.

use crate::boundary::{guard_plain, release_box};
use crate::buffer::ron_buffer_t;
use crate::error::c_text;
use crate::lease::ron_lease_t;
use bytes::Bytes;
use ron_app_sdk::{DeadReason, Message};
use std::ffi::{c_char, c_void, CStr, CString};
use std::ptr;
use std::time::UNIX_EPOCH;

/// Messages that were received together. Released with ron_messages_release(). They do not change: threads may read
/// them at once.
pub struct ron_messages_t(Vec<ron_message_t>);

/// A message that was received. It comes again unless its lease is acknowledged in time. It is its batch's, and valid
/// as long as that.
pub struct ron_message_t {
    lease: ron_lease_t,
    attempt: u32,
    attributes: Vec<(CString, CString)>,
    body: Bytes,
    sent_at_ms: u64,
    dead_reason: ron_dead_reason_t,
    dead_deliveries: u32,
}

/// Why a message is in a dead-letter topic: one of RON_DEAD_*. A later version may have further numbers.
pub type ron_dead_reason_t = u32;

/// It is in none.
pub const RON_DEAD_NOT: ron_dead_reason_t = 0;
/// It was delivered as often as a message may be, and never acknowledged.
pub const RON_DEAD_TOO_MANY_DELIVERIES: ron_dead_reason_t = 1;
/// For a reason that this library does not know.
pub const RON_DEAD_OTHERWISE: ron_dead_reason_t = 2;

impl From<Vec<Message>> for ron_messages_t {
    fn from(messages: Vec<Message>) -> Self {
        Self(messages.into_iter().map(ron_message_t::from).collect())
    }
}

impl From<Message> for ron_message_t {
    fn from(message: Message) -> Self {
        let attributes = message.attributes.iter();
        let attributes = attributes.map(|(name, value)| (c_text(name), c_text(value)));
        let since = message.sent_at.duration_since(UNIX_EPOCH);
        Self {
            attempt: message.attempt,
            attributes: attributes.collect(),
            sent_at_ms: since.map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }),
            dead_reason: match message.dead.map(|dead| dead.reason) {
                None => RON_DEAD_NOT,
                Some(DeadReason::TooManyDeliveries) => RON_DEAD_TOO_MANY_DELIVERIES,
                Some(_) => RON_DEAD_OTHERWISE,
            },
            dead_deliveries: message.dead.map_or(0, |dead| dead.deliveries),
            body: message.body,
            lease: message.lease.into(),
        }
    }
}

/// How many messages there are; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_messages_count(messages: *const ron_messages_t) -> usize {
    messages.as_ref().map_or(0, |messages| messages.0.len())
}

/// The message with this index, counted from 0, the oldest first; NULL past the last one.
#[no_mangle]
pub unsafe extern "C" fn ron_messages_at(
    messages: *const ron_messages_t,
    index: usize,
) -> *const ron_message_t {
    let message = messages.as_ref().and_then(|messages| messages.0.get(index));
    message.map_or(ptr::null(), ptr::from_ref)
}

/// Releases messages. NULL is allowed. It neither acknowledges them nor gives them back.
#[no_mangle]
pub unsafe extern "C" fn ron_messages_release(messages: *mut ron_messages_t) {
    release_box(messages);
}

/// The message's lease, which is its own: ron_lease_share() makes one that outlives it. NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_message_lease(message: *const ron_message_t) -> *const ron_lease_t {
    message
        .as_ref()
        .map_or(ptr::null(), |message| ptr::from_ref(&message.lease))
}

/// The message's id; NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_message_id(message: *const ron_message_t) -> *const c_char {
    crate::lease::ron_lease_id(ron_message_lease(message))
}

/// Which delivery this is, from 1; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_message_attempt(message: *const ron_message_t) -> u32 {
    message.as_ref().map_or(0, |message| message.attempt)
}

/// The body where it was received, hashed and compared; NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_message_body(message: *const ron_message_t) -> *const c_void {
    message
        .as_ref()
        .map_or(ptr::null(), |message| message.body.as_ptr().cast())
}

/// How many bytes the body has; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_message_body_len(message: *const ron_message_t) -> usize {
    message.as_ref().map_or(0, |message| message.body.len())
}

/// The body as a buffer that outlives the message, to be released by the caller. Nothing is copied. NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_message_share_body(
    message: *const ron_message_t,
) -> *mut ron_buffer_t {
    guard_plain(ptr::null_mut(), || match message.as_ref() {
        Some(message) => Box::into_raw(Box::new(ron_buffer_t(message.body.clone()))),
        None => ptr::null_mut(),
    })
}

/// When the gateway took the message, by its clock, in milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_message_sent_at_ms(message: *const ron_message_t) -> u64 {
    message.as_ref().map_or(0, |message| message.sent_at_ms)
}

/// How many attributes the message has; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_message_attribute_count(message: *const ron_message_t) -> usize {
    message
        .as_ref()
        .map_or(0, |message| message.attributes.len())
}

/// The name of the attribute with this index, in the order of their names; NULL past the last one.
#[no_mangle]
pub unsafe extern "C" fn ron_message_attribute_name(
    message: *const ron_message_t,
    index: usize,
) -> *const c_char {
    let attribute = message
        .as_ref()
        .and_then(|message| message.attributes.get(index));
    attribute.map_or(ptr::null(), |(name, _)| name.as_ptr())
}

/// The value of the attribute with this name; NULL where there is none.
#[no_mangle]
pub unsafe extern "C" fn ron_message_attribute(
    message: *const ron_message_t,
    name: *const c_char,
) -> *const c_char {
    let Some(message) = message.as_ref().filter(|_| !name.is_null()) else {
        return ptr::null();
    };
    let name = CStr::from_ptr(name);
    let mut attributes = message.attributes.iter();
    let found = attributes.find(|(known, _)| known.as_c_str() == name);
    found.map_or(ptr::null(), |(_, value)| value.as_ptr())
}

/// Why the message is in a dead-letter topic, RON_DEAD_NOT where it is in none. Puts into `deliveries`, which may be NULL,
/// how often it was delivered in its own topic.
#[no_mangle]
pub unsafe extern "C" fn ron_message_dead(
    message: *const ron_message_t,
    deliveries: *mut u32,
) -> ron_dead_reason_t {
    let (reason, count) = message.as_ref().map_or((RON_DEAD_NOT, 0), |message| {
        (message.dead_reason, message.dead_deliveries)
    });
    if !deliveries.is_null() {
        deliveries.write(count);
    }
    reason
}
