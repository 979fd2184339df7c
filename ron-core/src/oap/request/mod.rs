//! What a client asks for in a request's meta: one strict DTO per operation.

mod dto;
mod object;

use super::Plane;
use crate::address::AddrB3;
use crate::idempotency::IdemKey;
use crate::index::{Expected, IndexKey};
use crate::mailbox::{Attributes, Lease, Topic};
use crate::range::ByteRange;
use dto::{
    Ack, Extend, GetByAddress, GetByPath, HeadByAddress, HeadByPath, Nack, OperationName, Publish,
    Put, ReceiveFrom, Resolve, Send,
};
use object::Object;
use std::borrow::Cow;

/// What every request says, whatever the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallContext {
    /// Time left for the call, in milliseconds, rounded up. 0 has passed already.
    pub deadline_ms: u32,
    /// The idempotency key of a mutation.
    pub idem: Option<IdemKey>,
    /// Which attempt of the call this is, from 1.
    pub attempt: u8,
    /// The W3C trace context of the caller.
    pub traceparent: Option<String>,
}

/// An operation with its own fields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// Store the body; the reply says under which address.
    StoragePut,
    /// Return the object, or a range of it.
    StorageGet {
        /// The object.
        address: AddrB3,
        /// Only these bytes.
        range: Option<ByteRange>,
    },
    /// Return the object's size.
    StorageHead {
        /// The object.
        address: AddrB3,
    },
    /// Return the object at a path, or a range of it.
    EdgeGet {
        /// The path; see [`EdgePath`](crate::EdgePath) for its rules.
        path: Cow<'a, str>,
        /// Only these bytes.
        range: Option<ByteRange>,
    },
    /// Return the size and address of the object at a path.
    EdgeHead {
        /// The path.
        path: Cow<'a, str>,
    },
    /// Take the body as a message.
    MailboxSend {
        /// Where it goes.
        topic: Topic,
        /// What it says beside its body.
        attributes: Cow<'a, Attributes>,
    },
    /// Return messages that nobody has, and let nobody else have them for a while.
    MailboxReceive {
        /// From where.
        topic: Topic,
        /// At most so many messages.
        max: u16,
        /// For how long nobody else gets them, in milliseconds.
        visibility_ms: u32,
        /// How long to wait for a first message where there is none, in milliseconds.
        wait_ms: u32,
        /// The same on every attempt: the gateway repeats the batch that it knows by it.
        receive_id: IdemKey,
    },
    /// Forget a message.
    MailboxAck {
        /// The right to do so.
        lease: Lease,
    },
    /// Give a message back.
    MailboxNack {
        /// The right to do so.
        lease: Lease,
        /// When it may be delivered again, in milliseconds from now.
        delay_ms: u32,
    },
    /// Keep a message for longer.
    MailboxExtend {
        /// The right to do so.
        lease: Lease,
        /// For how long from now, in milliseconds.
        visibility_ms: u32,
    },
    /// Return the address that a name stands for.
    IndexResolve {
        /// The name.
        key: IndexKey,
    },
    /// Let a name stand for an address.
    IndexPublish {
        /// The name.
        key: IndexKey,
        /// What it is to stand for.
        address: AddrB3,
        /// Only where it stands for this so far.
        expected: Option<Expected>,
    },
}

impl<'a> Operation<'a> {
    /// The plane that serves it.
    pub const fn plane(&self) -> Plane {
        match self {
            Self::StoragePut | Self::StorageGet { .. } | Self::StorageHead { .. } => Plane::Storage,
            Self::EdgeGet { .. } | Self::EdgeHead { .. } => Plane::Edge,
            Self::MailboxSend { .. }
            | Self::MailboxReceive { .. }
            | Self::MailboxAck { .. }
            | Self::MailboxNack { .. }
            | Self::MailboxExtend { .. } => Plane::Mailbox,
            Self::IndexResolve { .. } | Self::IndexPublish { .. } => Plane::Index,
        }
    }

