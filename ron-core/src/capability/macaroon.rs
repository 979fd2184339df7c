//! The token format: macaroons as libmacaroons' binary format, version 2, writes them.
//!
//! A version byte 2; then fields of a type, a length and that many bytes, both numbers as LEB128.
//! The header is an optional location (type 1), the identifier (2) and an end mark (0); each caveat is an
//! optional location, its identifier (2), an optional verification id (4) and an end mark; another end mark
//! closes the caveats, and the signature (6, 32 bytes) closes the token. The signature is a chain of
//! HMAC-SHA256, whose first key is derived from the root key.
//!
//! Source: the libmacaroons v2 format description, and Birgisson et al., "Macaroons", NDSS 2014.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroize;

const VERSION: u8 = 2;
const END: u64 = 0;
const LOCATION: u64 = 1;
const IDENTIFIER: u64 = 2;
const VERIFICATION_ID: u64 = 4;
const SIGNATURE: u64 = 6;
const SIGNATURE_LEN: usize = 32;
const MAX_CAVEATS: usize = 64;
/// The key under which a root key becomes the first key of the chain.
const KEY_GENERATOR: &[u8; 23] = b"macaroons-key-generator";

/// A token, taken apart.
pub struct Macaroon {
    location: Option<String>,
    identifier: Vec<u8>,
    caveats: Vec<Caveat>,
    signature: [u8; SIGNATURE_LEN],
}

/// A condition that narrows a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Caveat {
    location: Option<String>,
    identifier: Vec<u8>,
    verification_id: Option<Vec<u8>>,
}

impl Macaroon {
    /// A token without caveats, signed with the gateway's root key.
    pub fn mint(root_key: &[u8], location: &str, identifier: &[u8]) -> Self {
        let mut key = hmac(KEY_GENERATOR, root_key);
        let signature = hmac(&key, identifier);
        key.zeroize();
        Self {
            location: Some(location.to_owned()),
            identifier: identifier.to_vec(),
            caveats: Vec::new(),
            signature,
        }
    }

    /// The same token, narrowed by a condition of the gateway's own (a first-party caveat). Whoever holds a
    /// token can narrow it, offline; nobody can widen it again.
    ///
    /// # Errors
    /// [`MacaroonError::TooManyCaveats`] where the token has 64 already.
    pub fn attenuate(&self, condition: &[u8]) -> Result<Self, MacaroonError> {
        if self.caveats.len() >= MAX_CAVEATS {
            return Err(MacaroonError::TooManyCaveats);
        }
        let mut caveats = self.caveats.clone();
        caveats.push(Caveat {
            location: None,
            identifier: condition.to_vec(),
            verification_id: None,
        });
        Ok(Self {
            location: self.location.clone(),
            identifier: self.identifier.clone(),
            caveats,
            signature: hmac(&self.signature, condition),
        })
    }

    /// Whether the token was minted with this root key and only narrowed since. A token with a caveat of a
    /// third party is not: nobody here could confirm that it holds.
    ///
    /// It compares in constant time. The location is not signed: anybody can change it.
    #[must_use]
    pub fn verify(&self, root_key: &[u8]) -> bool {
        if self.caveats.iter().any(Caveat::is_third_party) {
            return false;
        }
        let mut key = hmac(KEY_GENERATOR, root_key);
        let mut message = &self.identifier;
        for caveat in &self.caveats {
            let next = hmac(&key, message);
            key.zeroize();
            key = next;
            message = &caveat.identifier;
        }
        let last = keyed(&key).chain_update(message);
        key.zeroize();
        last.verify_slice(&self.signature).is_ok()
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`MacaroonError`] where the bytes are not exactly one token of at most 64 caveats.
    pub fn parse(bytes: &[u8]) -> Result<Self, MacaroonError> {
        let (header, caveats, signature) = Self::parts(bytes)?;
        Ok(Self {
            location: header.location,
            identifier: header.identifier,
            caveats,
            signature: *signature,
        })
    }

    /// The identifier of a token, without a copy of its signature anywhere: stacks are not wiped.
    pub(crate) fn identifier_in(bytes: &[u8]) -> Result<Vec<u8>, MacaroonError> {
        Self::parts(bytes).map(|(header, _, _)| header.identifier)
    }

    /// The header, the caveats and the signature of a token.
    #[allow(clippy::type_complexity)] // what a token consists of
    fn parts(bytes: &[u8]) -> Result<(Caveat, Vec<Caveat>, &[u8; SIGNATURE_LEN]), MacaroonError> {
        let (version, rest) = bytes.split_first().ok_or(MacaroonError::Truncated)?;
        if *version != VERSION {
            return Err(MacaroonError::Version(*version));
        }
        let mut fields = Fields(rest);
        let header = fields.section()?.ok_or(MacaroonError::NoIdentifier)?;
        if header.verification_id.is_some() {
            return Err(MacaroonError::Field(VERIFICATION_ID));
        }
        let mut caveats = Vec::new();
        while let Some(caveat) = fields.section()? {
            if caveats.len() == MAX_CAVEATS {
                return Err(MacaroonError::TooManyCaveats);
            }
            caveats.push(caveat);
        }
        let signature = match fields.next()? {
            (SIGNATURE, bytes) => bytes.try_into().map_err(|_| MacaroonError::Signature)?,
            (field, _) => return Err(MacaroonError::Field(field)),
        };
        if !fields.0.is_empty() {
            return Err(MacaroonError::TrailingBytes);
        }
        Ok((header, caveats, signature))
    }

