//! Counting what a peer may do only so often.

use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);

/// Events within the current second.
#[derive(Debug, Default)]
pub(super) struct RateWindow {
    start: Option<Instant>,
    count: u32,
}

impl RateWindow {
    /// Counts one event; true where it is one more than `limit` a second.
    pub(super) fn exceeds(&mut self, now: Instant, limit: u32) -> bool {
        match self.start {
            Some(start) if now.saturating_duration_since(start) < WINDOW => {}
            _ => {
                self.start = Some(now);
                self.count = 0;
            }
        }
        self.count = self.count.saturating_add(1);
        self.count > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_within_a_second_and_starts_anew_after_it() {
        let mut window = RateWindow::default();
        let start = Instant::now();
        for _ in 0..100 {
            assert!(!window.exceeds(start, 100));
        }
        assert!(window.exceeds(start + Duration::from_millis(999), 100));
        assert!(!window.exceeds(start + Duration::from_millis(1000), 100));
    }
}
