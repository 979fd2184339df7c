//! Replies in the very form in which gateways write them: without spaces, the fields in their order.
//!
//! To read that form is to compare it, byte by byte. Whatever differs is left to the JSON parser, which then
//! has the last word on what is wrong.

use super::reply::{
    EffectReply, Executed, IndexResolveReply, MailboxReceiveReply, MailboxSendReply, ObjectReply,
    StoragePutReply,
};
use crate::address::{AddrB3, TEXT_LEN};
use crate::mailbox::Token;
use serde::de::DeserializeOwned;

/// The meta of a successful reply.
pub(crate) trait ReplyMeta: DeserializeOwned {
    /// Reads the canonical form; `None` where the text has another one.
    fn from_canonical(_text: &[u8]) -> Option<Self> {
        None
    }

    /// Reads any form.
    fn read(text: &[u8]) -> serde_json::Result<Self> {
        match Self::from_canonical(text) {
            Some(meta) => Ok(meta),
            None => serde_json::from_slice(text),
        }
    }
}

impl ReplyMeta for ObjectReply {
    fn from_canonical(text: &[u8]) -> Option<Self> {
        let mut text = Text(text);
        text.literal(br#"{"executed":"no","address":""#)?;
        let address = text.address()?;
        text.literal(br#"","size":"#)?;
        let size = text.number()?;
        text.end(b"}")?;
        Some(Self {
            executed: Executed::No,
            address,
            size,
            range: None,
        })
    }
}

impl ReplyMeta for StoragePutReply {
    fn from_canonical(text: &[u8]) -> Option<Self> {
        let mut text = Text(text);
        let replayed = text.effect()?;
        text.literal(br#","address":""#)?;
        let address = text.address()?;
        text.literal(br#"","size":"#)?;
        let size = text.number()?;
        text.end(b"}")?;
        Some(Self {
            executed: Executed::Yes,
            replayed,
            address,
            size,
        })
    }
}

impl ReplyMeta for MailboxSendReply {
    fn from_canonical(text: &[u8]) -> Option<Self> {
        let mut text = Text(text);
        let replayed = text.effect()?;
        text.literal(br#","id":""#)?;
        let id = std::str::from_utf8(text.0.strip_suffix(br#""}"#)?).ok()?;
        Token::check(id).ok()?;
        Some(Self {
            executed: Executed::Yes,
            replayed,
            id: id.to_owned(),
        })
    }
}

impl ReplyMeta for EffectReply {
    fn from_canonical(text: &[u8]) -> Option<Self> {
        let mut text = Text(text);
        let replayed = text.effect()?;
        text.end(b"}")?;
        Some(Self {
            executed: Executed::Yes,
            replayed,
        })
    }
}

impl ReplyMeta for IndexResolveReply {
    fn from_canonical(text: &[u8]) -> Option<Self> {
        let mut text = Text(text);
        text.literal(br#"{"executed":"no","address":""#)?;
        let address = text.address()?;
        text.end(br#""}"#)?;
        Some(Self {
            executed: Executed::No,
            address,
        })
    }
}

impl ReplyMeta for MailboxReceiveReply {}

/// What is left to read.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    /// Takes a literal off the front; `None` where the text goes on otherwise.
    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// Whether the literal is all that is left.
    fn end(&self, literal: &[u8]) -> Option<()> {
        (self.0 == literal).then_some(())
    }

    /// How the reply to every mutation begins; whether it is a replay.
    fn effect(&mut self) -> Option<bool> {
        self.literal(br#"{"executed":"yes","replayed":"#)?;
        match self.literal(b"false") {
            Some(()) => Some(false),
            None => self.literal(b"true").map(|()| true),
        }
    }

    fn address(&mut self) -> Option<AddrB3> {
        let (text, rest) = (self.0.get(..TEXT_LEN)?, self.0.get(TEXT_LEN..)?);
        self.0 = rest;
        AddrB3::from_text(text).ok()
    }

    /// A whole number as JSON writes it, of at most 19 digits: those cannot overflow.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=19).contains(&digits) || (digits > 1 && self.0[0] == b'0') {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        Some(
            number
                .iter()
                .fold(0, |value, digit| value * 10 + u64::from(digit - b'0')),
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Serialize;
    use std::fmt::Debug;

    /// What a gateway writes is in the canonical form, and whatever is read as that form means what it says as
    /// JSON, also where a byte of it is another.
    fn check<T>(reply: &T, at: prop::sample::Index, byte: u8) -> Result<(), TestCaseError>
    where
        T: ReplyMeta + Serialize + PartialEq + Debug,
    {
        let mut text = serde_json::to_vec(reply).unwrap();
        let read = T::from_canonical(&text);
        prop_assert_eq!(read.as_ref(), Some(reply));
        let at = at.index(text.len());
        text[at] = byte;
        for text in [&text[..], &text[..at]] {
            if let Some(read) = T::from_canonical(text) {
                prop_assert_eq!(serde_json::from_slice::<T>(text).unwrap(), read);
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn canonical_replies_are_read_as_json_is(
            digest: [u8; 32], size in 0u64..=10_000_000_000_000_000_000, replayed: bool,
            id in "[A-Za-z0-9._:~-]{1,128}", at: prop::sample::Index, byte: u8,
        ) {
            let address = AddrB3::from_digest(digest);
            let (size, range) = (size.min(9_999_999_999_999_999_999), None);
            check(&ObjectReply { executed: Executed::No, address, size, range }, at, byte)?;
            check(&IndexResolveReply { executed: Executed::No, address }, at, byte)?;
            let executed = Executed::Yes;
            check(&StoragePutReply { executed, replayed, address, size }, at, byte)?;
            check(&MailboxSendReply { executed, replayed, id }, at, byte)?;
            check(&EffectReply { executed, replayed }, at, byte)?;
        }
    }
}