    /// The token's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        push_section(&mut out, self.location.as_deref(), &self.identifier, None);
        for caveat in &self.caveats {
            let (location, id) = (caveat.location.as_deref(), &caveat.identifier);
            push_section(&mut out, location, id, caveat.verification_id.as_deref());
        }
        push_number(&mut out, END);
        push_field(&mut out, SIGNATURE, &self.signature);
        out
    }

    /// Where the token is meant to be used, a hint only.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// What the gateway knows the token by.
    pub fn identifier(&self) -> &[u8] {
        &self.identifier
    }

    /// The conditions, in the order in which they were added.
    pub fn caveats(&self) -> &[Caveat] {
        &self.caveats
    }
}

impl Drop for Macaroon {
    fn drop(&mut self) {
        self.signature.zeroize();
    }
}

impl fmt::Debug for Macaroon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Macaroon({} caveats)", self.caveats.len())
    }
}

impl Caveat {
    /// The condition's text or, for a third party's, its identifier.
    pub fn identifier(&self) -> &[u8] {
        &self.identifier
    }

    /// Whether somebody else than the gateway has to confirm it.
    pub const fn is_third_party(&self) -> bool {
        self.verification_id.is_some()
    }
}

impl fmt::Debug for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caveat({} bytes)", self.identifier.len())
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Result<u64, MacaroonError> {
        let mut number = 0u64;
        for shift in (0..28).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(MacaroonError::Truncated)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(MacaroonError::Number)
    }

    fn next(&mut self) -> Result<(u64, &'a [u8]), MacaroonError> {
        let field = self.number()?;
        if field == END {
            return Ok((END, &[]));
        }
        let len = self.number()? as usize;
        if len > self.0.len() {
            return Err(MacaroonError::Truncated);
        }
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        Ok((field, bytes))
    }

    /// The header or a caveat; `None` for an end mark in its place.
    fn section(&mut self) -> Result<Option<Caveat>, MacaroonError> {
        let mut field = self.next()?;
        let mut location = None;
        if field.0 == END {
            return Ok(None);
        }
        if field.0 == LOCATION {
            let text = std::str::from_utf8(field.1).map_err(|_| MacaroonError::Location)?;
            location = Some(text.to_owned());
            field = self.next()?;
        }
        if field.0 != IDENTIFIER {
            return Err(MacaroonError::NoIdentifier);
        }
        let identifier = field.1.to_vec();
        field = self.next()?;
        let mut verification_id = None;
        if field.0 == VERIFICATION_ID {
            verification_id = Some(field.1.to_vec());
            field = self.next()?;
        }
        match field.0 {
            END => Ok(Some(Caveat {
                location,
                identifier,
                verification_id,
            })),
            other => Err(MacaroonError::Field(other)),
        }
    }
}

fn push_section(
    out: &mut Vec<u8>,
    location: Option<&str>,
    identifier: &[u8],
    verification_id: Option<&[u8]>,
) {
    if let Some(location) = location {
        push_field(out, LOCATION, location.as_bytes());
    }
    push_field(out, IDENTIFIER, identifier);
    if let Some(verification_id) = verification_id {
        push_field(out, VERIFICATION_ID, verification_id);
    }
    push_number(out, END);
}

fn push_field(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    push_number(out, field);
    push_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn hmac<const N: usize>(key: &[u8; N], message: &[u8]) -> [u8; SIGNATURE_LEN] {
    let mac = keyed(key).chain_update(message);
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA256 under a key of at most a block, which HMAC pads with zeros (RFC 2104, section 2).
fn keyed<const N: usize>(key: &[u8; N]) -> Hmac<Sha256> {
    const { assert!(N <= 64) };
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..N].copy_from_slice(key);
    let mac = Hmac::<Sha256>::new(&block);
    block.zeroize();
    mac
}

/// Why bytes are not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacaroonError {
    /// It ends in the middle of a field.
    #[error("it ends too early")]
    Truncated,
    /// Another version of the format.
    #[error("its format version is {0}, not 2")]
    Version(u8),
    /// A length or a field type that is not a number of at most four bytes.
    #[error("a number in it is too long")]
    Number,
    /// A field where it does not belong.
    #[error("a field of type {0} is out of place")]
    Field(u64),
    /// A section without an identifier.
    #[error("an identifier is missing")]
    NoIdentifier,
    /// A location that is not UTF-8.
    #[error("a location is not UTF-8")]
    Location,
    /// A signature of another length than 32 bytes.
    #[error("its signature has not 32 bytes")]
    Signature,
    /// More than 64 caveats.
    #[error("it has more than 64 caveats")]
    TooManyCaveats,
    /// Bytes after the signature.
    #[error("bytes follow its signature")]
    TrailingBytes,
}

#[cfg(test)]
mod tests;
