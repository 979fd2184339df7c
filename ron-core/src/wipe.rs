//! Overwriting secrets.

use zeroize::Zeroize;

/// Overwrites bytes with zeros, in a way that no compiler leaves out. Word by word: `zeroize` alone takes them one
/// by one, which shows where a secret is wiped with every call.
pub(crate) fn wipe(bytes: &mut [u8]) {
    let (start, words, end) = bytemuck::pod_align_to_mut::<u8, u64>(bytes);
    start.zeroize();
    words.zeroize();
    end.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_overwritten_and_no_other() {
        for start in 0..9 {
            for end in start..40 {
                let mut bytes = [7; 40];
                wipe(&mut bytes[start..end]);
                let expected: Vec<u8> = (0..40)
                    .map(|at| if (start..end).contains(&at) { 0 } else { 7 })
                    .collect();
                assert_eq!(bytes[..], expected);
            }
        }
    }
}
