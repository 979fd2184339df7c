//! Mailbox: messages that are delivered at least once.

use super::{read_meta, schema_violation};
use crate::address::AddrB3;
use crate::call::{Answer, PlaneCall};
use crate::capability::{Capability, Macaroon};
use crate::error::{ErrorKind, SdkError};
use crate::idempotency::IdemKey;
use crate::mailbox::{Lease, Mail, Message, Receipt, Receive, Topic};
use crate::oap::{
    EffectReply, Executed, MailboxReceiveReply, MailboxSendReply, Operation, MAX_BATCH, MAX_BODY,
    MAX_WAIT_MS, VISIBILITY_MS,
};
use crate::transport::Reply;
use bytes::Bytes;
use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

/// What `mailbox_recv` asks for at once.
const RECV_MAX: u16 = 16;
/// What a receive leaves of its call's time for the answer's way: this much, or a tenth.
const LEFT_FOR_THE_ANSWER: Duration = Duration::from_millis(100);
/// How a caveat on a single topic begins.
const TOPIC_CAVEAT: &[u8] = b"topic=";

pub(crate) struct Send(Mail);

impl Send {
    pub(crate) fn new(mail: Mail) -> Result<Self, SdkError> {
        let len = mail.body.len();
        if len > MAX_BODY {
            return Err(SdkError::invalid(
                ErrorKind::TooLarge,
                "body",
                format_args!("{len} bytes are above the limit of {MAX_BODY} bytes per message"),
            ));
        }
        let refuse = |rule: &dyn std::fmt::Display| {
            SdkError::invalid(ErrorKind::SchemaViolation, "topic", rule)
        };
        if mail.topic.is_dead_letters() {
            return Err(refuse(
                &"a dead-letter topic takes messages from the gateway alone",
            ));
        }
        if mail.topic.is_too_long_for_dead_letters() {
            return Err(refuse(
                &"more than 123 characters leave no room for its dead-letter topic",
            ));
        }
        Ok(Self(mail))
    }
}

impl PlaneCall for Send {
    type Output = Receipt;

    fn operation(&self) -> Operation<'_> {
        Operation::MailboxSend {
            topic: self.0.topic.clone(),
            attributes: Cow::Borrowed(&self.0.attributes),
        }
    }

    fn body(&self) -> &[u8] {
        &self.0.body
    }

    fn complete(&self, reply: Reply) -> Result<Answer<Receipt>, SdkError> {
        let receipt: MailboxSendReply =
            read_meta(&reply).map_err(|error| error.with_executed(Executed::Yes))?;
        Ok(Answer {
            value: Receipt {
                id: receipt.id,
                duplicate: receipt.replayed,
            },
            executed: receipt.executed,
            replayed: receipt.replayed,
        })
    }
}

/// A receive, from the topic that it names or, where that is unknown, from the capability's.
pub(crate) struct ReceiveFrom {
    topic: Topic,
    max: u16,
    visibility_ms: u32,
    wait: Duration,
    receive_id: IdemKey,
}

impl ReceiveFrom {
    pub(crate) fn new(receive: &Receive) -> Result<Self, SdkError> {
        let Receive {
            topic,
            max,
            visibility,
            wait,
        } = receive;
        if !(1..=MAX_BATCH).contains(max) {
            return Err(out_of_range("max", max, 1, MAX_BATCH));
        }
        let longest_wait = Duration::from_millis(MAX_WAIT_MS.into());
        if *wait > longest_wait {
            return Err(out_of_range(
                "wait",
                format_args!("{wait:?}"),
                0,
                format_args!("{longest_wait:?}"),
            ));
        }
        Ok(Self {
            topic: topic.clone(),
            max: *max,
            visibility_ms: visibility_ms(*visibility)?,
            wait: *wait,
            receive_id: IdemKey::fresh()?,
        })
    }

