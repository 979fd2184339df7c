//! Thin typed operations, one module per plane.

pub(crate) mod edge;
pub(crate) mod index;
pub(crate) mod mailbox;
pub(crate) mod storage;

use crate::address::{AddrB3, Address};
use crate::error::{ErrorKind, SdkError};
use crate::oap::{ObjectReply, ReplyMeta, MAX_BODY};
use crate::range::ByteRange;
use crate::transport::Reply;

/// What a gateway knows about an object without sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The BLAKE3 address of its bytes.
    pub address: AddrB3,
    /// Its size in bytes.
    pub size: u64,
}

impl From<ObjectReply> for ObjectInfo {
    fn from(reply: ObjectReply) -> Self {
        Self {
            address: reply.address,
            size: reply.size,
        }
    }
}

/// Refuses a range that no envelope can carry, before any I/O.
fn check_range(range: ByteRange) -> Result<ByteRange, SdkError> {
    if range.len() > MAX_BODY as u64 {
        return Err(SdkError::invalid(
            ErrorKind::TooLarge,
            "range",
            format_args!("{} bytes are above the limit of {MAX_BODY}", range.len()),
        ));
    }
    Ok(range)
}

fn check_address(address: Address) -> Result<AddrB3, SdkError> {
    address
        .0
        .map_err(|rule| SdkError::invalid(ErrorKind::SchemaViolation, "address", rule))
}

/// The gateway's answer is not what the operation's answers are.
fn schema_violation(why: &str) -> SdkError {
    SdkError::new(ErrorKind::SchemaViolation, why)
}

/// Reads a successful reply's meta.
fn read_meta<T: ReplyMeta>(reply: &Reply) -> Result<T, SdkError> {
    T::read(&reply.meta).map_err(|error| {
        SdkError::new(
            ErrorKind::SchemaViolation,
            format!("the answer's meta is not the operation's: {error}"),
        )
        .with_source(error)
    })
}

/// Reads the meta of a reply with a body and checks that the body is what it describes: the whole object
/// where `wanted` is `None`, else as much of that range as the object has.
fn read_object(reply: &Reply, wanted: Option<ByteRange>) -> Result<ObjectReply, SdkError> {
    let object: ObjectReply = read_meta(reply)?;
    let (code, expected_len) = match (wanted, object.range) {
        (None, None) => (200, object.size),
        (Some(wanted), Some(range)) if wanted.clip(object.size) == Some(range) => {
            (206, range.len())
        }
        _ => {
            return Err(SdkError::new(
                ErrorKind::IntegrityMismatch,
                "the answer is for another range than the request",
            ))
        }
    };
    if reply.code != code {
        return Err(SdkError::new(
            ErrorKind::SchemaViolation,
            format!("the gateway answered {} where {code} was due", reply.code),
        ));
    }
    if reply.body.len() as u64 != expected_len {
        return Err(SdkError::new(
            ErrorKind::IntegrityMismatch,
            format!(
                "the answer has {} bytes where it announces {expected_len}",
                reply.body.len()
            ),
        ));
    }
    Ok(object)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::call::PlaneCall;
    use crate::oap::Executed;
    use crate::transport::ConnectionId;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn reply(code: u16, size: u64, range: Option<(u64, u64)>, body: &'static [u8]) -> Reply {
        let object = ObjectReply {
            executed: Executed::No,
            address: AddrB3::of(b""),
            size,
            range: range.map(|(first, last)| ByteRange::new(first, last).unwrap()),
        };
        Reply {
            connection: ConnectionId::default(),
            code,
            meta: serde_json::to_vec(&object).unwrap()[..].into(),
            body: Bytes::from_static(body),
            hash: None,
        }
    }

    #[test]
    fn an_answer_that_is_not_what_was_asked_for_is_refused() {
        let wanted = Some(ByteRange::new(2, 5).unwrap());
        let kind = |reply: &Reply, wanted| read_object(reply, wanted).unwrap_err().kind();
        assert!(read_object(&reply(200, 3, None, b"abc"), None).is_ok());
        assert!(read_object(&reply(206, 4, Some((2, 3)), b"cd"), wanted).is_ok());
        let integrity = ErrorKind::IntegrityMismatch;
        for (other, wanted) in [
            (reply(200, 9, None, b"cdef"), wanted),
            (reply(206, 9, Some((0, 3)), b"abcd"), wanted),
            (reply(206, 9, Some((2, 5)), b"cdef"), None),
        ] {
            assert_eq!(kind(&other, wanted), integrity);
        }
        let schema = ErrorKind::SchemaViolation;
        assert_eq!(kind(&reply(200, 9, Some((2, 5)), b"cdef"), wanted), schema);
        assert_eq!(kind(&reply(206, 3, None, b"abc"), None), schema);
        assert_eq!(kind(&reply(200, 4, None, b"abc"), None), integrity);
        assert_eq!(kind(&reply(200, 2, None, b"abc"), None), integrity);
        assert_eq!(
            kind(&reply(206, 9, Some((2, 5)), b"cde"), wanted),
            integrity
        );
    }

    /// The answer to a get of `object`, as storage and edge read it.
    fn is_accepted(object: &[u8], meta: &[u8], body: Vec<u8>) -> [bool; 2] {
        let reply = |body: Vec<u8>| Reply {
            connection: ConnectionId::default(),
            code: 200,
            meta: meta.into(),
            body: Bytes::from(body),
            hash: None,
        };
        let get = storage::Get::new(AddrB3::of(object).into()).unwrap();
        let edge = edge::Get::new("/object", None).unwrap();
        let answers = [
            get.complete(reply(body.clone())),
            edge.complete(reply(body)),
        ];
        answers.map(|answer| match answer {
            Ok(answer) => {
                assert_eq!(answer.value, object);
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::IntegrityMismatch);
                false
            }
        })
    }

    proptest! {
        #[test]
        fn an_object_with_a_bit_flipped_or_bytes_missing_or_added_is_refused(
            object in proptest::collection::vec(any::<u8>(), 1..2000),
            at: prop::sample::Index,
            bit in 0u8..8,
            added in proptest::collection::vec(any::<u8>(), 1..10),
        ) {
            let describe = |size: usize| {
                let reply = ObjectReply {
                    executed: Executed::No,
                    address: AddrB3::of(&object),
                    size: size as u64,
                    range: None,
                };
                serde_json::to_vec(&reply).unwrap()
            };
            let meta = describe(object.len());
            prop_assert_eq!(is_accepted(&object, &meta, object.clone()), [true; 2]);
            let at = at.index(object.len());
            let mut flipped = object.clone();
            flipped[at] ^= 1 << bit;
            let longer = [&object[..], &added].concat();
            for wrong in [flipped, object[..at].to_vec(), longer] {
                // Also where the meta is right about the wrong bytes' length.
                for meta in [&meta, &describe(wrong.len())] {
                    prop_assert_eq!(is_accepted(&object, meta, wrong.clone()), [false; 2]);
                }
            }
        }
    }
}
