//! A connection's state, under its lock: TLS, the session, who waits for what.

use super::exchange::{ConnectionId, Exchange, Failure, Reply};
use super::probe::Probe;
use crate::config::Timeouts;
use crate::error::{ErrorKind, SdkError};
use crate::metrics::Metrics;
use crate::oap::Executed;
use crate::retry::Cause;
use crate::session::{Client, ClientEvent, Meta};
use crate::telemetry::{ConnectionEvent, ConnectionLabel};
use crate::transport::endpoint::Endpoint;
use crate::transport::outgoing::Outgoing;
use crate::transport::socket::Socket;
use crate::transport::tls::{describe, refuses_client, OpenError, TlsSession, NO_ALPN};
use crate::wipe::wipe;
use bytes::Bytes;
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;
use zeroize::Zeroizing;

pub(super) struct State {
    id: ConnectionId,
    gateway: Arc<Endpoint>,
    pub(super) metrics: Metrics,
    began: Instant,
    pub(super) tls: TlsSession,
    pub(super) session: Client,
    pub(super) outgoing: Outgoing,
    /// Plaintext on its way into `outgoing`; wiped as soon as it is sealed.
    pub(super) plaintext: Zeroizing<Vec<u8>>,
    pub(super) meta: Vec<u8>,
    pub(super) callers: Slab<Caller>,
    /// Not with the callers, of whom there may be many more.
    results: Slab<Result<Reply, Failure>>,
    /// Callers whose request has not begun, first come first served.
    pub(super) queue: VecDeque<usize>,
    pub(super) reader: Option<usize>,
    pub(super) writer: Option<usize>,
    /// Whose requests are in `plaintext`, to be sealed as one record.
    pub(super) batch: Vec<usize>,
    /// Requests that are sealed and not sent, by where they end.
    pub(super) unsent: VecDeque<(u64, usize)>,
    pub(super) probe: Probe,
    pub(super) is_retired: bool,
    /// Whether the peer has read none of the requests, whatever was sent of them.
    is_refused: bool,
    pub(super) failed: Option<Failure>,
    pub(super) last_read: Instant,
    pub(super) last_write: Instant,
    pub(super) timeouts: Timeouts,
}

pub(super) struct Caller {
    pub(super) waker: Option<Waker>,
    /// Where in the sealed bytes the request ends, once it has been sealed.
    pub(super) request_end: Option<u64>,
    /// When the socket took the request's last byte.
    pub(super) sent_at: Option<Instant>,
    pub(super) wants_room: bool,
    /// It has no request, and waits for HELLO's answer.
    is_greeting: bool,
    /// It waits for another sign of life, where HELLO was answered before.
    is_probing: bool,
    /// Where its result is.
    result: Option<usize>,
}

/// Whom to wake once the state is unlocked, what to drop and what to say only then: the end of a waker and a
/// subscriber may run anybody's code.
#[derive(Default)]
pub(super) struct Wakes {
    pub(super) current: Option<usize>,
    pub(super) list: Vec<Waker>,
    pub(super) retired: Option<Waker>,
    pub(super) events: Vec<ConnectionEvent>,
}

impl State {
    pub(super) fn new(
        label: &ConnectionLabel,
        tls: TlsSession,
        session: Client,
        timeouts: &Timeouts,
    ) -> Self {
        let now = Instant::now();
        let mut state = Self {
            id: ConnectionId(label.number()),
            gateway: Arc::clone(label.gateway()),
            metrics: label.metrics().clone(),
            began: now,
            tls,
            session,
            outgoing: Outgoing::new(),
            plaintext: Zeroizing::new(Vec::new()),
            meta: Vec::new(),
            callers: Slab::new(),
            results: Slab::new(),
            queue: VecDeque::new(),
            reader: None,
            writer: None,
            batch: Vec::new(),
            unsent: VecDeque::new(),
            probe: Probe::default(),
            is_retired: false,
            is_refused: false,
            failed: None,
            last_read: now,
            last_write: now,
            timeouts: timeouts.clone(),
        };
        // Makes TLS say its first words. A failure shows again with the first answer.
        let _ = state.tls.open::<()>(0, &mut state.outgoing, |_| Ok(()));
        state
    }

    pub(super) fn enter(&mut self) -> usize {
        let tag = self.insert(false);
        self.queue.push_back(tag);
        tag
    }

    /// Enters without a request.
    pub(super) fn enter_greeting(&mut self) -> usize {
        self.insert(true)
    }

    fn insert(&mut self, is_greeting: bool) -> usize {
        self.callers.insert(Caller {
            waker: None,
            request_end: None,
            sent_at: None,
            wants_room: false,
            is_greeting,
            is_probing: false,
            result: None,
        })
    }

