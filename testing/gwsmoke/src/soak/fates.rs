//! What became of each message, in two bits: a day of messages takes kilobytes.

/// What became of a message, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing yet, or nobody knows.
    Open,
    /// The gateway has not taken it.
    Refused,
    /// It was acknowledged.
    Acknowledged,
}

const PER_WORD: u64 = 32;

/// The fates of messages by their number.
#[derive(Debug, Default)]
pub(super) struct Fates(Vec<u64>);

impl Fates {
    pub(super) fn get(&self, number: u64) -> Fate {
        let (word, shift) = place(number);
        match self.0.get(word).map_or(0, |word| word >> shift & 3) {
            1 => Fate::Refused,
            2 => Fate::Acknowledged,
            _ => Fate::Open,
        }
    }

    pub(super) fn set(&mut self, number: u64, fate: Fate) {
        let (word, shift) = place(number);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let bits = match fate {
            Fate::Open => 0,
            Fate::Refused => 1,
            Fate::Acknowledged => 2,
        };
        self.0[word] = self.0[word] & !(3 << shift) | bits << shift;
    }
}

/// In which word, and by how many bits up.
const fn place(number: u64) -> (usize, u64) {
    ((number / PER_WORD) as usize, number % PER_WORD * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn each_message_keeps_its_own(changes in proptest::collection::vec((0u64..200, 0u8..3), 0..300)) {
            let (mut fates, mut expected) = (Fates::default(), HashMap::new());
            for (number, fate) in changes {
                let fate = [Fate::Open, Fate::Refused, Fate::Acknowledged][usize::from(fate)];
                fates.set(number, fate);
                expected.insert(number, fate);
            }
            for number in 0..300 {
                let expected = expected.get(&number).copied().unwrap_or(Fate::Open);
                prop_assert_eq!(fates.get(number), expected);
            }
        }
    }
}
