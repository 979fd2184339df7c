//! What is recorded of a mutation.

use crate::outcome::Outcome;
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::oap::{EffectReply, Executed, MailboxSendReply, StoragePutReply};
use ron_app_sdk::AddrB3;

/// What came of a mutation: all that its reply says, on the first attempt and on every later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// An object of so many bytes was stored.
    Put { address: AddrB3, size: u64 },
    /// A message was taken.
    Send { id: Token },
    /// A name stands for something.
    Publish,
}

impl Receipt {
    /// The reply, of the attempt that was executed or of a later one.
    pub(crate) fn outcome(self, replayed: bool) -> Outcome {
        let executed = Executed::Yes;
        match self {
            Self::Put { address, size } => Outcome::put(StoragePutReply {
                executed,
                replayed,
                address,
                size,
            }),
            Self::Send { id } => Outcome::send(MailboxSendReply {
                executed,
                replayed,
                id: id.as_str().to_owned(),
            }),
            Self::Publish => Outcome::effect(EffectReply { executed, replayed }),
        }
    }
}
