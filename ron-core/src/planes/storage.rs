//! Storage: objects under the BLAKE3 hash of their bytes.

use super::{check_address, check_range, read_meta, read_object, ObjectInfo};
use crate::address::{AddrB3, Address};
use crate::call::{Answer, PlaneCall};
use crate::error::{ErrorKind, SdkError};
use crate::oap::{Executed, ObjectReply, Operation, StoragePutReply, MAX_BODY};
use crate::range::ByteRange;
use crate::transport::Reply;
use bytes::Bytes;
use std::sync::OnceLock;

/// A part of an object. The object's address vouches for the whole of it only, so a part cannot be
/// verified: it is what the gateway says it is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnverifiedRange {
    /// The bytes.
    pub bytes: Bytes,
    /// Which bytes of the object they are: the requested range, clipped to the object's end.
    pub range: ByteRange,
    /// The whole object's size in bytes.
    pub size: u64,
}

impl std::fmt::Debug for UnverifiedRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnverifiedRange({} of {} bytes)", self.range, self.size)
    }
}

pub(crate) struct Put<B> {
    body: B,
    verify: bool,
    address: OnceLock<AddrB3>,
}

impl<B: AsRef<[u8]>> Put<B> {
    pub(crate) fn new(body: B, verify: bool) -> Result<Self, SdkError> {
        let len = body.as_ref().len();
        if len > MAX_BODY {
            return Err(SdkError::invalid(
                ErrorKind::TooLarge,
                "body",
                format_args!("{len} bytes are above the limit of {MAX_BODY} bytes per object"),
            ));
        }
        Ok(Self {
            body,
            verify,
            address: OnceLock::new(),
        })
    }

    fn address(&self) -> AddrB3 {
        *self.address.get_or_init(|| AddrB3::of(self.body.as_ref()))
    }
}

impl<B: AsRef<[u8]>> PlaneCall for Put<B> {
    type Output = AddrB3;

    fn operation(&self) -> Operation<'_> {
        Operation::StoragePut
    }

    fn body(&self) -> &[u8] {
        self.body.as_ref()
    }

    fn verifies(&self) -> bool {
        self.verify
    }

    fn while_waiting(&self) {
        if self.verify {
            self.address();
        }
    }

    fn complete(&self, reply: Reply) -> Result<Answer<AddrB3>, SdkError> {
        let receipt: StoragePutReply =
            read_meta(&reply).map_err(|error| error.with_executed(Executed::Yes))?;
        let body = self.body.as_ref();
        let is_intact = receipt.size == body.len() as u64
            && (!self.verify || receipt.address == self.address());
        if !is_intact {
            return Err(SdkError::new(
                ErrorKind::IntegrityMismatch,
                "the gateway stored other bytes than it was sent",
            )
            .with_executed(Executed::Yes));
        }
        Ok(Answer {
            value: receipt.address,
            executed: receipt.executed,
            replayed: receipt.replayed,
        })
    }
}

pub(crate) struct Get(AddrB3);

impl Get {
    pub(crate) fn new(address: Address) -> Result<Self, SdkError> {
        check_address(address).map(Self)
    }
}

impl PlaneCall for Get {
    type Output = Bytes;

    fn operation(&self) -> Operation<'_> {
        Operation::StorageGet {
            address: self.0,
            range: None,
        }
    }

    fn cacheable(&self) -> Option<AddrB3> {
        Some(self.0)
    }

    fn restore(&self, object: Bytes) -> Option<Bytes> {
        Some(object)
    }

    fn part_to_keep<'a>(&self, object: &'a Bytes) -> Option<&'a Bytes> {
        Some(object)
    }

    fn hashes_reply(&self) -> bool {
        true
    }

    fn complete(&self, mut reply: Reply) -> Result<Answer<Bytes>, SdkError> {
        read_object(&reply, None)?;
        if reply.address() != self.0 {
            return Err(SdkError::new(
                ErrorKind::IntegrityMismatch,
                format!("the gateway's bytes are not those of {}", self.0),
            ));
        }
        Ok(Answer::of_read(reply.body))
    }
}

pub(crate) struct GetRange {
    address: AddrB3,
    range: ByteRange,
}

impl GetRange {
    pub(crate) fn new(address: Address, range: ByteRange) -> Result<Self, SdkError> {
        Ok(Self {
            address: check_address(address)?,
            range: check_range(range)?,
        })
    }
}

impl PlaneCall for GetRange {
    type Output = UnverifiedRange;

    fn operation(&self) -> Operation<'_> {
        Operation::StorageGet {
            address: self.address,
            range: Some(self.range),
        }
    }

    fn complete(&self, reply: Reply) -> Result<Answer<UnverifiedRange>, SdkError> {
        let object = read_object(&reply, Some(self.range))?;
        check_answers_for(self.address, &object)?;
        Ok(Answer::of_read(UnverifiedRange {
            bytes: reply.body,
            range: object.range.unwrap_or(self.range),
            size: object.size,
        }))
    }
}

pub(crate) struct Head(AddrB3);

impl Head {
    pub(crate) fn new(address: Address) -> Result<Self, SdkError> {
        check_address(address).map(Self)
    }
}

impl PlaneCall for Head {
    type Output = ObjectInfo;

    fn operation(&self) -> Operation<'_> {
        Operation::StorageHead { address: self.0 }
    }

    fn complete(&self, reply: Reply) -> Result<Answer<ObjectInfo>, SdkError> {
        let object: ObjectReply = read_meta(&reply)?;
        check_answers_for(self.0, &object)?;
        Ok(Answer::of_read(object.into()))
    }
}

fn check_answers_for(address: AddrB3, object: &ObjectReply) -> Result<(), SdkError> {
    if object.address == address {
        return Ok(());
    }
    let message = "the gateway answered for another object";
    Err(SdkError::new(ErrorKind::IntegrityMismatch, message))
}
