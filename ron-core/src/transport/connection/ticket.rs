//! One call's way through a connection.

use super::exchange::{Exchange, Failure, Reply};
use super::state::{State, Wakes};
use super::Connection;
use crate::address::RunningHash;
use crate::error::{ErrorKind, SdkError};
use crate::metrics::IoTimeout;
use crate::oap::Executed;
use crate::retry::Cause;
use crate::transport::socket::{Socket, ThreadSocket};
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

/// A connection that nobody used for longer is read once before it is written.
const IDLE: Duration = Duration::from_secs(1);
/// Of a body that is still arriving, this much is hashed meanwhile.
const WORTH_HASHING: usize = 64 * 1024;
/// Reads on others' behalf before a reader lets its thread do something else.
const READS_IN_A_ROW: usize = 64;
/// A thread that waits for the socket cannot be woken by other callers: it looks by itself, this often where
/// there are others, and less often where it is alone.
const LOOK_AMONG_OTHERS: Duration = Duration::from_millis(20);
const LOOK_ALONE: Duration = Duration::from_millis(100);

/// What a caller has to do next.
// Every call ends with the large one.
#[allow(clippy::large_enum_variant)]
pub(in crate::transport) enum Step {
    /// The call is over.
    Done(Result<Reply, Failure>),
    /// Wait for the socket (where a flag is set), for the waker, or until a time; then advance again.
    Wait {
        read: bool,
        write: bool,
        until: Instant,
        /// Nothing happens unless another caller does its part.
        depends_on_others: bool,
        /// The whole request has left.
        is_sent: bool,
    },
    /// Let others run, then advance again.
    Yield,
}

/// One call's place on a connection. Dropped early, it cancels the call and leaves the connection whole.
pub(in crate::transport) struct Ticket<S: Socket> {
    pub(in crate::transport) connection: Arc<Connection<S>>,
    tag: Option<usize>,
    began: Instant,
    stage: Stage,
    hash: Option<Box<RunningHash>>,
}

/// The connection's buffer with what was read while nobody held the lock. Its taker has to advance with it.
pub(in crate::transport) struct Received {
    buffer: Vec<u8>,
    read: io::Result<usize>,
}

/// What came of [`Ticket::receive`].
pub(in crate::transport) enum Receive {
    Done(Received),
    Needless,
    Impossible,
}

#[derive(Clone, Copy)]
pub(super) enum Stage {
    Waiting,
    /// It has no request: it waits for HELLO's answer.
    Greeting,
    Sending {
        corr_id: u64,
        sent: usize,
    },
    Sent {
        corr_id: u64,
    },
}

impl<S: Socket> Ticket<S> {
    pub(in crate::transport) fn new(connection: Arc<Connection<S>>, now: Instant) -> Self {
        Self {
            connection,
            tag: None,
            began: now,
            stage: Stage::Waiting,
            hash: None,
        }
    }

    /// Does all that can be done without waiting. `take_over` gives the caller every role, and its turn, even
    /// where another one holds them: for when that one has not done anything for long. `received` is what
    /// [`Ticket::receive`] brought.
    pub(in crate::transport) fn advance(
        &mut self,
        exchange: &Exchange<'_>,
        waker: &Waker,
        take_over: bool,
        now: Instant,
        received: Option<Received>,
    ) -> Step {
        let connection = Arc::clone(&self.connection);
        let mut wakes = Wakes::default();
        let mut state = connection.lock();
        let step = self.advance_locked(
            &connection,
            &mut state,
            exchange,
            waker,
            take_over,
            now,
            received,
            &mut wakes,
        );
        if let Step::Done(_) = step {
            state.leave(self.tag.take(), &mut wakes);
        }
        connection.publish(&state);
        drop(state);
        wakes.wake(&connection.label);
        step
    }

