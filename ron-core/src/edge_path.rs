//! Paths of edge objects.

use std::fmt;

/// The longest edge path in bytes.
pub const MAX_EDGE_PATH: usize = 1024;

/// A checked edge path: UTF-8 that starts with `/`, at most 1,024 bytes, without `.` and `..` segments
/// and without NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EdgePath<'a>(&'a str);

impl<'a> EdgePath<'a> {
    /// Checks a path.
    ///
    /// # Errors
    /// [`EdgePathError`] names the rule that it breaks.
    pub fn new(path: &'a str) -> Result<Self, EdgePathError> {
        if !path.starts_with('/') {
            return Err(EdgePathError::NoSlash);
        }
        if path.len() > MAX_EDGE_PATH {
            return Err(EdgePathError::TooLong(path.len()));
        }
        if path.contains('\0') {
            return Err(EdgePathError::Nul);
        }
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(EdgePathError::DotSegment);
        }
        Ok(Self(path))
    }

    /// The path, with its leading slash.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for EdgePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// Why a text is not an [`EdgePath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgePathError {
    /// No leading slash.
    #[error("an edge path starts with /")]
    NoSlash,
    /// Too many bytes.
    #[error("an edge path has at most {MAX_EDGE_PATH} bytes, this one has {0}")]
    TooLong(usize),
    /// A NUL byte.
    #[error("an edge path has no NUL byte")]
    Nul,
    /// `.` or `..` as a segment.
    #[error("an edge path has no . or .. segment")]
    DotSegment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_hold_at_their_bounds() {
        let long = format!("/{}", "a".repeat(MAX_EDGE_PATH - 1));
        assert!(EdgePath::new(&long).is_ok());
        for (path, error) in [
            ("", EdgePathError::NoSlash),
            ("a/b", EdgePathError::NoSlash),
            (&format!("{long}a"), EdgePathError::TooLong(1025)),
            ("/a\0", EdgePathError::Nul),
            ("/a/../b", EdgePathError::DotSegment),
            ("/..", EdgePathError::DotSegment),
            ("/./a", EdgePathError::DotSegment),
        ] {
            assert_eq!(EdgePath::new(path), Err(error), "{path:?}");
        }
        for path in ["/", "/...", "/a/.b/c..", "/straße", "/a%2e"] {
            assert!(EdgePath::new(path).is_ok(), "{path:?}");
        }
    }
}
