//! Which bytes of an object a read wants, and why it cannot have them.

use ron_app_sdk::oap::{ErrorReply, Reason, MAX_BODY};
use ron_app_sdk::ByteRange;

/// Which bytes of an object a read wants, before its size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    Whole,
    /// This range, as far as it exists.
    Range(ByteRange),
    /// Everything from this byte on.
    From(u64),
    /// The last so many bytes.
    Last(u64),
}

impl Selection {
    /// The range that this is in an object of `size` bytes; `None` for the whole object.
    ///
    /// # Errors
    /// [`ReadError::RangeNotSatisfiable`] where there is no such byte, [`ReadError::TooLarge`] where
    /// there are more than one envelope holds.
    pub fn resolve(self, size: u64) -> Result<Option<ByteRange>, ReadError> {
        let range = match self {
            Self::Whole if size > MAX_BODY as u64 => return Err(ReadError::TooLarge { size }),
            Self::Whole => return Ok(None),
            Self::Range(range) => Some(range),
            Self::From(first) => ByteRange::new(first, u64::MAX - 1).ok(),
            Self::Last(0) => None,
            Self::Last(count) => ByteRange::new(size.saturating_sub(count), u64::MAX - 1).ok(),
        };
        let range = range
            .and_then(|range| range.clip(size))
            .ok_or(ReadError::RangeNotSatisfiable { size })?;
        if range.len() > MAX_BODY as u64 {
            return Err(ReadError::TooLarge { size });
        }
        Ok(Some(range))
    }
}

impl From<Option<ByteRange>> for Selection {
    fn from(range: Option<ByteRange>) -> Self {
        range.map_or(Self::Whole, Self::Range)
    }
}

/// Why an object cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// There is none of that name.
    NotFound,
    /// The selected bytes are more than one envelope holds.
    TooLarge {
        /// The object's.
        size: u64,
    },
    /// None of the selected bytes exists.
    RangeNotSatisfiable {
        /// The object's.
        size: u64,
    },
    /// The source cannot be read at the moment.
    Unavailable,
}

impl From<ReadError> for ErrorReply {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Self::not_executed(Reason::NotFound),
            ReadError::TooLarge { size } => Self::not_executed(Reason::TooLarge)
                .with_size(size)
                .with_detail(format!("one reply holds {MAX_BODY} bytes; ask for a range")),
            ReadError::RangeNotSatisfiable { size } => {
                Self::not_executed(Reason::RangeNotSatisfiable).with_size(size)
            }
            ReadError::Unavailable => Self::not_executed(Reason::Unavailable),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMIT: u64 = MAX_BODY as u64;

    fn bounds(selection: Selection, size: u64) -> Result<Option<(u64, u64)>, ReadError> {
        let range = selection.resolve(size)?;
        Ok(range.map(|range| (range.first(), range.last())))
    }

    #[test]
    fn ranges_are_clipped_to_what_exists() {
        let range = Selection::Range(ByteRange::new(5, 20).unwrap());
        assert_eq!(bounds(range, 10), Ok(Some((5, 9))));
        assert_eq!(
            bounds(range, 5),
            Err(ReadError::RangeNotSatisfiable { size: 5 })
        );
        assert_eq!(bounds(Selection::From(3), 10), Ok(Some((3, 9))));
        assert_eq!(
            bounds(Selection::From(u64::MAX), 10),
            Err(ReadError::RangeNotSatisfiable { size: 10 })
        );
        assert_eq!(bounds(Selection::Last(4), 10), Ok(Some((6, 9))));
        assert_eq!(bounds(Selection::Last(40), 10), Ok(Some((0, 9))));
        assert_eq!(
            bounds(Selection::Last(0), 10),
            Err(ReadError::RangeNotSatisfiable { size: 10 })
        );
        assert_eq!(bounds(Selection::Whole, 10), Ok(None));
    }

    #[test]
    fn an_empty_object_has_no_range_and_is_whole() {
        let none = Err(ReadError::RangeNotSatisfiable { size: 0 });
        assert_eq!(
            bounds(Selection::Range(ByteRange::new(0, 0).unwrap()), 0),
            none
        );
        assert_eq!(bounds(Selection::From(0), 0), none);
        assert_eq!(bounds(Selection::Last(1), 0), none);
        assert_eq!(bounds(Selection::Whole, 0), Ok(None));
    }

    #[test]
    fn more_than_one_envelope_is_refused_with_the_size() {
        let size = LIMIT + 1;
        assert_eq!(bounds(Selection::Whole, LIMIT), Ok(None));
        assert_eq!(
            bounds(Selection::Whole, size),
            Err(ReadError::TooLarge { size })
        );
        assert_eq!(
            bounds(Selection::From(0), size),
            Err(ReadError::TooLarge { size })
        );
        assert_eq!(bounds(Selection::From(1), size), Ok(Some((1, LIMIT))));
    }
}
