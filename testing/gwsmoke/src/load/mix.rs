//! Which operations a load consists of, and how often each of them comes.

use super::operation::Operation;
use super::weighted::Weighted;
use fastrand::Rng;
use std::str::FromStr;

/// Operations with weights: `get=70,put=20,send=5,receive=5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(Weighted<Operation>);

impl Mix {
    /// Mostly reads, a little of each plane.
    pub const DEFAULT: &'static str =
        "get=70,head=4,range=4,put=10,edge=4,send=2,receive=2,resolve=3,publish=1";

    /// The operation that comes next.
    pub fn pick(&self, random: &mut Rng) -> Operation {
        *self.0.pick(random)
    }

    /// Whether it has this operation.
    pub fn has(&self, operation: Operation) -> bool {
        self.0.items().any(|item| *item == operation)
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Weighted::parse(text, None, Operation::from_str).map(Self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_as_often_as_their_weights_say() {
        let mix: Mix = "get=70,put=20, send=5 ,receive=5".parse().unwrap();
        let mut random = Rng::with_seed(7);
        let mut counts = [0u32; Operation::ALL.len()];
        for _ in 0..100_000 {
            counts[mix.pick(&mut random) as usize] += 1;
        }
        for (operation, expected) in [
            (Operation::Get, 70_000),
            (Operation::Put, 20_000),
            (Operation::Send, 5_000),
            (Operation::Receive, 5_000),
        ] {
            let count = counts[operation as usize];
            // More than six standard deviations.
            assert!(count.abs_diff(expected) < 900, "{operation}: {count}");
        }
        assert_eq!(counts.iter().sum::<u32>(), 100_000);
        assert!(mix.has(Operation::Send) && !mix.has(Operation::Edge));
    }

    #[test]
    fn the_default_has_every_operation() {
        let mix: Mix = Mix::DEFAULT.parse().unwrap();
        for operation in Operation::ALL {
            assert_eq!(mix.has(operation), operation != Operation::Ack);
        }
    }
}