    /// Asks for a sign of life on behalf of somebody without a request, where HELLO was answered long ago.
    pub(super) fn ask_for_life(&mut self, tag: usize, now: Instant) {
        if self.failed.is_some() || !self.is_established() {
            return;
        }
        self.callers[tag].is_probing = true;
        if let Some(nonce) = self.probe.ask(now) {
            self.session.ping(nonce);
        }
    }

    /// The peer has said something, whatever it is.
    fn is_alive(&mut self, wakes: &mut Wakes) {
        let was_asked = self.probe.is_under_way();
        self.probe.answered();
        if was_asked {
            for (_, caller) in &mut self.callers {
                caller.is_probing = false;
            }
            self.greet(wakes);
        }
    }

    /// Tells those without a request of HELLO's answer, where it is there.
    pub(super) fn greet(&mut self, wakes: &mut Wakes) {
        if self.failed.is_some() || !self.is_established() {
            return;
        }
        for tag in self.greeting() {
            if self.is_probing(tag) {
                continue;
            }
            let result = match self.session.is_draining() || self.is_retired {
                true => Err(draining()),
                false => Ok(Reply {
                    connection: self.id,
                    code: 200,
                    meta: Meta::default(),
                    body: Bytes::new(),
                    hash: None,
                }),
            };
            self.deliver(tag, result, wakes);
        }
    }

    fn greeting(&self) -> Vec<usize> {
        let callers = self.callers.iter();
        callers
            .filter_map(|(tag, caller)| caller.is_greeting.then_some(tag))
            .collect()
    }

    fn is_probing(&self, tag: usize) -> bool {
        self.callers
            .get(tag)
            .is_some_and(|caller| caller.is_probing)
    }

    /// Whether a caller's result is there.
    pub(super) fn has_result(&self, tag: usize) -> bool {
        self.callers
            .get(tag)
            .is_some_and(|caller| caller.result.is_some())
    }

    pub(super) fn take_result(&mut self, tag: usize) -> Option<Result<Reply, Failure>> {
        let at = self.callers.get_mut(tag)?.result.take()?;
        self.results.try_remove(at)
    }

    /// Wakes everybody: for when it is unknown who has to be.
    pub(super) fn wake_all(&self, wakes: &mut Wakes) {
        let wakers = self
            .callers
            .iter()
            .filter_map(|(_, caller)| caller.waker.clone());
        wakes.list.extend(wakers);
    }

    /// Gives a caller the roles that nobody has or, where it takes over, that somebody else does not fill.
    pub(super) fn take_roles(&mut self, tag: usize, take_over: bool, wakes: &mut Wakes) {
        if take_over || self.reader.is_none() {
            if let Some(displaced) = self.reader.replace(tag).filter(|reader| *reader != tag) {
                // It no longer hears of the socket, and has to find that out.
                wakes.add(displaced, &self.callers);
            }
        }
        if take_over && self.has_unsent() {
            self.writer = Some(tag);
        }
    }

    /// A caller goes: its roles pass on to somebody who is woken for them.
    pub(super) fn leave(&mut self, tag: Option<usize>, wakes: &mut Wakes) {
        let Some((tag, caller)) = tag.and_then(|tag| Some((tag, self.callers.try_remove(tag)?)))
        else {
            return;
        };
        wakes.retired = caller.waker;
        // Nobody takes it any more.
        let _unwanted = caller.result.and_then(|at| self.results.try_remove(at));
        if caller.request_end.is_none() {
            self.batch.retain(|batched| *batched != tag);
        }
        self.dequeue(tag);
        self.wake_queue(wakes);
        if self.reader == Some(tag) {
            self.reader = self.wake_successor(wakes);
        }
        if self.writer == Some(tag) {
            self.writer = None;
        }
        if self.writer.is_none() && self.has_unsent() {
            self.writer = self.wake_successor(wakes);
        }
    }

    pub(super) fn dequeue(&mut self, tag: usize) {
        if let Some(at) = self.queue.iter().position(|queued| *queued == tag) {
            self.queue.remove(at);
        }
    }

    fn wake_successor(&mut self, wakes: &mut Wakes) -> Option<usize> {
        let waiting = |caller: &Caller| caller.result.is_none() && caller.waker.is_some();
        let (tag, caller) = self.callers.iter().find(|(_, caller)| waiting(caller))?;
        wakes.list.extend(caller.waker.clone());
        Some(tag)
    }

