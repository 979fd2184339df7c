//! What a message of the soak says: which run it is of, its number, and bytes that follow from both.

use bytes::Bytes;
use fastrand::Rng;

/// Run and number, before the random bytes.
const HEAD: usize = 16;

/// A message's bytes; `size` is at least 32.
pub(super) fn make(run: u64, number: u64, size: usize) -> Bytes {
    let mut body = vec![0; size.max(HEAD)];
    body[..8].copy_from_slice(&run.to_be_bytes());
    body[8..HEAD].copy_from_slice(&number.to_be_bytes());
    Rng::with_seed(run ^ number.rotate_left(32)).fill(&mut body[HEAD..]);
    body.into()
}

/// The number of a message that was made in this run with this size, byte for byte.
pub(super) fn number_of(run: u64, size: usize, body: &[u8]) -> Option<u64> {
    let number = body.get(8..HEAD)?.try_into().ok().map(u64::from_be_bytes)?;
    (make(run, number, size) == body).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_is_known_again_and_an_altered_one_is_not(
            run: u64,
            number: u64,
            size in 32usize..300,
            at: prop::sample::Index,
            bit in 0u8..8,
        ) {
            let body = make(run, number, size);
            prop_assert_eq!(number_of(run, size, &body), Some(number));
            prop_assert_eq!(number_of(run.wrapping_add(1), size, &body), None);
            prop_assert_eq!(number_of(run, size, &body[1..]), None);
            let mut altered = body.to_vec();
            altered[at.index(size)] ^= 1 << bit;
            prop_assert_eq!(number_of(run, size, &altered), None);
        }
    }
}
