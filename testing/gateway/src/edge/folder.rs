//! A folder whose regular files are edge objects.
//!
//! Files are read on tokio's threads for blocking work, a bounded number at a time. An edge object's
//! address is the hash of the whole file, so it is remembered for as long as the file does not change;
//! a range then costs no more than its own bytes.

use super::EdgeSource;
use crate::answer::Answer;
use crate::selection::{ReadError, Selection};
use crate::store::{Object, Part};
use bytes::Bytes;
use ron_app_sdk::{AddrB3, ByteRange, EdgePath};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Files that are read at once.
const READERS: usize = 16;
/// Files whose address is remembered.
const KNOWN_FILES: usize = 4096;
/// How often a file that changes while it is read is read again.
const ATTEMPTS: usize = 3;
const HASH_CHUNK: usize = 64 * 1024;

/// The regular files below a folder. A symbolic link may lead to another file below it, not out of it.
#[derive(Debug)]
pub struct FolderSource {
    readers: Arc<Semaphore>,
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    known: Mutex<HashMap<PathBuf, (Version, AddrB3)>>,
    /// Held while a file is hashed, so that many calls for one large file hash it once.
    hashing: Mutex<()>,
}

/// What tells one content of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FolderSource {
    /// The files below `root`.
    ///
    /// # Errors
    /// Where `root` is no folder that can be read.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        fs::read_dir(&root)?;
        Ok(Self {
            readers: Arc::new(Semaphore::new(READERS)),
            folder: Arc::new(Folder {
                root,
                known: Mutex::default(),
                hashing: Mutex::default(),
            }),
        })
    }

    fn answer<T: Send + 'static>(
        &self,
        path: EdgePath<'_>,
        work: impl FnOnce(&Folder, &Path) -> Result<T, ReadError> + Send + 'static,
    ) -> Answer<Result<T, ReadError>> {
        let Some(path) = relative(path) else {
            return Answer::Ready(Err(ReadError::NotFound));
        };
        let (readers, folder) = (Arc::clone(&self.readers), Arc::clone(&self.folder));
        Answer::pending(async move {
            let reader = readers.acquire_owned().await;
            let work = tokio::task::spawn_blocking(move || {
                let _reader = reader;
                work(&folder, &folder.root.join(path))
            });
            work.await.unwrap_or(Err(ReadError::Unavailable))
        })
    }
}

impl EdgeSource for FolderSource {
    fn head(&self, path: EdgePath<'_>) -> Answer<Result<Object, ReadError>> {
        self.answer(path, Folder::head)
    }

    fn read(&self, path: EdgePath<'_>, selection: Selection) -> Answer<Result<Part, ReadError>> {
        self.answer(path, move |folder, path| folder.read(path, selection))
    }
}

/// The path below the root; `None` where it could name no file there.
fn relative(path: EdgePath<'_>) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for segment in path.as_str().strip_prefix('/')?.split('/') {
        let mut components = Path::new(segment).components();
        match (components.next(), components.next()) {
            (Some(Component::Normal(name)), None) if name == segment => relative.push(name),
            _ => return None,
        }
    }
    Some(relative)
}

impl Folder {
    fn head(&self, path: &Path) -> Result<Object, ReadError> {
        self.stable(|| {
            let (path, mut file, version) = self.find(path)?;
            let address = self.address(&path, &mut file, version)?;
            Ok(address.map(|address| Object {
                address,
                size: version.size,
            }))
        })
    }

    fn read(&self, path: &Path, selection: Selection) -> Result<Part, ReadError> {
        self.stable(|| {
            let (path, mut file, version) = self.find(path)?;
            match selection.resolve(version.size)? {
                None => self.read_whole(path, file, version),
                Some(range) => self.read_range(&path, &mut file, version, range),
            }
        })
    }

    /// Repeats `attempt` while it finds the file changing.
    fn stable<T>(
        &self,
        mut attempt: impl FnMut() -> Result<Option<T>, ReadError>,
    ) -> Result<T, ReadError> {
        for _ in 0..ATTEMPTS {
            if let Some(result) = attempt()? {
                return Ok(result);
            }
        }
        Err(ReadError::Unavailable)
    }

    fn find(&self, path: &Path) -> Result<(PathBuf, File, Version), ReadError> {
        let path = fs::canonicalize(path).map_err(|_| ReadError::NotFound)?;
        // Asked before opening: opening a pipe would wait for its other end.
        let is_file = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
        if !is_file || !path.starts_with(&self.root) {
            return Err(ReadError::NotFound);
        }
        let file = File::open(&path).map_err(|_| ReadError::NotFound)?;
        let version = Version::of_file(&file)?;
        Ok((path, file, version))
    }

    fn read_whole(
        &self,
        path: PathBuf,
        file: File,
        version: Version,
    ) -> Result<Option<Part>, ReadError> {
        let mut body = Vec::with_capacity(version.size as usize);
        // The size may be out of date by now, and must not be exceeded.
        file.take(version.size + 1).read_to_end(&mut body)?;
        if body.len() as u64 != version.size {
            return Ok(None);
        }
        // Hashed as it was read: the address is that of these bytes whatever happens to the file.
        let address = AddrB3::of(&body);
        self.remember(path, version, address);
        let object = Object {
            address,
            size: version.size,
        };
        Ok(Some(Part {
            object,
            range: None,
            body: Bytes::from(body),
        }))
    }