    /// Wakes whose turn it is to open a call, where a slot is free.
    pub(super) fn wake_queue(&mut self, wakes: &mut Wakes) {
        if self.session.open_calls() < self.session.slots() {
            if let Some(front) = self.queue.front() {
                wakes.add(*front, &self.callers);
            }
        }
    }

    /// Until when a caller's answer has to begin; `None` where it has begun.
    pub(super) fn answer_due(
        &self,
        tag: usize,
        corr_id: u64,
        exchange: &Exchange<'_>,
        now: Instant,
    ) -> Option<Instant> {
        if self.session.has_begun(corr_id) {
            return None;
        }
        // What has not left yet is looked at again when it could be due at the earliest.
        Some(self.callers[tag].sent_at.unwrap_or(now) + exchange.answer_within)
    }

    /// An answer did not begin in time, and nothing else came since the attempt began: asks the peer for a
    /// sign of life, and sends those elsewhere who have not begun.
    pub(super) fn suspect(&mut self, now: Instant, wakes: &mut Wakes) {
        if let Some(nonce) = self.probe.begin(now) {
            let limit = self.probe.limit();
            wakes.events.push(ConnectionEvent::Probed { limit });
            self.session.ping(nonce);
            for at in 0..self.queue.len() {
                self.deliver(self.queue[at], Err(draining()), wakes);
            }
            if let Some(reader) = self.reader {
                // It has to look at the clock earlier than it knows.
                wakes.add(reader, &self.callers);
            }
        }
    }

    /// Reads once and hands out what that completes. False where there was nothing to read.
    pub(super) fn read<S: Socket>(
        &mut self,
        socket: &S,
        now: Instant,
        ask_system: bool,
        wakes: &mut Wakes,
    ) -> bool {
        if self.tls.is_lent() {
            // The reader has it, and finds what there is.
            return false;
        }
        let space = self.tls.space();
        let read = if ask_system {
            socket.read_now(space)
        } else {
            socket.try_read(space)
        };
        self.take_read(socket, read, now, wakes)
    }