    /// From the single topic of the capability, waiting for as long as the call's limit allows.
    pub(crate) fn of_capability() -> Result<Self, SdkError> {
        Ok(Self {
            topic: Topic::unknown(),
            max: RECV_MAX,
            visibility_ms: 30_000,
            wait: Duration::from_millis(MAX_WAIT_MS.into()),
            receive_id: IdemKey::fresh()?,
        })
    }

    fn read(&self, reply: Reply) -> Result<Answer<Vec<Message>>, SdkError> {
        let batch: MailboxReceiveReply = read_meta(&reply)?;
        let mismatch = |why: &str| SdkError::new(ErrorKind::IntegrityMismatch, why);
        if batch.messages.len() > usize::from(self.max) {
            return Err(schema_violation(
                "the answer has more messages than asked for",
            ));
        }
        let mut body = reply.body;
        let whole = body.len();
        let mut messages = Vec::with_capacity(batch.messages.len());
        for message in batch.messages {
            let len = message.len as usize;
            if len > body.len() {
                return Err(mismatch("the answer has fewer bytes than its messages"));
            }
            let mut bytes = body.split_to(len);
            if AddrB3::of(&bytes) != message.address {
                return Err(mismatch("a message's bytes are not those of its address"));
            }
            // A small message does not keep the memory of a large batch.
            if len * 2 < whole {
                bytes = Bytes::copy_from_slice(&bytes);
            }
            messages.push(Message {
                lease: Lease::new(self.topic.clone(), message.id, message.lease),
                attempt: message.attempt,
                attributes: message.attrs,
                body: bytes,
                sent_at: UNIX_EPOCH
                    .checked_add(Duration::from_millis(message.sent_at_ms))
                    .ok_or_else(|| schema_violation("sent_at_ms is beyond this system's time"))?,
                dead: message.dead,
            });
        }
        if !body.is_empty() {
            return Err(mismatch("the answer has more bytes than its messages"));
        }
        Ok(Answer {
            value: messages,
            executed: batch.executed,
            replayed: batch.replayed,
        })
    }
}

impl PlaneCall for ReceiveFrom {
    type Output = Vec<Message>;

    fn bind(&mut self, capability: &Capability) -> Result<(), SdkError> {
        if self.topic.is_unknown() {
            self.topic = single_topic(capability)?;
        }
        Ok(())
    }

    fn operation(&self) -> Operation<'_> {
        self.operation_within(Duration::ZERO)
    }

    fn operation_within(&self, left: Duration) -> Operation<'_> {
        Operation::MailboxReceive {
            topic: self.topic.clone(),
            max: self.max,
            visibility_ms: self.visibility_ms,
            wait_ms: u32::try_from(self.wait(left).as_millis()).unwrap_or(MAX_WAIT_MS),
            receive_id: self.receive_id.clone(),
        }
    }

    /// So short that the answer, if an empty one, comes before the call's limit.
    fn wait(&self, left: Duration) -> Duration {
        let reserve = LEFT_FOR_THE_ANSWER.max(left / 10);
        self.wait.min(left.saturating_sub(reserve))
    }

    fn complete(&self, reply: Reply) -> Result<Answer<Vec<Message>>, SdkError> {
        self.read(reply)
    }
}

/// What is done with a lease.
pub(crate) enum LeaseAction {
    Ack,
    Nack { delay_ms: u32 },
    Extend { visibility_ms: u32 },
}

pub(crate) struct WithLease {
    lease: Lease,
    action: LeaseAction,
}

impl WithLease {
    pub(crate) fn ack(lease: &Lease) -> Self {
        Self {
            lease: lease.clone(),
            action: LeaseAction::Ack,
        }
    }

    pub(crate) fn nack(lease: &Lease, delay: Duration) -> Result<Self, SdkError> {
        let longest = VISIBILITY_MS.1;
        let delay_ms = u32::try_from(delay.as_millis()).ok();
        let delay_ms = delay_ms.filter(|ms| *ms <= longest).ok_or_else(|| {
            out_of_range(
                "delay",
                format_args!("{delay:?}"),
                0,
                format_args!("{longest} ms"),
            )
        })?;
        Ok(Self {
            lease: lease.clone(),
            action: LeaseAction::Nack { delay_ms },
        })
    }

