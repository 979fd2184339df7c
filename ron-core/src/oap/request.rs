//! What a client asks for in a request's meta: one strict DTO per operation.

use super::Plane;
use crate::address::AddrB3;
use crate::idempotency::IdemKey;
use crate::range::ByteRange;
use serde::{Deserialize, Serialize};
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
}

/// A DTO: the common fields, then the operation's own.
macro_rules! dto {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* }) => {
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name<'a> {
            #[serde(borrow)]
            op: Cow<'a, str>,
            deadline_ms: u32,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            idem: Option<IdemKey>,
            attempt: u8,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            traceparent: Option<Cow<'a, str>>,
            $($(#[$attribute])* $field: $type,)*
        }

        impl<'a> $name<'a> {
            fn new(op: &'a str, context: &'a CallContext, $($field: $type),*) -> Self {
                Self {
                    op: Cow::Borrowed(op),
                    deadline_ms: context.deadline_ms,
                    idem: context.idem.clone(),
                    attempt: context.attempt,
                    traceparent: context.traceparent.as_deref().map(Cow::Borrowed),
                    $($field,)*
                }
            }

            fn context(&self) -> CallContext {
                CallContext {
                    deadline_ms: self.deadline_ms,
                    idem: self.idem.clone(),
                    attempt: self.attempt,
                    traceparent: self.traceparent.as_deref().map(str::to_owned),
                }
            }
        }
    };
}

dto!(Put {});
dto!(GetByAddress {
    address: AddrB3,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<ByteRange>
});
dto!(HeadByAddress { address: AddrB3 });
dto!(GetByPath {
    path: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<ByteRange>
});
dto!(HeadByPath { path: Cow<'a, str> });

/// The one field that has to be read before the DTO is known.
#[derive(Deserialize)]
struct OperationName<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
}

impl<'a> Operation<'a> {
    /// The plane that serves it.
    pub const fn plane(&self) -> Plane {
        match self {
            Self::StoragePut | Self::StorageGet { .. } | Self::StorageHead { .. } => Plane::Storage,
            Self::EdgeGet { .. } | Self::EdgeHead { .. } => Plane::Edge,
        }
    }

    /// Its name on the wire, unique within its plane.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::StoragePut => "put",
            Self::StorageGet { .. } | Self::EdgeGet { .. } => "get",
            Self::StorageHead { .. } | Self::EdgeHead { .. } => "head",
        }
    }

    /// Whether it changes something at the gateway.
    pub const fn is_mutation(&self) -> bool {
        matches!(self, Self::StoragePut)
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
        }
    }

    /// Appends the request's meta to `out`.
    pub fn encode(&self, context: &CallContext, out: &mut Vec<u8>) {
        let op = self.name();
        // None of the DTOs can fail to serialise into memory.
        let _infallible = match self {
            Self::StoragePut => serde_json::to_writer(out, &Put::new(op, context)),
            Self::StorageGet { address, range } => {
                serde_json::to_writer(out, &GetByAddress::new(op, context, *address, *range))
            }
            Self::StorageHead { address } => {
                serde_json::to_writer(out, &HeadByAddress::new(op, context, *address))
            }
            Self::EdgeGet { path, range } => {
                let path = Cow::Borrowed(&**path);
                serde_json::to_writer(out, &GetByPath::new(op, context, path, *range))
            }
            Self::EdgeHead { path } => {
                let path = Cow::Borrowed(&**path);
                serde_json::to_writer(out, &HeadByPath::new(op, context, path))
            }
        };
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
        if !matches!(plane, Some(Plane::Storage | Plane::Edge)) {
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
            _ => {
                return Err(RequestError::UnknownOperation(
                    op.chars().take(64).collect(),
                ))
            }
        })
    }
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
            range in proptest::option::of((0u64..1000, 0u64..1000)), which in 0..5,
        ) {
            let context = CallContext {
                deadline_ms,
                idem: key.map(|key| IdemKey::new(&key).unwrap()),
                attempt,
                traceparent,
            };
            let address = AddrB3::from_digest(digest);
            let range = range.map(|(first, len)| ByteRange::new(first, first + len).unwrap());
            let operation = match which {
                0 => Operation::StoragePut,
                1 => Operation::StorageGet { address, range },
                2 => Operation::StorageHead { address },
                3 => Operation::EdgeGet { path: path.into(), range },
                _ => Operation::EdgeHead { path: path.into() },
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
