//! What came of a call, before a protocol puts it into its own form.

use bytes::Bytes;
use ron_app_sdk::oap::{
    EffectReply, ErrorReply, Executed, IndexResolveReply, MailboxReceiveReply, MailboxSendReply,
    ObjectReply, StoragePutReply,
};

/// What came of a call.
pub(crate) struct Outcome {
    /// The status.
    pub(crate) code: u16,
    /// What is said about it.
    pub(crate) reply: Reply,
    /// The object or its range, or the messages' bodies one after the other; empty otherwise.
    pub(crate) body: Bytes,
    /// What is to happen when the reply has been handed to the connection.
    pub(crate) on_replied: OnReplied,
}

/// What is to happen when a reply has been handed to its connection. Where it is not, this is dropped
/// with it, and does not happen.
#[derive(Default)]
pub(crate) struct OnReplied(Option<Box<dyn FnOnce() + Send>>);

impl OnReplied {
    pub(crate) fn new(action: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(action)))
    }

    /// To be called by whoever handed out the reply.
    pub(crate) fn replied(self) {
        if let Some(action) = self.0 {
            action();
        }
    }
}

/// The meta of a reply.
#[derive(Debug)]
pub(crate) enum Reply {
    Put(StoragePutReply),
    Object(ObjectReply),
    Send(MailboxSendReply),
    Receive(MailboxReceiveReply),
    Effect(EffectReply),
    Resolve(IndexResolveReply),
    Error(ErrorReply),
    /// A meta that is none of the above.
    Raw(Vec<u8>),
}

impl Outcome {
    fn new(code: u16, reply: Reply, body: Bytes) -> Self {
        Self {
            code,
            reply,
            body,
            on_replied: OnReplied::default(),
        }
    }

    pub(crate) fn put(reply: StoragePutReply) -> Self {
        Self::new(200, Reply::Put(reply), Bytes::new())
    }

    pub(crate) fn send(reply: MailboxSendReply) -> Self {
        Self::new(200, Reply::Send(reply), Bytes::new())
    }

    pub(crate) fn receive(reply: MailboxReceiveReply, bodies: Bytes) -> Self {
        Self::new(200, Reply::Receive(reply), bodies)
    }

    pub(crate) fn effect(reply: EffectReply) -> Self {
        Self::new(200, Reply::Effect(reply), Bytes::new())
    }

    pub(crate) fn resolve(reply: IndexResolveReply) -> Self {
        Self::new(200, Reply::Resolve(reply), Bytes::new())
    }

    pub(crate) fn object(reply: ObjectReply, body: Bytes) -> Self {
        let code = if reply.range.is_some() { 206 } else { 200 };
        Self::new(code, Reply::Object(reply), body)
    }

    /// The same with another certainty about the effect.
    pub(crate) fn error(error: impl Into<ErrorReply>, executed: Executed) -> Self {
        let error = ErrorReply {
            executed,
            ..error.into()
        };
        Self::new(error.reason.code(), Reply::Error(error), Bytes::new())
    }

    /// The same with something to happen when it has been handed to the connection.
    pub(crate) fn on_replied(self, on_replied: OnReplied) -> Self {
        Self { on_replied, ..self }
    }
}

impl Reply {
    /// The JSON document.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // None of the DTOs can fail to serialise into memory.
        match self {
            Self::Put(reply) => serde_json::to_vec(reply),
            Self::Object(reply) => serde_json::to_vec(reply),
            Self::Send(reply) => serde_json::to_vec(reply),
            Self::Receive(reply) => serde_json::to_vec(reply),
            Self::Effect(reply) => serde_json::to_vec(reply),
            Self::Resolve(reply) => serde_json::to_vec(reply),
            Self::Error(reply) => serde_json::to_vec(reply),
            Self::Raw(meta) => Ok(meta.clone()),
        }
        .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ron_app_sdk::oap::Reason;

    #[test]
    fn an_error_has_its_reasons_code_and_says_whether_it_took_effect() {
        let error = ErrorReply::not_executed(Reason::DeadlineExceeded);
        let outcome = Outcome::error(error, Executed::Unknown);
        assert_eq!(outcome.code, 408);
        assert_eq!(
            outcome.reply.to_json(),
            br#"{"reason":"deadline_exceeded","executed":"unknown"}"#
        );
    }
}
