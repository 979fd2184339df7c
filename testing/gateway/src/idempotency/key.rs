//! What makes two requests the same: whose key it is, and what was asked for under it.

use crate::capability::Grant;
use ron_app_sdk::{AddrB3, IdemKey};
use std::sync::Arc;
use zeroize::Zeroize;

/// Whose keys are kept apart from everybody else's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) tenant_id: u128,
    pub(crate) subject: Arc<str>,
}

impl From<Grant> for Owner {
    fn from(grant: Grant) -> Self {
        Self {
            tenant_id: grant.tenant_id,
            subject: grant.subject,
        }
    }
}

/// Under what a mutation or a receive is known: the same for every attempt of it.
///
/// It has the hash of the idempotency key and not the key, which is a secret: what is kept for a day
/// gives no key away.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct OperationKey {
    pub(crate) owner: Owner,
    pub(crate) operation: &'static str,
    key_hash: [u8; 32],
}

impl OperationKey {
    pub(crate) fn new(owner: Owner, operation: &'static str, key: &IdemKey) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("ron idem key v1");
        hasher.update(key.expose().as_bytes());
        let key_hash = hasher.finalize().into();
        // It holds a copy of what it hashed.
        hasher.zeroize();
        Self {
            owner,
            operation,
            key_hash,
        }
    }
}

/// What was asked for under a key, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// `parameters` are the operation's own fields, in an order and form that each of its requests has.
    pub(crate) fn new(operation: &str, parameters: &[&[u8]], payload: AddrB3, size: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("ron idem fp v1");
        // With its length before it, no part can pass for the end of another.
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        part(operation.as_bytes());
        part(&(parameters.len() as u64).to_be_bytes());
        for parameter in parameters {
            part(parameter);
        }
        part(payload.digest());
        part(&size.to_be_bytes());
        Self(hasher.finalize().into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key(tenant_id: u128, subject: &str, operation: &'static str, key: &str) -> OperationKey {
        let subject = Arc::from(subject);
        let owner = Owner { tenant_id, subject };
        OperationKey::new(owner, operation, &IdemKey::new(key).unwrap())
    }

    #[test]
    fn a_key_is_its_owners_and_its_operations() {
        let one = key(1, "alice", "storage.put", "k");
        assert!(one == key(1, "alice", "storage.put", "k"));
        for other in [
            key(2, "alice", "storage.put", "k"),
            key(1, "bob", "storage.put", "k"),
            key(1, "alice", "mailbox.send", "k"),
            key(1, "alice", "storage.put", "K"),
        ] {
            assert!(one != other);
        }
    }

    #[test]
    fn what_is_kept_does_not_contain_the_key() {
        let kept = key(1, "alice", "storage.put", "canary");
        let contains = kept.key_hash.windows(6).any(|bytes| bytes == b"canary");
        assert!(!contains);
    }

    #[test]
    fn every_part_of_a_request_is_in_its_fingerprint() {
        let of = |operation: &str, parameters: &[&[u8]], payload: &[u8], size| {
            Fingerprint::new(operation, parameters, AddrB3::of(payload), size)
        };
        let one = of("put", &[b"ab", b"c"], b"payload", 7);
        assert_eq!(one, of("put", &[b"ab", b"c"], b"payload", 7));
        for other in [
            of("pub", &[b"ab", b"c"], b"payload", 7),
            of("put", &[b"a", b"bc"], b"payload", 7),
            of("put", &[b"ab"], b"payload", 7),
            of("put", &[b"ab", b"c"], b"Payload", 7),
            of("put", &[b"ab", b"c"], b"payload", 8),
        ] {
            assert_ne!(one, other);
        }
    }
}
