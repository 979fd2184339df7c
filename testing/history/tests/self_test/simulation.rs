//! `Simulation`: callers, a network and a service in virtual time.

use fastrand::Rng;
use ron_history::mailbox::Restart;
use ron_history::Recorder;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const MILLISECOND: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MILLISECOND;

/// A call, as the service knows it: the same for each of its attempts.
pub(crate) type CallId = usize;

pub(crate) trait Service {
    type Request: Clone;
    type Reply;

    /// What to answer, now or as soon as anything changed.
    fn handle(
        &mut self,
        now: u64,
        call: CallId,
        request: &Self::Request,
        answers: &mut Answers<Self::Reply>,
    );

    /// The time has come that `next` named.
    fn wake(&mut self, now: u64, answers: &mut Answers<Self::Reply>);

    /// When there is something to do next.
    fn next(&self) -> Option<u64>;

    /// An answer has left, or was lost instead.
    fn answered(&mut self, request: &Self::Request, reply: &Self::Reply, is_lost: bool);

    fn restart(&mut self, now: u64);
}

pub(crate) type Answers<R> = Vec<(CallId, R)>;

/// What a caller does next.
pub(crate) enum Next<R> {
    Call { request: R, patience: u64 },
    Wait(u64),
    Stop,
}

/// How a call has ended.
pub(crate) enum End<R> {
    Replied(R),
    GaveUp,
    /// No attempt has left the caller.
    NotSent,
}

pub(crate) trait Callers<S: Service> {
    fn next(&mut self, caller: usize, now: u64, random: &mut Rng) -> Next<S::Request>;

    fn ended(&mut self, caller: usize, end: End<S::Reply>, random: &mut Rng);
}

/// What goes wrong, as probabilities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// A request or an answer is lost.
    pub(crate) loss: f64,
    /// A request arrives twice, the second time up to seconds later.
    pub(crate) duplicate: f64,
    /// A message takes up to a second, and others overtake it.
    pub(crate) delay: f64,
    /// A caller gives up in the middle of a call.
    pub(crate) cancel: f64,
    /// Each second of the simulation.
    pub(crate) restart: f64,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        loss: 0.0,
        duplicate: 0.0,
        delay: 0.0,
        cancel: 0.0,
        restart: 0.0,
    };
    pub(crate) const MANY: Self = Self {
        loss: 0.05,
        duplicate: 0.03,
        delay: 0.02,
        cancel: 0.03,
        restart: 0.0,
    };
}

impl Faults {
    /// All of it so many times as often.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self {
            loss: self.loss * factor,
            duplicate: self.duplicate * factor,
            delay: self.delay * factor,
            cancel: self.cancel * factor,
            restart: self.restart * factor,
        }
    }
}

const ATTEMPTS: u32 = 4;
/// The longest that a call without patience of its own takes, from its beginning to its end.
pub(crate) const LONGEST_CALL: u64 = ATTEMPTS as u64 * ATTEMPT_TIMEOUT;
const ATTEMPT_TIMEOUT: u64 = 300 * MILLISECOND;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Act { caller: usize },
    Arrive { call: CallId },
    Answer { call: CallId, number: usize },
    Timeout { call: CallId, attempt: u32 },
    Cancel { call: CallId },
    Wake,
    Second,
}

struct Open<R> {
    caller: usize,
    request: R,
    patience: u64,
    attempt: u32,
    is_open: bool,
}

pub(crate) struct Simulation<S: Service, C> {
    pub(crate) service: S,
    pub(crate) callers: C,
    recorder: Recorder,
    clock: Arc<AtomicU64>,
    random: Rng,
    faults: Faults,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    scheduled: u64,
    calls: Vec<Open<S::Request>>,
    answers: Vec<Option<S::Reply>>,
    waking: Option<u64>,
}

/// A recorder on a clock that a simulation moves.
pub(crate) fn recorder() -> (Recorder, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&clock);
    let recorder = Recorder::with_clock(move || Duration::from_nanos(now.load(Ordering::Relaxed)));
    (recorder, clock)
}

impl<S: Service, C: Callers<S>> Simulation<S, C> {
    pub(crate) fn new(
        service: S,
        callers: C,
        (recorder, clock): (Recorder, Arc<AtomicU64>),
        seed: u64,
        faults: Faults,
    ) -> Self {
        Self {
            service,
            callers,
            recorder,
            clock,
            random: Rng::with_seed(seed),
            faults,
            events: BinaryHeap::new(),
            scheduled: 0,
            calls: Vec::new(),
            answers: Vec::new(),
            waking: None,
        }
    }

