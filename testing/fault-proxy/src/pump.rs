//! One direction of a connection: bytes wait their time, and leave in their order.

use crate::connection::End;
use crate::counters::Tally;
use crate::faults::{Direction, Faults};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{sleep_until, Instant};

/// The most bytes that wait.
const BUFFER: usize = 64 * 1024;
/// The most that is read at once.
const INPUT: usize = 16 * 1024;
/// Into so many writes the bandwidth's second is divided, so that bytes flow and do not gush.
const BURSTS_PER_SECOND: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    ToGateway,
    FromGateway,
}

pub(crate) struct Pump {
    side: Side,
    tally: Arc<Tally>,
    random: Random,
    direction: Direction,
    /// How many bytes were forwarded under these faults.
    sent: u64,
    waiting: VecDeque<u8>,
    /// When how many of them may leave; 0 for the end of the stream.
    due: VecDeque<(Instant, usize)>,
    has_ended: bool,
    /// When the bandwidth and the slice's pause allow the next write.
    free_at: Instant,
}

/// What brought the pump on.
enum Turn {
    Set,
    Read(usize),
    Written,
}

impl Pump {
    pub(crate) fn new(side: Side, tally: Arc<Tally>) -> Self {
        Self {
            side,
            tally,
            random: Random(0),
            direction: Direction::default(),
            sent: 0,
            waiting: VecDeque::new(),
            due: VecDeque::new(),
            has_ended: false,
            free_at: Instant::now(),
        }
    }

    /// Forwards to the end of the stream.
    pub(crate) async fn run(
        &mut self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        mut faults: watch::Receiver<Faults>,
    ) -> Result<(), End> {
        let mut input = vec![0; INPUT];
        self.take(&faults.borrow_and_update());
        loop {
            self.end_here()?;
            let may_write = !self.due.is_empty();
            if self.has_ended && !may_write {
                return Ok(());
            }
            let room = (BUFFER - self.waiting.len()).min(INPUT);
            let may_read = !self.has_ended && room > 0;
            // A socket that fails was reset by its peer, and the other peer gets to know.
            let turn = tokio::select! {
                // What was set before a byte may leave holds for it.
                biased;
                changed = faults.changed() => changed.map(|()| Turn::Set).map_err(|_| End::Reset)?,
                result = self.write(&mut to), if may_write => {
                    result.map(|()| Turn::Written).map_err(|_| End::Reset)?
                }
                read = from.read(&mut input[..room]), if may_read => {
                    read.map(Turn::Read).map_err(|_| End::Reset)?
                }
            };
            match turn {
                Turn::Set => self.take(&faults.borrow_and_update()),
                Turn::Read(count) => self.arrived(&input[..count]),
                Turn::Written => {}
            }
        }
    }

    fn take(&mut self, faults: &Faults) {
        self.direction = match self.side {
            Side::ToGateway => faults.to_gateway,
            Side::FromGateway => faults.from_gateway,
        };
        self.random = Random(faults.seed ^ self.side as u64);
        self.sent = 0;
        self.free_at = Instant::now();
    }

    /// The connection's end, where this is the place for it.
    fn end_here(&self) -> Result<(), End> {
        if self.direction.reset_after == Some(self.sent) {
            self.tally.resets.increment();
            return Err(End::Reset);
        }
        if self.direction.close_after == Some(self.sent) {
            self.tally.closes.increment();
            return Err(End::Close);
        }
        Ok(())
    }

    /// Puts bytes into the queue; none are the end of the stream.
    fn arrived(&mut self, bytes: &[u8]) {
        let Direction {
            latency, jitter, ..
        } = self.direction;
        let delay = latency + self.random.up_to(jitter);
        if !delay.is_zero() {
            self.tally.delays.increment();
        }
        let mut due = Instant::now() + delay;
        self.waiting.extend(bytes);
        self.has_ended = bytes.is_empty();
        if let Some((last, count)) = self.due.back_mut() {
            if !self.has_ended && (delay.is_zero() || *last >= due) {
                *count += bytes.len();
                return;
            }
            // Nothing overtakes what came before it.
            due = due.max(*last);
        }
        self.due.push_back((due, bytes.len()));
    }