    #[allow(clippy::too_many_arguments)] // `advance`, with what it has locked
    fn advance_locked(
        &mut self,
        connection: &Connection<S>,
        state: &mut State,
        exchange: &Exchange<'_>,
        waker: &Waker,
        take_over: bool,
        now: Instant,
        received: Option<Received>,
        wakes: &mut Wakes,
    ) -> Step {
        let socket = &connection.socket;
        let tag = match self.tag {
            Some(tag) => tag,
            None => {
                if let Some(failure) = &state.failed {
                    return Step::Done(Err(failure.clone()));
                }
                let tag = match exchange.is_greeting() {
                    true => {
                        self.stage = Stage::Greeting;
                        state.enter_greeting()
                    }
                    false => state.enter(),
                };
                self.tag = Some(tag);
                let is_idle = state.callers.len() == 1
                    && now.saturating_duration_since(state.last_read) > IDLE;
                if is_idle && state.session.hello().is_some() {
                    state.read(socket, now, true, wakes);
                }
                if let Stage::Greeting = self.stage {
                    if exchange.probes {
                        state.ask_for_life(tag, now);
                    }
                    state.greet(wakes);
                }
                tag
            }
        };
        wakes.current = Some(tag);
        if let Some(Received { buffer, read }) = received {
            state.tls.give_back(buffer);
            if state.failed.is_none() {
                state.take_read(socket, read, now, wakes);
            }
        }
        state.enforce_limits(socket, now, connection.connect_deadline, wakes);

        for _ in 0..READS_IN_A_ROW {
            // Threads write whenever they come by: none of them can be relied upon to look soon.
            let is_writer =
                S::SHARED_WAIT || take_over || state.writer.map_or(true, |writer| writer == tag);
            if let Some(mut result) = state.take_result(tag) {
                if let Ok(reply) = &mut result {
                    reply.hash = self.hash.take();
                }
                if is_writer {
                    state.flush(socket, now, wakes);
                }
                return Step::Done(result);
            }
            if now >= exchange.deadline {
                return Step::Done(Err(self.give_up(socket, state, now, wakes).into()));
            }
            let was_waiting = matches!(self.stage, Stage::Waiting);
            if let Err(failure) = self.send(socket, state, tag, exchange, take_over, now, wakes) {
                return Step::Done(Err(failure));
            }
            let is_new = was_waiting && matches!(self.stage, Stage::Sent { .. });
            let waits_for_more = is_new && !take_over && state.may_wait_for_more::<S>();
            if waits_for_more && state.writer.is_none() {
                state.writer = Some(tag);
                return Step::Yield;
            }
            if is_writer {
                state.flush(socket, now, wakes);
            }
            let mut due = None;
            if let Stage::Sent { corr_id } = self.stage {
                due = state.answer_due(tag, corr_id, exchange, now);
            }
            if due.is_some_and(|due| now >= due) {
                // Perhaps nobody has looked for as long.
                if state.read(socket, now, true, wakes) {
                    continue;
                }
                return Step::Done(Err(self.time_out(socket, state, exchange, now, wakes)));
            }
            let has_room_again =
                matches!(self.stage, Stage::Sending { .. }) && state.outgoing.has_room();
            if state.has_result(tag) || has_room_again {
                continue;
            }
            state.take_roles(tag, take_over, wakes);
            let is_reader = state.reader == Some(tag);
            if is_reader && state.read(socket, now, false, wakes) {
                if !wakes.list.is_empty() && !state.has_result(tag) {
                    // Whoever has an answer now goes on with it, while it is in the processor's cache.
                    return Step::Yield;
                }
                continue;
            }
            let wants_write =
                state.has_unsent() && (S::SHARED_WAIT || *state.writer.get_or_insert(tag) == tag);
            let caller = &mut state.callers[tag];
            match &mut caller.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
            let mut until = state.next_check(exchange.deadline, connection.connect_deadline);
            until = due.map_or(until, |due| until.min(due));
            if let (true, Stage::Sent { corr_id }) = (exchange.hashes_reply, self.stage) {
                // While others wait for the connection, it is not the time to hash.
                if is_reader && state.callers.len() == 1 {
                    let body = state.session.body(corr_id);
                    if body.len() > WORTH_HASHING {
                        let hash = || Box::new(RunningHash::new());
                        self.hash.get_or_insert_with(hash).catch_up(body);
                    }
                }
            }
            let is_waiting = matches!(self.stage, Stage::Waiting);
            if S::SHARED_WAIT && (is_reader || wants_write) {
                let is_alone = state.callers.len() == 1 && !is_waiting;
                let look = if is_alone {
                    LOOK_ALONE
                } else {
                    LOOK_AMONG_OTHERS
                };
                until = until.min(now + look);
            }
            return Step::Wait {
                read: is_reader,
                write: wants_write,
                until,
                depends_on_others: !is_reader
                    || (is_waiting && state.queue.front() != Some(&tag))
                    || (!wants_write && state.has_unsent()),
                is_sent: !state.has_unsent() && matches!(self.stage, Stage::Sent { .. }),
            };
        }
        Step::Yield
    }

