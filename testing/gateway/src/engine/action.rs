//! What a call wants.

use crate::mailbox::Receive;
use crate::metrics::CallLabel;
use crate::selection::Selection;
use ron_app_sdk::oap::{
    ErrorReply, Executed, Operation, Reason, MAX_BATCH, MAX_WAIT_MS, VISIBILITY_MS,
};
use ron_app_sdk::{AddrB3, Attributes, EdgePath, Expected, IndexKey, Lease, Topic};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a call wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    StoragePut,
    StorageGet(AddrB3, Selection),
    StorageHead(AddrB3),
    EdgeGet(String, Selection),
    EdgeHead(String),
    MailboxSend {
        topic: Topic,
        attributes: Attributes,
    },
    MailboxReceive(Receive),
    MailboxAck(Lease),
    MailboxNack {
        lease: Lease,
        delay_ms: u32,
    },
    MailboxExtend {
        lease: Lease,
        visibility_ms: u32,
    },
    IndexResolve(IndexKey),
    IndexPublish {
        key: IndexKey,
        address: AddrB3,
        expected: Option<Expected>,
    },
}

impl Action {
    /// What an OAP request asks for; `None` for an operation that this gateway does not have.
    pub(crate) fn of(operation: Operation<'_>) -> Option<Self> {
        Some(match operation {
            Operation::StoragePut => Self::StoragePut,
            Operation::StorageGet { address, range } => Self::StorageGet(address, range.into()),
            Operation::StorageHead { address } => Self::StorageHead(address),
            Operation::EdgeGet { path, range } => Self::EdgeGet(path.into_owned(), range.into()),
            Operation::EdgeHead { path } => Self::EdgeHead(path.into_owned()),
            Operation::MailboxSend { topic, attributes } => Self::MailboxSend {
                topic,
                attributes: attributes.into_owned(),
            },
            Operation::MailboxReceive {
                topic,
                max,
                visibility_ms,
                wait_ms,
                receive_id,
            } => Self::MailboxReceive(Receive {
                topic,
                max,
                visibility_ms,
                wait: Duration::from_millis(wait_ms.into()),
                receive_id,
            }),
            Operation::MailboxAck { lease } => Self::MailboxAck(lease),
            Operation::MailboxNack { lease, delay_ms } => Self::MailboxNack { lease, delay_ms },
            Operation::MailboxExtend {
                lease,
                visibility_ms,
            } => Self::MailboxExtend {
                lease,
                visibility_ms,
            },
            Operation::IndexResolve { key } => Self::IndexResolve(key),
            Operation::IndexPublish {
                key,
                address,
                expected,
            } => Self::IndexPublish {
                key,
                address,
                expected,
            },
            _ => return None,
        })
    }

    pub(crate) const fn label(&self) -> CallLabel {
        let (plane, operation) = match self {
            Self::StoragePut => ("storage", "put"),
            Self::StorageGet(..) => ("storage", "get"),
            Self::StorageHead(..) => ("storage", "head"),
            Self::EdgeGet(..) => ("edge", "get"),
            Self::EdgeHead(..) => ("edge", "head"),
            Self::MailboxSend { .. } => ("mailbox", "send"),
            Self::MailboxReceive(_) => ("mailbox", "receive"),
            Self::MailboxAck(_) => ("mailbox", "ack"),
            Self::MailboxNack { .. } => ("mailbox", "nack"),
            Self::MailboxExtend { .. } => ("mailbox", "extend"),
            Self::IndexResolve(_) => ("index", "resolve"),
            Self::IndexPublish { .. } => ("index", "publish"),
        };
        CallLabel { plane, operation }
    }

    /// The edge path.
    pub(crate) fn path(&self) -> Option<&str> {
        match self {
            Self::EdgeGet(path, _) | Self::EdgeHead(path) => Some(path),
            _ => None,
        }
    }

    /// The topic.
    pub(crate) fn topic(&self) -> Option<&Topic> {
        match self {
            Self::MailboxSend { topic, .. } => Some(topic),
            Self::MailboxReceive(receive) => Some(&receive.topic),
            Self::MailboxAck(lease)
            | Self::MailboxNack { lease, .. }
            | Self::MailboxExtend { lease, .. } => Some(lease.topic()),
            _ => None,
        }
    }

    /// Whether it is a mutation that takes an idempotency key.
    pub(crate) const fn is_keyed(&self) -> bool {
        matches!(
            self,
            Self::StoragePut | Self::MailboxSend { .. } | Self::IndexPublish { .. }
        )
    }

    /// Whether its request has a body.
    pub(crate) const fn has_body(&self) -> bool {
        matches!(self, Self::StoragePut | Self::MailboxSend { .. })
    }

