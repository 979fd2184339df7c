//! The operations, and with which payloads each is measured.

use ron_app_sdk::MAX_BODY;

/// An operation of the SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Store an object.
    StoragePut,
    /// Fetch an object.
    StorageGet,
    /// Fetch all of an object as a range of it.
    StorageGetRange,
    /// Ask for an object's size.
    StorageHead,
    /// Fetch the object at a path.
    EdgeGet,
    /// Ask for the size of the object at a path.
    EdgeHead,
    /// Send a message.
    MailboxSend,
    /// Receive one message.
    MailboxReceive,
    /// Receive as many messages as there are, up to 16.
    MailboxRecv,
    /// Acknowledge a message.
    MailboxAck,
    /// Give a message back.
    MailboxNack,
    /// Keep a message for longer.
    MailboxExtend,
    /// Ask what a name stands for.
    IndexResolve,
    /// Let a name stand for something.
    IndexPublish,
}

/// All of them.
pub const OPERATIONS: [Operation; 14] = [
    Operation::StoragePut,
    Operation::StorageGet,
    Operation::StorageGetRange,
    Operation::StorageHead,
    Operation::EdgeGet,
    Operation::EdgeHead,
    Operation::MailboxSend,
    Operation::MailboxReceive,
    Operation::MailboxRecv,
    Operation::MailboxAck,
    Operation::MailboxNack,
    Operation::MailboxExtend,
    Operation::IndexResolve,
    Operation::IndexPublish,
];

impl Operation {
    /// What the SDK calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::StoragePut => "storage_put",
            Self::StorageGet => "storage_get",
            Self::StorageGetRange => "storage_get_range",
            Self::StorageHead => "storage_head",
            Self::EdgeGet => "edge_get",
            Self::EdgeHead => "edge_head",
            Self::MailboxSend => "mailbox_send",
            Self::MailboxReceive => "mailbox_receive",
            Self::MailboxRecv => "mailbox_recv",
            Self::MailboxAck => "mailbox_ack",
            Self::MailboxNack => "mailbox_nack",
            Self::MailboxExtend => "mailbox_extend",
            Self::IndexResolve => "index_resolve",
            Self::IndexPublish => "index_publish",
        }
    }

    /// The payloads of its requests, or of its replies.
    pub fn payloads(self) -> &'static [Payload] {
        match self {
            Self::StoragePut
            | Self::StorageGet
            | Self::StorageGetRange
            | Self::EdgeGet
            | Self::MailboxSend
            | Self::MailboxReceive
            | Self::MailboxRecv => &[Payload::B64, Payload::KiB4, Payload::KiB64, Payload::Limit],
            Self::StorageHead
            | Self::EdgeHead
            | Self::MailboxAck
            | Self::MailboxNack
            | Self::MailboxExtend
            | Self::IndexResolve
            | Self::IndexPublish => &[Payload::None],
        }
    }

    /// Whether calls leave messages behind, or need some.
    pub(crate) fn is_of_mailbox(self) -> bool {
        matches!(
            self,
            Self::MailboxSend
                | Self::MailboxReceive
                | Self::MailboxRecv
                | Self::MailboxAck
                | Self::MailboxNack
                | Self::MailboxExtend
        )
    }
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The operation carries no body.
    None,
    /// 64 bytes.
    B64,
    /// 4 KiB.
    KiB4,
    /// 64 KiB.
    KiB64,
    /// As much as one envelope carries.
    Limit,
}

impl Payload {
    /// As it appears in the name of a bench.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::B64 => "64B",
            Self::KiB4 => "4KiB",
            Self::KiB64 => "64KiB",
            Self::Limit => "limit",
        }
    }

    /// How many bytes that is.
    pub fn bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::B64 => 64,
            Self::KiB4 => 4 * 1024,
            Self::KiB64 => 64 * 1024,
            Self::Limit => MAX_BODY,
        }
    }
}