    pub(crate) fn extend(lease: &Lease, visibility: Duration) -> Result<Self, SdkError> {
        Ok(Self {
            lease: lease.clone(),
            action: LeaseAction::Extend {
                visibility_ms: visibility_ms(visibility)?,
            },
        })
    }
}

impl PlaneCall for WithLease {
    type Output = ();

    fn operation(&self) -> Operation<'_> {
        let lease = self.lease.clone();
        match self.action {
            LeaseAction::Ack => Operation::MailboxAck { lease },
            LeaseAction::Nack { delay_ms } => Operation::MailboxNack { lease, delay_ms },
            LeaseAction::Extend { visibility_ms } => Operation::MailboxExtend {
                lease,
                visibility_ms,
            },
        }
    }

    fn complete(&self, reply: Reply) -> Result<Answer<()>, SdkError> {
        let effect: EffectReply =
            read_meta(&reply).map_err(|error| error.with_executed(Executed::Yes))?;
        Ok(Answer::of_effect(effect))
    }
}

fn visibility_ms(visibility: Duration) -> Result<u32, SdkError> {
    let (least, most) = VISIBILITY_MS;
    let millis = u32::try_from(visibility.as_millis()).ok();
    millis
        .filter(|ms| (least..=most).contains(ms))
        .ok_or_else(|| {
            out_of_range(
                "visibility",
                format_args!("{visibility:?}"),
                format_args!("{least} ms"),
                format_args!("{most} ms"),
            )
        })
}

fn out_of_range(
    field: &str,
    value: impl std::fmt::Display,
    least: impl std::fmt::Display,
    most: impl std::fmt::Display,
) -> SdkError {
    let rule = format_args!("{value} is not from {least} to {most}").to_string();
    SdkError::invalid(ErrorKind::SchemaViolation, field, rule)
}

