//! What calls end with, on its way to JavaScript.

use crate::bodies::buffer;
use crate::capability::NativeCapabilityRequest;
use crate::client::ReadinessFields;
use crate::failure::{executed, Failure};
use bytes::Bytes;
use napi::bindgen_prelude::{Array, Object};
use napi::Env;
use ron_app_sdk::completion::Completion;
use ron_app_sdk::{
    AddrB3, CallReport, DeadReason, Message, ObjectInfo, Readiness, Receipt, UnverifiedRange,
};
use std::time::UNIX_EPOCH;

/// What a call ends with.
pub(crate) enum Value {
    Nothing,
    Number(u32),
    Address(AddrB3),
    Bytes(Bytes),
    Range(UnverifiedRange),
    Info(ObjectInfo),
    Receipt(Receipt),
    Messages(Vec<Message>),
    Readiness(Box<Readiness>),
    /// No call's: a function is to be asked for a capability.
    Asked(NativeCapabilityRequest),
    /// No call's: nobody asks the function with this number any more.
    Forgotten(u32),
}

/// A call's result, and how it went.
pub(crate) struct Outcome {
    pub(crate) value: Value,
    pub(crate) report: Option<CallReport>,
}

/// Of each completion its number, its error or `undefined`, its value and its report or `undefined`, one after the other.
pub(crate) fn flatten(
    env: &Env,
    completions: impl ExactSizeIterator<Item = Completion<Outcome>>,
) -> napi::Result<Array<'_>> {
    let mut array = env.create_array(0)?;
    for completion in completions {
        array.insert(completion.id.number() as f64)?;
        match completion.result {
            Ok(outcome) => {
                array.insert(())?;
                insert(env, &mut array, outcome.value)?;
                match outcome.report {
                    Some(report) => array.insert(report_object(env, report)?)?,
                    None => array.insert(())?,
                }
            }
            Err(error) => {
                array.insert(Failure::from(error))?;
                array.insert(())?;
                array.insert(())?;
            }
        }
    }
    Ok(array)
}

fn insert(env: &Env, array: &mut Array<'_>, value: Value) -> napi::Result<()> {
    match value {
        Value::Nothing => array.insert(()),
        Value::Number(number) | Value::Forgotten(number) => array.insert(number),
        Value::Asked(request) => array.insert(request),
        Value::Readiness(readiness) => array.insert(ReadinessFields::from(&*readiness)),
        Value::Address(address) => array.insert(address.to_string()),
        Value::Bytes(bytes) => array.insert(buffer(env, bytes)?),
        Value::Range(range) => array.insert(range_object(env, range)?),
        Value::Info(info) => array.insert(info_object(env, info)?),
        Value::Receipt(receipt) => array.insert(receipt_object(env, receipt)?),
        Value::Messages(messages) => {
            let mut list = env.create_array(0)?;
            for message in messages {
                list.insert(message_object(env, message)?)?;
            }
            array.insert(list)
        }
    }
}

fn report_object<'env>(env: &'env Env, report: CallReport) -> napi::Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set("attempts", report.attempts)?;
    object.set("replayed", report.replayed)?;
    object.set("executed", executed(report.executed))?;
    object.set("elapsedMs", report.elapsed.as_secs_f64() * 1000.0)?;
    Ok(object)
}

fn range_object<'env>(env: &'env Env, range: UnverifiedRange) -> napi::Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set("bytes", buffer(env, range.bytes)?)?;
    object.set("first", range.range.first() as f64)?;
    object.set("last", range.range.last() as f64)?;
    object.set("size", range.size as f64)?;
    Ok(object)
}

fn info_object<'env>(env: &'env Env, info: ObjectInfo) -> napi::Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set("address", info.address.to_string())?;
    object.set("size", info.size as f64)?;
    Ok(object)
}

fn receipt_object<'env>(env: &'env Env, receipt: Receipt) -> napi::Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set("id", receipt.id)?;
    object.set("duplicate", receipt.duplicate)?;
    Ok(object)
}

fn message_object<'env>(env: &'env Env, message: Message) -> napi::Result<Object<'env>> {
    // Names and values, one after the other: an object's property `__proto__` is none of its own.
    let mut attributes = env.create_array(0)?;
    for (name, value) in message.attributes.iter() {
        attributes.insert(name)?;
        attributes.insert(value)?;
    }
    let mut object = Object::new(env)?;
    object.set("topic", message.lease.topic().as_str())?;
    object.set("id", message.lease.id())?;
    object.set("lease", message.lease.expose())?;
    object.set("attempt", message.attempt)?;
    object.set("attributes", attributes)?;
    object.set("body", buffer(env, message.body)?)?;
    let sent_at = message.sent_at.duration_since(UNIX_EPOCH);
    object.set("sentAtMs", sent_at.unwrap_or_default().as_millis() as f64)?;
    if let Some(dead) = message.dead {
        let mut letter = Object::new(env)?;
        letter.set("reason", dead_reason(dead.reason))?;
        letter.set("deliveries", dead.deliveries)?;
        object.set("dead", letter)?;
    }
    Ok(object)
}

fn dead_reason(reason: DeadReason) -> &'static str {
    match reason {
        DeadReason::TooManyDeliveries => "too_many_deliveries",
        _ => "unknown",
    }
}