    /// Opens the call when it is its turn, and seals as much of it as there is room for.
    #[allow(clippy::too_many_arguments)] // one step of `advance_locked`, with what that one has
    fn send(
        &mut self,
        socket: &S,
        state: &mut State,
        tag: usize,
        exchange: &Exchange<'_>,
        take_over: bool,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), Failure> {
        if let Stage::Waiting = self.stage {
            if let Some(sent) = state.start(socket, tag, exchange, take_over, now, wakes)? {
                self.stage = state.add_body(socket, tag, &sent, exchange, now, wakes);
            }
        }
        while let Stage::Sending { corr_id, sent } = self.stage {
            if !state.outgoing.has_room() {
                state.flush(socket, now, wakes);
            }
            state.callers[tag].wants_room = !state.outgoing.has_room();
            if state.callers[tag].wants_room || state.failed.is_some() {
                break;
            }
            state.seal_batch(socket, wakes);
            let body_len = exchange.content.body().len();
            self.stage = match state
                .session
                .resume(corr_id, sent, body_len, &mut state.plaintext)
            {
                Some(sent) => state.add_body(socket, tag, &sent, exchange, now, wakes),
                // Answered before its end: the rest is not wanted.
                None => Stage::Sent { corr_id },
            };
        }
        Ok(())
    }

    /// The call's time is over: cancels it and says what may have happened.
    fn give_up(
        &mut self,
        socket: &S,
        state: &mut State,
        now: Instant,
        wakes: &mut Wakes,
    ) -> SdkError {
        let (executed, what) = match self.stage {
            Stage::Waiting | Stage::Greeting if state.session.hello().is_none() => {
                (Executed::No, "while connecting to the gateway")
            }
            Stage::Waiting | Stage::Greeting => (
                Executed::No,
                "while waiting for a free slot on the connection",
            ),
            Stage::Sending { .. } => (Executed::No, "while sending the request"),
            Stage::Sent { .. } => (Executed::Unknown, "while waiting for the answer"),
        };
        self.cancel(socket, state, now, wakes);
        SdkError::new(
            ErrorKind::DeadlineExceeded,
            format!("the call's time ran out {what}"),
        )
        .with_executed(executed)
    }

    /// The answer has not begun in time: cancels the attempt.
    fn time_out(
        &mut self,
        socket: &S,
        state: &mut State,
        exchange: &Exchange<'_>,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Failure {
        state.metrics.timed_out(IoTimeout::Answer);
        if state.last_read <= self.began {
            state.suspect(now, wakes);
        }
        self.cancel(socket, state, now, wakes);
        let limit = exchange.answer_within;
        let message = format!("no answer within {limit:?}, the limit of one attempt");
        Failure {
            error: SdkError::new(ErrorKind::Transport, message).with_executed(Executed::Unknown),
            cause: Cause::AttemptTimeout,
            may_move: false,
        }
    }

    fn cancel(&mut self, socket: &S, state: &mut State, now: Instant, wakes: &mut Wakes) {
        if let Stage::Sending { corr_id, .. } | Stage::Sent { corr_id } = self.stage {
            state.session.cancel(corr_id);
            state.flush(socket, now, wakes);
        }
    }
}

impl Ticket<ThreadSocket> {
    /// Waits for bytes and reads them without the lock. Not at all where the call has its answer already, or the
    /// buffer has to stay.
    pub(in crate::transport) fn receive(&self) -> Receive {
        let mut state = self.connection.lock();
        if state.failed.is_some() || self.tag.map_or(true, |tag| state.has_result(tag)) {
            return Receive::Needless;
        }
        let Some(mut buffer) = state.tls.lend() else {
            return Receive::Impossible;
        };
        drop(state);
        let read = self.connection.socket.receive(&mut buffer);
        Receive::Done(Received { buffer, read })
    }
}

impl<S: Socket> Drop for Ticket<S> {
    fn drop(&mut self) {
        if !self.connection.is_here() {
            mem::forget(Arc::clone(&self.connection));
            return;
        }
        if let Some(tag) = self.tag {
            let connection = Arc::clone(&self.connection);
            let mut wakes = Wakes {
                current: Some(tag),
                ..Wakes::default()
            };
            let mut state = connection.lock();
            if !state.has_result(tag) {
                self.cancel(&connection.socket, &mut state, Instant::now(), &mut wakes);
            }
            state.leave(Some(tag), &mut wakes);
            connection.publish(&state);
            drop(state);
            wakes.wake(&connection.label);
        }
    }
}