    /// Waits until the first bytes may leave, and writes as many as may be written at once. Can be
    /// dropped while it waits.
    async fn write(&mut self, to: &mut WriteHalf<'_>) -> io::Result<()> {
        let Some(&(due, count)) = self.due.front() else {
            return Ok(());
        };
        let at = due.max(self.free_at);
        if at > Instant::now() {
            sleep_until(at).await;
        }
        if count == 0 {
            to.shutdown().await?;
            self.due.clear();
            return Ok(());
        }
        let most = self.most_at_once(count);
        self.flip_within(most);
        let (bytes, _) = self.waiting.as_slices();
        let written = to.write(&bytes[..most.min(bytes.len())]).await?;
        // From here on nothing is awaited: what is written is counted.
        self.written(written, count);
        Ok(())
    }

    /// How many of `count` bytes may be written at once.
    fn most_at_once(&self, count: usize) -> usize {
        let Direction {
            bandwidth,
            slice,
            reset_after,
            close_after,
            ..
        } = self.direction;
        let to_end = reset_after.into_iter().chain(close_after).min();
        let burst = bandwidth.map(|rate| (rate.get() / BURSTS_PER_SECOND).max(1));
        let limits = [
            to_end.map(|end| end - self.sent),
            burst,
            slice.map(|slice| slice.get() as u64),
        ];
        limits
            .into_iter()
            .flatten()
            .filter_map(|limit| usize::try_from(limit).ok())
            .fold(count, usize::min)
    }

    /// Flips the bit that is to be flipped, if it is in the next `count` bytes.
    fn flip_within(&mut self, count: usize) {
        let offset = |at: u64| usize::try_from(at.checked_sub(self.sent)?).ok();
        let offset = self.direction.flip_bit_at.and_then(offset);
        if let Some(offset) = offset.filter(|offset| *offset < count) {
            self.waiting[offset] ^= 1;
            self.tally.flips.increment();
            // Not again where the write is dropped and made anew.
            self.direction.flip_bit_at = None;
        }
    }

    /// `count` of the first `ready` bytes have left.
    fn written(&mut self, count: usize, ready: usize) {
        let bytes = count as u64;
        self.waiting.drain(..count);
        if let Some((_, left)) = self.due.front_mut() {
            *left -= count;
            if *left == 0 {
                self.due.pop_front();
            }
        }
        self.sent += bytes;
        match self.side {
            Side::ToGateway => self.tally.bytes_to_gateway.add(bytes),
            Side::FromGateway => self.tally.bytes_from_gateway.add(bytes),
        }
        let mut free_at = self.free_at.max(Instant::now());
        if let Some(rate) = self.direction.bandwidth {
            free_at += Duration::from_secs_f64(bytes as f64 / rate.get() as f64);
            self.tally.throttles.increment();
        }
        if let Some(slice) = self.direction.slice {
            free_at += self.direction.slice_pause;
            if ready > slice.get() {
                self.tally.slices.increment();
            }
        }
        self.free_at = free_at;
    }
}

/// Numbers that look random, the same ones for the same beginning (SplitMix64).
struct Random(u64);

impl Random {
    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        most.mul_f64(number as f64 / u64::MAX as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_times_are_repeated_spread_and_within_their_range() {
        let most = Duration::from_millis(100);
        let times = |seed| {
            let mut random = Random(seed);
            std::array::from_fn::<_, 1000, _>(|_| random.up_to(most))
        };
        assert_eq!(times(7), times(7));
        assert_ne!(times(7), times(8));
        assert!(times(7).iter().all(|time| *time <= most));
        let mean = times(7).iter().sum::<Duration>() / 1000;
        assert!(mean > most * 2 / 5 && mean < most * 3 / 5, "{mean:?}");
    }
}
