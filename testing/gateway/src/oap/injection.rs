//! Faults in the calls and the frames of a connection.

use super::{Connection, Happening};
use crate::answer::Answer;
use crate::engine::Call;
use crate::faults::{self, Fault, Injection, Wire};
use crate::metrics::CallLabel;
use crate::outcome::Outcome;
use bytes::Bytes;
use ron_app_sdk::oap::{ErrorReply, Flags, Header, Plane, Reason, HEADER_LEN};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

/// What people are told.
const DETAIL: &str = "an injected fault";

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Decides about the connection's HELLO, which is not answered yet.
    pub(super) fn inject_into_hello(&mut self) {
        for injection in self.shared.faults.for_hello() {
            self.wire_mut().take_hello(injection);
        }
    }

    /// Starts a call with the faults that are decided for. `None` where it has been settled otherwise.
    pub(super) fn start(
        &mut self,
        corr_id: u64,
        call: Call,
        body: Bytes,
    ) -> Option<Answer<Outcome>> {
        let is_past_drain = |wire: &Wire| wire.is_past_drain(corr_id);
        if self.wire.as_deref().is_some_and(is_past_drain) {
            self.give_back(corr_id);
            return None;
        }
        let label = call.action.label();
        let injections = self.shared.faults.for_oap(label, call.attempt);
        if injections.is_empty() {
            let shared = &self.shared;
            return Some(shared.engine.execute(call, body, &shared.phase));
        }
        let mut is_silent = false;
        let mut around = Vec::new();
        for injection in injections {
            match injection.fault {
                Fault::CancelAll { reason } => {
                    injection.fire();
                    self.cancel_all(corr_id, &call, reason);
                    return None;
                }
                Fault::Drain => {
                    self.drain_before(corr_id, injection);
                    return None;
                }
                Fault::LateAfterCancel { .. } => {
                    is_silent = true;
                    self.wire_mut()
                        .take(reply_header(label, corr_id), injection);
                }
                ref fault if fault.is_in_frames() => {
                    self.wire_mut()
                        .take(reply_header(label, corr_id), injection);
                }
                _ => around.push(injection),
            }
        }
        let answer = faults::execute(&self.shared, &self.reset, call, body, around);
        Some(if is_silent {
            faults::silence(answer)
        } else {
            answer
        })
    }

    /// Gives up every open call and says so.
    fn cancel_all(&mut self, corr_id: u64, call: &Call, reason: Reason) {
        let error = ErrorReply::not_executed(reason).with_detail(DETAIL);
        let mut open = vec![(corr_id, call.action.label(), call.action.interrupted())];
        for (corr_id, running) in self.running.drain() {
            running.abort.abort();
            open.push((corr_id, running.label, running.interrupted));
        }
        for (corr_id, call) in self.waiting.drain() {
            open.push((corr_id, call.action.label(), call.action.interrupted()));
        }
        for (corr_id, label, executed) in open {
            self.answer(corr_id, label, Outcome::error(error.clone(), executed));
        }
    }

    /// Drains as if the call and those after it had not been taken. They are not executed, so that the
    /// client may believe it.
    fn drain_before(&mut self, corr_id: u64, injection: Injection) {
        injection.fire();
        self.wire_mut().drain_after(corr_id - 1);
        let later: Vec<u64> = self
            .waiting
            .keys()
            .copied()
            .filter(|id| *id > corr_id)
            .collect();
        for id in later.into_iter().chain([corr_id]) {
            self.waiting.remove(&id);
            self.give_back(id);
        }
        self.session.drain(DETAIL);
    }

    /// Ends a call after a drain; the client never sees this answer.
    fn give_back(&mut self, corr_id: u64) {
        let error = ErrorReply::not_executed(Reason::Unavailable);
        self.session.refuse(corr_id, &error);
    }

    fn wire_mut(&mut self) -> &mut Wire {
        self.wire.get_or_insert_with(Box::default)
    }

    /// Whether there is something to write.
    pub(super) fn has_output(&self) -> bool {
        let has_wire_output = |wire: &Wire| wire.has_output();
        self.session.has_output() || self.wire.as_deref().is_some_and(has_wire_output)
    }

    /// Whether nothing is left of a drained session.
    pub(super) fn is_finished(&self) -> bool {
        let is_waited_for = |wire: &Wire| wire.has_output() || wire.holds_replies();
        self.session.is_finished() && !self.wire.as_deref().is_some_and(is_waited_for)
    }

    /// Prepares output of at least `enough` bytes, or what there is; true where a timer was set, which is
    /// then to be polled.
    pub(super) fn prepare_output(&mut self, enough: usize) -> bool {
        let Some(wire) = &mut self.wire else {
            self.session.output(&mut self.output, enough);
            return false;
        };
        wire.output(&mut self.session, &mut self.output, enough);
        let Some(patience) = wire.take_patience() else {
            return false;
        };
        self.happenings.push(Box::pin(async move {
            sleep(patience).await;
            Happening::HeldForTooLong
        }));
        true
    }

    /// Replies that were held back go out.
    pub(super) fn release(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.release();
        }
    }

    /// Nothing is held back, and nothing goes on without an end.
    pub(super) fn finish_faults(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.finish();
        }
    }
}

/// The header of a reply in one frame without payload.
fn reply_header(label: CallLabel, corr_id: u64) -> Header {
    let plane = match label.plane {
        "edge" => Plane::Edge,
        "mailbox" => Plane::Mailbox,
        "index" => Plane::Index,
        _ => Plane::Storage,
    };
    Header {
        len: HEADER_LEN as u32,
        flags: Flags::RESP.with(Flags::START).with(Flags::END),
        code: 200,
        app_proto_id: plane.id(),
        tenant_id: 0,
        cap_len: 0,
        corr_id,
    }
}
