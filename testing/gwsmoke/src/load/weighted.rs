//! A random choice among a few things, each as likely as its weight says.

use fastrand::Rng;
use std::fmt::Display;

/// The largest weight.
const MOST: u32 = 1_000_000;

/// Things with weights; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted<T> {
    /// Each thing, with the sum of the weights up to its own.
    items: Vec<(T, u64)>,
}

impl<T> Weighted<T> {
    /// Reads a list such as `a=70,b=30`. A thing whose weight is left out has `default`, where there is one.
    ///
    /// # Errors
    /// A sentence that says what is wrong with which part.
    pub fn parse<E: Display>(
        text: &str,
        default: Option<u32>,
        item: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Self, String>
    where
        T: PartialEq,
    {
        let mut items: Vec<(T, u64)> = Vec::new();
        let mut sum = 0;
        // There is one part at least, though it may be empty.
        for part in text.split(',') {
            let (name, weight) = match part.split_once('=') {
                Some((name, weight)) => (name, weight.trim().parse().ok()),
                None => (part, default),
            };
            let weight = weight
                .filter(|weight| (1..=MOST).contains(weight))
                .ok_or_else(|| format!("{part:?} has no weight from 1 to {MOST} after a ="))?;
            let item = item(name.trim()).map_err(|rule| rule.to_string())?;
            if items.iter().any(|(other, _)| *other == item) {
                return Err(format!("{:?} is there twice", name.trim()));
            }
            sum += u64::from(weight);
            items.push((item, sum));
        }
        Ok(Self { items })
    }

    /// One of them.
    pub fn pick(&self, random: &mut Rng) -> &T {
        self.at(random.u64(..self.total()))
    }

    /// All of them.
    pub fn items(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|(item, _)| item)
    }

    /// The same weights for other things.
    pub fn map<U>(&self, mut to: impl FnMut(&T) -> U) -> Weighted<U> {
        let items = self.items.iter().map(|(item, sum)| (to(item), *sum));
        Weighted {
            items: items.collect(),
        }
    }

    fn total(&self) -> u64 {
        self.items.last().map_or(1, |(_, sum)| *sum)
    }

    /// The thing at a place from 0 to the sum of all weights.
    fn at(&self, place: u64) -> &T {
        let index = self.items.partition_point(|(_, sum)| *sum <= place);
        &self.items[index.min(self.items.len() - 1)].0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_has_as_many_places_as_its_weight(weights in proptest::collection::vec(1u32..50, 1..8)) {
            let text: Vec<String> = weights.iter().enumerate().map(|(i, w)| format!("{i}={w}")).collect();
            let weighted = Weighted::parse(&text.join(","), None, str::parse::<usize>).unwrap();
            let mut places = vec![0; weights.len()];
            for place in 0..weighted.total() {
                places[*weighted.at(place)] += 1;
            }
            prop_assert_eq!(places, weights);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a0-9=, -]{0,20}") {
            let _ = Weighted::parse(&text, Some(1), str::parse::<usize>);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("", "\"\" has no weight"),
            ("1", "\"1\" has no weight from 1 to 1000000"),
            ("1=0", "\"1=0\" has no weight"),
            ("1=1000001", "\"1=1000001\" has no weight"),
            ("1=1,", "\"\" has no weight"),
            ("1=1,1=2", "\"1\" is there twice"),
            ("x=1", "invalid digit"),
        ] {
            let error = Weighted::parse(text, None, str::parse::<usize>).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
