//! Index: names of addresses.

use super::{check_address, read_meta};
use crate::address::{AddrB3, Address};
use crate::call::{Answer, PlaneCall};
use crate::error::SdkError;
use crate::index::{Expected, IndexKey};
use crate::oap::{EffectReply, Executed, IndexResolveReply, Operation};
use crate::transport::Reply;

pub(crate) struct Resolve(IndexKey);

impl Resolve {
    pub(crate) fn new(key: &IndexKey) -> Self {
        Self(key.clone())
    }
}

impl PlaneCall for Resolve {
    type Output = AddrB3;

    fn operation(&self) -> Operation<'_> {
        Operation::IndexResolve {
            key: self.0.clone(),
        }
    }

    fn complete(&self, reply: Reply) -> Result<Answer<AddrB3>, SdkError> {
        let reply: IndexResolveReply = read_meta(&reply)?;
        Ok(Answer::of_read(reply.address))
    }
}

pub(crate) struct Publish {
    key: IndexKey,
    address: AddrB3,
    expected: Option<Expected>,
}

impl Publish {
    pub(crate) fn new(
        key: &IndexKey,
        address: Address,
        expected: Option<Expected>,
    ) -> Result<Self, SdkError> {
        Ok(Self {
            key: key.clone(),
            address: check_address(address)?,
            expected,
        })
    }
}

impl PlaneCall for Publish {
    type Output = ();

    fn operation(&self) -> Operation<'_> {
        Operation::IndexPublish {
            key: self.key.clone(),
            address: self.address,
            expected: self.expected,
        }
    }

    fn complete(&self, reply: Reply) -> Result<Answer<()>, SdkError> {
        let effect: EffectReply =
            read_meta(&reply).map_err(|error| error.with_executed(Executed::Yes))?;
        Ok(Answer::of_effect(effect))
    }
}
