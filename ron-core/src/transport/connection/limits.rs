//! Limits in time of a connection as a whole: for its handshake, for progress, for a sign of life.

use super::state::{State, Wakes};
use crate::error::{ErrorKind, SdkError};
use crate::metrics::IoTimeout;
use crate::transport::socket::Socket;
use std::time::Instant;

impl State {
    /// Ends the connection where the peer has let a limit pass.
    pub(super) fn enforce_limits<S: Socket>(
        &mut self,
        socket: &S,
        now: Instant,
        connect_deadline: Instant,
        wakes: &mut Wakes,
    ) {
        if self.exceeded(now, connect_deadline).is_none() {
            return;
        }
        // Perhaps nobody has looked for as long: then it is not the peer who was slow.
        self.flush(socket, now, wakes);
        while self.failed.is_none() && self.read(socket, now, true, wakes) {}
        if let Some((what, error)) = self.exceeded(now, connect_deadline) {
            self.metrics.timed_out(what);
            self.fail(socket, error, true, wakes);
        }
    }

    fn exceeded(&self, now: Instant, connect_deadline: Instant) -> Option<(IoTimeout, SdkError)> {
        let (what, kind, message) = if self.failed.is_some() {
            return None;
        } else if !self.is_established() && now >= connect_deadline {
            let phase = if self.tls.is_open() { "HELLO" } else { "TLS" };
            let limit = self.timeouts.connect;
            (
                IoTimeout::Connect,
                ErrorKind::Transport,
                format!("the gateway did not complete {phase} within timeouts.connect ({limit:?})"),
            )
        } else if self.session.is_receiving() && now >= self.last_read + self.timeouts.read {
            let limit = self.timeouts.read;
            (
                IoTimeout::Read,
                ErrorKind::Stalled,
                format!("an answer stopped halfway: no byte within timeouts.read ({limit:?})"),
            )
        } else if self.has_unsent() && now >= self.last_write + self.timeouts.write {
            let limit = self.timeouts.write;
            (
                IoTimeout::Write,
                ErrorKind::Stalled,
                format!(
                    "the gateway stopped reading: no byte taken within timeouts.write ({limit:?})"
                ),
            )
        } else if self.probe.until().is_some_and(|until| now >= until) {
            let limit = self.probe.limit();
            (
                IoTimeout::Ping,
                ErrorKind::Transport,
                format!(
                    "the connection to the gateway is dead: no answer to a ping within {limit:?}"
                ),
            )
        } else {
            return None;
        };
        Some((what, SdkError::new(kind, message)))
    }

    pub(super) fn next_check(&self, deadline: Instant, connect_deadline: Instant) -> Instant {
        let mut next = deadline;
        if !self.is_established() {
            next = next.min(connect_deadline);
        }
        if self.session.is_receiving() {
            next = next.min(self.last_read + self.timeouts.read);
        }
        if self.has_unsent() {
            next = next.min(self.last_write + self.timeouts.write);
        }
        if let Some(until) = self.probe.until() {
            next = next.min(until);
        }
        next
    }
}
