//! `ron_mail_t` and `ron_receive_t`: what to send, and what to receive.

use crate::boundary::{slice, text, Outcome};
use crate::error::Failure;
use crate::lease::read_topic;
use crate::options::{read, Versioned};
use crate::status::RON_SCHEMA_VIOLATION;
use bytes::Bytes;
use ron_app_sdk::{Mail, Receive};
use std::ffi::{c_char, c_void};
use std::mem::size_of;
use std::ptr;
use std::time::Duration;

/// An attribute of a message: a name of 1 to 64 characters of a-z 0-9 . _ -, and a value of at most 1,024 bytes of UTF-8
/// without control characters. A plain value of this size in every version of the interface.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_attribute_t {
    /// The name.
    pub name: *const c_char,
    /// The value.
    pub value: *const c_char,
}

/// A message to be sent. Begin with RON_MAIL_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_mail_t {
    /// sizeof(ron_mail_t)
    pub struct_size: usize,
    /// Where it goes: 1 to 123 characters of a-z 0-9 . _ / -.
    pub topic: *const c_char,
    /// At most 1,015,808 bytes; NULL where there are none.
    pub body: *const c_void,
    /// How many.
    pub body_len: usize,
    /// At most 16, with 4,096 bytes of names and values in all; NULL where there are none.
    pub attributes: *const ron_attribute_t,
    /// How many.
    pub attributes_len: usize,
}

// SAFETY: repr(C), begins with its size, numbers and pointers only.
unsafe impl Versioned for ron_mail_t {
    const FIRST_SIZE: usize = size_of::<Self>();
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>(),
        topic: ptr::null(),
        body: ptr::null(),
        body_len: 0,
        attributes: ptr::null(),
        attributes_len: 0,
    };
}

impl ron_mail_t {
    /// The caller's.
    pub(crate) unsafe fn read(mail: *const Self) -> Outcome<Self> {
        read(mail, "mail")
    }

    /// As the core has it, with this body.
    pub(crate) unsafe fn with_body(&self, body: Bytes) -> Outcome<Mail> {
        let mut mail = Mail::new(read_topic(self.topic)?, body);
        for attribute in slice(self.attributes, self.attributes_len, "attributes")? {
            let name = text(attribute.name, "attributes.name")?;
            let value = text(attribute.value, "attributes.value")?;
            mail = mail.attribute(name, value).map_err(|rule| {
                Failure::Own(RON_SCHEMA_VIOLATION, format!("attributes: {rule}"))
            })?;
        }
        Ok(mail)
    }
}

/// What to receive. Begin with RON_RECEIVE_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_receive_t {
    /// sizeof(ron_receive_t)
    pub struct_size: usize,
    /// From where.
    pub topic: *const c_char,
    /// For how long nobody else gets the messages, 250 ms to 12 h. RON_RECEIVE_INIT: 30 s.
    pub visibility_ms: u64,
    /// How long to wait for a first message where there is none, up to 20 s and to what the call's limit leaves.
    pub wait_ms: u64,
    /// At most so many messages, 1 to 64. RON_RECEIVE_INIT: 1.
    pub max: u32,
    /// Has no meaning yet; 0.
    pub reserved: u32,
}

// SAFETY: repr(C), begins with its size, numbers and pointers only.
unsafe impl Versioned for ron_receive_t {
    const FIRST_SIZE: usize = size_of::<Self>();
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>(),
        topic: ptr::null(),
        visibility_ms: 30_000,
        wait_ms: 0,
        max: 1,
        reserved: 0,
    };
}

impl ron_receive_t {
    /// The caller's, as the core has it.
    pub(crate) unsafe fn read(receive: *const Self) -> Outcome<Receive> {
        let given = read(receive, "receive")?;
        let mut receive = Receive::new(read_topic(given.topic)?);
        // What does not fit is refused as what is too large.
        receive.max = u16::try_from(given.max).unwrap_or(u16::MAX);
        receive.visibility = Duration::from_millis(given.visibility_ms);
        receive.wait = Duration::from_millis(given.wait_ms);
        Ok(receive)
    }
}
