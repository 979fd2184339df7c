//! Requests and replies of the HTTP face that are JSON documents.

use super::request::TopicCall;
use crate::engine::Action;
use crate::mailbox::Receive;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::oap::{Executed, MailboxReceiveReply, ReceivedMessage};
use ron_app_sdk::{AddrB3, Expected, IdemKey, IndexKey, Lease, Topic};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// For how long a message is hidden where nothing is said about it, in milliseconds.
const VISIBILITY_MS: u32 = 30_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiveDocument {
    max: Option<u16>,
    visibility_ms: Option<u32>,
    wait_ms: Option<u32>,
    receive_id: Option<IdemKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AckDocument {
    id: Token,
    lease: Token,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NackDocument {
    id: Token,
    lease: Token,
    delay_ms: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtendDocument {
    id: Token,
    lease: Token,
    visibility_ms: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishDocument {
    address: AddrB3,
    expected: Option<Expected>,
}

/// What a document asks for in a topic; sending has none.
pub(super) fn in_topic(topic: Topic, call: TopicCall, text: &[u8]) -> Result<Action, String> {
    match call {
        TopicCall::Receive if text.is_empty() => receive(topic, ReceiveDocument::default()),
        TopicCall::Receive => receive(topic, read(text)?),
        TopicCall::Ack => {
            let AckDocument { id, lease } = read(text)?;
            Ok(Action::MailboxAck(Lease::new(topic, id, lease)))
        }
        TopicCall::Nack => {
            let document: NackDocument = read(text)?;
            Ok(Action::MailboxNack {
                lease: Lease::new(topic, document.id, document.lease),
                delay_ms: document.delay_ms.unwrap_or(0),
            })
        }
        TopicCall::Extend => {
            let document: ExtendDocument = read(text)?;
            Ok(Action::MailboxExtend {
                lease: Lease::new(topic, document.id, document.lease),
                visibility_ms: document.visibility_ms,
            })
        }
        TopicCall::Send => Err("a message is no document".to_owned()),
    }
}

/// What a document publishes.
pub(super) fn publish(key: IndexKey, text: &[u8]) -> Result<Action, String> {
    let PublishDocument { address, expected } = read(text)?;
    Ok(Action::IndexPublish {
        key,
        address,
        expected,
    })
}

fn receive(topic: Topic, document: ReceiveDocument) -> Result<Action, String> {
    let random = || IdemKey::random().map_err(|_| "receive_id: none could be made".to_owned());
    Ok(Action::MailboxReceive(Receive {
        topic,
        max: document.max.unwrap_or(1),
        visibility_ms: document.visibility_ms.unwrap_or(VISIBILITY_MS),
        wait: Duration::from_millis(document.wait_ms.unwrap_or(0).into()),
        receive_id: document.receive_id.map_or_else(random, Ok)?,
    }))
}

fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| format!("the body: {error}"))
}

#[derive(Serialize)]
struct BatchDocument<'a> {
    executed: Executed,
    replayed: bool,
    messages: Vec<MessageDocument<'a>>,
}

#[derive(Serialize)]
struct MessageDocument<'a> {
    #[serde(flatten)]
    message: &'a ReceivedMessage,
    body: String,
}

/// A batch with its bodies in it, as base64.
pub(super) fn batch(reply: &MailboxReceiveReply, mut bodies: &[u8]) -> String {
    let mut messages = Vec::with_capacity(reply.messages.len());
    for (index, message) in reply.messages.iter().enumerate() {
        let is_last = index + 1 == reply.messages.len();
        // Where faults are injected, the bodies are not always as long as they are said to be.
        let len = match usize::try_from(message.len) {
            Ok(len) if !is_last => len.min(bodies.len()),
            _ => bodies.len(),
        };
        let (body, rest) = bodies.split_at(len);
        bodies = rest;
        let body = STANDARD.encode(body);
        messages.push(MessageDocument { message, body });
    }
    let document = BatchDocument {
        executed: reply.executed,
        replayed: reply.replayed,
        messages,
    };
    // Nothing in it can fail to serialise into memory.
    serde_json::to_string(&document).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn in_orders(call: TopicCall, text: &str) -> Result<Action, String> {
        in_topic(Topic::new("orders").unwrap(), call, text.as_bytes())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        for text in ["", "{}"] {
            let Ok(Action::MailboxReceive(receive)) = in_orders(TopicCall::Receive, text) else {
                panic!();
            };
            assert_eq!((receive.max, receive.visibility_ms), (1, 30_000));
            assert_eq!(receive.wait, Duration::ZERO);
            assert_eq!(receive.receive_id.expose().len(), 32);
        }
        let nack = in_orders(TopicCall::Nack, r#"{"id":"1","lease":"2"}"#);
        assert!(matches!(nack, Ok(Action::MailboxNack { delay_ms: 0, .. })));
    }

    #[test]
    fn documents_are_strict() {
        for (call, text) in [
            (TopicCall::Receive, r#"{"max":1,"topic":"a"}"#),
            (TopicCall::Receive, r#"{"max":65536}"#),
            (TopicCall::Receive, r#"{"receive_id":""}"#),
            (TopicCall::Ack, ""),
            (TopicCall::Ack, r#"{"id":"1"}"#),
            (TopicCall::Ack, r#"{"id":"1","lease":"2","delay_ms":1}"#),
            (TopicCall::Nack, r#"{"id":"1","lease":"a b"}"#),
            (TopicCall::Extend, r#"{"id":"1","lease":"2"}"#),
            (TopicCall::Send, "{}"),
        ] {
            assert!(in_orders(call, text).is_err(), "{call:?} {text}");
        }
        let key = IndexKey::new("a").unwrap();
        assert!(publish(key, br#"{"address":"b3:00"}"#).is_err());
    }
}