    /// Its name on the wire, unique within its plane.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::StoragePut => "put",
            Self::StorageGet { .. } | Self::EdgeGet { .. } => "get",
            Self::StorageHead { .. } | Self::EdgeHead { .. } => "head",
            Self::MailboxSend { .. } => "send",
            Self::MailboxReceive { .. } => "receive",
            Self::MailboxAck { .. } => "ack",
            Self::MailboxNack { .. } => "nack",
            Self::MailboxExtend { .. } => "extend",
            Self::IndexResolve { .. } => "resolve",
            Self::IndexPublish { .. } => "publish",
        }
    }

    /// Whether it changes something at the gateway. A receive does not: what it hides comes back by itself.
    pub const fn is_mutation(&self) -> bool {
        self.is_keyed()
            || matches!(
                self,
                Self::MailboxAck { .. } | Self::MailboxNack { .. } | Self::MailboxExtend { .. }
            )
    }

    /// Whether it is a mutation that takes an idempotency key. The other mutations can be repeated as they
    /// are: a lease that is spent already is spent.
    pub const fn is_keyed(&self) -> bool {
        matches!(
            self,
            Self::StoragePut | Self::MailboxSend { .. } | Self::IndexPublish { .. }
        )
    }

    /// The same operation without borrowed parts.
    pub fn into_owned(self) -> Operation<'static> {
        match self {
            Self::StoragePut => Operation::StoragePut,
            Self::StorageGet { address, range } => Operation::StorageGet { address, range },
            Self::StorageHead { address } => Operation::StorageHead { address },
            Self::EdgeGet { path, range } => Operation::EdgeGet {
                path: path.into_owned().into(),
                range,
            },
            Self::EdgeHead { path } => Operation::EdgeHead {
                path: path.into_owned().into(),
            },
            Self::MailboxSend { topic, attributes } => Operation::MailboxSend {
                topic,
                attributes: Cow::Owned(attributes.into_owned()),
            },
            Self::MailboxReceive {
                topic,
                max,
                visibility_ms,
                wait_ms,
                receive_id,
            } => Operation::MailboxReceive {
                topic,
                max,
                visibility_ms,
                wait_ms,
                receive_id,
            },
            Self::MailboxAck { lease } => Operation::MailboxAck { lease },
            Self::MailboxNack { lease, delay_ms } => Operation::MailboxNack { lease, delay_ms },
            Self::MailboxExtend {
                lease,
                visibility_ms,
            } => Operation::MailboxExtend {
                lease,
                visibility_ms,
            },
            Self::IndexResolve { key } => Operation::IndexResolve { key },
            Self::IndexPublish {
                key,
                address,
                expected,
            } => Operation::IndexPublish {
                key,
                address,
                expected,
            },
        }
    }

    /// Appends the request's meta to `out`.
    pub fn encode(&self, context: &CallContext, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.plain("op", self.name());
        object.value("deadline_ms", &context.deadline_ms);
        if let Some(key) = &context.idem {
            object.plain("idem", key.expose());
        }
        object.value("attempt", &context.attempt);
        if let Some(traceparent) = &context.traceparent {
            object.value("traceparent", traceparent);
        }
        self.encode_own(&mut object);
        object.end();
    }

    /// The operation's own fields.
    fn encode_own(&self, object: &mut Object<'_>) {
        match self {
            Self::StoragePut => {}
            Self::StorageGet { address, range } => {
                object.plain("address", address.text().as_str());
                if let Some(range) = range {
                    object.value("range", range);
                }
            }
            Self::StorageHead { address } => object.plain("address", address.text().as_str()),
            Self::EdgeGet { path, range } => {
                object.value("path", &**path);
                if let Some(range) = range {
                    object.value("range", range);
                }
            }
            Self::EdgeHead { path } => object.value("path", &**path),
            Self::MailboxSend { topic, attributes } => {
                object.plain("topic", topic.as_str());
                if !attributes.is_empty() {
                    object.value("attrs", &**attributes);
                }
            }
            Self::MailboxReceive {
                topic,
                max,
                visibility_ms,
                wait_ms,
                receive_id,
            } => {
                object.plain("topic", topic.as_str());
                object.value("max", max);
                object.value("visibility_ms", visibility_ms);
                object.value("wait_ms", wait_ms);
                object.plain("receive_id", receive_id.expose());
            }
            Self::MailboxAck { lease } => encode_lease(object, lease),
            Self::MailboxNack { lease, delay_ms } => {
                encode_lease(object, lease);
                object.value("delay_ms", delay_ms);
            }
            Self::MailboxExtend {
                lease,
                visibility_ms,
            } => {
                encode_lease(object, lease);
                object.value("visibility_ms", visibility_ms);
            }
            Self::IndexResolve { key } => object.plain("key", key.as_str()),
            Self::IndexPublish {
                key,
                address,
                expected,
            } => {
                object.plain("key", key.as_str());
                object.plain("address", address.text().as_str());
                if let Some(expected) = expected {
                    object.value("expected", expected);
                }
            }
        }
    }

    /// Reads a request's meta.
    ///
    /// # Errors
    /// [`RequestError`] where the plane or the operation is unknown, or a field breaks its rule.
    pub fn decode(
        app_proto_id: u16,
        meta: &'a [u8],
    ) -> Result<(CallContext, Operation<'a>), RequestError> {
        let plane = Plane::from_id(app_proto_id);
        if matches!(plane, None | Some(Plane::Control)) {
            return Err(RequestError::UnknownPlane(app_proto_id));
        }
        let OperationName { op } = serde_json::from_slice(meta)?;
        Ok(match (plane, &*op) {
            (Some(Plane::Storage), "put") => {
                let dto: Put<'a> = serde_json::from_slice(meta)?;
                (dto.context(), Self::StoragePut)
            }
            (Some(Plane::Storage), "get") => {
                let dto: GetByAddress<'a> = serde_json::from_slice(meta)?;
                let (address, range) = (dto.address, dto.range);
                (dto.context(), Self::StorageGet { address, range })
            }
            (Some(Plane::Storage), "head") => {
                let dto: HeadByAddress<'a> = serde_json::from_slice(meta)?;
                let address = dto.address;
                (dto.context(), Self::StorageHead { address })
            }
            (Some(Plane::Edge), "get") => {
                let dto: GetByPath<'a> = serde_json::from_slice(meta)?;
                let (context, path, range) = (dto.context(), dto.path, dto.range);
                (context, Self::EdgeGet { path, range })
            }
            (Some(Plane::Edge), "head") => {
                let dto: HeadByPath<'a> = serde_json::from_slice(meta)?;
                let (context, path) = (dto.context(), dto.path);
                (context, Self::EdgeHead { path })
            }
            (Some(Plane::Mailbox), "send") => {
                let dto: Send<'a> = serde_json::from_slice(meta)?;
                let (context, topic, attributes) = (dto.context(), dto.topic, dto.attrs);
                (context, Self::MailboxSend { topic, attributes })
            }
            (Some(Plane::Mailbox), "receive") => {
                let dto: ReceiveFrom<'a> = serde_json::from_slice(meta)?;
                let receive = Self::MailboxReceive {
                    topic: dto.topic.clone(),
                    max: dto.max,
                    visibility_ms: dto.visibility_ms,
                    wait_ms: dto.wait_ms,
                    receive_id: dto.receive_id.clone(),
                };
                (dto.context(), receive)
            }
            (Some(Plane::Mailbox), "ack") => {
                let dto: Ack<'a> = serde_json::from_slice(meta)?;
                let context = dto.context();
                let lease = Lease::new(dto.topic, dto.id, dto.lease);
                (context, Self::MailboxAck { lease })
            }
            (Some(Plane::Mailbox), "nack") => {
                let dto: Nack<'a> = serde_json::from_slice(meta)?;
                let (context, delay_ms) = (dto.context(), dto.delay_ms);
                let lease = Lease::new(dto.topic, dto.id, dto.lease);
                (context, Self::MailboxNack { lease, delay_ms })
            }
            (Some(Plane::Mailbox), "extend") => {
                let dto: Extend<'a> = serde_json::from_slice(meta)?;
                let (context, visibility_ms) = (dto.context(), dto.visibility_ms);
                let lease = Lease::new(dto.topic, dto.id, dto.lease);
                let extend = Self::MailboxExtend {
                    lease,
                    visibility_ms,
                };
                (context, extend)
            }
            (Some(Plane::Index), "resolve") => {
                let dto: Resolve<'a> = serde_json::from_slice(meta)?;
                let (context, key) = (dto.context(), dto.key);
                (context, Self::IndexResolve { key })
            }
            (Some(Plane::Index), "publish") => {
                let dto: Publish<'a> = serde_json::from_slice(meta)?;
                let publish = Self::IndexPublish {
                    key: dto.key.clone(),
                    address: dto.address,
                    expected: dto.expected,
                };
                (dto.context(), publish)
            }
            _ => {
                return Err(RequestError::UnknownOperation(
                    op.chars().take(64).collect(),
                ))
            }
        })
    }
}

