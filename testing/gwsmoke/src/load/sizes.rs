//! How long the objects and messages of a load are.

use super::weighted::Weighted;
use ron_app_sdk::MAX_BODY;
use std::str::FromStr;

/// Sizes in bytes, each as likely as its weight: `64,4096,65536` or `64=9,65536=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(Weighted<usize>);

impl Sizes {
    /// The sizes with their weights.
    pub const fn weighted(&self) -> &Weighted<usize> {
        &self.0
    }

    /// Whether one of them is 0.
    pub fn has_empty(&self) -> bool {
        self.0.items().any(|size| *size == 0)
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Weighted::parse(text, Some(1), |size| {
            let parsed = size.parse().ok().filter(|size| *size <= MAX_BODY);
            parsed.ok_or_else(|| format!("{size:?} is not a size from 0 to {MAX_BODY}"))
        })
        .map(Self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_list_of_sizes_is_read_back(sizes in proptest::collection::btree_set(0..=MAX_BODY, 1..6)) {
            let text: Vec<String> = sizes.iter().map(usize::to_string).collect();
            let parsed: Sizes = text.join(",").parse().unwrap();
            let read: Vec<usize> = parsed.weighted().items().copied().collect();
            prop_assert_eq!(read, sizes.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(parsed.has_empty(), sizes.contains(&0));
        }
    }

    #[test]
    fn a_size_that_no_envelope_carries_is_refused() {
        for text in ["1015809", "-1", "4k", "64;65", ""] {
            let error = text.parse::<Sizes>().unwrap_err();
            assert!(error.contains("from 0 to 1015808"), "{text}: {error}");
        }
        assert!("1015808=3,0".parse::<Sizes>().is_ok());
    }
}