    /// Runs until all callers have stopped.
    pub(crate) fn run(&mut self, callers: usize) {
        let mut active = callers;
        for caller in 0..callers {
            self.schedule(0, Event::Act { caller });
        }
        self.schedule(SECOND, Event::Second);
        while active > 0 {
            let Some(Reverse((now, _, event))) = self.events.pop() else {
                return;
            };
            self.clock.store(now, Ordering::Relaxed);
            match event {
                Event::Act { caller } => active -= usize::from(!self.act(now, caller)),
                Event::Arrive { call } => {
                    let request = self.calls[call].request.clone();
                    let mut answers = Vec::new();
                    self.service.handle(now, call, &request, &mut answers);
                    self.answer(now, answers);
                }
                Event::Wake => {
                    self.waking = None;
                    let mut answers = Vec::new();
                    self.service.wake(now, &mut answers);
                    self.answer(now, answers);
                }
                Event::Answer { call, number } => {
                    if let Some(reply) = self.answers[number].take() {
                        self.end(now, call, End::Replied(reply));
                    }
                }
                Event::Timeout { call, attempt } => self.time_out(now, call, attempt),
                Event::Cancel { call } => self.end(now, call, End::GaveUp),
                Event::Second => {
                    if self.random.f64() < self.faults.restart {
                        let restart = self.recorder.invoke(Restart);
                        self.service.restart(now);
                        restart.ok(());
                        self.answer(now, Vec::new());
                    }
                    self.schedule(now + SECOND, Event::Second);
                }
            }
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((at, self.scheduled, event)));
    }

    /// Whether the caller goes on.
    fn act(&mut self, now: u64, caller: usize) -> bool {
        match self.callers.next(caller, now, &mut self.random) {
            Next::Stop => return false,
            Next::Wait(time) => self.schedule(now + time, Event::Act { caller }),
            Next::Call { request, patience } => {
                let call = self.calls.len();
                self.calls.push(Open {
                    caller,
                    request,
                    patience,
                    attempt: 0,
                    is_open: true,
                });
                if self.random.f64() < self.faults.cancel / 8.0 {
                    self.end(now, call, End::NotSent);
                    return true;
                }
                self.transmit(now, call);
                if self.random.f64() < self.faults.cancel {
                    let at = now + self.random.u64(0..30 * MILLISECOND);
                    self.schedule(at, Event::Cancel { call });
                }
            }
        }
        true
    }

    fn transmit(&mut self, now: u64, call: CallId) {
        let open = &mut self.calls[call];
        open.attempt += 1;
        let (attempt, patience) = (open.attempt, open.patience);
        self.schedule(
            now + patience + ATTEMPT_TIMEOUT,
            Event::Timeout { call, attempt },
        );
        if self.random.f64() >= self.faults.loss {
            let at = now + self.latency();
            self.schedule(at, Event::Arrive { call });
        }
        if self.random.f64() < self.faults.duplicate {
            let at = now + self.random.u64(0..3 * SECOND);
            self.schedule(at, Event::Arrive { call });
        }
    }

    fn time_out(&mut self, now: u64, call: CallId, attempt: u32) {
        let open = &self.calls[call];
        if !open.is_open || open.attempt != attempt {
            return;
        }
        if attempt < ATTEMPTS {
            self.transmit(now, call);
        } else {
            self.end(now, call, End::GaveUp);
        }
    }

    fn answer(&mut self, now: u64, answers: Answers<S::Reply>) {
        for (call, reply) in answers {
            let is_lost = self.random.f64() < self.faults.loss;
            self.service
                .answered(&self.calls[call].request, &reply, is_lost);
            if !is_lost {
                let at = now + self.latency();
                let number = self.answers.len();
                self.answers.push(Some(reply));
                self.schedule(at, Event::Answer { call, number });
            }
        }
        if let Some(at) = self.service.next() {
            if self.waking.map_or(true, |waking| at < waking) {
                self.waking = Some(at);
                self.schedule(at.max(now), Event::Wake);
            }
        }
    }

    fn end(&mut self, now: u64, call: CallId, end: End<S::Reply>) {
        let open = &mut self.calls[call];
        if !std::mem::replace(&mut open.is_open, false) {
            return;
        }
        let caller = open.caller;
        self.callers.ended(caller, end, &mut self.random);
        let at = now + self.random.u64(0..2 * MILLISECOND);
        self.schedule(at, Event::Act { caller });
    }

    fn latency(&mut self) -> u64 {
        let most = if self.random.f64() < self.faults.delay {
            SECOND
        } else {
            10 * MILLISECOND
        };
        self.random.u64(MILLISECOND / 2..most)
    }
}
