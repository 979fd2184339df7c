//! What goes out: requests on their way from their callers through TLS to the socket.

use super::exchange::{Exchange, Failure};
use super::state::{draining, lost, State, Wakes};
use super::ticket::Stage;
use crate::error::{ErrorKind, SdkError};
use crate::oap::HEADER_LEN;
use crate::session::{Refusal, Request, Sent};
use crate::transport::socket::Socket;
use crate::transport::tls::describe;
use crate::wipe::wipe;
use std::io;
use std::time::Instant;

/// Bodies up to this size share their frame head's TLS record: copying them costs less than a record.
const COPIED_BODY: usize = 4096;
/// With so many open calls, it is likely that others have something to send at the same time.
const CROWD: usize = 4;
/// Sealed bytes that do not wait for more: a system call is little beside them.
const TOGETHER: usize = 64 * 1024;
/// What is sealed together, at most: one record.
const RECORD: usize = 16 * 1024;
/// Room for a meta of any operation of today.
const META_ROOM: usize = 4096;

impl State {
    /// Opens a call: its first frame's head is then in `plaintext`. `None` where it has to wait.
    pub(super) fn start<S: Socket>(
        &mut self,
        socket: &S,
        tag: usize,
        exchange: &Exchange<'_>,
        take_over: bool,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<Option<Sent>, Failure> {
        if self.session.is_draining() || self.is_retired {
            return Err(draining());
        }
        let is_turn = take_over || self.queue.front() == Some(&tag);
        if !is_turn || !self.tls.is_open() || self.session.open_calls() >= self.session.slots() {
            return Ok(None);
        }
        let left = exchange.deadline.saturating_duration_since(now);
        let left = left.as_micros().div_ceil(1000);
        // Reserved beforehand, so that growing leaves no copies of a capability or a key behind.
        self.meta.clear();
        self.meta.reserve(META_ROOM);
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        exchange.content.write_meta(left, &mut self.meta);
        let needed = HEADER_LEN + exchange.capability.len() + 4 + self.meta.len() + COPIED_BODY;
        if self.plaintext.len() + needed > self.plaintext.capacity() {
            self.seal_batch(socket, wakes);
            self.plaintext.reserve(needed.max(RECORD));
        }
        if self.plaintext.is_empty() {
            // HELLO comes before all.
            let sealed = self.seal_control(now);
            self.check_sealed(socket, sealed, wakes);
        }
        let request = Request {
            plane: exchange.plane,
            tenant_id: 0,
            capability: exchange.capability,
            meta: &self.meta,
        };
        let body_len = exchange.content.body().len();
        let started = self
            .session
            .start(tag, &request, body_len, &mut self.plaintext);
        wipe(&mut self.meta);
        match started {
            Ok(sent) => {
                self.dequeue(tag);
                self.wake_queue(wakes);
                Ok(Some(sent))
            }
            Err(Refusal::NoSlot) => Ok(None),
            Err(Refusal::Draining) => Err(draining()),
            Err(Refusal::TooLong) => Err(SdkError::new(
                ErrorKind::TooLarge,
                "the request is longer than one envelope",
            )
            .into()),
        }
    }

    /// Adds the body of the frame whose head is the last in `plaintext`, and seals it, so that only ciphertext is
    /// left of it; or leaves a small request there, whole, to be sealed together with those of others.
    pub(super) fn add_body<S: Socket>(
        &mut self,
        socket: &S,
        tag: usize,
        sent: &Sent,
        exchange: &Exchange<'_>,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Stage {
        if !self.has_unsent() {
            self.last_write = now;
        }
        let corr_id = sent.corr_id;
        let body = &exchange.content.body()[sent.body.clone()];
        #[cfg(feature = "internals")]
        crate::internals::note_sealed(body);
        let is_small = body.len() <= COPIED_BODY;
        if is_small {
            self.plaintext.extend_from_slice(body);
        } else {
            self.seal_batch(socket, wakes);
            let sealed = self.tls.seal(body, &mut self.outgoing);
            self.check_sealed(socket, sealed, wakes);
        }
        if sent.is_end {
            self.batch.push(tag);
        }
        if !(is_small && sent.is_end && self.may_wait_for_more::<S>()) {
            self.seal_batch(socket, wakes);
        }
        if sent.is_end {
            Stage::Sent { corr_id }
        } else {
            Stage::Sending {
                corr_id,
                sent: sent.body.end,
            }
        }
    }

    /// Seals what is in `plaintext`.
    pub(super) fn seal_batch<S: Socket>(&mut self, socket: &S, wakes: &mut Wakes) {
        let mut sealed = Ok(());
        if !self.plaintext.is_empty() {
            sealed = self.tls.seal(&self.plaintext, &mut self.outgoing);
        }
        // There are capabilities and keys in it. Not Vec's own way, which wipes all that is reserved.
        wipe(&mut self.plaintext);
        self.plaintext.clear();
        let end = self.outgoing.appended();
        for tag in self.batch.drain(..) {
            self.callers[tag].request_end = Some(end);
            self.unsent.push_back((end, tag));
        }
        self.check_sealed(socket, sealed, wakes);
    }

    fn check_sealed<S: Socket>(
        &mut self,
        socket: &S,
        sealed: Result<(), rustls::Error>,
        wakes: &mut Wakes,
    ) {
        if let Err(error) = sealed {
            let error = SdkError::new(ErrorKind::Internal, describe(&error));
            self.fail(socket, error, false, wakes);
        }
    }

    /// Whether something waits to be written.
    pub(super) fn has_unsent(&self) -> bool {
        !self.outgoing.is_empty() || !self.plaintext.is_empty()
    }

    fn seal_control(&mut self, now: Instant) -> Result<(), rustls::Error> {
        let control = self.session.control_output();
        if control.is_empty() || !self.tls.is_open() {
            return Ok(());
        }
        self.probe.hello_sent(now);
        let sealed = self.tls.seal(control, &mut self.outgoing);
        control.clear();
        sealed
    }

    /// Whether a small request may wait for those of others, to leave together with them: whoever has the first one
    /// lets the tasks run that are ready, then seals and writes what all have left.
    pub(super) fn may_wait_for_more<S: Socket>(&self) -> bool {
        !S::SHARED_WAIT
            && self.session.open_calls() >= CROWD
            && self.outgoing.pending().len() + self.plaintext.len() < TOGETHER
    }

    /// Writes what is sealed, as far as the socket takes it.
    pub(super) fn flush<S: Socket>(&mut self, socket: &S, now: Instant, wakes: &mut Wakes) {
        if self.failed.is_some() {
            return;
        }
        if !self.has_unsent() {
            self.last_write = now;
        }
        // In this order: a cancel follows what it cancels.
        self.seal_batch(socket, wakes);
        let sealed = self.seal_control(now);
        self.check_sealed(socket, sealed, wakes);
        if self.failed.is_some() {
            return;
        }
        let had_room = self.outgoing.has_room();
        while !self.outgoing.is_empty() {
            match socket.try_write(self.outgoing.pending()) {
                Ok(written) => {
                    self.outgoing.take(written);
                    self.last_write = now;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The reader is about to hear of it too, and perhaps why.
                Err(_) if self.tls.is_lent() => break,
                Err(error) => {
                    // The peer may have said why before it stopped listening.
                    while self.failed.is_none() && self.read(socket, now, true, wakes) {}
                    return self.fail(socket, lost(&error, self.is_established()), true, wakes);
                }
            }
        }
        self.note_sent(now);
        if self.outgoing.is_empty() {
            self.writer = None;
        }
        if !had_room && self.outgoing.has_room() {
            for (tag, caller) in &mut self.callers {
                if std::mem::take(&mut caller.wants_room) && wakes.current != Some(tag) {
                    wakes.list.extend(caller.waker.clone());
                }
            }
        }
    }

    /// Remembers when requests have left.
    fn note_sent(&mut self, now: Instant) {
        while let Some((end, tag)) = self.unsent.front().copied() {
            if end > self.outgoing.taken() {
                break;
            }
            self.unsent.pop_front();
            // The caller may have gone, and another one come in its place.
            if let Some(caller) = self.callers.get_mut(tag) {
                if caller.request_end == Some(end) {
                    caller.sent_at = Some(now);
                }
            }
        }
    }
}
