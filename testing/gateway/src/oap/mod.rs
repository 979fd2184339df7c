//! One OAP connection: a session coupled to its socket.
//!
//! Everything of a connection happens in one task: it polls the socket in both directions, the calls
//! that wait for I/O, and one timer. Most calls are answered while their bytes are being read, so that
//! the answers to everything in one read leave in one write.

mod admission;
mod frame_clock;
mod injection;

use crate::answer::Answer;
use crate::engine::Call;
use crate::faults::{ResetSwitch, Wire};
use crate::gateway::Shared;
use crate::metrics::CallLabel;
use crate::outcome::{Outcome, Reply};
use crate::phase::Phase;
use bytes::Bytes;
use frame_clock::FrameClock;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{FuturesUnordered, StreamExt};
use ron_app_sdk::oap::hello::HelloReply;
use ron_app_sdk::oap::{ErrorReply, Executed, Reason};
use ron_app_sdk::session::{Server, ServerEvent, Violation};
use std::collections::HashMap;
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{sleep_until, timeout, Sleep};

/// The most that is read at once.
const INPUT: usize = 64 * 1024;
/// How much output is prepared at once.
pub(crate) const OUTPUT: usize = 256 * 1024;
/// For the last bytes to a client that is being left.
const FAREWELL: Duration = Duration::from_secs(1);
/// For the client to close its side too; closing over unread bytes would destroy what it has not read.
const LINGER: Duration = Duration::from_millis(500);

/// Serves a connection to its end.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: Arc<Shared>,
    reset: ResetSwitch,
) {
    let mut connection = Connection::new(stream, shared, reset);
    let end = poll_fn(|cx| connection.poll(cx)).await;
    connection.close(end).await;
}

