//! Sealed bytes on their way to the socket.

use std::ops::Range;

/// How many sealed bytes wait before callers stop sealing more: small calls never wait behind much more.
pub(super) const ENOUGH: usize = 96 * 1024;

/// A buffer that is written at its end and read from its front. Only ciphertext goes in.
pub(super) struct Outgoing {
    /// Initialised throughout, so that growing is the only thing that ever clears memory.
    buffer: Vec<u8>,
    filled: Range<usize>,
    /// All bytes ever appended, and ever taken.
    appended: u64,
    taken: u64,
}

impl Outgoing {
    pub(super) const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            filled: 0..0,
            appended: 0,
            taken: 0,
        }
    }

    /// What is to be written next.
    pub(super) fn pending(&self) -> &[u8] {
        &self.buffer[self.filled.clone()]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }

    /// Whether more may be sealed.
    pub(super) fn has_room(&self) -> bool {
        self.filled.len() < ENOUGH
    }

    /// All bytes ever appended: the position of the next one.
    pub(super) const fn appended(&self) -> u64 {
        self.appended
    }

    /// All bytes ever taken by the socket.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Free space of at least `len` bytes behind what is pending.
    pub(super) fn space(&mut self, len: usize) -> &mut [u8] {
        if self.filled.is_empty() {
            self.filled = 0..0;
        } else if self.buffer.len() - self.filled.end < len {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        let needed = self.filled.end + len;
        if self.buffer.len() < needed {
            self.buffer.resize(needed.next_power_of_two(), 0);
        }
        &mut self.buffer[self.filled.end..]
    }

    /// Counts the first `len` bytes of the last [`Outgoing::space`] as appended.
    pub(super) fn append(&mut self, len: usize) {
        self.filled.end += len;
        self.appended += len as u64;
    }

    /// Counts the first `len` pending bytes as taken.
    pub(super) fn take(&mut self, len: usize) {
        self.filled.start += len;
        self.taken += len as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(outgoing: &mut Outgoing, bytes: &[u8]) {
        outgoing.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        outgoing.append(bytes.len());
    }

    #[test]
    fn bytes_leave_in_the_order_in_which_they_came() {
        let mut outgoing = Outgoing::new();
        push(&mut outgoing, b"first ");
        outgoing.take(3);
        push(&mut outgoing, &[7; 5000]);
        assert_eq!(&outgoing.pending()[..4], b"st \x07");
        assert_eq!((outgoing.appended(), outgoing.taken()), (5006, 3));
        outgoing.take(5003);
        assert!(outgoing.is_empty());
        push(&mut outgoing, b"again");
        assert_eq!(outgoing.pending(), b"again");
    }

    #[test]
    fn the_buffer_stays_within_a_few_frames() {
        let mut outgoing = Outgoing::new();
        for _ in 0..1000 {
            while outgoing.has_room() {
                push(&mut outgoing, &[1; 65_000]);
            }
            outgoing.take(60_000);
        }
        assert!(
            outgoing.buffer.len() <= 256 * 1024,
            "{}",
            outgoing.buffer.len()
        );
    }
}