fn encode_lease(object: &mut Object<'_>, lease: &Lease) {
    object.plain("topic", lease.topic().as_str());
    object.plain("id", lease.id());
    object.plain("lease", lease.expose());
}

/// Why a request's meta cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No such plane here.
    #[error("app_proto_id {0:#06x} is no plane of this gateway")]
    UnknownPlane(u16),
    /// The plane has no such operation.
    #[error("no operation {0:?} on this plane")]
    UnknownOperation(String),
    /// Not the operation's DTO.
    #[error("the meta is not the operation's: {0}")]
    Schema(#[from] serde_json::Error),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mailbox::Token;
    use proptest::prelude::*;

    fn context() -> CallContext {
        CallContext {
            deadline_ms: 5000,
            idem: None,
            attempt: 1,
            traceparent: None,
        }
    }

    #[test]
    fn a_get_travels_in_the_documented_form() {
        let mut out = Vec::new();
        let address = AddrB3::of(b"");
        let range = Some(ByteRange::new(0, 9).unwrap());
        Operation::StorageGet { address, range }.encode(&context(), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                r#"{{"op":"get","deadline_ms":5000,"attempt":1,"address":"{address}","range":{{"first":0,"last":9}}}}"#
            )
        );
    }

    #[test]
    fn what_breaks_a_rule_is_refused_and_named() {
        let refused = |plane: u16, meta: &str| {
            Operation::decode(plane, meta.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(refused(0x0999, "{}").contains("0x0999"));
        assert!(refused(0x0301, r#"{"op":"explode"}"#).contains("explode"));
        assert!(refused(0x0301, r#"{"op":"put","deadline_ms":1,"attempt":1,"x":1}"#).contains('x'));
        assert!(refused(0x0301, r#"{"op":"get","deadline_ms":1,"attempt":1}"#).contains("address"));
        assert!(refused(
            0x0301,
            r#"{"op":"head","deadline_ms":1,"attempt":1,"address":"b3:12"}"#
        )
        .contains("b3:"));
        assert!(refused(
            0x0401,
            r#"{"op":"get","deadline_ms":-1,"attempt":1,"path":"/"}"#
        )
        .contains("u32"));
        let nested = format!(r#"{{"op":"put","x":{}"#, "[".repeat(16_000));
        assert!(refused(0x0301, &nested).contains("not the operation's"));
    }

    proptest! {
        #[test]
        fn operations_round_trip(
            deadline_ms: u32, attempt: u8, key in proptest::option::of("[a-zA-Z0-9._:~-]{1,64}"),
            traceparent in proptest::option::of("[0-9a-f-]{55}"), path: String, digest: [u8; 32],
            range in proptest::option::of((0u64..1000, 0u64..1000)), which in 0..12,
            name in "[a-z0-9_-]{1,100}", values in proptest::collection::vec("\\PC{0,20}", 0..5),
            millis: u32, wait_ms: u32, expected in proptest::option::of(proptest::bool::ANY),
        ) {
            let context = CallContext {
                deadline_ms,
                idem: key.map(|key| IdemKey::new(&key).unwrap()),
                attempt,
                traceparent,
            };
            let address = AddrB3::from_digest(digest);
            let range = range.map(|(first, len)| ByteRange::new(first, first + len).unwrap());
            let (topic, index_key) = (Topic::new(&name).unwrap(), IndexKey::new(&name).unwrap());
            let token = Token::new(&name).unwrap();
            let lease = Lease::new(topic.clone(), token.clone(), token);
            let operation = match which {
                0 => Operation::StoragePut,
                1 => Operation::StorageGet { address, range },
                2 => Operation::StorageHead { address },
                3 => Operation::EdgeGet { path: path.into(), range },
                4 => Operation::EdgeHead { path: path.into() },
                5 => {
                    let mut attributes = Attributes::default();
                    for (number, value) in values.into_iter().enumerate() {
                        attributes.insert(number.to_string(), value).unwrap();
                    }
                    let attributes = Cow::Owned(attributes);
                    Operation::MailboxSend { topic, attributes }
                }
                6 => Operation::MailboxReceive {
                    topic,
                    max: attempt.into(),
                    visibility_ms: millis,
                    wait_ms,
                    receive_id: IdemKey::new("receive").unwrap(),
                },
                7 => Operation::MailboxAck { lease },
                8 => Operation::MailboxNack { lease, delay_ms: millis },
                9 => Operation::MailboxExtend { lease, visibility_ms: millis },
                10 => Operation::IndexResolve { key: index_key },
                _ => Operation::IndexPublish {
                    key: index_key,
                    address,
                    expected: expected.map(|is_there| match is_there {
                        true => Expected::Address(address),
                        false => Expected::Absent,
                    }),
                },
            };
            let mut meta = Vec::new();
            operation.encode(&context, &mut meta);
            let decoded = Operation::decode(operation.plane().id(), &meta).unwrap();
            prop_assert_eq!(decoded, (context, operation));
        }

        #[test]
        fn arbitrary_meta_never_panics(plane: u16, meta in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Operation::decode(plane, &meta);
        }
    }
}