/// Why a connection ends.
enum End {
    /// The client closed it.
    Closed,
    /// The socket failed, did not take a byte for too long, or is to be reset.
    Broken,
    /// It was drained, and nothing is left to do.
    Finished,
    /// The client broke the protocol.
    Violation(Violation),
    /// The client was too slow with this.
    TooSlow(&'static str),
}

/// A call that waits for I/O.
struct Running {
    abort: AbortHandle,
    label: CallLabel,
    interrupted: Executed,
}

/// What a future of the connection came to.
enum Happening {
    /// `None` where it was aborted.
    Executed(u64, CallLabel, Option<Outcome>),
    Draining,
    HeldForTooLong,
}

struct Connection<S> {
    stream: S,
    shared: Arc<Shared>,
    session: Server,
    /// Where faults are injected into frames.
    wire: Option<Box<Wire>>,
    reset: ResetSwitch,
    input: Box<[u8]>,
    output: Vec<u8>,
    written: usize,
    is_unflushed: bool,
    /// Admitted, and waiting for their bodies.
    waiting: HashMap<u64, Call>,
    running: HashMap<u64, Running>,
    happenings: FuturesUnordered<Pin<Box<dyn Future<Output = Happening> + Send>>>,
    /// Whether reading waits until the client has taken some output.
    is_paused: bool,
    frame_clock: FrameClock,
    since: Instant,
    last_moved: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(stream: S, shared: Arc<Shared>, reset: ResetSwitch) -> Self {
        let config = &shared.config;
        let limits = config.limits.session;
        let hello = HelloReply::new(limits.max_in_flight, config.profile, config.amnesia);
        let happenings = FuturesUnordered::new();
        let mut phase = shared.phase.clone();
        happenings.push(Box::pin(async move {
            phase.reached(Phase::Draining).await;
            Happening::Draining
        })
            as Pin<Box<dyn Future<Output = Happening> + Send>>);
        let now = Instant::now();
        let alarm = sleep_until(after(now, config.limits.hello).into());
        Self {
            stream,
            session: Server::new(hello, limits),
            wire: None,
            reset,
            input: vec![0; INPUT].into(),
            output: Vec::new(),
            written: 0,
            is_unflushed: false,
            waiting: HashMap::new(),
            running: HashMap::new(),
            happenings,
            is_paused: false,
            frame_clock: FrameClock::default(),
            since: now,
            last_moved: now,
            alarm: Box::pin(alarm),
            shared,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut has_moved = false;
        loop {
            let mut moves = self.poll_happenings(cx);
            if self.reset.is_requested() {
                return Poll::Ready(End::Broken);
            }
            match self.poll_write(cx) {
                Ok(moved) => moves |= moved,
                Err(end) => return Poll::Ready(end),
            }
            if self.is_finished() && !self.has_unsent() && !self.is_unflushed {
                return Poll::Ready(End::Finished);
            }
            match self.poll_read(cx) {
                Ok(moved) => moves |= moved,
                Err(end) => return Poll::Ready(end),
            }
            if !moves {
                break;
            }
            has_moved = true;
        }
        if has_moved {
            self.last_moved = Instant::now();
        }
        self.poll_alarm(cx)
    }

    fn poll_happenings(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while let Poll::Ready(Some(happening)) = self.happenings.poll_next_unpin(cx) {
            moved = true;
            match happening {
                Happening::Executed(corr_id, label, Some(outcome)) => {
                    self.running.remove(&corr_id);
                    self.answer(corr_id, label, outcome);
                }
                Happening::Executed(_, _, None) => {}
                Happening::HeldForTooLong => self.release(),
                Happening::Draining => self.session.drain("the gateway is going away"),
            }
        }
        moved
    }

    fn has_unsent(&self) -> bool {
        self.written < self.output.len()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = false;
        loop {
            if !self.has_unsent() {
                self.output.clear();
                self.written = 0;
                if !self.has_output() {
                    break;
                }
                moved |= self.prepare_output(OUTPUT);
                if self.output.is_empty() {
                    break;
                }
            }
            let stream = Pin::new(&mut self.stream);
            match stream.poll_write(cx, &self.output[self.written..]) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.written += count;
                    self.is_unflushed = true;
                    moved = true;
                }
                Poll::Ready(_) => return Err(End::Broken),
                Poll::Pending => return Ok(moved),
            }
        }
        if self.is_unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.is_unflushed = false,
                Poll::Ready(Err(_)) => return Err(End::Broken),
                Poll::Pending => {}
            }
        }
        Ok(moved)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        // A client that does not read its answers gets no further ones: what is prepared and what the
        // open calls hold is all that it can make the gateway keep.
        if self.has_unsent() && self.session.has_output() {
            self.is_paused = true;
            return Ok(false);
        }
        if std::mem::take(&mut self.is_paused) {
            self.frame_clock.restart(Instant::now());
        }
        let mut buffer = ReadBuf::new(&mut self.input);
        let count = match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => buffer.filled().len(),
            Poll::Ready(Err(_)) => return Err(End::Broken),
            Poll::Pending => return Ok(false),
        };
        if count == 0 {
            return Err(End::Closed);
        }
        let now = Instant::now();
        let received = self.session.receive(now, &self.input[..count]);
        self.handle_events(now);
        received.map_err(End::Violation)?;
        self.frame_clock.observe(now, &self.session);
        Ok(true)
    }

    fn handle_events(&mut self, now: Instant) {
        while let Some(event) = self.session.next_event() {
            match event {
                ServerEvent::Request { corr_id, head } => {
                    match admission::admit(&self.shared.engine, now, &head) {
                        Ok(call) => {
                            self.waiting.insert(corr_id, call);
                        }
                        Err((label, error)) => {
                            self.shared.metrics.call(label, error.reason.code());
                            self.session.refuse(corr_id, &error);
                        }
                    }
                }
                ServerEvent::Body { corr_id, body } => {
                    if let Some(call) = self.waiting.remove(&corr_id) {
                        self.execute(corr_id, call, body);
                    }
                }
                ServerEvent::Refused { corr_id, code } => {
                    let label = self
                        .waiting
                        .remove(&corr_id)
                        .map(|call| call.action.label());
                    self.shared.metrics.call(label.unwrap_or_default(), code);
                }
                ServerEvent::Cancelled { corr_id } => self.cancel(corr_id),
                ServerEvent::Hello(_) => self.inject_into_hello(),
                ServerEvent::Pong { .. } => {}
            }
        }
    }

    fn execute(&mut self, corr_id: u64, call: Call, body: Bytes) {
        if let Some(log) = &self.shared.config.call_log {
            log.say(&call);
        }
        let (label, interrupted) = (call.action.label(), call.action.interrupted());
        let Some(answer) = self.start(corr_id, call, body) else {
            return;
        };
        match answer {
            Answer::Ready(outcome) => self.answer(corr_id, label, outcome),
            Answer::Pending(outcome) => {
                let (abort, registration) = AbortHandle::new_pair();
                let outcome = Abortable::new(outcome, registration);
                self.happenings.push(Box::pin(async move {
                    Happening::Executed(corr_id, label, outcome.await.ok())
                }));
                let running = Running {
                    abort,
                    label,
                    interrupted,
                };
                self.running.insert(corr_id, running);
            }
        }
    }

    fn answer(&mut self, corr_id: u64, label: CallLabel, outcome: Outcome) {
        self.shared.metrics.call(label, outcome.code);
        match &outcome.reply {
            Reply::Error(error) => self.session.refuse(corr_id, error),
            reply => {
                let meta = reply.to_json();
                self.session
                    .answer(corr_id, outcome.code, meta, outcome.body);
            }
        }
        outcome.on_replied.replied();
    }

    fn cancel(&mut self, corr_id: u64) {
        self.waiting.remove(&corr_id);
        if let Some(running) = self.running.remove(&corr_id) {
            running.abort.abort();
            let error = ErrorReply::not_executed(Reason::Cancelled);
            let outcome = Outcome::error(error, running.interrupted);
            self.answer(corr_id, running.label, outcome);
        }
    }

    /// A call whose body is still on its way when its time is over is not executed any more.
    fn refuse_overdue(&mut self, now: Instant) -> bool {
        let is_overdue = |(id, call): (&u64, &Call)| (call.deadline <= now).then_some(*id);
        let overdue: Vec<u64> = self.waiting.iter().filter_map(is_overdue).collect();
        for corr_id in &overdue {
            if let Some(call) = self.waiting.remove(corr_id) {
                let error = ErrorReply::not_executed(Reason::DeadlineExceeded);
                let outcome = Outcome::error(error, Executed::No);
                self.answer(*corr_id, call.action.label(), outcome);
            }
        }
        !overdue.is_empty()
    }

    /// Waits for the earliest limit in time. The timer is moved only where that comes earlier than what
    /// it is set to, or when it has fired: not with every byte.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let set = self.alarm.deadline().into_std();
        let (due, _) = self.next_limit();
        if due < set {
            self.alarm.as_mut().reset(due.into());
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.refuse_overdue(now) {
                cx.waker().wake_by_ref();
            }
            let (due, limit) = self.next_limit();
            if due <= now {
                return Poll::Ready(End::TooSlow(limit));
            }
            self.alarm.as_mut().reset(due.into());
        }
        Poll::Pending
    }

    /// Which of the client's limits in time is the next one, and when.
    fn next_limit(&self) -> (Instant, &'static str) {
        let limits = &self.shared.config.limits;
        let idle_since = if self.running.is_empty() {
            self.last_moved
        } else {
            Instant::now()
        };
        let mut next = (after(idle_since, limits.idle), "idle");
        let mut limit = |since: Instant, duration, name| {
            let due = after(since, duration);
            if due < next.0 {
                next = (due, name);
            }
        };
        if let Some(deadline) = self.waiting.values().map(|call| call.deadline).min() {
            limit(deadline, Duration::ZERO, "request");
        }
        if !self.session.is_ready() {
            limit(self.since, limits.hello, "hello");
        }
        match self.frame_clock.began() {
            Some(began) if !self.is_paused => limit(began, limits.frame, "frame"),
            _ => {}
        }
        next
    }

    /// Says what is left to say and closes.
    async fn close(mut self, end: End) {
        let metrics = &self.shared.metrics;
        match &end {
            End::Violation(violation) => metrics.violation(violation.kind()),
            End::TooSlow(limit) => metrics.timeout(limit),
            End::Closed | End::Broken | End::Finished => {}
        }
        match end {
            End::Broken => return,
            End::TooSlow("idle") => self.session.drain("idle for too long"),
            _ => {}
        }
        self.finish_faults();
        let said = timeout(FAREWELL, self.say_the_rest()).await;
        if matches!(said, Ok(Ok(()))) && !matches!(end, End::Closed) {
            // Until the client has closed too, or not for long.
            let _ = timeout(LINGER, self.discard_input()).await;
        }
    }

    async fn say_the_rest(&mut self) -> std::io::Result<()> {
        loop {
            self.stream.write_all(&self.output[self.written..]).await?;
            self.output.clear();
            self.written = 0;
            self.prepare_output(OUTPUT);
            if self.output.is_empty() {
                return self.stream.shutdown().await;
            }
        }
    }

    async fn discard_input(&mut self) {
        while matches!(self.stream.read(&mut self.input).await, Ok(count) if count > 0) {}
    }
}

/// `duration` after `instant`, or as good as never where it is too long for the clock.
fn after(instant: Instant, duration: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    instant + duration.min(NEVER)
}
