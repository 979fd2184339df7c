//! How long the frame at hand has been on its way.
//!
//! A frame has a limited time from its first byte to its last, whatever trickles in between.

use ron_app_sdk::session::Server;
use std::time::Instant;

/// Times the frames of one connection.
#[derive(Debug, Default)]
pub(super) struct FrameClock {
    /// The frame that has begun, by its number, and when.
    current: Option<(u64, Instant)>,
}

impl FrameClock {
    /// When the frame that is not complete began.
    pub(super) fn began(&self) -> Option<Instant> {
        self.current.map(|(_, began)| began)
    }

    /// Counts from `now` on: the time before was not the peer's to use.
    pub(super) fn restart(&mut self, now: Instant) {
        if let Some((_, began)) = &mut self.current {
            *began = now;
        }
    }

    /// Looks at a session that has received bytes at `now`.
    pub(super) fn observe(&mut self, now: Instant, session: &Server) {
        let number = session.frames();
        self.current = match self.current {
            _ if !session.is_mid_frame() => None,
            Some((same, began)) if same == number => Some((same, began)),
            _ => Some((number, now)),
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::oap::hello::{HelloReply, Profile};
    use ron_app_sdk::session::ServerLimits;
    use std::time::Duration;

    #[test]
    fn time_counts_from_a_frames_first_byte_and_anew_for_the_next() {
        let hello = HelloReply::new(1, Profile::Micronode, true);
        let mut session = Server::new(hello, ServerLimits::default());
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut clock = FrameClock::default();
        let payload = br#"{"ua":null}"#;
        let mut frame = vec![0; 38];
        frame[3] = 38 + payload.len() as u8;
        frame[5] = 1;
        frame[7] = 1;
        frame.extend_from_slice(payload);
        let ping = [0, 0, 0, 42];
        let mut receive = |at: u32, bytes: &[u8]| {
            session.receive(start + at * second, bytes).unwrap();
            clock.observe(start + at * second, &session);
            clock.began().map(|began| (began - start).as_secs())
        };
        assert_eq!(receive(1, &frame[..3]), Some(1));
        assert_eq!(receive(2, &frame[3..40]), Some(1));
        assert_eq!(receive(3, &[&frame[40..], &ping[..2]].concat()), Some(3));
        assert_eq!(receive(4, &ping[2..]), Some(3));
        clock.restart(start + 9 * second);
        assert_eq!(clock.began(), Some(start + 9 * second));
    }
}