    fn read_range(
        &self,
        path: &Path,
        file: &mut File,
        version: Version,
        range: ByteRange,
    ) -> Result<Option<Part>, ReadError> {
        let Some(address) = self.address(path, file, version)? else {
            return Ok(None);
        };
        let mut body = Vec::with_capacity(range.len() as usize);
        file.seek(SeekFrom::Start(range.first()))?;
        file.take(range.len()).read_to_end(&mut body)?;
        if body.len() as u64 != range.len() || Version::of_file(file)? != version {
            return Ok(None);
        }
        let object = Object {
            address,
            size: version.size,
        };
        Ok(Some(Part {
            object,
            range: Some(range),
            body: Bytes::from(body),
        }))
    }

    /// The address of the whole file; `None` where it changed meanwhile.
    fn address(
        &self,
        path: &Path,
        file: &mut File,
        version: Version,
    ) -> Result<Option<AddrB3>, ReadError> {
        if let Some(address) = self.recall(path, version) {
            return Ok(Some(address));
        }
        let _hashing = self.hashing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = self.recall(path, version) {
            return Ok(Some(address));
        }
        let mut hasher = AddrB3::hasher();
        let mut chunk = vec![0; HASH_CHUNK];
        file.rewind()?;
        loop {
            match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => hasher.write_all(&chunk[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
        }
        if Version::of_file(file)? != version {
            return Ok(None);
        }
        let address = hasher.finish();
        self.remember(path.to_owned(), version, address);
        Ok(Some(address))
    }

    fn recall(&self, path: &Path, version: Version) -> Option<AddrB3> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, address) = known.get(path)?;
        (*of == version).then_some(*address)
    }

    fn remember(&self, path: PathBuf, version: Version, address: AddrB3) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_FILES {
            known.clear();
        }
        known.insert(path, (version, address));
    }
}

impl Version {
    fn of_file(file: &File) -> Result<Self, ReadError> {
        Ok(Self::of(&file.metadata()?))
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Unavailable
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::oap::MAX_BODY;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, FolderSource) {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(outer.path().join("secret"), "secret").unwrap();
        fs::write(root.join("sub/file"), "0123456789").unwrap();
        let source = FolderSource::open(&root).unwrap();
        (outer, source)
    }

    async fn read(
        source: &FolderSource,
        path: &str,
        selection: Selection,
    ) -> Result<Part, ReadError> {
        let path = EdgePath::new(path).unwrap();
        source.read(path, selection).wait().await
    }

    #[tokio::test]
    async fn files_are_read_whole_and_in_part_under_one_address() {
        let (_outer, source) = folder();
        let whole = read(&source, "/sub/file", Selection::Whole).await.unwrap();
        assert_eq!(&whole.body[..], b"0123456789");
        assert_eq!(whole.object.address, AddrB3::of(b"0123456789"));
        let part = read(&source, "/sub/file", Selection::Last(3))
            .await
            .unwrap();
        assert_eq!((&part.body[..], part.object), (&b"789"[..], whole.object));
        let path = EdgePath::new("/sub/file").unwrap();
        assert_eq!(source.head(path).wait().await, Ok(whole.object));
    }

    #[tokio::test]
    async fn only_regular_files_below_the_root_are_found() {
        let (outer, source) = folder();
        let root = outer.path().join("root");
        symlink(outer.path().join("secret"), root.join("out")).unwrap();
        symlink(outer.path(), root.join("up")).unwrap();
        symlink(root.join("sub/file"), root.join("in")).unwrap();
        let absolute = format!("/{}", outer.path().join("secret").display());
        for path in [
            "/out",
            "/up/secret",
            "/sub",
            "/",
            "//sub/file",
            "/sub/file/",
            "/sub//file",
            &absolute,
        ] {
            let result = read(&source, path, Selection::Whole).await;
            assert_eq!(result, Err(ReadError::NotFound), "{path}");
        }
        assert!(read(&source, "/in", Selection::Whole).await.is_ok());
    }

    #[tokio::test]
    async fn a_changed_file_has_a_new_address() {
        let (outer, source) = folder();
        let path = EdgePath::new("/sub/file").unwrap();
        let before = source.head(path).wait().await.unwrap();
        fs::write(outer.path().join("root/sub/new"), "abcdefghij").unwrap();
        fs::rename(
            outer.path().join("root/sub/new"),
            outer.path().join("root/sub/file"),
        )
        .unwrap();
        let after = source.head(path).wait().await.unwrap();
        assert_ne!(before.address, after.address);
        assert_eq!(after.address, AddrB3::of(b"abcdefghij"));
    }

    #[tokio::test]
    async fn a_large_file_is_read_in_ranges_only() {
        let (outer, source) = folder();
        let content = vec![7; MAX_BODY + 10];
        fs::write(outer.path().join("root/large"), &content).unwrap();
        let size = content.len() as u64;
        let whole = read(&source, "/large", Selection::Whole).await;
        assert_eq!(whole, Err(ReadError::TooLarge { size }));
        let part = read(&source, "/large", Selection::From(11)).await.unwrap();
        assert_eq!(part.body.len(), MAX_BODY - 1);
        assert_eq!(part.object.address, AddrB3::of(&content));
    }

    #[test]
    fn a_root_that_is_no_folder_is_refused() {
        let (outer, _source) = folder();
        assert!(FolderSource::open(&outer.path().join("secret")).is_err());
        assert!(FolderSource::open(&outer.path().join("absent")).is_err());
    }
}
