//! The edge plane's state: objects under a path.

mod folder;

pub use folder::FolderSource;

use crate::answer::Answer;
use crate::selection::{ReadError, Selection};
use crate::store::{Object, Part};
use bytes::Bytes;
use ron_app_sdk::{AddrB3, EdgePath};
use std::io;
use std::path::Path;

/// Objects under a path.
///
/// Answers own what they need, so that a call does not borrow the source while it waits.
pub trait EdgeSource: Send + Sync {
    /// Describes the object at `path`.
    fn head(&self, path: EdgePath<'_>) -> Answer<Result<Object, ReadError>>;

    /// Reads the selected bytes of the object at `path`.
    fn read(&self, path: EdgePath<'_>, selection: Selection) -> Answer<Result<Part, ReadError>>;
}

/// The path of the object that every gateway has.
pub const SAMPLE_PATH: &str = "/ron/64k";
/// The size of the object that every gateway has, in bytes.
pub const SAMPLE_SIZE: usize = 65_536;

/// The object that every gateway has at [`SAMPLE_PATH`]: [`SAMPLE_SIZE`] bytes, of which the one at
/// offset `i` is `(7 i + i / 251) mod 256`, so that no two ranges of it look alike.
pub fn sample() -> Vec<u8> {
    (0..SAMPLE_SIZE).map(|i| (7 * i + i / 251) as u8).collect()
}

/// The gateway's own source: a folder, if there is one, and [`sample`].
#[derive(Debug)]
pub struct Edge {
    sample_address: AddrB3,
    sample: Bytes,
    folder: Option<FolderSource>,
}

impl Edge {
    /// The files below `root`, if given, and the sample.
    ///
    /// # Errors
    /// Where `root` is no folder that can be read.
    pub fn open(root: Option<&Path>) -> io::Result<Self> {
        let sample = Bytes::from(sample());
        Ok(Self {
            sample_address: AddrB3::of(&sample),
            sample,
            folder: root.map(FolderSource::open).transpose()?,
        })
    }
}

impl EdgeSource for Edge {
    fn head(&self, path: EdgePath<'_>) -> Answer<Result<Object, ReadError>> {
        if path.as_str() == SAMPLE_PATH {
            return Answer::Ready(Ok(Object {
                address: self.sample_address,
                size: SAMPLE_SIZE as u64,
            }));
        }
        match &self.folder {
            Some(folder) => folder.head(path),
            None => Answer::Ready(Err(ReadError::NotFound)),
        }
    }

    fn read(&self, path: EdgePath<'_>, selection: Selection) -> Answer<Result<Part, ReadError>> {
        if path.as_str() == SAMPLE_PATH {
            return Answer::Ready(Part::of(self.sample_address, &self.sample, selection));
        }
        match &self.folder {
            Some(folder) => folder.read(path, selection),
            None => Answer::Ready(Err(ReadError::NotFound)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_sample_is_there_without_a_folder() {
        let edge = Edge::open(None).unwrap();
        let path = EdgePath::new(SAMPLE_PATH).unwrap();
        let part = edge.read(path, Selection::Whole).wait().await.unwrap();
        assert_eq!(part.body, sample());
        assert_eq!(part.object.address, AddrB3::of(&sample()));
        assert_eq!(edge.head(path).wait().await, Ok(part.object));
        let other = EdgePath::new("/other").unwrap();
        assert_eq!(edge.head(other).wait().await, Err(ReadError::NotFound));
    }

    #[test]
    fn the_sample_is_what_it_is_documented_to_be() {
        let sample = sample();
        assert_eq!(sample.len(), 65_536);
        assert_eq!((sample[1], sample[251], sample[65_535]), (7, 222, 254));
        assert_ne!(sample[..256], sample[256..512]);
    }
}