    /// What is known about the effect of an execution that was given up.
    pub(crate) const fn interrupted(&self) -> Executed {
        match self {
            Self::StorageGet(..)
            | Self::StorageHead(_)
            | Self::EdgeGet(..)
            | Self::EdgeHead(_)
            | Self::MailboxReceive(_)
            | Self::IndexResolve(_) => Executed::No,
            Self::StoragePut
            | Self::MailboxSend { .. }
            | Self::MailboxAck(_)
            | Self::MailboxNack { .. }
            | Self::MailboxExtend { .. }
            | Self::IndexPublish { .. } => Executed::Unknown,
        }
    }

    /// Checks what the types of the fields leave open, all but the edge path.
    pub(crate) fn check_fields(&self) -> Result<(), ErrorReply> {
        let millis = |field, value: u32, least, most| check(field, value, least..=most);
        let (shortest, longest) = VISIBILITY_MS;
        match self {
            Self::MailboxSend { topic, .. } if topic.is_dead_letters() => {
                Err(violation("topic: dead letters come from the gateway alone"))
            }
            Self::MailboxSend { topic, .. } => match topic.dead_letters() {
                Ok(_) => Ok(()),
                Err(_) => Err(violation(
                    "topic: a topic with messages has at most 123 characters",
                )),
            },
            Self::MailboxReceive(receive) => {
                check("max", receive.max, 1..=MAX_BATCH)?;
                millis("visibility_ms", receive.visibility_ms, shortest, longest)?;
                let wait = u32::try_from(receive.wait.as_millis()).unwrap_or(u32::MAX);
                millis("wait_ms", wait, 0, MAX_WAIT_MS)
            }
            Self::MailboxNack { delay_ms, .. } => millis("delay_ms", *delay_ms, 0, longest),
            Self::MailboxExtend { visibility_ms, .. } => {
                millis("visibility_ms", *visibility_ms, shortest, longest)
            }
            _ => Ok(()),
        }
    }

    /// Checks the edge path.
    pub(crate) fn check_path(&self) -> Result<(), ErrorReply> {
        let Some(path) = self.path() else {
            return Ok(());
        };
        let refuse = |rule| violation(format!("path: {rule}"));
        EdgePath::new(path).map(|_| ()).map_err(refuse)
    }
}

fn check<N>(field: &str, value: N, range: RangeInclusive<N>) -> Result<(), ErrorReply>
where
    N: PartialOrd + std::fmt::Display,
{
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = (range.start(), range.end());
    Err(violation(format!(
        "{field}: {value} is not {least} to {most}"
    )))
}

fn violation(rule: impl AsRef<str>) -> ErrorReply {
    ErrorReply::not_executed(Reason::SchemaViolation).with_detail(rule)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::mailbox::Token;
    use ron_app_sdk::IdemKey;

    fn topic(text: &str) -> Topic {
        Topic::new(text).unwrap()
    }

    fn receive(max: u16, visibility_ms: u32, wait_ms: u64) -> Action {
        Action::MailboxReceive(Receive {
            topic: topic("orders.dead"),
            max,
            visibility_ms,
            wait: Duration::from_millis(wait_ms),
            receive_id: IdemKey::new("r").unwrap(),
        })
    }

    fn send(to: &str) -> Action {
        Action::MailboxSend {
            topic: topic(to),
            attributes: Attributes::default(),
        }
    }

    #[test]
    fn fields_are_held_to_their_bounds_by_name() {
        let lease = || {
            let token = Token::new("1").unwrap();
            Lease::new(topic("orders"), token.clone(), token)
        };
        let nack = |delay_ms| Action::MailboxNack {
            lease: lease(),
            delay_ms,
        };
        let extend = |visibility_ms| Action::MailboxExtend {
            lease: lease(),
            visibility_ms,
        };
        for good in [
            send("orders"),
            send(&"t".repeat(123)),
            receive(1, 250, 0),
            receive(64, 43_200_000, 20_000),
            nack(0),
            nack(43_200_000),
            extend(250),
            extend(43_200_000),
        ] {
            assert_eq!(good.check_fields(), Ok(()), "{good:?}");
        }
        for (bad, field) in [
            (send("orders.dead"), "topic: "),
            (send(&"t".repeat(124)), "topic: "),
            (receive(0, 250, 0), "max: "),
            (receive(65, 250, 0), "max: "),
            (receive(1, 249, 0), "visibility_ms: "),
            (receive(1, 43_200_001, 0), "visibility_ms: "),
            (receive(1, 250, 20_001), "wait_ms: "),
            (nack(43_200_001), "delay_ms: "),
            (extend(249), "visibility_ms: "),
            (extend(43_200_001), "visibility_ms: "),
        ] {
            let error = bad.check_fields().unwrap_err();
            assert_eq!(error.reason, Reason::SchemaViolation);
            let detail = error.detail.unwrap();
            assert!(detail.starts_with(field), "{bad:?}: {detail}");
        }
    }
}
