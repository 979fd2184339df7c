//! Byte ranges.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes `first` to `last` of an object, both included, counted from 0.
///
/// ```
/// use ron_app_sdk::ByteRange;
///
/// assert_eq!(ByteRange::new(0, 9)?.len(), 10);
/// assert!(ByteRange::new(9, 0).is_err());
/// # Ok::<(), ron_app_sdk::RangeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct ByteRange {
    first: u64,
    last: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    first: u64,
    last: u64,
}

impl ByteRange {
    /// The range from `first` to `last`, both included.
    ///
    /// # Errors
    /// [`RangeError`] where `last` is before `first`, or is the largest `u64`.
    pub const fn new(first: u64, last: u64) -> Result<Self, RangeError> {
        if last < first || last == u64::MAX {
            Err(RangeError { first, last })
        } else {
            Ok(Self { first, last })
        }
    }

    /// The first byte.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The last byte.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// How many bytes that is: at least 1.
    #[allow(clippy::len_without_is_empty)] // a range is never empty
    pub const fn len(&self) -> u64 {
        self.last - self.first + 1
    }

    /// The part of the range that an object of `size` bytes has, or `None` where it starts past the end.
    pub const fn clip(&self, size: u64) -> Option<Self> {
        if self.first >= size {
            None
        } else if self.last >= size {
            Some(Self {
                first: self.first,
                last: size - 1,
            })
        } else {
            Some(*self)
        }
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl From<ByteRange> for Bounds {
    fn from(range: ByteRange) -> Self {
        Self {
            first: range.first,
            last: range.last,
        }
    }
}

impl TryFrom<Bounds> for ByteRange {
    type Error = RangeError;

    fn try_from(bounds: Bounds) -> Result<Self, RangeError> {
        Self::new(bounds.first, bounds.last)
    }
}

/// Why two numbers are not a [`ByteRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range's last byte ({last}) must not come before its first ({first}), and must be below 2^64 - 1")]
pub struct RangeError {
    /// As given.
    pub first: u64,
    /// As given.
    pub last: u64,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wire_form_is_strict() {
        let parse = |text| serde_json::from_str::<ByteRange>(text);
        assert_eq!(
            parse(r#"{"first":1,"last":2}"#).unwrap(),
            ByteRange::new(1, 2).unwrap()
        );
        assert!(parse(r#"{"first":2,"last":1}"#).is_err());
        assert!(parse(r#"{"first":0,"last":18446744073709551615}"#).is_err());
        assert!(parse(r#"{"first":1,"last":2,"unit":"bytes"}"#).is_err());
    }

    proptest! {
        #[test]
        fn clipping_yields_the_bytes_that_exist(first in 0u64..100, len in 0u64..100, size in 0u64..150) {
            let range = ByteRange::new(first, first + len).unwrap();
            let exist: Vec<u64> = (first..=first + len).filter(|at| *at < size).collect();
            match range.clip(size) {
                None => prop_assert!(exist.is_empty()),
                Some(clipped) => {
                    prop_assert_eq!(clipped.len(), exist.len() as u64);
                    prop_assert_eq!(Some(&clipped.first()), exist.first());
                    prop_assert_eq!(Some(&clipped.last()), exist.last());
                }
            }
        }
    }
}
