//! The mailbox: messages, at least once.

use crate::boundary::{bytes, guard, reference, Out, Outcome};
use crate::capability::ron_capability_t;
use crate::client::ron_client_t;
use crate::error::ron_error_t;
use crate::lease::ron_lease_t;
use crate::mail::{ron_mail_t, ron_receive_t};
use crate::message::ron_messages_t;
use crate::options::ron_call_options_t;
use crate::queue::ron_queue_t;
use crate::result::{ron_receipt_t, Value};
use crate::start::{block, start, Start};
use crate::status::ron_status_t;
use crate::storage::handed_body;
use bytes::Bytes;
use ron_app_sdk::Lease;
use std::ffi::c_void;
use std::time::Duration;

/// Sends a message. It is delivered at least once. Under a key that was used before nothing is sent: the first message's
/// receipt comes again, marked as a duplicate. Puts the receipt into `out`, which may be NULL. The body is borrowed
/// until this returns. RON_TOO_LARGE for a body above 1,015,808 bytes, RON_SCHEMA_VIOLATION for a topic or an attribute that
/// breaks its rule, RON_CONFLICT where another message was sent under the key, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_send(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    mail: *const ron_mail_t,
    options: *const ron_call_options_t,
    out: *mut ron_receipt_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        if !out.is_null() {
            out.write(ron_receipt_t::NONE);
        }
        let mail = ron_mail_t::read(mail)?;
        let body = bytes(mail.body, mail.body_len, "mail.body")?;
        // SAFETY: the mail is gone with the call, which only ever reads it by reference; the caller leaves the bytes
        // alone until then.
        let body: &'static [u8] = unsafe { std::mem::transmute(body) };
        let mail = mail.with_body(Bytes::from_static(body))?;
        let receipt = block(client, capability, options, |calls| {
            calls.mailbox_send(mail)
        })?;
        if !out.is_null() {
            out.write(ron_receipt_t::of(&receipt)?);
        }
        Ok(())
    })
}

/// ron_mailbox_send() as an asynchronous call; the rest is as with ron_storage_put_start(). All of the mail but its body
/// is copied; see ron_call_options_t.body_release for whose the body is. Its completion has a receipt.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_send_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    mail: *const ron_mail_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let given = ron_mail_t::read(mail);
        let (data, len) = given
            .as_ref()
            .map_or((std::ptr::null(), 0), |mail| (mail.body, mail.body_len));
        // Also where there is no mail: a body that is handed over is given back in any case.
        let body = handed_body(data, len, &options)?;
        let mail = given?.with_body(body)?;
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (receipt, report) = started.calls().mailbox_send(mail).await?;
            Ok((Value::Receipt(receipt), report))
        })
    })
}

/// Receives messages that nobody else has, the oldest first, as many as there are and fit one answer; none where there is
/// none in time. Puts them into `out`, also where there are none; the caller releases them. Each comes again
/// after its visibility unless it is acknowledged. RON_SCHEMA_VIOLATION where a field is out of its range, and
/// whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_receive(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    receive: *const ron_receive_t,
    options: *const ron_call_options_t,
    out: *mut *mut ron_messages_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let receive = ron_receive_t::read(receive)?;
        let messages = block(client, capability, options, |calls| {
            calls.mailbox_receive(&receive)
        })?;
        out.set_box(messages.into());
        Ok(())
    })
}

/// ron_mailbox_receive() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has
/// messages.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_receive_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    receive: *const ron_receive_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let receive = ron_receive_t::read(receive)?;
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (messages, report) = started.calls().mailbox_receive(&receive).await?;
            Ok((Value::Messages(messages), report))
        })
    })
}

/// Receives up to 16 messages from the one topic that the capability is for (its caveat "topic="), for 30 s, and waits for
/// a first one for as long as the call's limit allows, at most 20 s. RON_CONFIG where the capability is not for a
/// single topic, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_recv(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    options: *const ron_call_options_t,
    out: *mut *mut ron_messages_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let messages = block(client, capability, options, |calls| calls.mailbox_recv())?;
        out.set_box(messages.into());
        Ok(())
    })
}

/// ron_mailbox_recv() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has messages.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_recv_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (messages, report) = started.calls().mailbox_recv().await?;
            Ok((Value::Messages(messages), report))
        })
    })
}

/// Ends a message: it is not delivered again. RON_STALE_LEASE where it was delivered again, given back or given up since,
/// and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_ack(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    lease: *const ron_lease_t,
    options: *const ron_call_options_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let lease = &reference(lease, "lease")?.lease;
        block(client, capability, options, |calls| {
            calls.mailbox_ack(lease)
        })
    })
}

/// ron_mailbox_ack() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has no value.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_ack_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    lease: *const ron_lease_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let lease = owned(lease)?;
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let ((), report) = started.calls().mailbox_ack(&lease).await?;
            Ok((Value::Nothing, report))
        })
    })
}

/// Gives a message back, to be delivered again after `delay_ms`, 0 to 12 h. RON_STALE_LEASE where it was delivered again or
/// given up since, RON_SCHEMA_VIOLATION for a longer delay, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_nack(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    lease: *const ron_lease_t,
    delay_ms: u64,
    options: *const ron_call_options_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let lease = &reference(lease, "lease")?.lease;
        let delay = Duration::from_millis(delay_ms);
        block(client, capability, options, |calls| {
            calls.mailbox_nack(lease, delay)
        })
    })
}

/// ron_mailbox_nack() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has no value.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_nack_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    lease: *const ron_lease_t,
    delay_ms: u64,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let lease = owned(lease)?;
        let delay = Duration::from_millis(delay_ms);
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let ((), report) = started.calls().mailbox_nack(&lease, delay).await?;
            Ok((Value::Nothing, report))
        })
    })
}

/// Keeps a message for `visibility_ms` from now, 250 ms to 12 h, under the same lease. RON_STALE_LEASE where it was
/// delivered again, given back or given up since, RON_SCHEMA_VIOLATION for another visibility, and whatever can befall
/// any call.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_extend(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    lease: *const ron_lease_t,
    visibility_ms: u64,
    options: *const ron_call_options_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let lease = &reference(lease, "lease")?.lease;
        let visibility = Duration::from_millis(visibility_ms);
        block(client, capability, options, |calls| {
            calls.mailbox_extend(lease, visibility)
        })
    })
}

/// ron_mailbox_extend() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has no value.
#[no_mangle]
pub unsafe extern "C" fn ron_mailbox_extend_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    lease: *const ron_lease_t,
    visibility_ms: u64,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let lease = owned(lease)?;
        let visibility = Duration::from_millis(visibility_ms);
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let ((), report) = started.calls().mailbox_extend(&lease, visibility).await?;
            Ok((Value::Nothing, report))
        })
    })
}

unsafe fn owned(lease: *const ron_lease_t) -> Outcome<Lease> {
    Ok(reference(lease, "lease")?.lease.clone())
}
