//! Tokens that do not count any more, by their ids.

use super::identifier::{check_token_id, IdentifierError};
use std::collections::HashSet;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

/// The ids of revoked tokens, from a file with one on each line. Empty lines and those that begin with `#`
/// do not count. Clones share what they know.
///
/// The file is read when it is opened and in [`Revocations::refresh`], and not while a token is checked.
#[derive(Clone, Default)]
pub struct Revocations(Arc<Shared>);

#[derive(Default)]
struct Shared {
    path: Option<PathBuf>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    token_ids: HashSet<Box<str>>,
    version: Option<Version>,
}

/// What differs where a file has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    len: u64,
    modified: Option<SystemTime>,
}

impl Revocations {
    /// These ids and no others, for as long as it lives.
    ///
    /// # Errors
    /// Where one breaks its rule.
    pub fn of<'a>(token_ids: impl IntoIterator<Item = &'a str>) -> Result<Self, IdentifierError> {
        let mut known = Known::default();
        for token_id in token_ids {
            check_token_id(token_id)?;
            known.token_ids.insert(token_id.into());
        }
        Ok(Self(Arc::new(Shared {
            path: None,
            known: RwLock::new(known),
        })))
    }

    /// The ids in a file.
    ///
    /// # Errors
    /// Where it cannot be read, or a line is not a token id.
    pub fn open(path: &Path) -> io::Result<Self> {
        let revocations = Self(Arc::new(Shared {
            path: Some(path.to_owned()),
            known: RwLock::default(),
        }));
        revocations.refresh()?;
        Ok(revocations)
    }

    /// Reads the file again where it has changed, and says whether it had. It waits for the disk.
    ///
    /// # Errors
    /// Where it cannot be read, or a line is not a token id. What was revoked stays revoked then, and what
    /// could be read is revoked too.
    pub fn refresh(&self) -> io::Result<bool> {
        let Some(path) = &self.0.path else {
            return Ok(false);
        };
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        // Its version is taken first: what is written while it is read will be seen the next time.
        let version = version(&std::fs::metadata(path).map_err(named)?);
        if self.known().version == Some(version) {
            return Ok(false);
        }
        let text = std::fs::read_to_string(path).map_err(named)?;
        let (mut token_ids, mut malformed) = (HashSet::new(), None);
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match check_token_id(line) {
                Ok(()) => drop(token_ids.insert(line.into())),
                Err(error) => malformed = malformed.or(Some((number, error))),
            }
        }
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        known.version = Some(version);
        match malformed {
            None => {
                known.token_ids = token_ids;
                Ok(true)
            }
            Some((number, error)) => {
                known.token_ids.extend(token_ids);
                let error = format!("line {number}: {error}");
                Err(named(io::Error::new(io::ErrorKind::InvalidData, error)))
            }
        }
    }

    /// Whether there is a file that could change.
    pub fn has_file(&self) -> bool {
        self.0.path.is_some()
    }

    /// Whether a token is revoked.
    pub fn contains(&self, token_id: &str) -> bool {
        self.known().token_ids.contains(token_id)
    }

    /// Adds an id to a file, which is made where there is none, and returns when it is on the disk; false
    /// where it was there already.
    ///
    /// # Errors
    /// Where the file cannot be read or written, or a line or the id breaks its rule.
    pub fn append(path: &Path, token_id: &str) -> io::Result<bool> {
        check_token_id(token_id)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(path)?;
        if Self::open(path)?.contains(token_id) {
            // Whoever wrote it may not have come to the next line.
            file.sync_all()?;
            return Ok(false);
        }
        let text = std::fs::read(path)?;
        let is_open = text.last().is_some_and(|last| *last != b'\n');
        let line = format!("{}{token_id}\n", if is_open { "\n" } else { "" });
        // In one write, so that lines of several writers do not mix.
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(true)
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        // A panic elsewhere cannot have left a change half done that would matter.
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revocations({})", self.known().token_ids.len())
    }
}

fn version(metadata: &Metadata) -> Version {
    Version {
        inode: metadata.ino(),
        len: metadata.len(),
        modified: metadata.modified().ok(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_counts_after_the_next_refresh_and_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        assert!(Revocations::open(&path).is_err(), "there is no file");
        assert!(Revocations::append(&path, "a").unwrap());
        let revocations = Revocations::open(&path).unwrap();
        assert!(revocations.contains("a") && !revocations.contains("b"));
        assert!(Revocations::append(&path, "b").unwrap());
        assert!(!Revocations::append(&path, "b").unwrap());
        assert!(revocations.refresh().unwrap() && revocations.contains("b"));
        assert!(!revocations.refresh().unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
        assert!(Revocations::append(&path, "two words").is_err());
    }

    #[test]
    fn a_last_line_without_an_end_is_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        std::fs::write(&path, "# stolen\r\n\r\na").unwrap();
        assert!(Revocations::append(&path, "b").unwrap());
        let revocations = Revocations::open(&path).unwrap();
        assert!(revocations.contains("a") && revocations.contains("b"));
    }

    #[test]
    fn a_file_that_breaks_forgets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        std::fs::write(&path, "a\n").unwrap();
        let revocations = Revocations::open(&path).unwrap();
        std::fs::write(&path, "b\nnot an id\n").unwrap();
        assert!(Revocations::open(&path).is_err());
        let error = revocations.refresh().unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(revocations.contains("a") && revocations.contains("b"));
        std::fs::remove_file(&path).unwrap();
        assert!(revocations.refresh().is_err() && revocations.contains("a"));
        std::fs::write(&path, "b\n").unwrap();
        assert!(revocations.refresh().unwrap() && !revocations.contains("a"));
    }
}
