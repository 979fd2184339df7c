//! Root keys: what tokens are minted and verified with.

use super::identifier::{check_key_id, IdentifierError};
use super::minter::Minter;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine as _;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How long a key is at least: as long as what HMAC-SHA256 makes of it.
const SHORTEST: usize = 32;

/// The root keys of a gateway, by id. The first one mints; all of them verify, so that a key can be replaced
/// while the tokens of the old one live on.
///
/// A file of root keys has a line for each: its id, a space, and the key as base64url. Empty lines and those
/// that begin with `#` do not count. `Debug` shows the ids alone, and the keys are wiped with the last clone.
#[derive(Clone, Default)]
pub struct KeyRing(Vec<Arc<RootKey>>);

pub(super) struct RootKey {
    id: String,
    secret: Zeroizing<Vec<u8>>,
}

impl RootKey {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl KeyRing {
    /// One random key.
    ///
    /// # Errors
    /// Where the id breaks its rule or the operating system has no randomness to give.
    pub fn generate(id: &str) -> Result<Self, RootKeyError> {
        let mut keys = Self::default();
        keys.add(id, &random()?[..])?;
        Ok(keys)
    }

    /// Adds a key, of at least 32 bytes.
    ///
    /// # Errors
    /// Where the id breaks its rule or is there already, or the key is too short.
    pub fn add(&mut self, id: &str, secret: &[u8]) -> Result<(), RootKeyError> {
        check_key_id(id)?;
        if secret.len() < SHORTEST {
            return Err(RootKeyError::Short);
        }
        if self.find(id).is_some() {
            return Err(RootKeyError::Twice);
        }
        self.0.push(Arc::new(RootKey {
            id: id.to_owned(),
            secret: Zeroizing::new(secret.to_vec()),
        }));
        Ok(())
    }

    /// Adds the keys of a file.
    ///
    /// # Errors
    /// Where it cannot be read, holds no key, or a line breaks a rule; the error names the file and the line.
    pub fn read(&mut self, path: &Path) -> io::Result<()> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(named)?);
        let count = self.0.len();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            self.read_line(line).map_err(|error| {
                let message = format!("{}: line {number}: {error}", path.display());
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
        }
        if self.0.len() == count {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it holds no root key");
            return Err(named(error));
        }
        Ok(())
    }

    fn read_line(&mut self, line: &str) -> Result<(), RootKeyError> {
        let mut words = line.split_ascii_whitespace();
        let (Some(id), Some(key), None) = (words.next(), words.next(), words.next()) else {
            return Err(RootKeyError::Line);
        };
        let secret = URL_SAFE_NO_PAD.decode(key.trim_end_matches('='));
        let secret = Zeroizing::new(secret.map_err(|_| RootKeyError::Line)?);
        self.add(id, &secret)
    }

    /// Makes a file of one random key, which only its owner can read.
    ///
    /// # Errors
    /// Where the file is there already or cannot be written, or the id breaks its rule.
    pub fn create_file(path: &Path, id: &str) -> io::Result<()> {
        check_key_id(id).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let secret = random().map_err(io::Error::other)?;
        let key = Zeroizing::new(URL_SAFE_NO_PAD.encode(&secret[..]));
        let line = Zeroizing::new(format!("{id} {}\n", *key));
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What mints with the key of this id, or with the first one; `None` where there is no such key.
    pub fn minter(&self, id: Option<&str>) -> Option<Minter> {
        let key = match id {
            Some(id) => self.find(id),
            None => self.0.first(),
        };
        key.map(|key| Minter::new(Arc::clone(key)))
    }

    pub(super) fn find(&self, id: &str) -> Option<&Arc<RootKey>> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.id))
            .finish()
    }
}

fn random() -> Result<Zeroizing<[u8; SHORTEST]>, RootKeyError> {
    let mut secret = Zeroizing::new([0; SHORTEST]);
    getrandom::fill(&mut secret[..]).map_err(|_| RootKeyError::Randomness)?;
    Ok(secret)
}

/// Why something is not a root key. It does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootKeyError {
    /// Its id breaks the rule.
    #[error(transparent)]
    Id(#[from] IdentifierError),
    /// It has fewer than 32 bytes.
    #[error("a root key has at least 32 bytes")]
    Short,
    /// Its id is that of another key.
    #[error("its key id is that of another key")]
    Twice,
    /// A line of a file is not in the format.
    #[error("it is not a key id, a space and the key as base64url")]
    Line,
    /// The operating system has no randomness to give.
    #[error("the operating system has no randomness to give")]
    Randomness,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_file_of_keys_is_read_and_the_first_one_mints() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, format!("# keys\n\nnew {KEY}=\n old\t{KEY} \r\n")).unwrap();
        let mut keys = KeyRing::default();
        keys.read(&path).unwrap();
        assert_eq!(format!("{keys:?}"), r#"["new", "old"]"#);
        assert_eq!(format!("{:?}", keys.minter(None).unwrap()), "Minter(new)");
        assert!(keys.minter(Some("old")).is_some() && keys.minter(Some("x")).is_none());
        assert_eq!(keys.find("old").unwrap().secret(), [0; 32]);
    }

    #[test]
    fn a_bad_file_is_refused_with_its_line_and_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for (text, complaint) in [
            (String::new(), "no root key"),
            ("# nothing\n".to_owned(), "no root key"),
            ("canary\n".to_owned(), "line 1"),
            (format!("\nk {KEY} canary\n"), "line 2"),
            ("k canary+\n".to_owned(), "line 1"),
            ("k AAAA\n".to_owned(), "32 bytes"),
            (format!("a:canary {KEY}\n"), "key id"),
            (format!("k {KEY}\nk {KEY}\n"), "line 2: its key id"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = KeyRing::default().read(&path).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
            assert!(
                error.contains("keys: ") && !error.contains("canary"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_made_file_is_its_owners_alone_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        KeyRing::create_file(&path, "k1").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut keys = KeyRing::default();
        keys.read(&path).unwrap();
        assert_eq!(keys.find("k1").unwrap().secret().len(), 32);
        let again = KeyRing::create_file(&path, "k1").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert!(KeyRing::create_file(&folder.path().join("x"), "a b").is_err());
    }
}