    /// Hands out what was read. False where there was nothing.
    pub(super) fn take_read<S: Socket>(
        &mut self,
        socket: &S,
        read: io::Result<usize>,
        now: Instant,
        wakes: &mut Wakes,
    ) -> bool {
        match read {
            Ok(0) => {
                let error = lost(&io::ErrorKind::UnexpectedEof.into(), self.is_established());
                self.fail(socket, error, true, wakes);
            }
            Ok(received) => {
                self.last_read = now;
                self.receive(socket, received, now, wakes);
                self.is_alive(wakes);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.fail(socket, lost(&error, self.is_established()), true, wakes),
        }
        true
    }

    fn receive<S: Socket>(&mut self, socket: &S, received: usize, now: Instant, wakes: &mut Wakes) {
        let was_draining = self.session.is_draining();
        let session = &mut self.session;
        let result = self.tls.open(received, &mut self.outgoing, |plaintext| {
            session.receive(now, plaintext)
        });
        while let Some(event) = self.session.next_event() {
            if event == ClientEvent::Ready {
                self.probe.hello_answered(now);
                wakes.events.push(ConnectionEvent::Opened {
                    slots: self.session.slots(),
                    elapsed: now.saturating_duration_since(self.began),
                });
            }
            self.handle(event, wakes);
        }
        if self.session.is_draining() {
            if !was_draining {
                wakes.events.push(ConnectionEvent::Drained);
            }
            // Whoever has not begun goes elsewhere.
            for at in 0..self.queue.len() {
                self.deliver(self.queue[at], Err(draining()), wakes);
            }
        }
        match result {
            Ok(()) if self.tls.is_closed_by_peer() => {
                let error = lost(&io::ErrorKind::UnexpectedEof.into(), self.is_established());
                self.fail(socket, error, true, wakes);
            }
            Ok(()) => {}
            Err(OpenError::Tls(error)) => {
                // The alert that tells the peer what was wrong.
                let _ = socket.try_write(self.outgoing.pending());
                let kind = if self.is_established() {
                    ErrorKind::Transport
                } else {
                    ErrorKind::Tls
                };
                self.is_refused = !self.is_established() && refuses_client(&error);
                let why = format!("{} ({})", describe(&error), self.gateway);
                let error = SdkError::new(kind, why).with_source(error);
                self.fail(socket, error, false, wakes);
            }
            Err(OpenError::NoAlpn) => {
                let why = format!("{NO_ALPN} ({})", self.gateway);
                self.fail(socket, SdkError::new(ErrorKind::Tls, why), false, wakes);
            }
            Err(OpenError::Consumer(violation)) => {
                self.metrics.violated(violation.kind());
                let message = format!("the peer broke the protocol: {violation}");
                let error = SdkError::new(ErrorKind::OapViolation, message).with_source(violation);
                self.fail(socket, error, false, wakes);
            }
        }
    }

    fn handle(&mut self, event: ClientEvent, wakes: &mut Wakes) {
        match event {
            ClientEvent::Reply {
                tag,
                code,
                meta,
                body,
            } => {
                let connection = self.id;
                let reply = Reply {
                    connection,
                    code,
                    meta,
                    body,
                    hash: None,
                };
                self.deliver(tag, Ok(reply), wakes);
            }
            ClientEvent::NotExecuted { tag } => self.deliver(tag, Err(draining()), wakes),
            ClientEvent::Ready => {
                self.greet(wakes);
                self.wake_queue(wakes);
            }
            ClientEvent::SlotFree => self.wake_queue(wakes),
            // Lost is said by `fail`, which knows why.
            ClientEvent::Pong { .. } | ClientEvent::Lost { .. } => {}
        }
    }

    fn deliver(&mut self, tag: usize, result: Result<Reply, Failure>, wakes: &mut Wakes) {
        if let Some(caller) = self.callers.get_mut(tag) {
            if caller.result.is_none() {
                caller.result = Some(self.results.insert(result));
                wakes.add(tag, &self.callers);
            }
        }
    }

    /// The connection is over: each open call gets an error of its own.
    pub(super) fn fail<S: Socket>(
        &mut self,
        socket: &S,
        error: SdkError,
        is_loss: bool,
        wakes: &mut Wakes,
    ) {
        if self.failed.is_some() {
            return;
        }
        let may_move = is_loss && self.is_established();
        wakes.events.push(ConnectionEvent::Lost {
            error: error.kind(),
            established: self.is_established(),
            calls: self.callers.len(),
        });
        // A peer that breaks the protocol from the start does not speak it.
        let is_stranger = error.kind() == ErrorKind::OapViolation && !self.is_established();
        let cause = if is_stranger {
            Cause::Final
        } else {
            Cause::Ordinary
        };
        let failure = Failure {
            error,
            cause,
            may_move,
        };
        self.failed = Some(failure.clone());
        wipe(&mut self.plaintext);
        self.plaintext.clear();
        self.batch.clear();
        while let Some(tag) = self.queue.pop_front() {
            self.lose(tag, &failure, wakes);
        }
        for tag in self.greeting() {
            self.lose(tag, &failure, wakes);
        }
        self.session.end();
        while let Some(event) = self.session.next_event() {
            match event {
                ClientEvent::Lost { tag } => self.lose(tag, &failure, wakes),
                event => self.handle(event, wakes),
            }
        }
        socket.shut_down();
    }

    fn lose(&mut self, tag: usize, failure: &Failure, wakes: &mut Wakes) {
        let end = self.callers.get(tag).and_then(|caller| caller.request_end);
        // A request whose last byte did not leave cannot have been executed.
        let has_left = end.is_some_and(|end| end <= self.outgoing.taken());
        let left = has_left && !self.is_refused;
        let executed = if left {
            Executed::Unknown
        } else {
            Executed::No
        };
        let failure = Failure {
            error: failure.error.clone().with_executed(executed),
            cause: failure.cause,
            may_move: failure.may_move && !left,
        };
        self.deliver(tag, Err(failure), wakes);
    }

    pub(super) fn is_established(&self) -> bool {
        self.session.hello().is_some()
    }
}

impl Wakes {
    fn add(&mut self, tag: usize, callers: &Slab<Caller>) {
        if self.current != Some(tag) {
            if let Some(waker) = callers.get(tag).and_then(|caller| caller.waker.clone()) {
                self.list.push(waker);
            }
        }
    }

    /// Wakes them, and says what befell the connection.
    pub(super) fn wake(self, connection: &ConnectionLabel) {
        for waker in self.list {
            waker.wake();
        }
        for event in self.events {
            connection.say(event);
        }
    }
}

pub(super) fn draining() -> Failure {
    Failure {
        error: SdkError::new(ErrorKind::Transport, "the connection takes no more calls"),
        cause: Cause::Ordinary,
        may_move: true,
    }
}

pub(super) fn lost(error: &io::Error, is_established: bool) -> SdkError {
    let when = if is_established {
        ""
    } else {
        " before it was established"
    };
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the peer closed it".to_owned(),
        _ => error.to_string(),
    };
    SdkError::new(
        ErrorKind::Transport,
        format!("the connection to the gateway was lost{when}: {why}"),
    )
}
