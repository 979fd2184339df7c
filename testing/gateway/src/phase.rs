//! The three phases of a gateway's life, as its listener and its connections hear of them.

use tokio::sync::watch;

/// Where a gateway is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It takes connections and calls.
    Serving,
    /// It finishes what is open.
    Draining,
    /// It drops what is open.
    Stopping,
}

/// The ear of one listener.
#[derive(Clone, Debug)]
pub(crate) struct PhaseWatch(watch::Receiver<Phase>);

/// The mouth of the gateway.
pub(crate) fn phase_channel() -> (watch::Sender<Phase>, PhaseWatch) {
    let (sender, receiver) = watch::channel(Phase::Serving);
    (sender, PhaseWatch(receiver))
}

impl PhaseWatch {
    /// Whether calls are still taken.
    pub(crate) fn is_serving(&self) -> bool {
        *self.0.borrow() == Phase::Serving
    }

    /// Waits until the gateway has come to `phase`. A gateway that was dropped has come to the last one.
    pub(crate) async fn reached(&mut self, phase: Phase) {
        // An error means that the sender is gone: the gateway was dropped.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_later_phase_includes_the_earlier_ones() {
        let (sender, mut watch) = phase_channel();
        assert!(watch.is_serving());
        sender.send(Phase::Stopping).unwrap();
        watch.reached(Phase::Draining).await;
        assert!(!watch.is_serving());
    }

    #[tokio::test]
    async fn a_dropped_gateway_has_stopped() {
        let (sender, mut watch) = phase_channel();
        drop(sender);
        watch.reached(Phase::Stopping).await;
    }
}