/// The topic of a capability that is for one topic alone.
fn single_topic(capability: &Capability) -> Result<Topic, SdkError> {
    let refuse = |rule: &str| SdkError::invalid(ErrorKind::Config, "capability", rule);
    let token = Macaroon::parse(capability.expose()).map_err(|_| refuse("it is malformed"))?;
    let mut topics = token
        .caveats()
        .iter()
        .filter_map(|caveat| caveat.identifier().strip_prefix(TOPIC_CAVEAT));
    let (Some(topic), None) = (topics.next(), topics.next()) else {
        return Err(refuse(
            "mailbox_recv takes one with a single topic= caveat; name the topic in mailbox_receive",
        ));
    };
    let topic = std::str::from_utf8(topic)
        .ok()
        .and_then(|text| Topic::new(text).ok());
    topic.ok_or_else(|| refuse("its topic= caveat names no topic"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mailbox::{Attributes, Token};
    use crate::oap::ReceivedMessage;
    use crate::transport::ConnectionId;

    fn topic() -> Topic {
        Topic::new("orders").unwrap()
    }

    fn receive(wait: Duration) -> ReceiveFrom {
        ReceiveFrom::new(&Receive {
            wait,
            max: 2,
            ..Receive::new(topic())
        })
        .unwrap()
    }

    fn received(id: &str, body: &[u8]) -> ReceivedMessage {
        ReceivedMessage {
            id: Token::new(id).unwrap(),
            lease: Token::new("1.f00").unwrap(),
            attempt: 1,
            attrs: Attributes::default(),
            len: body.len() as u32,
            address: AddrB3::of(body),
            sent_at_ms: 1_793_500_000_000,
            dead: None,
        }
    }

    fn reply(messages: Vec<ReceivedMessage>, body: &'static [u8]) -> Reply {
        let batch = MailboxReceiveReply {
            executed: Executed::No,
            replayed: false,
            messages,
        };
        Reply {
            connection: ConnectionId::default(),
            code: 200,
            meta: serde_json::to_vec(&batch).unwrap()[..].into(),
            body: Bytes::from_static(body),
            hash: None,
        }
    }

    #[test]
    fn a_batch_is_taken_apart_and_compared() {
        let both = || vec![received("1", b"one"), received("2", b"two")];
        let answer = receive(Duration::ZERO)
            .complete(reply(both(), b"onetwo"))
            .unwrap();
        let bodies: Vec<&[u8]> = answer.value.iter().map(|m| &m.body[..]).collect();
        assert_eq!(bodies, [b"one", b"two"]);
        assert_eq!(answer.value[1].id(), "2");
        let mismatch = ErrorKind::IntegrityMismatch;
        let mut three = both();
        three.push(received("3", b""));
        for (messages, body, kind) in [
            (both(), &b"onetw"[..], mismatch),
            (both(), b"onetwo3", mismatch),
            (both(), b"onetwO", mismatch),
            (vec![], b"x", mismatch),
            (three, b"onetwo", ErrorKind::SchemaViolation),
        ] {
            let result = receive(Duration::ZERO).complete(reply(messages, body));
            assert_eq!(result.err().unwrap().kind(), kind);
        }
    }

    #[test]
    fn a_long_poll_leaves_time_for_its_answer() {
        let millis = Duration::from_millis;
        for (wait, left, expected) in [
            (20_000, 60_000, 20_000),
            (20_000, 20_000, 18_000),
            (20_000, 500, 400),
            (20_000, 100, 0),
            (20_000, 0, 0),
            (50, 5_000, 50),
        ] {
            let waits = receive(millis(wait)).wait(millis(left));
            assert_eq!(waits, millis(expected), "{wait} {left}");
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused_and_named() {
        let hour = Duration::from_secs(3600);
        let base = Receive::new(topic());
        for (receive, field) in [
            (
                Receive {
                    max: 0,
                    ..base.clone()
                },
                "max: 0 is not from 1 to 64",
            ),
            (
                Receive {
                    max: 65,
                    ..base.clone()
                },
                "max: 65",
            ),
            (
                Receive {
                    visibility: Duration::from_millis(249),
                    ..base.clone()
                },
                "visibility: 249ms is not from 250 ms to 43200000 ms",
            ),
            (
                Receive {
                    visibility: 13 * hour,
                    ..base.clone()
                },
                "visibility",
            ),
            (
                Receive { wait: hour, ..base },
                "wait: 3600s is not from 0 to 20s",
            ),
        ] {
            let error = ReceiveFrom::new(&receive).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::SchemaViolation);
            assert!(error.to_string().contains(field), "{error}");
        }
        for refused in ["orders.dead", &"t".repeat(124)] {
            let mail = Mail::new(Topic::new(refused).unwrap(), "x");
            assert!(Send::new(mail)
                .err()
                .unwrap()
                .to_string()
                .contains("topic: "));
        }
        let long = Mail::new(topic(), vec![0; MAX_BODY + 1]);
        assert_eq!(Send::new(long).err().unwrap().kind(), ErrorKind::TooLarge);
        let lease = Lease::new(topic(), Token::new("1").unwrap(), Token::new("2").unwrap());
        assert!(WithLease::nack(&lease, 13 * hour).is_err());
        assert!(WithLease::extend(&lease, Duration::ZERO).is_err());
    }

    #[test]
    fn a_capability_of_one_topic_names_it() {
        let token = Macaroon::mint(b"root key", "ron", b"identifier");
        let capability = Capability::from_bytes(token.encode()).unwrap();
        let one = capability
            .attenuate("op=mailbox.receive")
            .unwrap()
            .attenuate("topic=orders");
        assert_eq!(single_topic(&one.clone().unwrap()).unwrap(), topic());
        let two = one.unwrap().attenuate("topic=bills").unwrap();
        let none = capability.attenuate("topic^=orders").unwrap();
        let bad = capability.attenuate("topic=Orders").unwrap();
        for capability in [two, none, bad] {
            let error = single_topic(&capability).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains("Orders"));
        }
    }
}
