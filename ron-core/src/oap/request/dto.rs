//! The documents themselves: the fields of each operation's meta.

use super::CallContext;
use crate::address::AddrB3;
use crate::idempotency::IdemKey;
use crate::index::{Expected, IndexKey};
use crate::mailbox::{Attributes, Token, Topic};
use crate::range::ByteRange;
use serde::Deserialize;
use std::borrow::Cow;

/// A DTO: the common fields, then the operation's own.
macro_rules! dto {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name<'a> {
            #[serde(borrow, rename = "op")]
            _op: Cow<'a, str>,
            deadline_ms: u32,
            #[serde(default)]
            idem: Option<IdemKey>,
            attempt: u8,
            #[serde(default)]
            traceparent: Option<Cow<'a, str>>,
            $($(#[$attribute])* pub(super) $field: $type,)*
        }

        impl<'a> $name<'a> {
            pub(super) fn context(&self) -> CallContext {
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
    #[serde(default)]
    range: Option<ByteRange>
});
dto!(HeadByAddress { address: AddrB3 });
dto!(GetByPath {
    path: Cow<'a, str>,
    #[serde(default)]
    range: Option<ByteRange>
});
dto!(HeadByPath { path: Cow<'a, str> });
dto!(Send {
    topic: Topic,
    #[serde(default)]
    attrs: Cow<'a, Attributes>
});
dto!(ReceiveFrom {
    topic: Topic,
    max: u16,
    visibility_ms: u32,
    #[serde(default)]
    wait_ms: u32,
    receive_id: IdemKey
});
dto!(Ack {
    topic: Topic,
    id: Token,
    lease: Token
});
dto!(Nack {
    topic: Topic,
    id: Token,
    lease: Token,
    #[serde(default)]
    delay_ms: u32
});
dto!(Extend {
    topic: Topic,
    id: Token,
    lease: Token,
    visibility_ms: u32
});
dto!(Resolve { key: IndexKey });
dto!(Publish {
    key: IndexKey,
    address: AddrB3,
    #[serde(default)]
    expected: Option<Expected>
});

/// The one field that has to be read before the DTO is known.
#[derive(Deserialize)]
pub(super) struct OperationName<'a> {
    #[serde(borrow)]
    pub(super) op: Cow<'a, str>,
}
