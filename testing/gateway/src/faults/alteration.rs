//! Replies that say something else than what came of the call.

use super::fault::Fault;
use super::Injection;
use crate::outcome::{Outcome, Reply};
use bytes::Bytes;
use ron_app_sdk::oap::MAX_BODY;
use ron_app_sdk::{AddrB3, ByteRange};
use serde_json::Value;

/// How deep the lists of [`Fault::DeepMeta`] go: the whole meta is just below its limit.
const DEPTH: usize = 8000;

/// Changes the outcome; false where this outcome cannot be changed so.
pub(super) fn alter(outcome: &mut Outcome, injection: &Injection) -> bool {
    let may_have_body = matches!(outcome.reply, Reply::Object(_) | Reply::Receive(_));
    let is_body = may_have_body && !outcome.body.is_empty();
    match &injection.fault {
        Fault::CorruptBody if is_body => {
            let mut bytes = outcome.body.to_vec();
            let at = injection.choose(bytes.len());
            bytes[at] ^= 1 << (injection.salt >> 61);
            outcome.body = bytes.into();
            true
        }
        Fault::ShortBody { bytes } if is_body => {
            let cut = usize::try_from(*bytes).unwrap_or(usize::MAX);
            outcome
                .body
                .truncate(outcome.body.len().saturating_sub(cut));
            true
        }
        Fault::LongBody { bytes } if may_have_body => {
            let more = usize::try_from(*bytes).unwrap_or(usize::MAX);
            let len = outcome.body.len().saturating_add(more);
            if len > MAX_BODY {
                return false;
            }
            let mut body = outcome.body.to_vec();
            body.resize(len, 0);
            outcome.body = body.into();
            true
        }
        Fault::WrongAddress | Fault::WrongReceipt => match &mut outcome.reply {
            Reply::Object(object) => {
                object.address = another(object.address);
                true
            }
            Reply::Put(receipt) => {
                receipt.address = another(receipt.address);
                true
            }
            Reply::Resolve(resolved) => {
                resolved.address = another(resolved.address);
                true
            }
            Reply::Receive(batch) => match batch.messages.first_mut() {
                Some(message) => {
                    message.address = another(message.address);
                    true
                }
                None => false,
            },
            _ => false,
        },
        Fault::WrongRange => match &mut outcome.reply {
            Reply::Object(object) => {
                let moved = object.range.and_then(next);
                let is_moved = moved.is_some();
                object.range = moved.or(object.range);
                is_moved
            }
            _ => false,
        },
        Fault::UnknownField => set_field(outcome, "surprise"),
        Fault::WrongType => set_field(outcome, "executed"),
        Fault::DeepMeta => {
            outcome.reply = Reply::Raw(["[".repeat(DEPTH), "]".repeat(DEPTH)].concat().into());
            true
        }
        Fault::Status { code } => {
            let meta = outcome.reply.to_json();
            outcome.reply = Reply::Raw(meta);
            outcome.code = *code;
            if *code >= 400 {
                outcome.body = Bytes::new();
            }
            true
        }
        _ => false,
    }
}

/// An address that is certainly not this one's.
fn another(address: AddrB3) -> AddrB3 {
    AddrB3::of(address.to_string().as_bytes())
}

fn next(range: ByteRange) -> Option<ByteRange> {
    ByteRange::new(range.first().checked_add(1)?, range.last().checked_add(1)?).ok()
}

/// Adds a field, or replaces its value, by a number.
fn set_field(outcome: &mut Outcome, name: &str) -> bool {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&outcome.reply.to_json()) else {
        return false;
    };
    fields.insert(name.to_owned(), Value::from(1));
    outcome.reply = Reply::Raw(Value::Object(fields).to_string().into_bytes());
    true
}
